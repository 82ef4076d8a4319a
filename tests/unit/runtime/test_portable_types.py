"""Types that clients recognise by path have the parameters they then look for."""

from __future__ import annotations

import pytest

from mycelia.codec import scale
from mycelia.codec.scale import Scale, TypeShape
from mycelia.frame.address import Address
from mycelia.frame.dispatch import Outcome
from mycelia.runtime.executor import metadata
from mycelia.runtime.rules import Rules
from mycelia.runtime.version import with_apis

PARAMETERS = {
    "Option": 1,
    "BTreeSet": 1,
    "BTreeMap": 2,
    "Result": 2,
    "MultiAddress": 2,
}


def shapes() -> list[TypeShape]:
    registry = metadata(Rules())._registry
    return [shape for shape in registry._shapes if shape is not None and shape.path]


@pytest.mark.parametrize("name", PARAMETERS)
def test_generic_types_carry_their_parameters(name: str) -> None:
    found = [shape for shape in shapes() if shape.path[-1] == name]
    assert all(len(shape.params) == PARAMETERS[name] for shape in found), found


def test_an_address_names_its_account_type_first() -> None:
    (name, first), (_, second) = scale(Address).shape().params
    assert name == "AccountId"
    assert isinstance(first, Scale)
    assert first.shape().path[-1] == "AccountId32"
    assert second is not None
    assert [name for name, _ in scale(Outcome).shape().params] == ["T", "E"]


def test_apis_are_named_by_their_hash_and_metadata_has_its_second_version() -> None:
    apis = dict(with_apis(["Metadata", "Core", "StakeInfoRuntimeApi", "Core"]).apis)
    assert len(apis) == 3
    assert apis[bytes.fromhex("37e397fc7c91f5e4")] == 2
    assert apis[bytes.fromhex("df6acb689907609b")] == 5
