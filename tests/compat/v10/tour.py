"""Waves 1 and 2 by the unmodified 10.x SDK, run by that SDK's own interpreter against a node: `python tour.py URL`.

Each step is asserted on its effect on the chain. A line of JSON per step: its name, and what went wrong, if anything
did. A step that needs what an earlier one made comes after it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["HOME"] = tempfile.mkdtemp(prefix="v10-home-")
sys.argv, URL = sys.argv[:1], sys.argv[1]

import bittensor as bt  # noqa: E402 - it reads HOME and the arguments when imported
from bittensor.core.chain_data import SubnetIdentity  # noqa: E402
from bittensor.utils.balance import Balance  # noqa: E402
from bittensor_wallet import Keypair  # noqa: E402

TAO = 10**9
STEPS: list[Callable[[], None]] = []
chain = bt.Subtensor(network=URL)
made: dict[str, Any] = {}


def step(function: Callable[[], None]) -> Callable[[], None]:
    """Run it in its turn."""
    STEPS.append(function)
    return function


def wallet(name: str, hotkey: str = "") -> Any:
    """A wallet over development keys, without files."""
    cold = Keypair.create_from_uri(f"//{name}")
    hot = Keypair.create_from_uri(f"//{hotkey or name + '_hk'}")
    return SimpleNamespace(
        name=name,
        hotkey_str="default",
        coldkey=cold,
        coldkeypub=cold,
        hotkey=hot,
        hotkeypub=hot,
        unlock_coldkey=lambda: cold,
        unlock_hotkey=lambda: hot,
    )


ALICE, BOB, CHARLIE, DAVE = (wallet(name) for name in ("Alice", "Bob", "Charlie", "Dave"))


def cold(who: Any) -> str:
    """A wallet's coldkey address."""
    return str(who.coldkey.ss58_address)


def hot(who: Any) -> str:
    """A wallet's hotkey address."""
    return str(who.hotkey.ss58_address)


def free(who: Any) -> int:
    """Free balance in rao."""
    return int(chain.get_balance(cold(who)).rao)


def done(response: Any) -> Any:
    """The response of an extrinsic that must have succeeded."""
    assert response.success, (response.message, response.error)
    return response


def sudo(module: str, function: str, **params: Any) -> None:
    """Make a call as root, by Alice, and see that it did what it says."""
    inner = chain.compose_call(module, function, params)
    call = chain.compose_call("Sudo", "sudo", {"call": inner})
    done(chain.sign_and_send_extrinsic(call, ALICE, wait_for_inclusion=True))


def raw(who: Any, module: str, function: str, sign_with: str = "coldkey", **params: Any) -> Any:
    """Make a call by its name."""
    call = chain.compose_call(module, function, params)
    return chain.sign_and_send_extrinsic(
        call, who, sign_with=sign_with, wait_for_inclusion=True, wait_for_finalization=True
    )


# --- wave 1: accounts ---


@step
def connects() -> None:
    assert chain.get_current_block() > 0
    assert chain.is_fast_blocks()
    assert chain.get_existential_deposit().rao == 500
    assert chain.get_timestamp().timestamp() > 1_600_000_000
    assert chain.get_block_hash(0).startswith("0x")


@step
def balances_are_the_development_networks() -> None:
    assert free(ALICE) == free(BOB) == 1_000_000 * TAO
    both = chain.get_balances(cold(ALICE), cold(DAVE))
    assert [both[cold(who)].rao for who in (ALICE, DAVE)] == [1_000_000 * TAO, 2_000 * TAO]


@step
def a_transfer_costs_what_was_quoted_to_the_rao() -> None:
    before = free(BOB), free(DAVE)
    amount = Balance.from_tao(12.5)
    response = done(chain.transfer(BOB, cold(DAVE), amount, wait_for_finalization=True))
    after = free(BOB), free(DAVE)
    assert after[1] - before[1] == amount.rao
    fee = response.extrinsic_fee.rao
    assert before[0] - after[0] == amount.rao + fee, (before[0] - after[0], fee)
    assert chain.get_transfer_fee(BOB, cold(DAVE), amount).rao >= fee - 10


@step
def everything_can_be_sent() -> None:
    poor = wallet("Poor")
    done(chain.transfer(BOB, cold(poor), Balance.from_tao(1)))
    done(
        chain.transfer(
            poor, cold(BOB), None, transfer_all=True, keep_alive=False, wait_for_finalization=True
        )
    )
    assert free(poor) == 0


@step
def a_transfer_that_cannot_be_paid_is_refused() -> None:
    response = chain.transfer(wallet("Nobody"), cold(BOB), Balance.from_tao(1))
    assert not response.success


@step
def a_block_is_decoded_whole() -> None:
    info = chain.get_block_info()
    assert info.number > 0
    assert info.hash == chain.get_block_hash(info.number)
    assert info.extrinsics


@step
def a_failed_call_has_the_chains_name_and_words() -> None:
    response = raw(BOB, "SubtensorModule", "start_call", netuid=777)
    assert not response.success
    assert "SubnetNotExists" in str(response.message) + str(response.error), response.message


# --- wave 2: subnets ---


@step
def a_subnet_is_created_at_the_price_quoted() -> None:
    price = chain.get_subnet_burn_cost()
    before = chain.get_total_subnets()
    response = done(chain.register_subnet(ALICE, wait_for_finalization=True))
    netuid = max(chain.get_all_subnets_netuid())
    assert netuid > 0
    assert chain.get_total_subnets() == before + 1
    assert chain.subnet_exists(netuid)
    assert chain.get_subnet_owner_hotkey(netuid) == hot(ALICE)
    assert response.extrinsic_fee.rao > 0
    assert chain.get_subnet_burn_cost().rao >= price.rao
    made["netuid"] = netuid


@step
def a_subnet_is_started_by_its_owner() -> None:
    netuid = made["netuid"]
    assert not chain.is_subnet_active(netuid)
    assert chain.get_start_call_delay() >= 0
    assert not chain.start_call(BOB, netuid).success
    done(chain.start_call(ALICE, netuid, wait_for_finalization=True))
    assert chain.is_subnet_active(netuid)


@step
def a_subnet_can_be_named() -> None:
    identity = SubnetIdentity(
        subnet_name="mycelium",
        github_repo="",
        subnet_contact="",
        subnet_url="https://example.org",
        logo_url="",
        discord="",
        description="grows",
        additional="",
    )
    done(chain.set_subnet_identity(ALICE, made["netuid"], identity, wait_for_finalization=True))
    found = chain.subnet(made["netuid"]).subnet_identity
    assert found is not None
    assert (found.subnet_name, found.description) == ("mycelium", "grows")


@step
def subnets_are_listed_and_described() -> None:
    netuid = made["netuid"]
    assert netuid in [subnet.netuid for subnet in chain.all_subnets()]
    assert netuid in [subnet.netuid for subnet in chain.get_all_subnets_info()]
    subnet, info = chain.subnet(netuid), chain.get_subnet_info(netuid)
    assert subnet.owner_coldkey == info.owner_ss58 == cold(ALICE)
    assert info.subnetwork_n == chain.subnetwork_n(netuid) == 1
    assert subnet.tempo == chain.tempo(netuid) > 0
    assert chain.get_subnet_price(netuid).rao > 0
    assert chain.get_subnet_prices()[0].rao == TAO  # one TAO of root is one TAO


@step
def hyperparameters_are_read_one_by_one_and_together() -> None:
    netuid = made["netuid"]
    together = chain.get_subnet_hyperparameters(netuid)
    assert together.tempo == chain.tempo(netuid)
    assert together.immunity_period == chain.immunity_period(netuid)
    assert together.min_allowed_weights == chain.min_allowed_weights(netuid)
    assert together.weights_rate_limit == chain.weights_rate_limit(netuid)
    assert together.commit_reveal_weights_enabled == chain.commit_reveal_enabled(netuid)
    assert together.difficulty == chain.difficulty(netuid)
    assert 0 < chain.max_weight_limit(netuid) <= 1
    assert chain.tx_rate_limit() > 0
    assert chain.get_admin_freeze_window() >= 0
    assert chain.get_subnet_reveal_period_epochs(netuid) >= 1
    assert chain.get_mechanism_count(netuid) == 1


@step
def root_sets_hyperparameters() -> None:
    netuid = made["netuid"]
    sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0)
    sudo("AdminUtils", "sudo_set_commit_reveal_weights_enabled", netuid=netuid, enabled=False)
    sudo("AdminUtils", "sudo_set_weights_set_rate_limit", netuid=netuid, weights_set_rate_limit=0)
    sudo("AdminUtils", "sudo_set_immunity_period", netuid=netuid, immunity_period=77)
    sudo("AdminUtils", "sudo_set_tempo", netuid=netuid, tempo=10)
    assert not chain.commit_reveal_enabled(netuid)
    assert chain.weights_rate_limit(netuid) == 0
    assert chain.immunity_period(netuid) == 77
    assert chain.tempo(netuid) == 10


@step
def a_stranger_sets_none() -> None:
    response = raw(
        BOB, "AdminUtils", "sudo_set_immunity_period", netuid=made["netuid"], immunity_period=5
    )
    assert not response.success
    assert chain.immunity_period(made["netuid"]) == 77


@step
def neurons_register_by_burning() -> None:
    netuid = made["netuid"]
    for who in (BOB, CHARLIE):
        before, price = free(who), chain.recycle(netuid).rao
        response = done(chain.burned_register(who, netuid, wait_for_finalization=True))
        spent = before - free(who) - response.extrinsic_fee.rao
        assert 0 < spent <= price, (spent, price)
        assert chain.is_hotkey_registered(hot(who), netuid)
        assert chain.get_hotkey_owner(hot(who)) == cold(who)
    assert chain.subnetwork_n(netuid) == 3
    uids = [chain.get_uid_for_hotkey_on_subnet(hot(who), netuid) for who in (ALICE, BOB, CHARLIE)]
    assert uids == [0, 1, 2]
    assert netuid in chain.get_netuids_for_hotkey(hot(BOB))
    assert chain.filter_netuids_by_registered_hotkeys([netuid], [], [BOB], None) == [netuid]
    assert chain.get_owned_hotkeys(cold(BOB)) == [hot(BOB)]
    assert chain.does_hotkey_exist(hot(BOB))
    assert chain.is_hotkey_registered_any(hot(BOB))


@step
def a_second_registration_says_so() -> None:
    response = raw(
        BOB, "SubtensorModule", "burned_register", netuid=made["netuid"], hotkey=hot(BOB)
    )
    assert not response.success
    assert "HotKeyAlreadyRegistered" in str(response.message) + str(response.error)


@step
def the_root_network_takes_members() -> None:
    # Root's slots go to hotkeys with stake.
    done(
        chain.add_stake(
            BOB, made["netuid"], hot(BOB), Balance.from_tao(50), wait_for_finalization=True
        )
    )
    done(chain.root_register(BOB, wait_for_finalization=True))
    assert chain.is_hotkey_registered(hot(BOB), 0)


@step
def an_axon_is_served() -> None:
    axon = bt.Axon(
        wallet=BOB, ip="127.0.0.1", port=9_321, external_ip="127.0.0.1", external_port=9_321
    )
    done(chain.serve_axon(made["netuid"], axon, wait_for_finalization=True))
    neuron = chain.neuron_for_uid(1, made["netuid"])
    assert (neuron.axon_info.ip, neuron.axon_info.port) == ("127.0.0.1", 9_321)


@step
def a_delegate_has_a_take() -> None:
    take = chain.get_delegate_take(hot(BOB))
    assert 0 < take < 0.19
    done(chain.set_delegate_take(BOB, hot(BOB), 0.1))
    assert abs(chain.get_delegate_take(hot(BOB)) - 0.1) < 1e-4


@step
def an_identity_is_set_and_read() -> None:
    texts = {
        name: f"{name} of Bob" for name in ("name", "url", "github_repo", "image", "discord")
    } | {"description": "", "additional": ""}
    response = raw(BOB, "SubtensorModule", "set_identity", **texts)
    done(response)
    assert chain.query_identity(cold(BOB)).name == "name of Bob"
    assert cold(BOB) in (chain.get_delegate_identities() or {})


@step
def neurons_and_the_metagraph_agree() -> None:
    netuid = made["netuid"]
    neurons = {neuron.uid: neuron for neuron in chain.neurons(netuid)}
    lite = {neuron.uid: neuron for neuron in chain.neurons_lite(netuid)}
    graph = chain.metagraph(netuid)
    assert list(neurons) == list(lite) == list(graph.uids) == [0, 1, 2]
    assert graph.hotkeys == [neurons[uid].hotkey for uid in range(3)]
    assert graph.coldkeys == [cold(who) for who in (ALICE, BOB, CHARLIE)]
    assert graph.axons[1].port == 9_321
    info = chain.get_metagraph_info(netuid)
    assert info.num_uids == 3
    assert info.hotkeys == graph.hotkeys
    assert info.netuid in [found.netuid for found in chain.get_all_metagraphs_info()]
    assert chain.get_neuron_for_pubkey_and_subnet(hot(CHARLIE), netuid).uid == 2
    assert chain.get_stake_info_for_coldkey(cold(BOB))


@step
def epochs_are_told_in_blocks() -> None:
    netuid = made["netuid"]
    assert 0 <= chain.blocks_until_next_epoch(netuid) <= 10
    assert chain.get_next_epoch_start_block(netuid) > chain.get_current_block() - 2
    assert chain.blocks_since_last_step(netuid) is not None
    assert chain.blocks_since_last_update(netuid, 1) is not None


@step
def the_past_reads_as_it_was() -> None:
    assert chain.get_balance(cold(BOB), block=1).rao == 1_000_000 * TAO
    assert not chain.subnet_exists(made["netuid"], block=1)
    assert chain.get_total_subnets(block=1) < chain.get_total_subnets()


@step
def constants_maps_and_items_are_found_by_name() -> None:
    assert chain.query_constant("Balances", "ExistentialDeposit").value == 500
    assert int(chain.query_subtensor("TotalNetworks").value) == chain.get_total_subnets()
    found = chain.query_map_subtensor("NetworksAdded")
    assert made["netuid"] in [int(key) for key, value in found if value.value]
    assert chain.get_hyperparameter("Tempo", made["netuid"]) == 10


def main() -> int:
    """Run every step; the exit status is how many failed."""
    failed = 0
    for run in STEPS:
        error = ""
        try:
            run()
        except Exception:
            failed += 1
            error = traceback.format_exc(limit=-3)
        sys.stdout.write(json.dumps({"step": run.__name__, "error": error}) + "\n")
        sys.stdout.flush()
    chain.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
