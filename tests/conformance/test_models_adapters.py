"""Every adapter passes the suites of `mycelia.testing.models`, on real files and a real server."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mycelia.models import ModelStore
from mycelia.models.adapters import function, llama, onnx, server, sklearn
from mycelia.models.cards import digest_of
from mycelia.models.catalog import SMOLLM2
from mycelia.models.face import AskRefused, DigestDiffers, Prompt, ServerFailed
from mycelia.models.llama import Schedule
from mycelia.models.store import ModelUnavailable
from mycelia.testing.models import ChatSuite, FileSuite, ModelSuite, RowsSuite
from mycelia.testing.ports import free_port

pytestmark = pytest.mark.slow

CONTEXT = 512
CELLS = np.random.default_rng(1).random((3, 256), dtype=np.float32)


def ensured(name: str) -> Path:
    try:
        return ModelStore().ensure(name)
    except ModelUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


class TestFunction(ModelSuite):
    module = "mycelia.models.adapters.function"
    asks = ("one", "two", "three")
    refused = ("",)

    async def make(self):
        def backwards(text: str) -> str:
            if not text:
                raise AskRefused("it is empty")
            return text[::-1]

        return function.wrap(backwards)


class TestOnnx(RowsSuite):
    rows = "cells"
    module = "mycelia.models.adapters.onnx"
    heavy = "onnxruntime"
    asks = ({"cells": CELLS}, {"cells": CELLS[:1]})
    refused = (
        {},
        {"rows": CELLS},
        {"cells": CELLS, "more": CELLS},
        {"cells": CELLS[:, :5]},
        {"cells": CELLS[0]},
        {"cells": CELLS.astype(np.float64)},
    )
    quantisation = "float32"

    @property
    def digest(self):
        return digest_of(ensured("digits-linear"))

    async def make(self):
        return onnx.load(ensured("digits-linear"))

    async def load(self, path):
        return onnx.load(path)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    """A classifier that knows three classes, as joblib writes it."""
    import joblib
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    rows, labels = rng.random((60, 256)), rng.integers(0, 3, 60)
    path = tmp_path_factory.mktemp("fitted") / "linear.joblib"
    joblib.dump(LogisticRegression().fit(rows, labels), path)
    return path


class TestScikitLearn(RowsSuite):
    rows = "rows"
    module = "mycelia.models.adapters.sklearn"
    heavy = "sklearn"
    asks = ({"rows": CELLS}, {"rows": CELLS[:1]})
    refused = ({}, {"rows": CELLS[:, :5]}, {"rows": CELLS[0]}, {"rows": np.full((1, 256), np.nan)})
    quantisation = "float64"

    @pytest.fixture(autouse=True)
    def trusted(self, fitted):
        self.path, self.digest = fitted, digest_of(fitted)

    async def make(self):
        return sklearn.load(self.path, sha256=self.digest)

    async def load(self, path):
        return sklearn.load(path, sha256=digest_of(path))

    def test_another_file_than_the_trusted_is_never_read(self, tmp_path):
        (tmp_path / "program").write_bytes(b"cos\nsystem\n(S'exit'\ntR.")
        with pytest.raises(DigestDiffers):
            sklearn.load(tmp_path / "program", sha256=self.digest)


@pytest.mark.net
class TestLlama(ChatSuite, FileSuite):
    module = "mycelia.models.adapters.llama"
    heavy = "xllamacpp"
    model_context = CONTEXT
    digest = SMOLLM2.sha256
    quantisation = "Q4_1"

    async def make(self):
        return llama.load(ensured(SMOLLM2.name), Schedule(context=CONTEXT))

    async def load(self, path):
        return llama.load(path)

    async def test_a_seed_beyond_its_bits_is_refused(self, model):
        with pytest.raises(AskRefused):
            await model.run(Prompt((("user", "x"),), seed=-1))


@pytest.fixture(scope="module")
def llama_server() -> Iterator[str]:
    """A llama.cpp server on a port of its own, with one slot."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(ensured(SMOLLM2.name))
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.hostnames = ["127.0.0.1"]
    params.port, params.cache_prompt, params.ui = free_port(), False, False
    running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


@pytest.mark.net
class TestServer(ChatSuite):
    module = "mycelia.models.adapters.server"
    model_context = CONTEXT

    @pytest.fixture(autouse=True)
    def address(self, llama_server):
        self.url = llama_server

    async def make(self):
        return await server.connect(self.url)

    async def test_a_model_that_it_does_not_have_is_noticed_at_once(self):
        with pytest.raises(ServerFailed, match="no model"):
            await server.connect(self.url, "another")

    async def test_a_server_that_is_away_is_noticed_at_once(self):
        with pytest.raises(ServerFailed):
            await server.connect(f"http://127.0.0.1:{free_port()}/v1")
