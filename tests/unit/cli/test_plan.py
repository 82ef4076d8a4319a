import json
import stat

import pytest

from mycelia.cli.up.plan import Folder, Options, Record, planned
from mycelia.neuron.subnet import Spec, Subnet, Variant
from mycelia.primitives.errors import AppError


def spec(*variants):
    return Spec(Subnet, {name: Variant(name, honest, lambda _: None) for name, honest in variants})


REGISTRY = {
    "text": spec(("full", True), ("canned", False)),
    "vision": spec(("network", True)),
}


def options(tmp_path, **kwargs):
    return Options(tmp_path, **kwargs)


def test_one_process_per_variant_and_wallets_for_all(tmp_path):
    plan = planned(options(tmp_path), REGISTRY)
    assert [m.name for m in plan.miners] == ["text-full", "text-canned", "vision-network"]
    assert [m.honest for m in plan.miners] == [True, False, True]
    assert set(plan.wallets) == {
        *("sudo", "text-owner", "vision-owner", "validator-1", "validator-2", "validator-3"),
        *(m.name for m in plan.miners),
    }


def test_only_leaves_the_other_subnets_out(tmp_path):
    plan = planned(options(tmp_path, only=frozenset({"vision"})), REGISTRY)
    assert [subnet.name for subnet in plan.subnets] == ["vision"]


class Streaming(Subnet):
    Piece = object


@pytest.mark.parametrize(
    ("only", "chat_model"),
    [((), "talker"), (("embeddings",), None), (("text", "embeddings"), "talker")],
)
def test_the_chat_model_is_of_a_subnet_that_streams(tmp_path, only, chat_model):
    registry = {
        "embeddings": Spec(Subnet, {}, openai_model="embedder"),
        "text": Spec(Streaming, {}, openai_model="talker"),
    }
    assert planned(options(tmp_path, only=frozenset(only)), registry).chat_model == chat_model


def test_unknown_subnet_is_an_error_that_names_the_known(tmp_path):
    with pytest.raises(AppError) as refused:
        planned(options(tmp_path, only=frozenset({"audio"})), REGISTRY)
    assert "text, vision" in refused.value.remedy


def test_record_survives_a_restart(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    record = folder.load("seed").with_netuid("text", 2).with_ready("text")
    folder.save(record)
    assert folder.load("seed") == folder.load(None) == record


def test_another_seed_is_refused(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    folder.save(folder.load("seed"))
    with pytest.raises(AppError) as refused:
        folder.load("other")
    assert refused.value.code == "seed_differs"
    assert "seed" not in (tmp_path / "network.json").read_text().replace("seed_digest", "")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 1}', '{"seed_digest": null, "netuids": 3}']
)
def test_damaged_record_is_refused_with_a_remedy(tmp_path, text):
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(AppError) as refused:
        Folder(tmp_path).load(None)
    assert (refused.value.code, "--fresh" in refused.value.remedy) == ("network_unreadable", True)


def test_newer_record_is_refused(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    folder.save(Record())
    path = tmp_path / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(AppError) as refused:
        folder.load(None)
    assert refused.value.code == "network_newer"


def test_fresh_removes_the_network_and_nothing_else(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    folder.save(Record(netuids={"text": 2}))
    (folder.node / "data").write_text("")
    (tmp_path / "thesis.txt").write_text("mine")
    folder.make(fresh=True)
    assert not (folder.node / "data").exists()
    assert folder.load(None) == Record()
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_wallets_are_for_the_owner_only(tmp_path):
    folder = Folder(tmp_path)
    folder.make(fresh=False)
    assert stat.S_IMODE(folder.wallets.stat().st_mode) == 0o700
