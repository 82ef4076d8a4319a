"""The adapter for PyTorch. `make test-torch` runs this in an environment that has it."""

from pathlib import Path

import numpy as np
import pytest

from mycelia.models.cards import digest_of
from mycelia.testing.models import RowsSuite

pytestmark = pytest.mark.slow

torch = pytest.importorskip("torch", reason="PyTorch is not installed: see make test-torch")
adapter = pytest.importorskip("mycelia.models.adapters.torch")

ROWS = np.random.default_rng(1).random((3, 8), dtype=np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """A network of two layers for any number of rows, as `torch.export` writes it."""
    torch.manual_seed(1)
    layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 3))
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(layers, (torch.zeros(4, 8),), dynamic_shapes=({0: batch},))
    path = tmp_path_factory.mktemp("exported") / "layers.pt2"
    torch.export.save(program, path)
    return path


class TestTorch(RowsSuite):
    rows = "input"
    module = "mycelia.models.adapters.torch"
    heavy = "torch"
    asks = ({"input": ROWS}, {"input": ROWS[:1]}, {"input": ROWS * 2})
    refused = ({}, {"rows": ROWS}, {"input": ROWS[:, :5]}, {"input": ROWS.astype(np.float64)})
    quantisation = "float32"

    @pytest.fixture(autouse=True)
    def file(self, exported):
        self.path, self.digest = exported, digest_of(exported)

    async def make(self):
        return adapter.load(self.path)

    async def load(self, path):
        return adapter.load(path)

    async def test_its_arithmetic_is_that_of_the_exported_module(self, model):
        (found,) = (await model.run({"input": ROWS})).values()
        own = torch.export.load(self.path).module()(torch.from_numpy(ROWS)).detach().numpy()
        assert np.array_equal(found, own)
