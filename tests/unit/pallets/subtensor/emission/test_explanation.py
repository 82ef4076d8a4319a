"""Pay is explained before it is paid, and then paid so: in every way in which there is pay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mycelia.codec import I96F32, U16
from mycelia.pallets.subtensor.emission.explanation import (
    PayExplanation,
    explained_pay,
    staked_behind,
    waiting_for,
)
from mycelia.pallets.subtensor.emission.pallet import Coinbase
from mycelia.primitives import AccountId, Alpha, NetUid, Uid
from mycelia.primitives.fixed import ONE_Q32
from tests.unit.pallets.subtensor.emission.world import (
    COLDKEY,
    OWNER,
    TAO,
    World,
    hotkey_of,
    mined_subnet,
)

NOMINATOR = AccountId(b"n" * 32)


def plain(world: World, netuid: NetUid) -> None:
    world.stake(netuid, hotkey_of(1), 7 * TAO, NOMINATOR)
    world.stakes.delegates[hotkey_of(1)] = U16(20_000)


def named_elsewhere(world: World, netuid: NetUid) -> None:
    """The miners' coldkey has their pay staked behind the validator."""
    world.stakes.auto_stake_destination[COLDKEY, netuid] = hotkey_of(1)


def much_root(world: World, netuid: NetUid) -> None:
    """Root TAO earns a claim."""
    world.stake_on_root(hotkey_of(1), 10**6 * TAO)
    world.prices.subnet_moving_price[netuid] = I96F32(2 * ONE_Q32)


def little_root(world: World, netuid: NetUid) -> None:
    """So little root TAO that what it earns is staked for the validator at once."""
    world.stake_on_root(hotkey_of(1), 10**6)
    world.prices.subnet_moving_price[netuid] = I96F32(2 * ONE_Q32)
    # As much for the miners, whom the epoch gives half of it all.
    world.coinbase.pending_root_alpha_divs[netuid] = Alpha(TAO)
    world.coinbase.pending_server_emission[netuid] = Alpha(TAO)
    world.pools.issue(netuid, Alpha(2 * TAO))


def owners_miner(world: World, netuid: NetUid) -> None:
    mine = world.register(netuid, hotkey_of(4), OWNER)
    world.next_blocks()
    world.set_weights(netuid, Uid(1), {int(mine): 65_535, 2: 65_535})


def nobody_mines(world: World, netuid: NetUid) -> None:
    world.set_weights(netuid, Uid(1), {})


@pytest.mark.parametrize(
    "arranged",
    [plain, named_elsewhere, much_root, little_root, owners_miner, nobody_mines],
    ids=lambda arranged: arranged.__name__,
)
def test_what_is_explained_is_what_is_staked(arranged: Callable[[World, NetUid], None]) -> None:
    seen: list[tuple[dict[AccountId, int], list[PayExplanation]]] = []

    def witness(coinbase: Coinbase, netuid: NetUid, /) -> None:
        waiting = waiting_for(coinbase, netuid)
        with coinbase.state.read_only():
            earned = coinbase.epochs.run(netuid, Alpha(waiting.emission_rao))
        uids = range(len(earned))
        said = [explained_pay(coinbase.payout, netuid, waiting, earned, uid) for uid in uids]
        totals = {pay.hotkey: coinbase.payout.stakes.total_of(pay.hotkey, netuid) for pay in said}
        seen.append((totals, said))

    world = World(witness=witness)
    netuid = mined_subnet(world)
    arranged(world, netuid)
    seen.clear()
    staked = world.stakes.total_alpha_staked[netuid]
    while not seen:
        world.next_blocks()
    before, said = seen[0]
    grown = {key: world.stakes.total_of(key, netuid) - rao for key, rao in before.items()}
    for pay in said:
        for pot in pay.pots:
            assert pot.staked_rao + pot.others_rao == grown[pot.hotkey]
            after = staked_behind(world.payout, netuid, pot.hotkey)
            gained = sum(after.values()) - sum(pot.positions.values())
            assert 0 <= grown[pot.hotkey] - gained <= len(after)  # each rounds down
    total = sum(pot.staked_rao for pay in said for pot in pay.pots)
    assert total == world.stakes.total_alpha_staked[netuid] - staked > 0


def test_a_claim_of_root_stake_is_told() -> None:
    seen: list[PayExplanation] = []

    def witness(coinbase: Coinbase, netuid: NetUid, /) -> None:
        waiting = waiting_for(coinbase, netuid)
        with coinbase.state.read_only():
            earned = coinbase.epochs.run(netuid, Alpha(waiting.emission_rao))
        seen[:] = [explained_pay(coinbase.payout, netuid, waiting, earned, 1)]

    world = World(witness=witness)
    netuid = mined_subnet(world)
    much_root(world, netuid)
    world.next_blocks(10)
    root = seen[0].validator.root
    assert root is not None
    assert root.claim_q32 == world.payout.root_claimable[hotkey_of(1)][netuid] > 0
    assert root.rest == world.payout.root_alpha_dividends_per_subnet[netuid, hotkey_of(1)]
