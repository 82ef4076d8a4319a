"""What our metadata says is what the SDK's own tables say: errors, storage types, calls, constants, runtime APIs.

The SDK generates those tables from the main network. What we do not have is no difference; what we have must be theirs.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from bittensor._generated import calls, constants, errors, runtime_apis, storage

from mycelia.testing.oracle import oracle

OURS_ALONE = {"EpochRules", "Network"}
"""Pallets that the main network does not have."""

SAME_BYTES = {
    ("BoundedVec", "Vec<[u8; 32]>"),
    ("FixedU128", "u128"),
    ("MechId", "u8"),
    ("PerU16", "u16"),
    ("Slot", "u64"),
    ("Vec<(AccountId32, u64, BoundedVec, u64)>", "Vec<(AccountId32, u64, Vec<u8>, u64)>"),
    ("Vec<PerU16>", "Vec<u16>"),
}
"""(theirs, ours) where our type is the plain form of theirs: the bytes are the same, and the SDK reads both."""

PLAIN = {"TaoBalance": "u64", "AlphaBalance": "u64", "NetUid": "u16", "NetUidStorageIndex": "u16"}
"""Newtypes of the main network that are plain numbers here: the 10.x line reads a newtype as a list of one."""


def plain(ident: str) -> str:
    """The SDK's spelling of a type with our plain numbers in it."""
    return re.sub(r"\w+", lambda name: PLAIN.get(name[0], name[0]), ident)


OLDER = {
    "AdminUtils": {"sudo_set_subnet_owner_hotkey"},
    "Proxy": {"RealPaysFee"},
    "SubtensorModule": {
        "Alpha",
        "AlphaMapLastKey",
        "NumRootClaim",
        "PruningScores",
        "Rank",
        "RootClaimType",
        "StakingOperationRateLimiter",
        "SubnetAlphaInProvided",
        "SubnetTaoProvided",
        "TotalHotkeyShares",
        "Trust",
        "commit_crv3_weights",
        "faucet",
        "set_root_claim_type",
        "sudo_set_num_root_claims",
    },
    "Swap": {
        "AlphaSqrtPrice",
        "CurrentLiquidity",
        "CurrentTick",
        "EnabledUserLiquidity",
        "FeeGlobalAlpha",
        "FeeGlobalTao",
        "LastPositionId",
        "MaxPositions",
        "Positions",
        "ScrapReservoirTao",
        "SwapV3Initialized",
        "TickIndexBitmapWords",
        "Ticks",
    },
}
"""What only the clients of the 10.x line know, by pallet."""


def is_older(pallet: str, name: str) -> bool:
    return name in OLDER.get(pallet, ())


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    """Our metadata as the SDK's own code generator reads it."""
    found: dict[str, Any] = oracle().metadata_ir()
    return found


def shared_pallets(published: dict[str, Any]) -> list[dict[str, Any]]:
    return [pallet for pallet in published["pallets"] if pallet["name"] not in OURS_ALONE]


def test_every_error_has_the_sdks_index_and_name(published: dict[str, Any]) -> None:
    compared = 0
    for pallet in shared_pallets(published):
        for error in pallet["errors"]:
            theirs = errors.ERRORS[pallet["index"], error["index"]]
            assert (theirs.pallet, theirs.name) == (pallet["name"], error["name"])
            compared += pallet["name"] == "SubtensorModule"
    assert compared == 175


def test_every_storage_item_has_the_sdks_type(published: dict[str, Any]) -> None:
    compared = 0
    for pallet in shared_pallets(published):
        for item in pallet["storage"]:
            if is_older(pallet["name"], item["name"]):
                continue
            table = getattr(storage, pallet["name"])
            theirs = plain(getattr(table, item["name"]).value_type_ident)
            ours = item["value_type_ident"]
            assert theirs == ours or (theirs, ours) in SAME_BYTES, f"{pallet['name']}.{item}"
            compared += 1
    assert compared >= 390


def test_every_call_takes_the_sdks_arguments(published: dict[str, Any]) -> None:
    compared = 0
    for pallet in shared_pallets(published):
        for call in pallet["calls"]:
            if is_older(pallet["name"], call["name"]):
                continue
            theirs = inspect.signature(getattr(getattr(calls, pallet["name"]), call["name"]))
            assert list(theirs.parameters) == [field["name"] for field in call["args"]], call
            for field in call["args"]:
                expected = theirs.parameters[field["name"]].annotation
                if expected == "Any":  # their table leaves lists and options open
                    continue
                assert spelled(plain(expected)) == spelled(field["type_ident"]), (
                    f"{call['name']}.{field}"
                )
                compared += 1
    assert compared >= 300


def spelled(type_name: str) -> str:
    """A type as both sides write it: the SDK's builders take what a compact holds."""
    if type_name.startswith("Compact<"):
        type_name = type_name.removeprefix("Compact<").removesuffix(">")
    return {theirs: ours for theirs, ours in SAME_BYTES if "Vec" not in theirs}.get(
        type_name, type_name
    )


def test_every_constant_and_runtime_api_is_one_of_the_sdks(published: dict[str, Any]) -> None:
    for pallet in shared_pallets(published):
        for name in pallet["constants"]:
            if is_older(pallet["name"], name):
                continue
            assert hasattr(getattr(constants, pallet["name"]), name), f"{pallet['name']}.{name}"
    for api in published["runtime_apis"]:
        for name in api["methods"]:
            assert hasattr(getattr(runtime_apis, api["name"]), name), f"{api['name']}.{name}"


def test_pallet_names_and_indexes_are_the_sdks(published: dict[str, Any]) -> None:
    theirs = {info.pallet: index for (index, _), info in errors.ERRORS.items()}
    for pallet in shared_pallets(published):
        assert theirs.get(pallet["name"], pallet["index"]) == pallet["index"]
