"""Lent stake counts for whom, and pays whom, as in the original's tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mycelia.codec import U16, U64
from mycelia.primitives import AccountId, Alpha, NetUid
from mycelia.testing.world import World

VECTORS = json.loads((Path(__file__).parent / "data" / "children.json").read_text())
NETUID = NetUid(1)


def key(name: str) -> AccountId:
    return AccountId(bytes([int(name)]) * 32)


def pallets_of(record: dict[str, Any]) -> Any:
    """The rules over a state with the record's stakes and children; root TAO counts nothing."""
    pallets = World().pallets
    pallets.network.tao_weight = U64(0)
    for number in range(1, 5):
        pallets.stakes.claim(AccountId(bytes([100 + number]) * 32), key(str(number)))
    for name, rao in record["stakes"].items():
        coldkey = pallets.stakes.owner[key(name)]
        pallets.stakes.increase(key(name), coldkey, NETUID, Alpha(rao))
    for parent, children in record["children"]:
        family = tuple((U64(part), key(child)) for child, part in children.items())
        pallets.families.set_children(key(parent), NETUID, family)
    return pallets


def names(record: dict[str, Any]) -> str:
    return str(record["name"])


@pytest.mark.parametrize("record", VECTORS["inherited"], ids=names)
def test_lent_stake_counts_for_the_child(record: dict[str, Any]) -> None:
    stakes = pallets_of(record).stakes
    found = {name: stakes.inherited_of(key(name), NETUID, NETUID) for name in record["inherited"]}
    for name, rao in record["inherited"].items():
        assert abs(found[name] - rao) <= record["within"], found


@pytest.mark.parametrize("record", VECTORS["parted"], ids=names)
def test_what_lent_stake_earns_is_parted(record: dict[str, Any]) -> None:
    pallets = pallets_of(record)
    inherited = {
        name: pallets.stakes.inherited_of(key(name), NETUID, NETUID) for name in record["stakes"]
    }
    for name, share in record["inherited_share"].items():
        found = inherited[name] / sum(inherited.values())
        assert found == pytest.approx(share, abs=record["share_within"])
    for name, expected in record["parted"].items():
        pallets.families.childkey_take[key(name), NETUID] = U16(record["take_u16"])
        parted = dict(pallets.families.parted(NETUID, key(name), record["dividend_rao"]))
        assert parted.keys() == {key(to) for to in expected}
        for to, rao in expected.items():
            assert abs(parted[key(to)] - rao) <= record["within"]
        assert sum(parted.values()) == pytest.approx(record["dividend_rao"], abs=len(parted))
