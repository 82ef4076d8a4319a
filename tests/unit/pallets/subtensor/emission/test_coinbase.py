"""Each block mints what the curve says, every rao arrives somewhere, and epochs pay it out."""

from __future__ import annotations

import pytest

from mycelia.codec import I96F32, U8, U16, U64
from mycelia.frame import TokenError
from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.emission.payout import AutoStakeAdded
from mycelia.pallets.subtensor.epoch.schedule import EpochDeferred, EpochSkipped
from mycelia.primitives import AccountId, NetUid, Tao, Uid
from mycelia.primitives.fixed import ONE_Q32, ONE_Q64
from tests.unit.pallets.subtensor.emission.world import (
    COLDKEY,
    OWNER,
    OWNER_HOTKEY,
    TAO,
    World,
    hotkey_of,
    mined_subnet,
)

AVERAGE_SHOWS = 20
"""Blocks after which the average price of a young subnet is more than its smallest step."""


@pytest.fixture
def world() -> World:
    return World()


def staked(world: World, netuid: NetUid, number: int) -> int:
    return world.stakes.total_of(hotkey_of(number), netuid)


def test_a_block_mints_its_emission_into_the_pool(world: World) -> None:
    netuid = world.add_subnet()
    world.next_blocks(AVERAGE_SHOWS)
    before, pool = world.issuance.total_issuance, world.pools.subnet_tao[netuid]
    world.next_blocks()
    assert TAO - 2 <= world.issuance.total_issuance - before <= TAO
    assert world.pools.subnet_tao[netuid] - pool == world.issuance.total_issuance - before
    # Nothing is staked on the root, so nothing may be injected beside alpha: all of it buys.
    assert world.coinbase.subnet_excess_tao[netuid] == TAO
    assert world.coinbase.subnet_tao_in_emission[netuid] == 0
    assert world.pools.subnet_protocol_alpha[netuid] > 0


def test_root_stake_lets_tao_in_beside_alpha_at_the_price(world: World) -> None:
    netuid = world.add_subnet(alpha=2_000 * TAO)
    world.stake_on_root(hotkey_of(9), 10**6 * TAO)
    world.next_blocks(2 * AVERAGE_SHOWS)
    price = world.swap.price_q64(netuid) / ONE_Q64
    world.next_blocks()
    tao = world.coinbase.subnet_tao_in_emission[netuid]
    alpha = world.coinbase.subnet_alpha_in_emission[netuid]
    assert 0 < alpha < TAO
    assert tao == pytest.approx(alpha * price, rel=1e-6)
    assert tao + world.coinbase.subnet_excess_tao[netuid] == pytest.approx(TAO, abs=2)


def test_new_alpha_waits_split_for_owner_miners_validators(world: World) -> None:
    netuid = world.add_subnet(tempo=360)
    world.next_blocks(3)
    assert world.coinbase.pending_owner_cut[netuid] == 3 * 179_995_422
    assert world.coinbase.pending_server_emission[netuid] == 3 * 410_002_288
    assert world.coinbase.pending_validator_emission[netuid] == 3 * 410_002_288
    assert world.coinbase.pending_root_alpha_divs[netuid] == 0


def test_the_owner_cut_may_be_off(world: World) -> None:
    netuid = world.add_subnet(tempo=360)
    world.parameters.owner_cut_enabled[netuid] = False
    world.next_blocks()
    assert world.coinbase.pending_owner_cut[netuid] == 0
    assert world.coinbase.pending_server_emission[netuid] == TAO // 2


def test_subnets_share_by_average_price(world: World) -> None:
    cheap, dear = world.add_subnet(), world.add_subnet()
    world.prices.subnet_moving_price[cheap] = I96F32(ONE_Q32 // 10)
    world.prices.subnet_moving_price[dear] = I96F32(ONE_Q32 * 3 // 10)
    world.next_blocks()
    assert world.coinbase.subnet_excess_tao[cheap] == pytest.approx(TAO // 4, abs=2)
    assert world.coinbase.subnet_excess_tao[dear] == pytest.approx(TAO * 3 // 4, abs=2)


def test_a_subnet_that_is_off_gets_alpha_but_no_tao(world: World) -> None:
    off, on = world.add_subnet(), world.add_subnet()
    world.parameters.subnet_emission_enabled[off] = False
    world.next_blocks(AVERAGE_SHOWS + 1)
    assert world.coinbase.subnet_excess_tao[off] == 0
    assert world.coinbase.subnet_excess_tao[on] == pytest.approx(TAO, abs=2)
    assert world.coinbase.pending_server_emission[off] > 0


def test_nothing_is_minted_before_a_subnet_starts(world: World) -> None:
    netuid = world.add_subnet(tempo=5)
    del world.subnets.first_emission_block_number[netuid]
    before = world.issuance.total_issuance
    world.next_blocks(12)
    assert world.issuance.total_issuance == before
    assert world.coinbase.pending_alpha(netuid) == 0
    assert world.schedule.subnet_epoch_index[netuid] == 2


def test_a_pool_too_small_to_trade_gets_nothing_and_nothing_is_minted(world: World) -> None:
    netuid = world.add_subnet(tao=1_000)
    world.prices.subnet_moving_price[netuid] = I96F32(ONE_Q32)
    before = world.issuance.total_issuance
    world.next_blocks(3)
    assert world.issuance.total_issuance == before


def test_tao_that_no_account_can_take_is_not_minted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(who: AccountId, amount: Tao) -> None:
        raise TokenError("BelowMinimum")

    netuid = world.add_subnet()
    world.next_blocks(AVERAGE_SHOWS)
    monkeypatch.setattr(type(world.balances), "credit", staticmethod(refuse))
    before, pool = world.issuance.total_issuance, world.pools.subnet_tao[netuid]
    world.next_blocks()
    assert world.issuance.total_issuance == before
    assert world.pools.subnet_tao[netuid] == pool


def test_emission_halves_with_the_supply(world: World) -> None:
    world.add_subnet()
    world.endow(OWNER, 105 * 10**14)
    world.next_blocks(2)
    assert world.coinbase.block_emission == TAO // 2


def test_an_epoch_pays_miners_by_weight_and_validators_the_rest(world: World) -> None:
    netuid = mined_subnet(world)
    world.next_blocks(9)
    pending = (
        world.coinbase.pending_server_emission[netuid] + 410_002_288,
        world.coinbase.pending_validator_emission[netuid] + 410_002_288,
    )
    before = [staked(world, netuid, number) for number in (1, 2, 3)]
    world.next_blocks()
    validator, first, second = (
        staked(world, netuid, number) - before[number - 1] for number in (1, 2, 3)
    )
    assert first + second == pytest.approx(pending[0], abs=4)
    assert first == pytest.approx(3 * second, rel=1e-4)
    assert validator == pytest.approx(pending[1], abs=4)
    assert world.coinbase.pending_alpha(netuid) == 0
    assert world.payout.miner_burned[netuid] == 0
    assert world.payout.alpha_dividends_per_subnet[netuid, hotkey_of(1)] > 0


def test_all_new_alpha_ends_as_stake_but_for_dust(world: World) -> None:
    netuid = mined_subnet(world)
    out = world.pools.subnet_alpha_out[netuid] - world.stakes.total_alpha_staked[netuid]
    unowned = out - world.pools.subnet_protocol_alpha[netuid]
    world.next_blocks(50)
    out = world.pools.subnet_alpha_out[netuid] - world.stakes.total_alpha_staked[netuid]
    dust = out - world.pools.subnet_protocol_alpha[netuid] - unowned
    assert 0 <= dust < 50 * 8


def test_the_owner_is_paid_its_cut(world: World) -> None:
    netuid = world.add_subnet(tempo=4)
    world.next_blocks(4)
    assert world.stakes.stake_of(OWNER_HOTKEY, OWNER, netuid) >= 4 * 179_995_422


def test_validators_get_all_where_no_miner_earns(world: World) -> None:
    netuid = world.add_subnet(tempo=4)
    world.register(netuid, hotkey_of(1))
    world.stake(netuid, hotkey_of(1), TAO)
    world.next_blocks(4)
    earned = staked(world, netuid, 1) - TAO
    assert earned == pytest.approx(8 * 410_002_288, abs=8)


def test_a_validator_takes_its_share_of_nominators(world: World) -> None:
    netuid = world.add_subnet(tempo=4)
    world.register(netuid, hotkey_of(1))
    nominator = AccountId(b"n" * 32)
    world.stake(netuid, hotkey_of(1), TAO, nominator)
    world.stakes.delegates[hotkey_of(1)] = U16(65_535 // 2)
    world.next_blocks(4)
    earned = staked(world, netuid, 1) - TAO
    own = world.stakes.stake_of(hotkey_of(1), COLDKEY, netuid)
    assert own >= earned // 2 - 10**5


def test_what_the_owner_mines_is_burned(world: World) -> None:
    netuid = mined_subnet(world)
    mine = world.register(netuid, hotkey_of(4), OWNER)
    world.next_blocks()
    world.set_weights(netuid, Uid(1), {int(mine): 65_535})
    world.next_blocks(9)
    assert staked(world, netuid, 4) == 0
    assert world.payout.miner_burned[netuid] == ONE_Q32
    out = world.pools.subnet_alpha_out[netuid]
    assert out > world.stakes.total_alpha_staked[netuid] + 3 * TAO


def test_mining_pay_goes_where_the_coldkey_says(world: World) -> None:
    netuid = mined_subnet(world)
    world.stakes.auto_stake_destination[COLDKEY, netuid] = hotkey_of(1)
    world.next_blocks(10)
    assert staked(world, netuid, 2) == 0
    told = world.told(AutoStakeAdded)
    assert [event.hotkey for event in told] == [hotkey_of(2), hotkey_of(3)]  # type: ignore[attr-defined]


def test_root_stake_earns_a_claim(world: World) -> None:
    netuid = mined_subnet(world)
    world.stake_on_root(hotkey_of(1), 10**6 * TAO)
    world.prices.subnet_moving_price[netuid] = I96F32(2 * ONE_Q32)
    world.next_blocks(10)
    per_tao = world.payout.root_claimable[hotkey_of(1)][netuid]
    paid = world.payout.root_alpha_dividends_per_subnet[netuid, hotkey_of(1)]
    assert paid > 0
    assert per_tao == kernel.proportion_q32(paid, 10**6 * TAO)


def test_root_dividends_are_recycled_while_alpha_is_cheap(world: World) -> None:
    netuid = world.add_subnet(tempo=360)
    world.stake_on_root(hotkey_of(1), 10**6 * TAO)
    world.next_blocks()
    assert world.coinbase.pending_root_alpha_divs[netuid] == 0
    created = world.coinbase.subnet_alpha_out_emission[netuid]
    assert world.coinbase.pending_alpha(netuid) < created * 6 // 10
    left = world.pools.subnet_alpha_out[netuid] - world.pools.subnet_protocol_alpha[netuid]
    assert left == pytest.approx(world.coinbase.pending_alpha(netuid), abs=4)


def test_epochs_beyond_the_limit_wait_for_the_next_block(world: World) -> None:
    netuids = [world.add_subnet(tempo=5) for _ in range(3)]
    world.next_blocks(5)
    assert [world.schedule.subnet_epoch_index[n] for n in netuids] == [1, 1, 0]
    assert world.told(EpochDeferred) == [EpochDeferred(netuids[2], U64(5), U64(6))]
    world.next_blocks()
    assert world.schedule.subnet_epoch_index[netuids[2]] == 1
    assert world.schedule.last_epoch_block[netuids[2]] == 6


def test_the_limit_is_a_parameter(world: World) -> None:
    netuids = [world.add_subnet(tempo=5) for _ in range(3)]
    world.schedule.max_epochs_per_block = U8(32)
    world.next_blocks(5)
    assert [world.schedule.subnet_epoch_index[n] for n in netuids] == [1, 1, 1]


def test_a_removed_subnet_leaves_no_trace(world: World) -> None:
    netuid = mined_subnet(world)
    world.next_blocks(10)
    for part in (world.coinbase, world.payout, world.prices, world.results, world.schedule):
        part.remove_subnet(netuid)
        for item, spec in part.spec.storage:
            if spec.keys:
                assert not part.handles[item.attribute].keys(), spec.name


def test_a_restarted_node_computes_the_same_block(world: World) -> None:
    mined_subnet(world)
    world.next_blocks(9)
    world.commit()
    restarted = World(world.store)
    for running in (world, restarted):
        running.weights.of = world.weights.of
        running.next_blocks()
    assert world.schedule.last_mechansim_step_block[NetUid(1)] == 20
    assert world.overlay.drain() == restarted.overlay.drain()


def test_pending_is_kept_when_an_epoch_cannot_run(world: World) -> None:
    netuid = mined_subnet(world)
    world.next_blocks(9)
    pending = world.coinbase.pending_server_emission[netuid]
    world.neurons.keys[netuid, Uid(3)] = hotkey_of(2)  # one hotkey in two slots
    world.begin_block(world.system.now() + 1)
    assert world.told(EpochSkipped) == [EpochSkipped(netuid, U64(20))]
    assert world.coinbase.pending_server_emission[netuid] > pending
    assert world.schedule.last_mechansim_step_block[netuid] == 10
    assert world.schedule.last_epoch_block[netuid] == 20
