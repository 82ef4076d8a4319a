"""What the tutorial shows is what runs."""

import re
import sys

import pytest
from bittensor_core import Keypair

from mycelia.lab.trial import Trial, TrialConfig
from mycelia.models import ModelStore
from mycelia.neuron.authoring import load_subnet
from mycelia.neuron.declared import manifest_of
from mycelia.neuron.routes import batch_size

FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)
HEAD = (
    "import random\nfrom collections.abc import Sequence\n"
    "from mycelia.neuron import Challenge, Meta, Reply, Request, Subnet\n"
)
pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(scope="module")
def blocks(root):
    return FENCE.findall((root / "docs" / "tutorial.md").read_text())


def loaded(tmp_path, name, text):
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    return load_subnet(path)


async def tried(spec):
    trial = Trial(spec, ModelStore(), TrialConfig(epochs=1))
    assert await trial.probe() == 1.0
    (table,) = [table async for table in trial.tables()]
    return table


async def test_the_streaming_subnet_pays_honest_work_most(blocks, tmp_path):
    table = await tried(loaded(tmp_path, "words", blocks[0]))
    names = {row.entrant.name for row in table.rows}
    assert {"count", "shrug", "repeats", "late", "relays", "random", "part-time"} == names
    assert table.outranking == ()
    assert table.base.standing.quality == 1.0


async def test_the_batching_subnet_pays_honest_work_most(blocks, tmp_path):
    spec = loaded(tmp_path, "lengths", HEAD + blocks[1])
    assert batch_size(spec.miners["measure"].make(None)) == 32
    assert (await tried(spec)).outranking == ()


def test_weights_are_recomputed_as_shown(blocks, tmp_path):
    spec = loaded(tmp_path, "words_again", blocks[0])
    space = vars(sys.modules[spec.subnet.__module__]).copy()
    exec(blocks[2], space)
    assert space["weights"][1] > space["weights"][2]


async def test_the_model_that_is_declared_is_claimed(blocks, tmp_path):
    spec = loaded(tmp_path, "modelled", blocks[0] + blocks[3])
    hotkey = Keypair.create_from_uri("//tutorial").ss58_address
    manifest = manifest_of(spec.subnet, spec.miners["modelled"], None, hotkey)
    assert (manifest.model, manifest.licence, manifest.subnet) == ("counter", "MIT", "words")
    assert spec.subnet(None).knows(manifest)
    assert manifest_of(spec.subnet, spec.miners["count"], None, hotkey) is None
    answer = await spec.miners["modelled"].make(None)(spec.subnet.Ask(text="moss moss"))
    assert answer.counts == [2, 0, 0, 0, 0, 0]
