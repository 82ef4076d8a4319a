"""Subnets, neurons, parameters, endpoints, identities."""

from __future__ import annotations

import bittensor as bt
from bittensor.core.chain_data import SubnetIdentity
from bittensor.utils.balance import Balance
from kit import (
    ALICE,
    BOB,
    CHARLIE,
    DAVE,
    TAO,
    TEMPO,
    chain,
    cold,
    done,
    free,
    hot,
    made,
    raw,
    step,
    sudo,
    until,
    wallet,
)


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
    sudo("AdminUtils", "sudo_set_tempo", netuid=netuid, tempo=TEMPO)
    assert not chain.commit_reveal_enabled(netuid)
    assert chain.weights_rate_limit(netuid) == 0
    assert chain.immunity_period(netuid) == 77
    assert chain.tempo(netuid) == TEMPO


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
    assert 0 <= chain.blocks_until_next_epoch(netuid) <= TEMPO
    before = chain.get_current_block()
    assert chain.get_next_epoch_start_block(netuid) >= before
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
    assert chain.get_hyperparameter("Tempo", made["netuid"]) == TEMPO


@step
def prices_of_all_subnets_are_those_of_each() -> None:
    netuid, block = made["netuid"], chain.get_current_block()
    prices, price = chain.get_subnet_prices(block), chain.get_subnet_price(netuid, block)
    assert abs(prices[netuid].rao - price.rao) <= 1, (prices[netuid], price)
    listed = {subnet.netuid: subnet.price for subnet in chain.all_subnets(block)}
    assert listed[netuid].rao == prices[netuid].rao


@step
def registrations_are_told_in_three_ways() -> None:
    netuid = made["netuid"]
    assert chain.is_hotkey_registered(hot(BOB), netuid)
    assert chain.is_hotkey_registered_on_subnet(hot(BOB), netuid)
    assert not chain.is_hotkey_registered_on_subnet(hot(DAVE), netuid)
    assert not chain.is_hotkey_registered(hot(DAVE))


@step
def a_neuron_registers_through_the_shield() -> None:
    netuid = made["netuid"]
    assert len(chain.get_mev_shield_next_key()) == len(chain.get_mev_shield_current_key()) == 1_184
    before = free(DAVE)
    done(chain.burned_register(DAVE, netuid, mev_protection=True))
    until("the registration", lambda: chain.is_hotkey_registered_on_subnet(hot(DAVE), netuid))
    assert free(DAVE) < before


@step
def an_endpoint_shows_a_certificate() -> None:
    axon = bt.Axon(
        wallet=CHARLIE, ip="127.0.0.1", port=9_322, external_ip="127.0.0.1", external_port=9_322
    )
    netuid, certificate = made["netuid"], "?of-Charlie"
    done(chain.serve_axon(netuid, axon, certificate=certificate, wait_for_finalization=True))
    assert chain.get_neuron_certificate(hot(CHARLIE), netuid) == certificate
    assert chain.get_all_neuron_certificates(netuid) == {hot(CHARLIE): certificate}
    assert chain.neuron_for_uid(2, netuid).axon_info.port == 9_322


@step
def a_take_rises_when_it_may() -> None:
    take = chain.get_delegate_take(hot(BOB))
    sudo("AdminUtils", "sudo_set_tx_delegate_take_rate_limit", tx_rate_limit=0)
    done(chain.set_delegate_take(BOB, hot(BOB), take + 0.05))
    assert abs(chain.get_delegate_take(hot(BOB)) - take - 0.05) < 1e-4


@step
def a_hotkey_finds_its_owner() -> None:
    dave2 = wallet("Dave", "Dave_hk2")
    done(raw(DAVE, "SubtensorModule", "try_associate_hotkey", hotkey=hot(dave2)))
    assert chain.get_hotkey_owner(hot(dave2)) == cold(DAVE)


@step
def owners_and_root_configure_subnets_by_call() -> None:
    netuid = made["netuid"]
    done(raw(ALICE, "SubtensorModule", "update_symbol", netuid=netuid, symbol="ω".encode()))
    assert chain.subnet(netuid).symbol == "ω"
    sudo("AdminUtils", "sudo_set_subnet_emission_enabled", netuid=netuid, enabled=False)
    assert not chain.query_subtensor("SubnetEmissionEnabled", params=[netuid]).value
    sudo("AdminUtils", "sudo_set_subnet_emission_enabled", netuid=netuid, enabled=True)
    sudo("AdminUtils", "sudo_set_mechanism_count", netuid=netuid, mechanism_count=1)
    assert chain.get_mechanism_count(netuid) == 1
    assert chain.get_mechanism_emission_split(netuid) is None
    done(raw(ALICE, "AdminUtils", "sudo_trim_to_max_allowed_uids", netuid=netuid, max_n=200))
    assert chain.get_subnet_info(netuid).max_n == 200


@step
def metrics_are_announced_by_call() -> None:
    place = {"version": 1, "ip": 0x7F000001, "port": 9_323, "ip_type": 4}
    done(raw(BOB, "SubtensorModule", "serve_prometheus", "hotkey", netuid=made["netuid"], **place))
    assert chain.neuron_for_uid(1, made["netuid"]).prometheus_info.port == 9_323


@step
def the_freeze_window_is_told() -> None:
    assert not chain.is_in_admin_freeze_window(made["netuid"])
    sudo("AdminUtils", "sudo_set_admin_freeze_window", window=1_000)
    assert chain.is_in_admin_freeze_window(made["netuid"])
    refused = raw(
        ALICE, "AdminUtils", "sudo_set_immunity_period", netuid=made["netuid"], immunity_period=9
    )
    assert "AdminActionProhibitedDuringWeightsWindow" in str(refused.message) + str(refused.error)
    sudo("AdminUtils", "sudo_set_admin_freeze_window", window=0)
