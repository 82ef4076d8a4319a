"""Intents of the unmodified SDK 11.3 against a live node, each asserted on its effect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import bittensor as bt
import pytest
from bittensor.hyperparams import STORAGE_ITEMS
from bittensor.intents import OWNER_HYPERPARAMETERS
from bittensor.intents.registry import REGISTRY

from mycelia.testing.live import LiveNode
from tests.compat.sdk import TAO, done, free, raw, refused, sudo, wallet

pytestmark = pytest.mark.slow
OWNER = wallet("Alice")
STATE = bt.storage.SubtensorModule
ADMIN = bt.calls.AdminUtils
NETUID, TUNED = 2, 3
"""Alice's subnets: the network starts with 0 and 1. The second is for hyperparameters."""
INTENTS = (
    "associate_hotkey",
    "burned_register",
    "decrease_take",
    "fund_evm_key",
    "increase_take",
    "register_subnet",
    "reset_axon",
    "root_register",
    "serve_axon",
    "serve_axon_tls",
    "serve_prometheus",
    "set_hyperparameter",
    "set_identity",
    "set_mechanism_count",
    "set_subnet_emission_enabled",
    "set_subnet_identity",
    "set_take",
    "start_call",
    "transfer",
    "transfer_all",
    "trim_subnet",
    "update_symbol",
)
TRUE_U64F64 = 1 << 64
SETTABLE: dict[str, tuple[int | float | bool, object]] = {
    # name: what the owner asks for, what the chain holds then
    "immunity_period": (11, 11),
    "min_allowed_weights": (2, 2),
    "weights_version": (3, 3),
    "activity_cutoff_factor": (2_000, 2_000),
    "min_burn": (0.25, TAO // 4),
    "max_burn": (5.0, 5 * TAO),
    "bonds_moving_avg": (0.75, 750_000),
    "bonds_penalty": (1_000, 1_000),
    "serving_rate_limit": (0, 0),
    "commit_reveal_period": (2, 2),
    "max_allowed_uids": (128, 128),
    "burn_increase_mult": (1.5, {"bits": 3 * TRUE_U64F64 // 2}),
    "burn_half_life": (200, 200),
    "adjustment_alpha": (7, 7),
    "rho": (12, 12),
    "max_difficulty": (2**40, 2**40),
    "alpha_sigmoid_steepness": (900, 900),
    "min_childkey_take": (500, 500),
    "owner_immune_neuron_limit": (2, 2),
    "commit_reveal_weights_enabled": (False, False),
    "liquid_alpha_enabled": (True, True),
    "yuma3_enabled": (True, True),
    "bonds_reset_enabled": (True, True),
    "transfers_enabled": (False, False),
    "owner_cut_enabled": (False, False),
}
REFUSED: dict[str, tuple[int | float | bool | str, str]] = {
    # name: what the owner asks for, the error; docs/absent.md lists what is not provided
    "registration_allowed": (False, "InvalidValue"),
    "epoch_consensus": ("Null", "NotProvided"),
    "collateral_lock_share": (100, "NotProvided"),
    "collateral_drain_ratio": (1.0, "NotProvided"),
    "owner_cut_auto_lock_enabled": (True, "NotProvided"),
    "network_pow_registration_allowed": (True, "POWRegistrationDisabled"),
}
APART = {"tempo", "alpha_low", "alpha_high"}
"""Each has a test of its own below."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    with pytest.MonkeyPatch.context() as patch, LiveNode(tmp_path_factory.mktemp("node")) as live:
        patch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        asyncio.run(_found_subnets(live.url))
        yield live


async def _found_subnets(url: str) -> None:
    """Creating and starting are intents, too: their effects are asserted here."""
    async with bt.Client(url) as client:
        before = await free(client, OWNER)
        cost = await client.read("subnet_registration_cost")
        created = await done(client, bt.RegisterSubnet(), OWNER)
        assert [each.netuid for each in await client.read("subnets")] == [0, 1, NETUID]
        assert await client.query(STATE.SubnetOwner, [NETUID]) == OWNER.coldkey.ss58_address
        assert await client.query(STATE.SubnetOwnerHotkey, [NETUID]) == OWNER.hotkey.ss58_address
        spent = before - await free(client, OWNER) - created.fee.rao
        assert cost.rao * 0.9 < spent <= cost.rao  # it falls with each block

        assert not await client.query(STATE.SubtokenEnabled, [NETUID])
        await done(client, bt.StartCall(NETUID), OWNER)
        assert await client.query(STATE.SubtokenEnabled, [NETUID])
        assert await client.query(STATE.FirstEmissionBlockNumber, [NETUID]) > 0
        await done(client, bt.RegisterSubnet(), OWNER)


@pytest.fixture
async def client(node: LiveNode) -> Any:
    async with bt.Client(node.url) as client:
        yield client


def test_the_list_names_intents_of_the_sdk() -> None:
    assert len(set(INTENTS)) == 22
    assert set(INTENTS) <= REGISTRY.keys()


async def test_transfer_and_transfer_all(client: bt.Client) -> None:
    giver, taker = wallet("Ferdie"), wallet("Taker")
    before = await free(client, giver)
    sent = await done(client, bt.Transfer(taker.coldkey.ss58_address, 12.5), giver)
    assert await free(client, taker) == 12_500_000_000
    assert await free(client, giver) == before - 12_500_000_000 - sent.fee.rao

    back = bt.TransferAll(giver.coldkey.ss58_address, keep_alive=False)
    returned = await done(client, back, taker)
    assert await free(client, taker) == 0
    fees = sent.fee.rao + returned.fee.rao
    assert await free(client, giver) == before - fees

    kept = await done(client, bt.TransferAll(taker.coldkey.ss58_address), giver)
    assert await free(client, giver) == 500  # what keeps an account alive
    assert await free(client, taker) == before - fees - kept.fee.rao - 500


async def test_fund_evm_key(client: bt.Client) -> None:
    intent = bt.FundEvmKey("0x" + "11" * 20, 3)
    await done(client, intent, wallet("Charlie"))
    assert (await client.read("balance", coldkey_ss58=intent.mirror_ss58)).rao == 3 * TAO


async def test_associate_hotkey(client: bt.Client) -> None:
    who = wallet("Dave", "Dave_second")
    hotkey = who.hotkey.ss58_address
    await done(client, bt.AssociateHotkey(), who)
    assert await client.read("hotkey_owner", hotkey_ss58=hotkey) == who.coldkey.ss58_address
    assert hotkey in await client.read("owned_hotkeys", coldkey_ss58=who.coldkey.ss58_address)


async def test_burned_register_goes_through_the_shield(client: bt.Client) -> None:
    who = wallet("Bob", "sealed")
    before = await free(client, who)
    burn = (await client.read("burn", netuid=NETUID)).rao
    await done(client, bt.BurnedRegister(NETUID), who)
    uid = await client.read("uid", hotkey_ss58=who.hotkey.ss58_address, netuid=NETUID)
    assert uid is not None
    assert uid > 0
    assert 0.9 * burn < before - await free(client, who) < burn + TAO // 10
    assert (await client.read("burn", netuid=NETUID)).rao > burn * 0.9


async def test_root_register(client: bt.Client) -> None:
    who = wallet("Bob", "rooted")
    await done(client, bt.RootRegister(), who)
    assert await client.read("netuids_for_hotkey", hotkey_ss58=who.hotkey.ss58_address) == [0]
    assert await client.query(STATE.Keys, [0, 0]) == who.hotkey.ss58_address


async def test_takes_fall_at_once_and_rise_when_the_limit_allows(client: bt.Client) -> None:
    hotkey = OWNER.hotkey.ss58_address

    async def take() -> int:
        return (await client.read("delegate_take", hotkey_ss58=hotkey))["take_u16"]

    await done(client, bt.DecreaseTake(5_000), OWNER)
    assert await take() == 5_000
    await done(client, bt.SetTake(4_000), OWNER)
    assert await take() == 4_000
    assert await refused(client, bt.IncreaseTake(6_000), OWNER) == "DelegateTxRateLimitExceeded"
    await sudo(client, ADMIN.sudo_set_tx_delegate_take_rate_limit(tx_rate_limit=0))
    await done(client, bt.IncreaseTake(6_000), OWNER)
    assert await take() == 6_000
    await done(client, bt.SetTake(7_000), OWNER)
    assert await take() == 7_000


async def test_identities(client: bt.Client) -> None:
    await done(client, bt.SetIdentity("Alice", discord="alice#1", description="first"), OWNER)
    got = await client.read("identity", coldkey_ss58=OWNER.coldkey.ss58_address)
    assert (got["name"], got["discord"], got["description"]) == ("Alice", "alice#1", "first")

    intent = bt.SetSubnetIdentity(NETUID, "spores", logo_url="https://spores.example/a.png")
    await done(client, intent, OWNER)
    got = await client.read("subnet_identity", netuid=NETUID)
    assert (got["subnet_name"], got["logo_url"]) == ("spores", "https://spores.example/a.png")


async def test_update_symbol(client: bt.Client) -> None:
    await done(client, bt.UpdateSymbol(NETUID, "\u03b6"), OWNER)
    assert (await client.read("token_symbols"))[NETUID] == "\u03b6"
    assert await refused(client, bt.UpdateSymbol(NETUID, "spores"), OWNER) == "SymbolDoesNotExist"


async def test_set_subnet_emission_enabled(client: bt.Client) -> None:
    await done(client, bt.SetSubnetEmissionEnabled([1, NETUID], enabled=False), OWNER)
    assert [await client.read("subnet_emission_enabled", netuid=n) for n in (1, NETUID)] == [0, 0]
    await done(client, bt.SetSubnetEmissionEnabled([NETUID], enabled=True), OWNER)
    assert [await client.read("subnet_emission_enabled", netuid=n) for n in (1, NETUID)] == [0, 1]


async def test_set_mechanism_count(client: bt.Client) -> None:
    await done(client, bt.SetMechanismCount(NETUID, 1), OWNER)
    assert await client.read("mechanism_count", netuid=NETUID) == 1
    assert await refused(client, bt.SetMechanismCount(NETUID, 3), OWNER) == "InvalidValue"


async def test_serving(client: bt.Client) -> None:
    await done(client, bt.SetHyperparameter(NETUID, "serving_rate_limit", 0), OWNER)
    key = [NETUID, OWNER.hotkey.ss58_address]

    await done(client, bt.ServeAxon(NETUID, "10.1.2.3", 9_001, version=5), OWNER)
    axon = await client.query(STATE.Axons, key)
    assert (axon["ip"], axon["port"], axon["ip_type"]) == (0x0A010203, 9_001, 4)
    assert (axon["protocol"], axon["version"]) == (4, 5)

    certificate = bytes([1]) + bytes(range(192, 256))
    intent = bt.ServeAxonTls(NETUID, "2001:db8::1", 9_002, "0x" + certificate.hex())
    await done(client, intent, OWNER)
    axon = await client.query(STATE.Axons, key)
    assert (axon["port"], axon["ip_type"]) == (9_002, 6)
    stored = await client.query(STATE.NeuronCertificates, key)
    assert stored["algorithm"] == 1
    assert bytes.fromhex(stored["public_key"].removeprefix("0x")) == certificate[1:]

    await done(client, bt.ServePrometheus(NETUID, "10.1.2.4", 9_003), OWNER)
    metrics = await client.query(STATE.Prometheus, key)
    assert (metrics["ip"], metrics["port"]) == (0x0A010204, 9_003)

    await done(client, bt.ResetAxon(NETUID), OWNER)
    axon = await client.query(STATE.Axons, key)
    assert (axon["ip"], axon["port"]) == (0, 1)


async def test_trim_subnet(client: bt.Client) -> None:
    """The subnet gets four neurons, then room for two: the owner's stays, and one besides."""
    owner = wallet("Charlie", "trimmer")
    created = await done(client, bt.RegisterSubnet(), owner)
    netuid = (await client.read("subnets"))[-1].netuid
    assert created.success
    await done(client, bt.StartCall(netuid), owner)
    await done(client, bt.SetHyperparameter(netuid, "immunity_period", 0), owner)
    for n in range(3):
        who = wallet("Charlie", f"trimmed{n}")
        call = bt.calls.SubtensorModule.burned_register
        await raw(client, call(netuid=netuid, hotkey=who.hotkey.ss58_address), who)
    await sudo(client, ADMIN.sudo_set_min_allowed_uids(netuid=netuid, min_allowed_uids=2))
    assert (await client.read("subnet", netuid=netuid)).neuron_count == 4

    await done(client, bt.TrimSubnet(netuid, 2), owner)
    assert await client.query(STATE.MaxAllowedUids, [netuid]) == 2
    left = [each.hotkey for each in await client.read("neurons", netuid=netuid)]
    kept = wallet("Charlie", "trimmed0").hotkey.ss58_address
    assert left == [owner.hotkey.ss58_address, kept]


def test_every_hyperparameter_of_the_intent_is_tried() -> None:
    assert SETTABLE.keys() | REFUSED.keys() | APART == OWNER_HYPERPARAMETERS.keys()


@pytest.mark.parametrize("name", SETTABLE)
async def test_set_hyperparameter(name: str, client: bt.Client) -> None:
    asked, held = SETTABLE[name]
    assert await client.query(STORAGE_ITEMS[name], [TUNED]) != held or name == "serving_rate_limit"
    await done(client, bt.SetHyperparameter(TUNED, name, asked), OWNER)
    assert await client.query(STORAGE_ITEMS[name], [TUNED]) == held


@pytest.mark.parametrize("name", REFUSED)
async def test_a_hyperparameter_without_effect_is_refused(name: str, client: bt.Client) -> None:
    asked, error = REFUSED[name]
    assert await refused(client, bt.SetHyperparameter(TUNED, name, asked), OWNER) == error


async def test_hyperparameters_belong_to_the_owner(client: bt.Client) -> None:
    intent = bt.SetHyperparameter(TUNED, "immunity_period", 12)
    assert await refused(client, intent, wallet("Bob")) == "BadOrigin"


async def test_alpha_values_are_set_one_at_a_time(client: bt.Client, node: LiveNode) -> None:
    tempo = 200  # blocks: the limit of two epochs outlasts two calls on any machine
    await sudo(client, ADMIN.sudo_set_tempo(netuid=NETUID, tempo=tempo))
    await done(client, bt.SetHyperparameter(NETUID, "liquid_alpha_enabled", value=True), OWNER)
    await done(client, bt.SetHyperparameter(NETUID, "alpha_high", 60_000), OWNER)
    assert list(await client.query(STATE.AlphaValues, [NETUID])) == [45_875, 60_000]
    low = bt.SetHyperparameter(NETUID, "alpha_low", 50_000)
    assert await refused(client, low, OWNER) == "TxRateLimitExceeded"  # two epochs must pass
    node.ask("mycelia_seal", 2 * tempo)
    await done(client, low, OWNER)
    assert list(await client.query(STATE.AlphaValues, [NETUID])) == [50_000, 60_000]


async def test_the_owners_tempo(client: bt.Client) -> None:
    await done(client, bt.SetHyperparameter(TUNED, "tempo", 360), OWNER)
    assert (await client.read("epoch_status", netuid=TUNED))["tempo"] == 360
