"""What clients of the 10.x line are shown, read back with the clients' own codec."""

from __future__ import annotations

from typing import Any

import pytest

from mycelia.codec import U16, scale
from mycelia.pallets.subtensor.info.selective import NAMES
from mycelia.primitives import NetUid
from mycelia.testing.oracle import oracle

API = "SubnetInfoRuntimeApi"
NETUID, NOWHERE = NetUid(1), NetUid(9)


def ask(world: Any, name: str, data: bytes = b"", api: str = API) -> Any:
    """The answer of a runtime API as the client decodes it."""
    methods = oracle().runtime_api_map()[api]
    found = methods.get("methods", methods)[name]
    return oracle().decode(found["output"], world.runtime.call_api(f"{api}_{name}", data))


def number(netuid: int) -> bytes:
    return netuid.to_bytes(2, "little")


@pytest.mark.parametrize("name", ["get_subnet_info", "get_subnet_info_v2"])
def test_a_subnet_s_info_has_its_parameters(world, name):
    info = ask(world, name, number(NETUID))
    assert info["netuid"] == NETUID
    assert info["tempo"] == 360
    assert info["max_allowed_uids"] == 256
    assert info["subnetwork_n"] == 1
    assert info["owner"] == world.address("//Alice")
    assert info["burn"] == world.pallets.registration.burn[NETUID]
    assert ask(world, name, number(NOWHERE)) is None


@pytest.mark.parametrize("name", ["get_subnets_info", "get_subnets_info_v2"])
def test_all_subnets_are_listed_in_order(world, name):
    assert [info["netuid"] for info in ask(world, name)] == [0, 1]


@pytest.mark.parametrize("name", ["get_subnet_hyperparams", "get_subnet_hyperparams_v2"])
def test_parameters_are_those_that_are_set(world, name):
    assert world.admin("rho", netuid=NETUID, rho=7).succeeded
    shown = ask(world, name, number(NETUID))
    assert shown["rho"] == 7
    assert shown["commit_reveal_weights_enabled"] is False
    assert ask(world, name, number(NOWHERE)) is None


def test_the_second_list_has_what_was_added(world):
    shown = ask(world, "get_subnet_hyperparams_v2", number(NETUID))
    assert shown["alpha_sigmoid_steepness"] == {"bits": 1000 << 32}
    assert shown["yuma_version"] == 2
    assert shown["subnet_is_active"] is True


def test_a_selective_metagraph_has_what_was_asked_for(world):
    world.register("//Bob")
    asked = (NAMES.index("hotkeys"), NAMES.index("identity"), NAMES.index("tempo"))
    data = number(NETUID) + scale(tuple[U16, ...]).encode(asked)
    shown = ask(world, "get_selective_metagraph", data)
    hotkeys = [world.address("//Alice_hk1"), world.address("//Bob_hk")]
    assert shown["hotkeys"] == hotkeys
    assert shown["tempo"] == 360
    assert shown["netuid"] == NETUID
    others = set(NAMES) - {"hotkeys", "tempo", "netuid", "identity"}
    assert [name for name in others if shown[name] is not None] == []


def test_the_numbers_of_the_fields_are_the_clients(world):
    # The 10.x client asks for validators by 72 and for commitments by 73.
    assert (NAMES[0], NAMES[52], NAMES[72], NAMES[73]) == (
        "netuid",
        "hotkeys",
        "validators",
        "commitments",
    )
    assert world.admin("stake_threshold", min_stake=1).succeeded
    data = number(NETUID) + b"\0" + scale(tuple[U16, ...]).encode((72, 73, 999))
    shown = ask(world, "get_selective_mechagraph", data)
    assert shown["validators"] == []
    assert shown["commitments"] == []
    assert ask(world, "get_selective_mechagraph", number(NOWHERE) + b"\0\0") is None


def test_a_subnet_s_state_is_the_metagraph_s_columns(world):
    state = ask(world, "get_subnet_state", number(NETUID))
    assert state["hotkeys"] == [world.address("//Alice_hk1")]
    assert state["emission_history"] == []
    assert ask(world, "get_subnet_state", number(NOWHERE)) is None


def test_a_block_mints_one_tao_at_first(world):
    assert ask(world, "get_block_emission") == 10**9


def test_slots_and_parts_of_fees_are_told(world):
    assert ask(world, "slot_duration", api="AuraApi") == 12_000
    payment = "TransactionPaymentApi"
    assert ask(world, "query_length_to_fee", (100).to_bytes(4, "little"), payment) == 100
    weight = bytes.fromhex("0b00407a10f35a") + b"\0"  # 10^14 picoseconds
    assert ask(world, "query_weight_to_fee", weight, payment) == 10**14 // 2000
