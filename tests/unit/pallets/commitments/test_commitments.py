"""Commitments: published by the client's codec, bounded in space, refused to strangers."""

from __future__ import annotations

import pytest

from mycelia.codec import DecodeError, scale
from mycelia.pallets.commitments import CommitmentInfo, Data, Raw
from mycelia.primitives import NetUid
from mycelia.testing.oracle import Person, oracle
from mycelia.testing.world import World

TAO = 10**9


@pytest.fixture
def world() -> World:
    """A subnet that Alice owns; its owner's hotkey is registered."""
    world = World()
    hotkey = Person("//Alice_hk").address
    assert world.submit("//Alice", "SubtensorModule", "register_network", hotkey=hotkey).succeeded
    world.seal()
    return world


def publish(world: World, uri: str, *fields: dict) -> str | None:
    info = {"fields": [list(fields)]}
    return world.submit(uri, "Commitments", "set_commitment", netuid=1, info=info).error


def raw(content: bytes) -> dict:
    return {f"Raw{len(content)}": "0x" + content.hex()}


def test_a_commitment_is_kept_as_clients_decode_it(world: World) -> None:
    assert publish(world, "//Alice_hk", raw(b"digest")) is None
    kept = world.pallets.commitments.commitment_of[NetUid(1), Person("//Alice_hk").account]
    assert kept.info.fields == (Raw(b"digest"),)
    entry = oracle().storage_entry("Commitments", "CommitmentOf")
    decoded = oracle().decode(entry.value_type, scale(type(kept)).encode(kept))
    assert "Raw6" in str(decoded["info"])


def test_strangers_may_not_publish(world: World) -> None:
    assert publish(world, "//Alice", raw(b"digest")) == "AccountNotAllowedCommit"


def test_there_is_a_limit_on_fields(world: World) -> None:
    assert publish(world, "//Alice_hk", *[raw(b"x")] * 4) == "TooManyFieldsInCommitmentInfo"


def test_space_is_limited_within_an_epoch_and_free_in_the_next(world: World) -> None:
    full = [raw(bytes(128))] * 3
    errors = [publish(world, "//Alice_hk", *full) for _ in range(9)]
    assert errors == [None] * 8 + ["SpaceLimitExceeded"]
    schedule = world.pallets.schedule
    schedule.subnet_epoch_index[NetUid(1)] = 1
    assert publish(world, "//Alice_hk", *full) is None


def test_the_limit_is_roots_to_change(world: World) -> None:
    assert world.submit("//Alice", "Commitments", "set_max_space", new_limit=1).error == "BadOrigin"
    assert world.sudo("Commitments", "set_max_space", new_limit=1).succeeded
    assert publish(world, "//Alice_hk", raw(b"x")) == "SpaceLimitExceeded"


@pytest.mark.parametrize("size", [0, 1, 128, 129, 512])
def test_raw_bytes_round_trip(size: int) -> None:
    info = CommitmentInfo((Raw(bytes(size)), Data(130, bytes(32)), Data(135)))
    assert scale(CommitmentInfo).decode(scale(CommitmentInfo).encode(info)) == info


@pytest.mark.parametrize(
    "data", [b"\x04\x86", b"\x04\x89", b"\x04\xff", b"\x04\x05abc", b"\x04\x88\x05\x08"]
)
def test_forms_this_chain_cannot_reveal_and_cut_data_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        scale(CommitmentInfo).decode(data)
