"""Dissolving subnets: holders get the pool, the number becomes free, the cheapest makes room."""

import pytest

from mycelia.pallets.subtensor.subnets.kernel import largest_remainders, subnet_account
from mycelia.primitives import NetUid

TAO = 10**9
NETUID = NetUid(1)
OWNER = "//Alice_hk1"


@pytest.fixture
def held(world):
    """Bob and Charlie hold alpha of the subnet behind its owner's hotkey; everything about it is in use."""
    world.register("//Bob")
    assert world.stake("//Bob", OWNER, 30 * TAO).succeeded
    assert world.stake("//Charlie", OWNER, 10 * TAO).succeeded
    serve = {"version": 1, "ip": 2**24, "port": 9, "ip_type": 4, "protocol": 0}
    assert world.call(
        "//Bob_hk", "serve_axon", netuid=NETUID, **serve, placeholder1=0, placeholder2=0
    ).succeeded
    fields = ("subnet_name", "github_repo", "subnet_contact", "subnet_url", "discord")
    texts = dict.fromkeys((*fields, "description", "logo_url", "additional"), "0x61")
    assert world.call("//Alice", "set_subnet_identity", netuid=NETUID, **texts).succeeded
    world.seal(3)
    return world


def items_under(world, netuid):
    """Names of the storage items that hold something of a subnet."""
    return {
        spec.name
        for part in world.pallets.parts
        for item, spec in part.spec.storage
        if NetUid in spec.keys
        for key in part.handles[item.attribute].keys()  # noqa: SIM118  # a storage map
        if (key if len(spec.keys) == 1 else key[spec.keys.index(NetUid)]) == netuid
    }


def dissolve(world, netuid=NETUID):
    return world.sudo("SubtensorModule", "root_dissolve_network", netuid=netuid)


def test_holders_are_paid_by_what_their_alpha_is_worth(held):
    pallets = held.pallets
    claims = pallets.stakes.claims_on(NETUID)
    pot = pallets.pools.subnet_tao[NETUID]
    unowned = pallets.pools.subnet_alpha_in[NETUID] + pallets.pools.subnet_protocol_alpha[NETUID]
    total = unowned + sum(worth for _, worth in claims)
    people = {key: held.key(key) for key in ("//Bob", "//Charlie")}
    before = {key: pallets.balances.free_balance(who) for key, who in people.items()}
    result = dissolve(held)
    assert result.error is None
    assert len(result.events("NetworkRemoved")) == len(result.events("SubnetIdentityRemoved")) == 1
    for key, who in people.items():
        due = sum(pot * worth // total for coldkey, worth in claims if coldkey == who)
        got = pallets.balances.free_balance(who) - before[key]
        assert due <= got <= due + 1
        assert got > 0


def test_what_nobody_holds_is_recycled(held):
    before = held.pallets.issuance.total_issuance
    pot = held.pallets.pools.subnet_tao[NETUID]
    held.sudo("SubtensorModule", "dissolve_network", coldkey=held.address("//Bob"), netuid=NETUID)
    recycled = before - held.pallets.issuance.total_issuance
    assert pot * 9 // 10 < recycled < pot
    left = held.pallets.balances.free_balance(subnet_account(NETUID))
    assert left == held.pallets.balances.existential_deposit


def test_nothing_of_the_subnet_is_left(held):
    assert len(items_under(held, NETUID)) > 40
    assert dissolve(held).error is None
    held.seal()
    assert items_under(held, NETUID) == {"RegisteredSubnetCounter"}
    assert held.pallets.subnets.total_networks == 1
    assert held.pallets.subnet_views.get_metagraph(NETUID) is None


def test_nobody_claims_alpha_that_is_gone(held):
    payout, hotkey = held.pallets.payout, held.key(OWNER)
    payout.root_claimable[hotkey] = {NETUID: 1 << 20, NetUid(2): 1 << 21}
    payout.total_hotkey_alpha_last_epoch[hotkey, NETUID] = 5
    payout.total_hotkey_alpha_last_epoch[hotkey, NetUid(2)] = 6
    assert dissolve(held).error is None
    assert payout.root_claimable[hotkey] == {NetUid(2): 1 << 21}
    assert list(payout.total_hotkey_alpha_last_epoch.items()) == [((hotkey, NetUid(2)), 6)]


def test_the_number_is_given_out_again(held):
    dissolve(held)
    held.seal(10)
    assert held.admin("network_rate_limit", rate_limit=0).error is None
    held.create_subnet("//Bob")
    assert held.pallets.subnets.subnet_owner[NETUID] == held.key("//Bob")
    assert held.pallets.subnets.registered_subnet_counter[NETUID] == 2
    held.seal(3)


@pytest.mark.parametrize("netuid", [0, 9])
def test_root_dissolve_network_subnet_not_exists(world, netuid):
    assert dissolve(world, netuid).error == "SubnetNotExists"


@pytest.mark.parametrize(
    ("call", "more"), [("root_dissolve_network", {}), ("dissolve_network", {"coldkey": "//Bob"})]
)
def test_only_root_dissolves(world, call, more):
    arguments = {name: world.address(uri) for name, uri in more.items()}
    assert world.call("//Alice", call, netuid=NETUID, **arguments).error == "BadOrigin"


@pytest.fixture
def full(world):
    """As many subnets as there may be: 1 and 2, of which 2 is the cheaper."""
    assert world.admin("subnet_limit", max_subnets=2).error is None
    assert world.admin("network_rate_limit", rate_limit=0).error is None
    world.create_subnet("//Alice", 2)
    world.pallets.prices.subnet_moving_price[NETUID] = 2 << 32
    world.pallets.prices.subnet_moving_price[NetUid(2)] = 1 << 32
    return world


def create(world, uri="//Charlie"):
    return world.call(uri, "register_network", hotkey=world.address(f"{uri}_new"))


def test_register_network_subnet_limit_reached(full):
    assert full.pallets.dissolution.get_subnet_to_prune() is None
    assert create(full).error == "SubnetLimitReached"


def test_at_the_limit_the_cheapest_subnet_makes_room(full):
    assert full.admin("network_immunity_period", immunity_period=0).error is None
    assert full.pallets.dissolution.get_subnet_to_prune() == 2
    result = create(full)
    assert result.succeeded, result.error
    assert [event.netuid for event in result.events("NetworkRemoved")] == [2]
    assert full.pallets.subnets.subnet_owner[NetUid(2)] == full.key("//Charlie")
    assert full.pallets.subnets.total_networks == 3
    full.seal(2)


def test_of_equal_prices_the_older_subnet_goes(full):
    assert full.admin("network_immunity_period", immunity_period=0).error is None
    full.pallets.prices.subnet_moving_price[NETUID] = 1 << 32
    full.pallets.subnets.network_registered_at[NETUID] = 1
    full.pallets.subnets.network_registered_at[NetUid(2)] = 2
    assert full.pallets.dissolution.get_subnet_to_prune() == NETUID


def test_an_immune_subnet_stays(full):
    assert full.admin("network_immunity_period", immunity_period=5).error is None
    full.pallets.prices.subnet_moving_price[NETUID] = 0
    full.pallets.subnets.network_registered_at[NetUid(2)] = 0
    full.seal(4)
    assert full.pallets.dissolution.get_subnet_to_prune() == 2
    full.seal()
    assert full.pallets.dissolution.get_subnet_to_prune() == NETUID


def test_shares_add_up_to_the_pot():
    assert largest_remainders(10, [1, 1, 1]) == [4, 3, 3]
    assert largest_remainders(11, [1, 1, 4]) == [2, 2, 7]
    assert largest_remainders(7, []) == []
    assert largest_remainders(7, [0, 0]) == [0, 0]
