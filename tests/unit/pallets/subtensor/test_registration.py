"""Getting a slot: prices, who is replaced, the root."""

import pytest

from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid, Uid

TAO = 10**9
NETUID = NetUid(1)
ROOT = NetUid(0)


def fill(world, count):
    """Let Bob register until the subnet has `count` neurons; its slots are limited to that."""
    world.admin("min_burn", netuid=1, min_burn=0)
    world.admin("burn_increase_mult", netuid=1, burn_increase_mult={"bits": 1 << 64})
    for number in range(1, count):
        assert world.register("//Bob", f"//Bob_hk{number}").succeeded
    world.pallets.parameters.min_allowed_uids[NETUID] = 1
    assert world.admin("max_allowed_uids", netuid=1, max_allowed_uids=count).succeeded


def test_a_registration_takes_the_next_slot(world):
    result = world.register("//Bob")
    told = result.events("NeuronRegistered")[0]
    assert (told.netuid, told.uid, told.hotkey) == (1, 1, world.key("//Bob_hk"))
    neurons = world.pallets.neurons
    assert neurons.hotkey_at(NETUID, Uid(1)) == world.key("//Bob_hk")
    assert neurons.block_at_registration[NETUID, Uid(1)] == world.height
    assert neurons.netuids_of(world.key("//Bob_hk")) == [1]
    assert world.pallets.stakes.owned_hotkeys[world.key("//Bob")] == (world.key("//Bob_hk"),)
    world.seal()


def test_the_price_buys_alpha_that_is_recycled(world):
    pools, bob = world.pallets.pools, world.key("//Bob")
    issued = pools.alpha_issuance(NETUID)
    price = world.pallets.registration.burn[NETUID]
    before = world.pallets.balances.free_balance(bob)
    tao, _ = pools.reserves(NETUID)
    result = world.register("//Bob")
    paid = before - world.pallets.balances.free_balance(bob)
    fee = result.events("TransactionFeePaid")[0].actual_fee
    assert paid == price + fee
    assert tao < pools.reserves(NETUID)[0] <= tao + price
    assert pools.alpha_issuance(NETUID) < issued
    assert pools.subnet_alpha_out[NETUID] == 0


def test_the_price_jumps_and_falls(world):
    burn = world.pallets.registration.burn
    first = burn[NETUID]
    world.register("//Bob")
    assert burn[NETUID] == first * 126 // 100
    world.seal(360)
    assert abs(burn[NETUID] - first * 63 // 100) < first // 1000


def test_a_slot_may_cost_nothing(world):
    assert world.admin("min_burn", netuid=1, min_burn=0).succeeded
    world.pallets.registration.burn[NETUID] = 1
    world.seal()
    assert world.pallets.registration.burn[NETUID] == 0
    reserves = world.pallets.pools.reserves(NETUID)
    assert world.register("//Bob").error is None
    assert world.pallets.pools.reserves(NETUID) == reserves
    assert world.pallets.registration.burn[NETUID] == 0
    world.seal()


def test_a_price_that_buys_no_alpha_does_not_close_the_subnet(world):
    """An owner could set such a price, and close what must stay open."""
    assert world.admin("min_burn", netuid=1, min_burn=1).succeeded
    world.pallets.registration.burn[NETUID] = 1
    reserves, issued = world.pallets.pools.reserves(NETUID), world.pallets.balances.total_issuance
    result = world.register("//Bob")
    assert result.error is None
    assert world.pallets.pools.reserves(NETUID) == reserves
    fee = result.events("TransactionFeePaid")[0].actual_fee
    assert world.pallets.balances.total_issuance == issued - fee - 1
    world.seal()


def test_burned_register_hot_key_already_registered(world):
    world.register("//Bob")
    assert world.register("//Bob").error == "HotKeyAlreadyRegisteredInSubNet"


def test_burned_register_non_associated_cold_key(world):
    world.register("//Bob")
    world.admin("network_rate_limit", rate_limit=0)
    world.create_subnet("//Charlie", 2)
    assert world.register("//Charlie", "//Bob_hk", netuid=2).error == "NonAssociatedColdKey"
    assert world.key("//Bob_hk") not in world.pallets.stakes.owned_hotkeys[world.key("//Charlie")]


def test_burned_register_on_root_or_nowhere(world):
    assert world.register("//Bob", netuid=0).error == "RegistrationNotPermittedOnRootSubnet"
    assert world.register("//Bob", netuid=9).error == "SubnetNotExists"


def test_burned_register_sub_net_registration_disabled(world):
    world.admin("network_registration_allowed", netuid=1, registration_allowed=False)
    assert world.register("//Bob").error == "SubNetRegistrationDisabled"


def test_burned_register_not_enough_balance(world):
    world.submit(
        "//Bob",
        "Balances",
        "transfer_keep_alive",
        dest=world.address("//Eve"),
        value=TAO // 2,
    )
    assert world.register("//Eve").error == "NotEnoughBalanceToStake"


def test_a_newcomer_replaces_the_one_with_least_emission(world):
    fill(world, 14)
    world.seal(2)
    world.admin("immunity_period", netuid=1, immunity_period=1)
    emission = list(world.pallets.results.emission[NETUID])
    emission[1:] = [5] * 13
    emission[7] = 4
    world.pallets.results.emission[NETUID] = tuple(emission)
    result = world.register("//Charlie")
    assert result.events("NeuronRegistered")[0].uid == 7
    neurons = world.pallets.neurons
    assert not neurons.has(NETUID, world.key("//Bob_hk7"))
    assert neurons.size(NETUID) == 14
    assert world.pallets.results.emission[NETUID][7] == 0
    world.seal()


def test_a_replaced_neuron_leaves_no_weights_and_no_endpoint(world):
    fill(world, 14)
    bob7 = "//Bob_hk7"
    world.call(
        bob7,
        "serve_axon",
        netuid=1,
        version=1,
        ip=1_000_000,
        port=80,
        ip_type=4,
        protocol=4,
        placeholder1=0,
        placeholder2=0,
    )
    world.pallets.rows.set(NETUID, Uid(7), [0], [9])
    world.pallets.rows.set(NETUID, Uid(0), [6, 7], [100, 200])
    world.seal(2)
    world.admin("immunity_period", netuid=1, immunity_period=1)
    world.pallets.results.emission[NETUID] = tuple(5 if uid != 7 else 0 for uid in range(14))
    assert world.register("//Charlie").events("NeuronRegistered")[0].uid == 7
    rows = world.pallets.rows.rows(NETUID)
    assert 7 not in rows
    assert rows[0].tolist() == [[6, 100], [7, 0]]
    assert world.pallets.serving.axon_of(NETUID, world.key(bob7)).port == 0


def test_the_owner_and_the_immune_stay(world):
    fill(world, 14)
    world.admin("immunity_period", netuid=1, immunity_period=1000)
    result = world.register("//Charlie")
    assert result.events("NeuronRegistered")[0].uid == 1  # all are immune: the oldest but the owner


def test_burned_register_no_neuron_id_available(world):
    fill(world, 5)
    world.seal(2)
    world.admin("immunity_period", netuid=1, immunity_period=1)
    # Four open slots are below the floor of ten, and nobody is immune.
    assert world.register("//Charlie").error == "NoNeuronIdAvailable"


def test_root_register_makes_a_delegate(world):
    result = world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk"))
    assert result.events("NeuronRegistered")[0].netuid == 0
    assert world.pallets.stakes.take_of(world.key("//Bob_hk")) == 11_796
    assert world.pallets.stakes.is_delegate(world.key("//Bob_hk"))
    again = world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk2"))
    assert again.error == "TooManyRegistrationsThisBlock"
    world.seal()
    twice = world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk"))
    assert twice.error == "HotKeyAlreadyRegisteredInSubNet"


def test_root_register_too_many_registrations_this_interval(world):
    for number in range(3):
        assert world.call(
            "//Bob", "root_register", hotkey=world.address(f"//Bob_hk{number}")
        ).succeeded
        world.seal()
    result = world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk9"))
    assert result.error == "TooManyRegistrationsThisInterval"


def test_a_full_root_gives_the_seat_of_the_least_stake(world):
    world.pallets.parameters.max_allowed_uids[ROOT] = 1
    world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk"))
    world.seal()
    world.call("//Charlie", "try_associate_hotkey", hotkey=world.address("//Charlie_hk"))
    poor = world.call("//Charlie", "root_register", hotkey=world.address("//Charlie_hk"))
    assert poor.error == "StakeTooLowForRoot"
    assert world.stake("//Charlie", "//Charlie_hk", TAO, netuid=0).succeeded
    world.seal()
    rich = world.call("//Charlie", "root_register", hotkey=world.address("//Charlie_hk"))
    assert rich.succeeded
    assert world.pallets.neurons.hotkeys(ROOT) == [world.key("//Charlie_hk")]
    world.seal()


def test_root_register_root_network_does_not_exist(world):
    del world.pallets.subnets.networks_added[ROOT]
    result = world.call("//Bob", "root_register", hotkey=world.address("//Bob_hk"))
    assert result.error == "RootNetworkDoesNotExist"


def test_register_limit_registers_up_to_the_price(world):
    price = world.pallets.registration.burn[1]
    hotkey = world.address("//Bob_hk")
    dear = world.call("//Bob", "register_limit", netuid=1, hotkey=hotkey, limit_price=price - 1)
    assert dear.error == "RegistrationPriceLimitExceeded"
    done = world.call("//Bob", "register_limit", netuid=1, hotkey=hotkey, limit_price=price)
    assert done.events("NeuronRegistered")[0].uid == 1


@pytest.mark.parametrize(
    ("netuid", "error"), [(0, "RegistrationNotPermittedOnRootSubnet"), (9, "SubnetNotExists")]
)
def test_register_limit_on_root_or_nowhere(world, netuid, error):
    hotkey = world.address("//Bob_hk")
    result = world.call("//Bob", "register_limit", netuid=netuid, hotkey=hotkey, limit_price=0)
    assert result.error == error


def test_register_limit_errors_are_those_of_a_registration(world):
    def error(uri="//Bob", hotkey="//Bob_hk"):
        params = {"netuid": 1, "hotkey": world.address(hotkey), "limit_price": 2**60}
        return world.call(uri, "register_limit", **params).error

    assert error() is None
    assert error() == "HotKeyAlreadyRegisteredInSubNet"
    assert error("//Charlie", "//Alice_hk9") is None
    assert world.register("//Bob", "//Bob_hk2").succeeded
    world.call("//Dave", "try_associate_hotkey", hotkey=world.address("//Dave_hk3"))
    assert error("//Bob", "//Dave_hk3") == "NonAssociatedColdKey"
    world.pallets.parameters.max_allowed_uids[NETUID] = 0
    assert error("//Bob", "//Bob_hk4") == "NoNeuronIdAvailable"
    world.admin("network_registration_allowed", netuid=1, registration_allowed=False)
    assert error("//Bob", "//Bob_hk4") == "SubNetRegistrationDisabled"


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("burned_register", {"netuid": 1}),
        ("register_limit", {"netuid": 1, "limit_price": 2**60}),
        ("root_register", {}),
        ("try_associate_hotkey", {}),
    ],
)
def test_a_subnet_s_account_is_no_hotkey(world, call, params):
    hotkey = "0x" + subnet_account(NETUID).hex()
    assert world.call("//Bob", call, hotkey=hotkey, **params).error == "CannotUseSystemAccount"


@pytest.mark.parametrize(
    ("call", "params"),
    [("burned_register", {}), ("register_limit", {"limit_price": 2**60})],
)
def test_registering_needs_the_price(world, call, params):
    world.pallets.registration.burn[NETUID] = 10**15
    hotkey = world.address("//Bob_hk")
    result = world.call("//Bob", call, netuid=1, hotkey=hotkey, **params)
    assert result.error == "NotEnoughBalanceToStake"
