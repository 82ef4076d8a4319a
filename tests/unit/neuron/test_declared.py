"""A manifest says what a miner runs, by a name of the catalogue or a card of its author's."""

from dataclasses import replace
from typing import ClassVar

import pytest

from mycelia.models import ModelStore
from mycelia.models.catalog import DIGITS_LINEAR
from mycelia.models.face import Card, CardIncomplete
from mycelia.neuron.declared import is_declared, manifest_of
from mycelia.neuron.manifest import ClaimError
from mycelia.neuron.subnet import Variant
from tests.unit.neuron.kit import Sum, keypair

HOTKEY = keypair("M").ss58_address
CARD = Card(
    name="adder",
    runtime="numpy==2.4.6",
    sha256="ab" * 32,
    quantisation="float32",
    runtime_sha256="cd" * 32,
    schedule="one-thread",
    context=0,
    licence="MIT",
)


class Declaring(Sum):
    declared: ClassVar = CARD


def variant(model=None):
    return Variant("v", honest=True, make=lambda _: None, model=model)


def made(subnet, kind, store=None):
    return manifest_of(subnet, kind, store, HOTKEY)


def test_a_miner_claims_its_own_model_else_that_of_its_subnet_else_none():
    own = replace(CARD, name="better-adder")
    assert made(Sum, variant()) is None
    assert made(Declaring, variant()).model == "adder"
    assert made(Declaring, variant(own)).model == made(Sum, variant(own)).model == "better-adder"
    manifest = made(Declaring, variant())
    assert (manifest.miner, manifest.subnet, manifest.version) == (HOTKEY, "sum", 1)
    assert (manifest.weights, manifest.licence, manifest.price_rao) == ("ab" * 32, "MIT", 0)
    assert manifest_of(Declaring, variant(), None, HOTKEY, 7).price_rao == 7


def test_a_name_of_the_catalogue_will_do(tmp_path):
    store = ModelStore(tmp_path)
    target = tmp_path / DIGITS_LINEAR.file
    target.write_bytes(b"weights")
    store._save_seal(DIGITS_LINEAR, target, "ef" * 32)
    manifest = made(Sum, variant(DIGITS_LINEAR.name), store)
    assert (manifest.model, manifest.weights) == (DIGITS_LINEAR.name, "ef" * 32)
    assert manifest.runtime.startswith("onnxruntime==")


def test_what_is_not_known_or_cannot_be_said_is_named():
    with pytest.raises(CardIncomplete) as refused:
        made(Sum, variant(replace(CARD, licence=None)))
    assert "licence" in refused.value.message
    with pytest.raises(ClaimError) as unfit:
        made(Sum, variant(replace(CARD, name="my model")))
    assert "'my model'" in unfit.value.message
    assert unfit.value.remedy


@pytest.mark.parametrize("field", ["model", "weights", "quantisation", "schedule", "licence"])
def test_only_the_declared_model_is_known_where_one_is_declared(field):
    manifest = made(Declaring, variant())
    assert Declaring(None).knows(manifest)
    other = manifest.model_copy(update={field: "ef" * 32})
    assert not Declaring(None).knows(other)
    assert Sum(None).knows(other)


def test_any_build_of_the_runtime_will_do():
    manifest = made(Declaring, variant())
    built = manifest.model_copy(update={"runtime": "numpy==9", "runtime_digest": "ef" * 32})
    assert is_declared(CARD, None, built)
    assert is_declared(CARD, None, manifest.model_copy(update={"price_rao": 7}))
