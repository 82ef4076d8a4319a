"""Creating, starting and presenting subnets."""

import pytest

from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid

TAO = 10**9
NETUID = NetUid(1)


def test_genesis_has_the_root_alone(bare) -> None:
    subnets = bare.pallets.subnets
    assert subnets.netuids() == [0]
    assert subnets.total_networks == 1
    assert subnets.token_symbol[NetUid(0)] == "Τ".encode()
    assert bare.pallets.parameters.max_allowed_uids[NetUid(0)] == 64


def test_the_price_of_a_subnet_becomes_its_pool(bare) -> None:
    before = bare.pallets.balances.total_issuance
    price = bare.pallets.creation.get_network_registration_cost()
    result = bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk"))
    assert result.succeeded
    assert result.events("NetworkAdded")[0].netuid == NETUID
    pools = bare.pallets.pools
    assert price == 1000 * TAO
    assert pools.reserves(NETUID) == (price, price)
    assert bare.pallets.balances.free_balance(subnet_account(NETUID)) == price
    fees = before - bare.pallets.balances.total_issuance
    assert 0 <= fees < TAO  # nothing but the transaction fee left circulation


def test_the_owner_gets_the_first_slot(bare) -> None:
    bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk"))
    pallets = bare.pallets
    assert pallets.neurons.uid_of(NETUID, bare.key("//Alice_hk")) == 0
    assert pallets.stakes.owner[bare.key("//Alice_hk")] == bare.key("//Alice")
    assert pallets.subnets.subnet_owner_hotkey[NETUID] == bare.key("//Alice_hk")
    assert pallets.subnets.token_symbol[NETUID] == "α".encode()
    assert pallets.parameters.immunity_period[NETUID] == 5000


def test_the_next_subnet_costs_twice_as_much_and_less_later(bare) -> None:
    bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk"))
    cost = bare.pallets.creation.get_network_registration_cost
    assert cost() == 2000 * TAO
    bare.seal(10)
    per_block = 1000 * TAO // 100_800
    assert cost() == 2000 * TAO - 10 * per_block


def test_epochs_of_new_subnets_are_set_apart(bare) -> None:
    assert bare.admin("network_rate_limit", rate_limit=0).succeeded
    bare.seal(10)
    for number in (1, 2, 3):
        bare.create_subnet("//Alice", number)
        born = bare.pallets.subnets.network_registered_at[NetUid(number)]
        assert bare.pallets.schedule.last_epoch_block[NetUid(number)] == born - number


def test_register_network_network_tx_rate_limit_exceeded(world) -> None:
    world.seal()
    result = world.call("//Bob", "register_network", hotkey=world.address("//Bob_hk"))
    assert result.error == "NetworkTxRateLimitExceeded"
    world.admin("network_rate_limit", rate_limit=0)
    world.create_subnet("//Bob", 2)
    assert world.pallets.subnets.total_networks == 3


def test_register_network_cannot_afford_lock_cost(bare) -> None:
    bare.admin("network_min_lock_cost", lock_cost=200_000 * TAO)
    result = bare.call("//Bob", "register_network", hotkey=bare.address("//Bob_hk"))
    assert result.error == "CannotAffordLockCost"


def test_register_network_non_associated_cold_key(world) -> None:
    world.admin("network_rate_limit", rate_limit=0)
    result = world.call("//Bob", "register_network", hotkey=world.address("//Alice_hk1"))
    assert result.error == "NonAssociatedColdKey"


def test_register_network_subnet_limit_reached(world) -> None:
    world.admin("network_rate_limit", rate_limit=0)
    world.admin("subnet_limit", max_subnets=1)
    result = world.call("//Bob", "register_network", hotkey=world.address("//Bob_hk"))
    assert result.error == "SubnetLimitReached"


def test_register_network_cannot_use_system_account(bare) -> None:
    result = bare.call("//Bob", "register_network", hotkey="0x" + subnet_account(NetUid(3)).hex())
    assert result.error == "CannotUseSystemAccount"


def test_start_call_by_another_is_refused(bare) -> None:
    bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk"))
    assert bare.call("//Bob", "start_call", netuid=1).error == "BadOrigin"
    assert bare.call("//Alice", "start_call", netuid=9).error == "SubnetNotExists"


def test_start_call_need_waiting_more_blocks(bare) -> None:
    bare.admin("start_call_delay", delay=3)
    bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk"))
    assert bare.call("//Alice", "start_call", netuid=1).error == "NeedWaitingMoreBlocksToStarCall"
    bare.seal(3)
    result = bare.call("//Alice", "start_call", netuid=1)
    assert result.events("FirstEmissionBlockNumberSet")[0].block == bare.height + 1
    assert (
        bare.call("//Alice", "start_call", netuid=1).error == "FirstEmissionBlockNumberAlreadySet"
    )


IDENTITY = {
    "subnet_name": b"text",
    "github_repo": b"",
    "subnet_contact": b"",
    "subnet_url": b"",
    "discord": b"",
    "description": b"words",
    "logo_url": b"",
    "additional": b"",
}


def test_the_owner_says_what_the_subnet_is(world) -> None:
    assert world.call("//Alice", "set_subnet_identity", netuid=1, **IDENTITY).succeeded
    assert world.pallets.subnets.subnet_identities_v3[NETUID].subnet_name == b"text"


def test_set_subnet_identity_errors(world) -> None:
    refused = world.call("//Bob", "set_subnet_identity", netuid=1, **IDENTITY)
    assert refused.error == "NotSubnetOwner"
    long = {**IDENTITY, "subnet_name": b"x" * 257}
    result = world.call("//Alice", "set_subnet_identity", netuid=1, **long)
    assert result.error == "InvalidIdentity"


def test_a_subnet_may_be_created_with_an_identity(bare) -> None:
    hotkey = bare.address("//Alice_hk")
    named = {"hotkey": hotkey, "identity": IDENTITY}
    result = bare.call("//Alice", "register_network_with_identity", **named)
    assert result.events("SubnetIdentitySet")[0].netuid == NETUID
    assert bare.pallets.subnets.subnet_identities_v3[NETUID].subnet_name == b"text"


def test_register_network_with_identity_invalid_identity(bare) -> None:
    long = {**IDENTITY, "subnet_name": b"x" * 257}
    named = {"hotkey": bare.address("//Alice_hk"), "identity": long}
    result = bare.call("//Alice", "register_network_with_identity", **named)
    assert result.error == "InvalidIdentity"
    assert not bare.pallets.subnets.exists(NETUID)


def test_register_network_with_identity_needs_none(bare) -> None:
    unnamed = {"hotkey": bare.address("//Alice_hk"), "identity": None}
    assert bare.call("//Alice", "register_network_with_identity", **unnamed).succeeded
    assert NETUID not in bare.pallets.subnets.subnet_identities_v3


def test_update_symbol(world) -> None:
    beta = "β".encode()
    assert world.call("//Alice", "update_symbol", netuid=1, symbol=beta).succeeded
    assert world.pallets.subnets.token_symbol[NETUID] == beta
    again = world.call("//Alice", "update_symbol", netuid=1, symbol=beta)
    assert again.error == "SymbolAlreadyInUse"
    unknown = world.call("//Alice", "update_symbol", netuid=1, symbol=b"no")
    assert unknown.error == "SymbolDoesNotExist"
    assert (
        world.sudo("SubtensorModule", "update_symbol", netuid=9, symbol="γ".encode()).error
        == "SubnetNotExists"
    )


def test_what_a_new_pool_holds_fits_however_cheap_alpha_is(world) -> None:
    pools = world.pallets.pools
    lost = pools.subnet_tao[NETUID] - 10**6
    pools.subnet_tao[NETUID], pools.subnet_alpha_in[NETUID] = 10**6, 21 * 10**15
    pools.total_stake = pools.total_stake - lost
    assert world.admin("network_rate_limit", rate_limit=0).succeeded
    world.create_subnet("//Alice", 2)
    assert pools.subnet_alpha_in[NetUid(2)] == 2**64 - 1
    world.seal()


def test_a_new_subnet_opens_at_the_median_price(world) -> None:
    world.admin("network_rate_limit", rate_limit=0)
    world.call(
        "//Bob",
        "add_stake",
        hotkey=world.address("//Alice_hk1"),
        netuid=1,
        amount_staked=1000 * TAO,
    )
    world.create_subnet("//Bob", 2)
    swap = world.pallets.swap
    assert abs(swap.price_q64(NetUid(2)) / swap.price_q64(NETUID) - 1) < 1e-9


NAMED = ("register_network_with_identity", {"identity": None})


@pytest.mark.parametrize(("call", "params"), [("register_network", {}), NAMED])
def test_creation_errors(bare, call, params) -> None:
    def error(uri="//Alice", hotkey="//Alice_hk1"):
        address = hotkey if hotkey.startswith("0x") else bare.address(hotkey)
        return bare.call(uri, call, hotkey=address, **params).error

    bare.pallets.network.network_registration_start_block = bare.height + 1
    assert error() == "SubNetRegistrationDisabled"
    bare.pallets.network.network_registration_start_block = 0
    assert error(hotkey="0x" + subnet_account(NETUID).hex()) == "CannotUseSystemAccount"
    assert error() is None
    assert error(hotkey="//Alice_hk2") == "NetworkTxRateLimitExceeded"
    bare.admin("network_rate_limit", rate_limit=0)
    assert error(uri="//Bob") == "NonAssociatedColdKey"
    bare.admin("subnet_limit", max_subnets=1)
    assert error(hotkey="//Alice_hk2") == "SubnetLimitReached"


@pytest.mark.parametrize(("call", "params"), [("register_network", {}), NAMED])
def test_a_new_subnet_in_place_of_an_old_one(bare, call, params) -> None:
    bare.admin("network_rate_limit", rate_limit=0)
    bare.admin("network_immunity_period", immunity_period=0)
    assert bare.call("//Alice", "register_network", hotkey=bare.address("//Alice_hk1")).succeeded
    assert bare.call("//Alice", "set_subnet_identity", netuid=1, **IDENTITY).succeeded
    assert bare.call("//Bob", "root_register", hotkey=bare.address("//Bob_hk")).succeeded
    bare.admin("subnet_limit", max_subnets=1)
    bare.seal(2)
    result = bare.call("//Alice", call, hotkey=bare.address("//Alice_hk2"), **params)
    assert result.events("NetworkRemoved")
    assert result.events("SubnetIdentityRemoved")
    assert result.events("SetChildren")


@pytest.mark.parametrize(("call", "params"), [("register_network", {}), NAMED])
def test_creating_needs_the_price(bare, call, params) -> None:
    bare.admin("network_min_lock_cost", lock_cost=2**62)
    hotkey = bare.address("//Alice_hk1")
    assert bare.call("//Alice", call, hotkey=hotkey, **params).error == "CannotAffordLockCost"


def test_only_a_subnet_that_is_there_can_be_dissolved(bare) -> None:
    gone = {"coldkey": bare.address("//Alice"), "netuid": 9}
    assert bare.sudo("SubtensorModule", "dissolve_network", **gone).error == "SubnetNotExists"
    assert (
        bare.sudo("SubtensorModule", "root_dissolve_network", netuid=9).error == "SubnetNotExists"
    )
