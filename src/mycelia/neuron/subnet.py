"""What a subnet is: one class with typed messages, a challenge, a score and limits.

A subnet author subclasses `Subnet`, nests an `Ask(Request)` and an `Answer(Reply)` in it, and
writes two coroutines. Everything else -- the routes a miner serves, the validator's rounds, the
weights, the gateway's typed call -- follows from the class.

Terms: *ask* - a request to a miner; *answer* - its reply; *delta* - one piece of a streamed answer;
*challenge* - an ask made by a validator; *truth* - what the validator keeps to judge the answer by.

It is not a server and holds no chain state: see `miner.py` and `validator.py` for those.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import random

    from mycelia.models import ModelStore


class Request(BaseModel):
    """Base of every `Ask`. Immutable; unknown fields are refused so that typos are not silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Delta(BaseModel):
    """Base of the pieces of a streamed answer. One JSON object per piece on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(BaseModel):
    """Base of every `Answer`. Unknown fields are ignored: a newer miner may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def fold(cls, deltas: Sequence[Any]) -> Reply:
        """Join the pieces of a streamed answer into the answer that a scorer sees.

        Override it in an `Answer` whose subnet streams. `deltas` are instances of the subnet's
        `Piece` in the order of arrival.
        """
        raise NotImplementedError(f"{cls.__qualname__} has no fold: its subnet does not stream")


@dataclass(frozen=True)
class Limits:
    """What a miner accepts and how long a caller waits."""

    deadline_s: float = 10.0
    """Seconds from the first byte sent to the last byte received."""
    first_byte_s: float = 5.0
    """Seconds until the first byte of a streamed answer."""
    body_bytes: int = 64 * 1024
    """Largest request body."""
    inflight: int = 4
    """Requests that a miner works on at once; more are refused with "busy"."""


@dataclass(frozen=True)
class Challenge:
    """An ask and what the validator alone knows about it."""

    ask: Request
    truth: Any = None  # any value of the subnet's own; never leaves the validator's process


@dataclass(frozen=True)
class Meta:
    """How an answer arrived."""

    latency_ms: float
    first_byte_ms: float
    hotkey: str
    """SS58 of the miner that signed the receipt."""


# The kit hands each function its own subnet's message types, which a type checker cannot follow
# through a registry of subnets; the miner server validates them at the wire instead.
Miner = Callable[[Any], Awaitable[Any] | AsyncIterator[Any]]
_MinerT = TypeVar("_MinerT", bound=Callable[..., Any])


class Subnet:
    """One kind of work. An instance holds the models by which a validator judges it."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Ask: type[Request]
    Answer: type[Reply]
    Piece: type[Delta] | None = None
    """The delta type, if the subnet streams."""
    limits: ClassVar[Limits] = Limits()

    def __init__(self, models: ModelStore) -> None:
        """Keep the store; load models here or on first use, never at import."""
        self.models = models

    async def challenge(self, rng: random.Random) -> Challenge:
        """Make a fresh challenge. `rng` is the only randomness, so its seed can be revealed."""
        raise NotImplementedError

    async def score(self, ask: Any, answer: Any, truth: Any, meta: Meta) -> float | None:
        """Judge one answer from 0 (worthless) to 1 (perfect).

        None, or raising, makes the sample void: it counts neither for nor against the miner.
        Long computations belong in a thread: the validator serves other subnets meanwhile.
        """
        raise NotImplementedError

    @classmethod
    def path(cls) -> str:
        """Route of a plain call, such as `/text/1`."""
        return f"/{cls.name}/{cls.version}"

    @classmethod
    def stream_path(cls) -> str:
        """Route of a streamed call, such as `/text/1/stream`."""
        return f"{cls.path()}/stream"

    @classmethod
    def miner(cls, function: _MinerT) -> _MinerT:
        """Mark a function as a miner of this subnet and check its shape at once.

        It takes one `Ask` and either returns an `Answer` (coroutine) or yields `Piece`s
        (async generator). Raises TypeError on any other shape.
        """
        streams = inspect.isasyncgenfunction(function)
        if not streams and not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} must be `async def`")
        if streams and cls.Piece is None:
            raise TypeError(f"{function.__qualname__} yields, but {cls.__name__} has no Piece")
        return function


@dataclass(frozen=True)
class Variant:
    """One kind of miner that a subnet ships: an honest one, or a cheat to test it against."""

    name: str
    honest: bool
    make: Callable[[ModelStore], Miner]
    """Loads what the miner needs and returns its function. Called once per process."""
    about: str = ""


@dataclass(frozen=True)
class Spec:
    """A subnet as the registry knows it."""

    subnet: type[Subnet]
    miners: Mapping[str, Variant]
    """Variants by name; a launcher starts one process per entry, in this order."""
    models: tuple[str, ...] = ()
    """Names of the models that its validators and miners load."""
    openai_model: str | None = None
    """Model name under which the gateway offers it as a chat model; None for typed calls only."""
