"""Language models on llama.cpp, evaluated on a schedule that others can repeat bit for bit.

Same weights, same build and same schedule give the same logits to the last bit; a larger batch, a
second thread pool or another attention kernel need not. So everything that shapes the arithmetic
is fixed by `Schedule`: one thread, one sequence, prompts in chunks of at most `chunk` tokens, one
attention kernel, no state carried over from an earlier request.

Terms: *step* - one generated token; *end of generation* - a token by which the model ends its turn.

It is not a server: calls block, and one model answers one caller at a time (`worker.py` queues).
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mycelia.models import native
from mycelia.models.sampling import Logits, chosen_token, shortfall
from mycelia.models.store import ModelUnreadable
from mycelia.primitives.errors import AppError

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Schedule:
    """All that shapes the arithmetic besides weights and build."""

    context: int = 2048
    """Tokens of prompt and answer together."""
    chunk: int = 32
    """Most tokens per evaluation. Up to 32, kernels give the bits of one at a time."""
    flash_attention: bool = True
    repack: bool = False
    """Rearranged weights are faster for some formats, but private memory and other bits."""

    def __str__(self) -> str:
        """Name all but the context in one word, as a miner's claim does."""
        words = ["one-thread", f"chunk-{self.chunk}"]
        words += ["flash-attention"] * self.flash_attention + ["repacked"] * self.repack
        return ",".join(words)


@dataclass(frozen=True)
class Step:
    """One generated token."""

    token: int
    text: str
    """Text that this token completes; empty for a control token or half of a character."""


class ModelBusy(AppError):
    """A model was called while it answered another caller."""

    def __init__(self) -> None:
        super().__init__(
            "model_busy", "The model is answering another request.", "Queue calls with a Worker."
        )


class ContextExceeded(AppError):
    """Prompt and answer do not fit the context."""

    def __init__(self, wanted: int, limit: int) -> None:
        super().__init__(
            "context_length_exceeded",
            f"The request needs {wanted} tokens; this model has {limit}.",
            "Shorten the messages or ask for fewer tokens.",
        )


class EvaluationFailed(AppError):
    """The runtime reported an error, or logits that are no numbers."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            "evaluation_failed",
            f"The model could not be evaluated ({cause}).",
            "Restart the process; if it happens again, delete the model file.",
        )


class Vocabulary:
    """Text to tokens and back, in the format that the model was trained to converse in."""

    def __init__(self, path: Path) -> None:
        """Load the vocabulary alone; a few megabytes, no weights."""
        lib = native.library()
        params = lib.model_params
        params = type(params).from_buffer_copy(params)
        params.vocab_only = True
        self._owned = lib.c.llama_model_load_from_file(str(path).encode(), params)
        if not self._owned:
            raise ModelUnreadable(path)
        self._bind(self._owned)

    @classmethod
    def of_model(cls, model: int) -> Vocabulary:
        """View the vocabulary of a loaded model, which must outlive the view."""
        self = cls.__new__(cls)
        self._owned = None
        self._bind(model)
        return self

    def _bind(self, model: int) -> None:
        c = native.library().c
        self._vocab = c.llama_model_get_vocab(model)
        self.size: int = c.llama_vocab_n_tokens(self._vocab)
        ends = (t for t in range(self.size) if c.llama_vocab_is_eog(self._vocab, t))
        self.end_tokens: frozenset[int] = frozenset(ends)

    def tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Tokens of a text; control tokens are recognised only if `special`."""
        raw = text.encode()
        room = len(raw) + 8  # a token stands for at least one byte
        out = (ctypes.c_int32 * room)()
        c = native.library().c
        count = c.llama_tokenize(self._vocab, raw, len(raw), out, room, False, special)
        if count < 0:
            raise EvaluationFailed("the text does not tokenise")
        return out[:count]

    def piece(self, token: int) -> bytes:
        """Bytes that one token stands for; none for a control token.

        Raises ValueError outside the vocabulary, where the library would end the process.
        """
        if not 0 <= token < self.size:
            raise ValueError(f"token {token} is outside the vocabulary")
        out = ctypes.create_string_buffer(512)
        c = native.library().c
        count = c.llama_token_to_piece(self._vocab, token, out, len(out), 0, False)
        return out.raw[: max(0, count)]

    def text(self, tokens: Sequence[int]) -> str:
        """Text of tokens; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(map(self.piece, tokens)).decode(errors="replace")

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Tokens of a conversation, up to where the assistant's turn begins.

        Contents are tokenised as plain text: a user who types a control token gets its letters,
        not another role.

        Source: the ChatML template in the model file's `tokenizer.chat_template`.
        """
        start, end, newline = (self.tokens(t, special=True) for t in _CHATML)
        turns = list(messages)
        if not turns or turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": _DEFAULT_SYSTEM})
        out: list[int] = []
        for turn in turns:
            out += start + self.tokens(f"{turn['role']}\n{turn['content']}") + end + newline
        return out + start + self.tokens("assistant\n")

    def close(self) -> None:
        """Free what this object loaded itself."""
        if self._owned:
            native.library().c.llama_model_free(self._owned)
            self._owned = None


_CHATML = ("<|im_start|>", "<|im_end|>", "\n")
_DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


class LlamaModel:
    """Weights and one evaluation context. Load with `load`; one caller at a time."""

    def __init__(self, model: int, context: int, schedule: Schedule) -> None:
        self._model, self._context, self.schedule = model, context, schedule
        self._c = native.library().c
        self.vocabulary = Vocabulary.of_model(model)
        self._memory = self._c.llama_get_memory(context)
        self._batch = self._c.llama_batch_init(schedule.chunk, 0, 1)
        self._busy = threading.Lock()
        self._held: tuple[tuple[int, ...], Logits] | None = None

    @classmethod
    def load(cls, path: Path, schedule: Schedule | None = None) -> LlamaModel:
        """Map the weights of a verified file and make a context for them.

        The file must come from `ModelStore.path`, which checks its digest: llama.cpp trusts what
        it reads.

        Raises:
            ModelUnreadable: it is no model file of a known architecture.
            native.RuntimeMismatch: another build of the library is installed.
        """
        schedule = schedule or Schedule()
        lib = native.library()
        params = type(lib.model_params).from_buffer_copy(lib.model_params)
        params.n_gpu_layers = 0
        params.load_mode = lib.c.llama_load_mode_from_str(b"mmap")  # pages shared by processes
        params.use_extra_bufts = schedule.repack
        model = lib.c.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ModelUnreadable(path)
        settings = type(lib.context_params).from_buffer_copy(lib.context_params)
        settings.n_ctx = schedule.context
        settings.n_batch = settings.n_ubatch = schedule.chunk
        settings.n_outputs_max = settings.n_outputs_max_per_seq = schedule.chunk
        settings.n_threads = settings.n_threads_batch = 1
        settings.flash_attn_type = int(schedule.flash_attention)
        context = lib.c.llama_init_from_model(model, settings)
        if not context:
            lib.c.llama_model_free(model)
            raise ModelUnreadable(path)
        return cls(model, context, schedule)

    def generate(
        self, prompt: Sequence[int], *, max_tokens: int, seed: int, temperature: float
    ) -> Generator[Step, None, None]:
        """Yield the answer token by token; close the iterator to stop early.

        The last step is an end of generation, or the `max_tokens`-th.

        Raises:
            ContextExceeded: prompt and answer do not fit.
            ModelBusy: another call is under way.
        """
        self.check_room(len(prompt), max_tokens)
        with self._exclusive():
            self._forget()
            text = codecs.getincrementaldecoder("utf-8")(errors="replace")
            last = self._evaluate(prompt, 0, keep_all=False)[-1]
            for position in range(max_tokens):
                token = chosen_token(last, seed, position, temperature)
                ends = token in self.vocabulary.end_tokens
                final = ends or position + 1 == max_tokens
                yield Step(token, text.decode(self.vocabulary.piece(token), final=final))
                if final:
                    return
                last = self._evaluate([token], len(prompt) + position, keep_all=False)[-1]

    def shortfalls(
        self, prompt: Sequence[int], answer: Sequence[int], *, seed: int, temperature: float
    ) -> NDArray[np.float64]:
        """How many logits each token of an answer is below what this model would have sampled.

        All zeros if this model, on this build and schedule, made the answer from this seed.
        Raises ValueError on a token outside the vocabulary.
        """
        self.check_room(len(prompt), len(answer))
        if not all(0 <= token < self.vocabulary.size for token in answer):
            raise ValueError("the answer holds tokens outside the vocabulary")
        out = np.zeros(len(answer))
        if not answer:
            return out
        with self._exclusive():
            first = self._after(tuple(prompt))
            out[0] = shortfall(first, answer[0], seed, 0, temperature)
            chunk = self.schedule.chunk
            for start in range(0, len(answer) - 1, chunk):
                given = answer[start : min(start + chunk, len(answer) - 1)]
                rows = self._evaluate(given, len(prompt) + start, keep_all=True)
                for offset, row in enumerate(rows, start=start + 1):
                    out[offset] = shortfall(row, answer[offset], seed, offset, temperature)
        return out

    def quantisation(self) -> str:
        """How most weights are stored, such as `Q4_1`, as the file says."""
        out = ctypes.create_string_buffer(256)
        self._c.llama_model_desc(self._model, out, len(out))
        return out.value.decode(errors="replace").rsplit(" ", 1)[-1]

    def close(self) -> None:
        """Free context and weights. The object is unusable afterwards."""
        with self._exclusive():
            self._c.llama_batch_free(self._batch)
            self._c.llama_free(self._context)
            self._c.llama_model_free(self._model)

    def check_room(self, prompt_length: int, answer_length: int) -> None:
        """Raise ContextExceeded if a prompt and an answer of these lengths do not fit."""
        wanted = prompt_length + answer_length
        if wanted > self.schedule.context:
            raise ContextExceeded(wanted, self.schedule.context)

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the model for one request."""
        if not self._busy.acquire(blocking=False):
            raise ModelBusy
        try:
            yield
        finally:
            self._busy.release()

    def _forget(self) -> None:
        """Empty the memory, as every request of a miner starts."""
        self._held = None
        self._c.llama_memory_clear(self._memory, True)

    def _after(self, prompt: tuple[int, ...]) -> Logits:
        """Logits after a prompt. The last prompt is kept: a round's answers share it.

        Only the answer's part of the memory is cut off then, which leaves the bits of the rest.
        """
        if self._held is not None and self._held[0] == prompt:
            self._c.llama_memory_seq_rm(self._memory, 0, len(prompt), -1)
            return self._held[1]
        self._forget()
        row = self._evaluate(prompt, 0, keep_all=False)[-1].copy()
        self._held = (prompt, row)
        return row

    def _evaluate(self, tokens: Sequence[int], position: int, *, keep_all: bool) -> list[Logits]:
        """Feed tokens in chunks; return the logits after all of the last chunk, or its last token.

        The arrays are views of the library's memory, valid until the next call.
        """
        if not tokens:
            raise EvaluationFailed("nothing to evaluate")
        size, batch = self.vocabulary.size, self._batch
        for start in range(0, len(tokens), self.schedule.chunk):
            given = tokens[start : start + self.schedule.chunk]
            batch.n_tokens = len(given)
            for i, token in enumerate(given):
                batch.token[i] = token
                batch.pos[i] = position + start + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = 0
                batch.logits[i] = keep_all or i + 1 == len(given)
            status = self._c.llama_decode(self._context, batch)
            if status != 0:
                raise EvaluationFailed(f"status {status}")
        kept = range(len(given)) if keep_all else [len(given) - 1]
        rows = [
            np.ctypeslib.as_array(self._c.llama_get_logits_ith(self._context, i), (size,))
            for i in kept
        ]
        if not all(np.isfinite(row.max()) for row in rows):
            raise EvaluationFailed("logits that are no numbers")
        return rows
