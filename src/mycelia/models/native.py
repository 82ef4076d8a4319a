"""The C interface of llama.cpp as the pinned `xllamacpp` wheel exports it, through ctypes.

The wheel's Python layer offers a server with its own scheduler and prompt cache. A validator that
replays a miner's computation has to control every step itself, so this module binds the dozen
functions that takes, straight from the wheel's shared object.

llama.cpp promises no stable binary interface. The binding therefore names one wheel version, and
`library()` compares the defaults that the library writes into its parameter structs with the ones
this layout expects: a struct that gained or moved a field is noticed before it is ever passed back.

It is not a general binding: `llama.py` is the only importer.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_bool,
    c_char_p,
    c_float,
    c_int8,
    c_int32,
    c_size_t,
    c_uint32,
    c_void_p,
)
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from mycelia.primitives.errors import AppError

WHEEL_VERSION = "2026.10.11549"
"""The one build whose struct layout stands below and whose arithmetic the thresholds assume."""

_StructT = TypeVar("_StructT", bound=Structure)

_REMEDY = "Install the versions of requirements/ again, for instance with `make up`."


class ModelParams(Structure):
    """`llama_model_params`: how a file becomes weights in memory."""

    _fields_: ClassVar = [
        ("devices", c_void_p),
        ("tensor_buft_overrides", c_void_p),
        ("n_gpu_layers", c_int32),
        ("split_mode", c_int32),
        ("load_mode", c_int32),
        ("lazy_mode", c_int32),
        ("main_gpu", c_int32),
        ("tensor_split", c_void_p),
        ("progress_callback", c_void_p),
        ("progress_callback_user_data", c_void_p),
        ("kv_overrides", c_void_p),
        ("vocab_only", c_bool),
        ("check_tensors", c_bool),
        ("use_extra_bufts", c_bool),
        ("no_host", c_bool),
        ("no_alloc", c_bool),
        ("load_mtp", c_bool),
    ]


class ContextParams(Structure):
    """`llama_context_params`: how one evaluation is scheduled."""

    _fields_: ClassVar = [
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32),
        ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("ctx_type", c_int32),
        ("rope_scaling_type", c_int32),
        ("pooling_type", c_int32),
        ("attention_type", c_int32),
        ("flash_attn_type", c_int32),
        ("rope_freq_base", c_float),
        ("rope_freq_scale", c_float),
        ("yarn_ext_factor", c_float),
        ("yarn_attn_factor", c_float),
        ("yarn_beta_fast", c_float),
        ("yarn_beta_slow", c_float),
        ("yarn_orig_ctx", c_uint32),
        ("defrag_thold", c_float),
        ("cb_eval", c_void_p),
        ("cb_eval_user_data", c_void_p),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("callbacks", c_void_p * 3),  # left as they come; nothing here sets them
        ("embeddings", c_bool),
        ("offload_kqv", c_bool),
        ("no_perf", c_bool),
        ("op_offload", c_bool),
        ("swa_full", c_bool),
        ("kv_unified", c_bool),
        ("samplers", c_void_p),
        ("n_samplers", c_size_t),
        ("ctx_other", c_void_p),
    ]


class Batch(Structure):
    """`llama_batch`: the tokens of one evaluation, with positions and which logits to keep."""

    _fields_: ClassVar = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


_MODEL_DEFAULTS = {"n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "lazy_mode": 1,
                   "main_gpu": 0, "vocab_only": False, "check_tensors": False,
                   "use_extra_bufts": True, "no_host": False, "no_alloc": False,
                   "load_mtp": False}  # fmt: skip
_CONTEXT_DEFAULTS = {"n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1,
                     "n_rs_seq": 0, "n_outputs_max": 0, "n_outputs_max_per_seq": 1,
                     "n_threads": 4, "n_threads_batch": 4, "ctx_type": 0,
                     "rope_scaling_type": -1, "pooling_type": -1, "attention_type": -1,
                     "flash_attn_type": -1, "rope_freq_base": 0.0, "yarn_ext_factor": -1.0,
                     "yarn_orig_ctx": 0, "defrag_thold": -1.0, "type_k": 1, "type_v": 1,
                     "embeddings": False, "offload_kqv": True, "no_perf": True,
                     "op_offload": True, "swa_full": True, "kv_unified": False,
                     "n_samplers": 0}  # fmt: skip

_GUARD = 0xA5  # fills the bytes around a struct, so that writing past its end shows

_PROTOTYPES = {
    "llama_backend_init": (None, []),
    "llama_load_mode_from_str": (c_int32, [c_char_p]),
    "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
    "llama_model_free": (None, [c_void_p]),
    "llama_model_desc": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_init_from_model": (c_void_p, [c_void_p, ContextParams]),
    "llama_free": (None, [c_void_p]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_memory_seq_rm": (c_bool, [c_void_p, c_int32, c_int32, c_int32]),
    "llama_decode": (c_int32, [c_void_p, Batch]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
    "llama_batch_init": (Batch, [c_int32, c_int32, c_int32]),
    "llama_batch_free": (None, [Batch]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_vocab_is_eog": (c_bool, [c_void_p, c_int32]),
    "llama_tokenize": (
        c_int32,
        [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool],
    ),
    "llama_token_to_piece": (
        c_int32,
        [c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool],
    ),
}

_LOG_CALLBACK = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)


class RuntimeMismatch(AppError):
    """The installed inference library is not the build that this code is written for."""

    def __init__(self, found: str) -> None:
        super().__init__(
            "inference_runtime_mismatch",
            f"This network computes with xllamacpp {WHEEL_VERSION}, but found {found}.",
            _REMEDY,
        )


class Library:
    """The loaded shared object, its prototypes declared and its structs checked."""

    def __init__(self, path: Path) -> None:
        try:
            self.c = ctypes.CDLL(str(path))
        except OSError as cause:
            raise RuntimeMismatch(f"one that does not load ({cause})") from cause
        for name, (result, arguments) in _PROTOTYPES.items():
            try:
                function = getattr(self.c, name)
            except AttributeError as cause:
                raise RuntimeMismatch(f"a build without {name}") from cause
            function.restype, function.argtypes = result, arguments
        self.model_params = _checked(
            self.c.llama_model_default_params, ModelParams, _MODEL_DEFAULTS
        )
        self.context_params = _checked(
            self.c.llama_context_default_params, ContextParams, _CONTEXT_DEFAULTS
        )
        self._check_batch()
        self._silence = _LOG_CALLBACK(lambda _level, _text, _data: None)  # must outlive the calls
        self.c.llama_log_set.restype = None
        self.c.llama_log_set(self._silence, None)
        self.c.llama_backend_init()

    def _check_batch(self) -> None:
        batch = self.c.llama_batch_init(1, 0, 1)
        arrays = (batch.token, batch.pos, batch.n_seq_id, batch.seq_id, batch.logits)
        fits = batch.n_tokens == 0 and not batch.embd and all(arrays)
        if not fits:
            raise RuntimeMismatch("another batch layout")
        self.c.llama_batch_free(batch)


def _checked(defaults: Any, struct: type[_StructT], expected: Mapping[str, object]) -> _StructT:
    """Let the library fill a guarded buffer; compare its size and its values with the layout.

    C returns a struct of this size through a hidden pointer, which is the first argument here.
    """
    guard_bytes = 64
    raw = (ctypes.c_uint8 * (ctypes.sizeof(struct) + guard_bytes))()
    ctypes.memset(raw, _GUARD, ctypes.sizeof(raw))
    defaults.restype, defaults.argtypes = None, [c_void_p]
    defaults(ctypes.addressof(raw))
    if any(byte != _GUARD for byte in raw[ctypes.sizeof(struct) :]):
        raise RuntimeMismatch(f"a larger {struct.__name__}")
    values = struct.from_buffer_copy(raw)
    for field, value in expected.items():
        if getattr(values, field) != value:
            raise RuntimeMismatch(f"{struct.__name__}.{field} at another place")
    return values


@functools.cache
def library() -> Library:
    """Load the library once per process.

    Raises:
        RuntimeMismatch: another version is installed, or its structs differ from the layout here.
    """
    try:
        version = importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError as cause:
        raise RuntimeMismatch("none installed") from cause
    if version != WHEEL_VERSION:
        raise RuntimeMismatch(f"version {version}")
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeMismatch("no package folder")
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = sorted(folder.glob("xllamacpp*.so"))
    if len(found) != 1:
        raise RuntimeMismatch(f"{len(found)} shared objects in {folder}")
    return Library(found[0])
