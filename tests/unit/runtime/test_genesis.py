"""The first state: the official local network's subnet 1, its owner, and what fast networks change."""

from __future__ import annotations

from typing import Any

import pytest

from mycelia.node.genesis import development_genesis, localnet_genesis
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid
from mycelia.runtime import Rules, Runtime
from mycelia.state import MemoryStore, Overlay
from mycelia.testing.oracle import Person, oracle

TAO = 10**9
NETUID, ROOT = NetUid(1), NetUid(0)
NOBODY_ADDRESS = "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"


def started(genesis: Any, rules: Rules | None = None) -> Runtime:
    runtime = Runtime(Overlay(MemoryStore().head()), rules)
    runtime.genesis(genesis)
    runtime.begin(1, bytes(32))
    return runtime


@pytest.fixture
def localnet() -> Runtime:
    return started(localnet_genesis())


def metagraph(runtime: Runtime, netuid: int) -> Any:
    methods = oracle().runtime_api_map()["SubnetInfoRuntimeApi"]
    output = methods.get("methods", methods)["get_metagraph"]["output"]
    data = runtime.call_api("SubnetInfoRuntimeApi_get_metagraph", netuid.to_bytes(2, "little"))
    return oracle().decode(output, data)


def test_the_localnet_has_subnets_0_and_1(localnet: Runtime) -> None:
    subnets = localnet.pallets.subnets
    assert subnets.netuids() == [ROOT, NETUID]
    assert subnets.total_networks == 2
    assert subnets.subnet_owner[ROOT] == Person("//Alice").account
    assert subnets.subnet_owner_hotkey[ROOT] == Person("//Alice_hk").account


def test_subnet_1_is_as_clients_expect_it(localnet: Runtime) -> None:
    shown = metagraph(localnet, 1)
    assert {name: shown[name] for name in EXPECTED} == EXPECTED
    assert bytes(shown["symbol"]).decode() == "α"


EXPECTED = {
    "owner_coldkey": NOBODY_ADDRESS,
    "network_registered_at": 0,
    "tempo": 100,
    "alpha_in": 10 * TAO,
    "alpha_out": TAO,
    "tao_in": 10 * TAO,
    "rho": 10,
    "kappa": 32_767,
    "min_allowed_weights": 0,
    "max_weights_limit": 65_535,
    "weights_rate_limit": 100,
    "activity_cutoff": 1_388,
    "max_validators": 64,
    "num_uids": 1,
    "max_uids": 256,
    "burn": TAO // 10,
    "difficulty": 10_000_000,
    "registration_allowed": True,
    "immunity_period": 4096,
    "min_burn": 500_000,
    "max_burn": 100 * TAO,
    "adjustment_interval": 100,
    "serving_rate_limit": 50,
    "commit_reveal_weights_enabled": True,
    "commit_reveal_period": 1,
    "alpha_high": 58_982,
    "alpha_low": 45_875,
    "bonds_moving_avg": 900_000,
    "hotkeys": [NOBODY_ADDRESS],
    "coldkeys": [NOBODY_ADDRESS],
    "block_at_registration": [0],
}


def test_the_laws_hold_at_genesis(localnet: Runtime) -> None:
    for part in localnet.pallets.parts:
        for law in part.spec.invariants:
            law(part)
    held = localnet.pallets.balances.free_balance(subnet_account(NETUID))
    assert held == 10 * TAO
    issued = localnet.pallets.issuance.total_issuance
    assert issued == localnet.pallets.balances.total_issuance


def test_accounts_alone_have_no_subnet() -> None:
    bare = started(development_genesis())
    assert bare.pallets.subnets.netuids() == [ROOT]
    assert bare.pallets.network.network_rate_limit == 7_200
    assert started(localnet_genesis()).pallets.network.network_rate_limit == 0


@pytest.mark.parametrize(("is_fast", "tempo", "epochs"), [(True, 10, 32), (False, 360, 2)])
def test_fast_networks_have_short_tempos(is_fast: bool, tempo: int, epochs: int) -> None:
    runtime = started(localnet_genesis(), Rules(slot_ms=250, is_fast=is_fast))
    alice = Person("//Alice").account
    runtime.pallets.subnets.add(NetUid(2), alice, alice, 1)
    assert runtime.pallets.parameters.tempo[NetUid(2)] == tempo
    assert runtime.pallets.parameters.tempo[NETUID] == 100
    assert runtime.pallets.schedule.max_epochs_per_block == epochs


def test_rules_are_part_of_the_state() -> None:
    chosen = started(localnet_genesis(), Rules(has_modular_epochs=True, is_fast=True))
    assert chosen.pallets.rules.has_modular_epochs()
    assert chosen.pallets.rules.is_fast()
    plain = started(localnet_genesis())
    assert not plain.pallets.rules.has_modular_epochs()
