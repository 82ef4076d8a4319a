"""A card says which weights, which build and which arithmetic: enough to sign for."""

from dataclasses import replace
from pathlib import Path

import pytest

from mycelia.models import ModelStore
from mycelia.models.cards import NotRun, describe
from mycelia.models.catalog import CATALOG, DIGITS_LINEAR, GRAPH_SCHEDULE, LLAMA_SCHEDULE
from mycelia.models.face import CardIncomplete
from mycelia.models.installed import NotFromWheel, pinned, wheel_digest
from mycelia.models.llama import Schedule
from mycelia.neuron.manifest import Manifest
from mycelia.subnets import REGISTRY

RECORD = """\
toy/__init__.py,sha256=aaa,1
toy/__pycache__/__init__.cpython-311.pyc,,
toy-1.0.dist-info/METADATA,sha256=bbb,2
toy-1.0.dist-info/INSTALLER,sha256=ccc,3
toy-1.0.dist-info/RECORD,,
../../../bin/toy,sha256=ddd,4
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a list of its files."""
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "RECORD").write_text(RECORD)
    monkeypatch.syspath_prepend(tmp_path)
    wheel_digest.cache_clear()
    pinned.cache_clear()
    return info / "RECORD"


def test_a_wheel_is_recognised_whoever_installed_it(toy: Path) -> None:
    assert pinned("toy") == "toy==1.0"
    first = wheel_digest("toy")
    rows = RECORD.replace("ccc", "xxx").replace("ddd", "yyy").splitlines()
    toy.write_text("\n".join(reversed(rows)))
    wheel_digest.cache_clear()
    assert wheel_digest("toy") == first
    toy.write_text(RECORD.replace("aaa", "zzz"))
    wheel_digest.cache_clear()
    assert wheel_digest("toy") != first


def test_a_package_without_a_list_of_files_is_no_known_build(toy: Path) -> None:
    toy.unlink()
    with pytest.raises(NotFromWheel, match="toy"):
        wheel_digest("toy")


def test_a_catalogued_model_is_described_whole(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    path = store.ensure("digits")
    with pytest.raises(NotRun):
        describe(store, "digits")
    (tmp_path / DIGITS_LINEAR.file).write_bytes(path.read_bytes())
    seal = (tmp_path / f"{path.name}.seal.json").read_text()
    (tmp_path / f"{DIGITS_LINEAR.file}.seal.json").write_text(seal)
    card = describe(store, DIGITS_LINEAR.name)
    about = {"miner": "5" * 48, "subnet": "vision", "version": 1}
    manifest = Manifest.model_validate(card.claim() | about)
    assert manifest.weights == store.digest("digits")
    assert manifest.runtime == pinned("onnxruntime")
    assert manifest.runtime_digest == wheel_digest("onnxruntime")
    with pytest.raises(CardIncomplete, match="runtime_digest, licence"):
        replace(card, runtime_sha256=None, licence=None).claim()


def test_schedules_of_the_catalogue_are_the_defaults() -> None:
    assert str(Schedule()) == LLAMA_SCHEDULE
    assert str(Schedule(chunk=8, flash_attention=False, repack=True)) != LLAMA_SCHEDULE
    contexts = {
        e.running.context
        for e in CATALOG.values()
        if e.running and e.running.schedule == LLAMA_SCHEDULE
    }
    assert contexts == {Schedule().context}
    assert GRAPH_SCHEDULE != LLAMA_SCHEDULE


def test_what_miners_say_they_run_is_in_the_catalogue() -> None:
    claimed = {v.model for spec in REGISTRY.values() for v in spec.miners.values()} - {None}
    assert claimed
    assert all(CATALOG[name].running for name in claimed)
