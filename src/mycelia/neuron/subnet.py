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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from pydantic import BaseModel, ConfigDict

from mycelia.neuron.book import Book, weigh
from mycelia.neuron.declared import Declared, is_declared
from mycelia.wire.contract import Usage

if TYPE_CHECKING:
    import random

    from mycelia.models import ModelStore
    from mycelia.neuron.manifest import Manifest
    from mycelia.wire.contract import Deadline


class Request(BaseModel):
    """Base of every `Ask`. Immutable; unknown fields are refused so that typos are not silent."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Delta(BaseModel):
    """Base of the pieces of a streamed answer. One JSON object per piece on the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Reply(BaseModel):
    """Base of every `Answer`. Unknown fields are ignored: a newer miner may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def usage(self) -> Usage | None:
        """What the request took, in tokens, as this answer says; None where work is not so counted.

        Miners state it in their receipts, and an answer whose receipt says otherwise is none.
        """
        return None

    @classmethod
    def fold(cls, deltas: Sequence[Any]) -> Reply:
        """Join the pieces of a streamed answer into the answer that a scorer sees.

        Texts and lists are put one after the other; of everything else the last piece's value
        counts. Override it where that is not the meaning. `deltas` are instances of the subnet's
        `Piece` in the order of arrival. Raises ValueError if they do not make an answer.
        """
        if not deltas:
            raise ValueError("A stream without pieces is no answer.")
        joined: dict[str, Any] = {}
        for name in cls.model_fields:
            parts = [getattr(delta, name) for delta in deltas if hasattr(delta, name)]
            if parts:
                joined[name] = _joined(parts)
        return cls.model_validate(joined)


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
class Judgement:
    """A score and what it is made of, for subnets that can explain themselves."""

    score: float | None
    """0..1; None makes the sample void."""
    checks: Mapping[str, float] = field(default_factory=dict)
    """What was looked at, by name; 1 is best and 0 worst. Kept for the miner's statement."""


@dataclass(frozen=True)
class Context:
    """What a miner function may know about the request besides the ask itself.

    Who asks is left out on purpose: validators' and consumers' requests are to be served alike.
    """

    deadline: Deadline

    def remaining_s(self) -> float:
        """Seconds until the caller stops waiting; the function is cancelled then."""
        return self.deadline.remaining()


@dataclass(frozen=True)
class Meta:
    """How an answer arrived."""

    latency_ms: float
    first_byte_ms: float
    hotkey: str
    """SS58 of the miner that signed the receipt."""
    claim: str = ""
    """Digest of the manifest under which it answered, in hex; empty without one."""
    audited: bool = False
    """It was given to a consumer, and the times are by the miner's clock. Whoever asked chose the
    ask, perhaps so that honest miners look bad: judge with room to spare."""


# The kit hands each function its own subnet's message types, which a type checker cannot follow
# through a registry of subnets; the miner server validates them at the wire instead. A function
# that takes a second argument gets the `Context`.
Miner = Callable[..., Awaitable[Any] | AsyncIterator[Any]]
_MinerT = TypeVar("_MinerT", bound=Callable[..., Any])


@dataclass(frozen=True)
class Batch:
    """How many asks a miner function takes at once, and how long the first one waits for others."""

    size: int
    window_ms: float = 5.0


@dataclass(frozen=True)
class Role:
    """What a function was marked as. The kit looks for marks in the author's file."""

    subnet: type[Subnet]
    honest: bool
    batch: Batch | None = None
    model: Declared | None = None
    """What the miner says that it runs; see `Subnet.declared`."""


_ROLE = "__mycelia_role__"


def role_of(function: object) -> Role | None:
    """The mark that `Subnet.miner` or `Subnet.cheat` left on a function."""
    return getattr(function, _ROLE, None)


class Subnet:
    """One kind of work. An instance holds the models by which a validator judges it."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Ask: type[Request]
    Answer: type[Reply]
    Piece: type[Delta] | None = None
    """The delta type, if the subnet streams."""
    limits: ClassVar[Limits] = Limits()
    uid: int = 0
    """Of the validator that judges by this instance; the kit says it before the first round.
    Validators whose judges or samples need not be alike choose theirs by it."""
    declared: ClassVar[Declared | None] = None
    """The one model that this subnet pays for being: a name of the catalogue, or a card.
    None if any will do."""
    needs_truth: ClassVar[bool] = True
    """Whether `score` can judge answers to its own challenges only. Where it can do without a truth,
    answers to consumers are judged as well, with None in its place: see `audits`. What is below
    `floor` then counts, so an honest answer must never be."""
    floor: ClassVar[float] = 0.5
    """An answer that scores less than this is not one of the model that its miner claims."""

    def __init__(self, models: ModelStore) -> None:
        """Keep the store; load models here or on first use, never at import."""
        self.models = models

    async def challenge(self, rng: random.Random) -> Challenge:
        """Make a fresh challenge. `rng` is the only randomness, so its seed can be revealed."""
        raise NotImplementedError

    async def score(
        self, ask: Any, answer: Any, truth: Any, meta: Meta
    ) -> float | Judgement | None:
        """Judge one answer from 0 (worthless) to 1 (perfect).

        None, or raising, makes the sample void: it counts neither for nor against the miner.
        A `Judgement` also says which checks the score is made of.
        Long computations belong in a thread: the validator serves other subnets meanwhile.
        """
        raise NotImplementedError

    def knows(self, manifest: Manifest) -> bool:
        """Whether the scores of a miner can show that it runs what its manifest says.

        Unless overridden: the declared model under the declared conditions, where there is one;
        else any. What builds of the runtime do alike is for the score to tolerate.
        """
        return self.declared is None or is_declared(self.declared, self.models, manifest)

    @classmethod
    def weigh(cls, book: Book) -> dict[int, float]:
        """Weights by uid from what was seen of the miners. Override it for rules of one's own.

        It must be a pure function of the book, so that anyone who has a validator's samples can
        compute its weights again.
        """
        return weigh(book)

    @classmethod
    def path(cls) -> str:
        """Route of a plain call, such as `/text/1`."""
        return f"/{cls.name}/{cls.version}"

    @classmethod
    def stream_path(cls) -> str:
        """Route of a streamed call, such as `/text/1/stream`."""
        return f"{cls.path()}/stream"

    @overload
    @classmethod
    def miner(cls, function: _MinerT) -> _MinerT: ...
    @overload
    @classmethod
    def miner(
        cls, *, batch: int | None = None, window_ms: float = 5.0, model: Declared | None = None
    ) -> Callable[[_MinerT], _MinerT]: ...
    @classmethod
    def miner(
        cls,
        function: Any = None,
        *,
        batch: int | None = None,
        window_ms: float = 5.0,
        model: Declared | None = None,
    ) -> Any:
        """Mark a function as an honest miner of this subnet and check its shape at once.

        It takes an `Ask`, and a `Context` if it wants one, and either returns an `Answer`
        (coroutine) or yields `Piece`s (async generator). With `batch` it is a coroutine from a
        list of up to so many asks to the list of their answers; the first ask of a batch waits
        `window_ms` for others. `model` is what its manifest says that it runs: a name of the
        catalogue, or the card of a model of one's own. Raises TypeError on any other shape.
        """
        if function is None:
            size = Batch(batch, window_ms) if batch else None
            role = Role(cls, honest=True, batch=size, model=model)
            return lambda later: cls._marked(later, role)
        return cls._marked(function, Role(cls, honest=True))

    @classmethod
    def cheat(cls, function: _MinerT) -> _MinerT:
        """Mark a function as a miner that must not pay; `mycelia subnet dev` tries it too."""
        return cls._marked(function, Role(cls, honest=False))

    @classmethod
    def _marked(cls, function: _MinerT, role: Role) -> _MinerT:
        name = getattr(function, "__qualname__", repr(function))
        streams = inspect.isasyncgenfunction(function)
        if not streams and not inspect.iscoroutinefunction(function):
            raise TypeError(f"{name} must be `async def`")
        if streams and cls.Piece is None:
            raise TypeError(f"{name} yields, but {cls.__name__} has no Piece")
        if streams and role.batch:
            raise TypeError(f"{name} yields, and so cannot take a batch")
        setattr(function, _ROLE, role)
        return function


def _joined(parts: list[Any]) -> Any:
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    if all(isinstance(part, list | tuple) for part in parts):
        return [item for part in parts for item in part]
    return parts[-1]


@dataclass(frozen=True)
class Variant:
    """One kind of miner that a subnet ships: an honest one, or a cheat to test it against."""

    name: str
    honest: bool
    make: Callable[[ModelStore], Miner]
    """Loads what the miner needs and returns its function. Called once per process."""
    about: str = ""
    model: Declared | None = None
    """What it says that it runs, if that is not what the subnet declares."""


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
