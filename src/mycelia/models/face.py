"""One face for models of any framework: say what you are, answer a typed ask, be closed.

A miner's function awaits `model.run(ask)` and need not know what runs behind it; `adapters` has a
loader for each framework. Two kinds of asks cover what there is: named arrays, for models that
compute, and prompts, for models that talk; a plain function may take anything.

It is not a registry and chooses nothing: whoever loads a model knows which one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from numpy.typing import NDArray

from mycelia.primitives.errors import AppError

AskT_contra = TypeVar("AskT_contra", contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", covariant=True)

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by the names that the model gives its inputs or outputs."""

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Card:
    """What runs: enough for somebody else to run the same. None where it is not known here.

    `mycelia.models.describe` makes the whole card of a model in the catalogue. A model of one's own
    describes itself but for its licence: `replace(model.describe(), licence="MIT")`.
    """

    name: str
    runtime: str
    """Package that computes, `onnxruntime==1.32.0`; or the server that does."""
    sha256: str | None = None
    """Of the file of weights."""
    quantisation: str | None = None
    """Element type of most weights, as the framework calls it: `float32`, `int8`, `Q4_1`."""
    runtime_sha256: str | None = None
    """Of the wheel that computes, see `installed.wheel_digest`."""
    schedule: str | None = None
    """What fixes the order of the arithmetic: threads, sizes of chunks, optimisation."""
    context: int = 0
    """Tokens that an ask and its answer may have together; 0 where that means nothing."""
    licence: str | None = None
    """SPDX identifier of the weights' licence."""

    def claim(self) -> dict[str, str | int]:
        """What a miner claims of the model, by the names that a manifest has for it.

        `Manifest.model_validate(card.claim() | {"miner": ..., "subnet": ..., "version": ...})`.

        Raises CardIncomplete if anything is not known.
        """
        known = {
            "model": self.name,
            "weights": self.sha256,
            "runtime": self.runtime,
            "runtime_digest": self.runtime_sha256,
            "quantisation": self.quantisation,
            "schedule": self.schedule,
            "context": self.context,
            "licence": self.licence,
        }
        found = {name: value for name, value in known.items() if value is not None}
        if len(found) < len(known):
            raise CardIncomplete(self.name, [name for name in known if name not in found])
        return found


@dataclass(frozen=True)
class Prompt:
    """A conversation to continue."""

    messages: tuple[tuple[str, str], ...]
    """Role (`system`, `user` or `assistant`) and words of each turn."""
    max_tokens: int = 256
    temperature: float = 0.7
    seed: int = 0


@dataclass(frozen=True)
class Part:
    """A piece of an answer; the last one, and only that, says why it is the last."""

    text: str
    finish: Finish | None = None


@dataclass(frozen=True)
class Completion:
    """A whole answer."""

    text: str
    finish: Finish


class Model(Protocol[AskT_contra, AnswerT_co]):
    """A model that is loaded."""

    def describe(self) -> Card:
        """Say what runs. Blocks for as long as it takes to read the file, the first time."""
        ...

    async def run(self, ask: AskT_contra, /) -> AnswerT_co:
        """Answer one ask; any number of callers may wait at once.

        Raises:
            AskRefused: the model cannot take this ask.
            ModelClosed: it was closed.
            ServerFailed: it runs elsewhere and did not answer.
        """
        ...

    async def close(self) -> None:
        """Free what it holds, after the call under way. More than once is once."""
        ...


class ChatModel(Model[Prompt, Completion], Protocol):
    """A model that talks."""

    def stream(self, prompt: Prompt, /) -> AsyncGenerator[Part, None]:
        """Yield the answer as it comes into being. Leaving the loop early stops the work.

        Use `contextlib.aclosing` where the loop may be left early. Raises what `run` raises.
        """
        ...


class AskRefused(AppError):
    """The model cannot take an ask."""

    def __init__(self, why: str) -> None:
        super().__init__("ask_refused", f"The model cannot take this: {why}.", "Ask otherwise.")


class ModelClosed(AppError):
    """A model was called after it was closed."""

    def __init__(self) -> None:
        super().__init__("model_closed", "The model was closed.", "Load it again.")


class ServerFailed(AppError):
    """A model that runs on a server did not answer."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "model_server_failed", f"The model's server failed: {why}.", "Look at the server."
        )


class CardIncomplete(AppError):
    """Too little is known of a model to claim it."""

    def __init__(self, name: str, unknown: Sequence[str]) -> None:
        super().__init__(
            "card_incomplete",
            f"Of the model {name} it is not known: {', '.join(unknown)}.",
            "Complete its card with `dataclasses.replace`, or serve it without a claim.",
        )


class DigestDiffers(AppError):
    """A file is not the one whose digest was given."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(
            "digest_differs",
            f"{path} has the SHA-256 {found[:16]}, not {expected[:16]}.",
            "Give the digest of the file that you trust.",
        )


async def folded(parts: AsyncGenerator[Part, None]) -> Completion:
    """Join the parts of a streamed answer."""
    text, finish = "", None
    async for part in parts:
        text, finish = text + part.text, part.finish
    if finish is None:
        raise ServerFailed("the answer broke off")
    return Completion(text, finish)


def checked_prompt(prompt: Prompt) -> Sequence[Mapping[str, str]]:
    """Messages of a prompt as chat templates take them; raises AskRefused for an impossible one."""
    if not prompt.messages:
        raise AskRefused("there are no messages")
    if prompt.max_tokens < 1:
        raise AskRefused("no token may be answered")
    if not 0.0 <= prompt.temperature <= 2.0:
        raise AskRefused("the temperature is outside 0 to 2")
    unknown = {role for role, _ in prompt.messages} - {"system", "user", "assistant"}
    if unknown:
        raise AskRefused(f"a turn is of {min(unknown)!r}")
    return [{"role": role, "content": content} for role, content in prompt.messages]
