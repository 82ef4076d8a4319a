"""However many mechanisms a subnet has and however it splits its emission: as much is minted and paid as with one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from mycelia.codec import U8, U16
from mycelia.pallets.subtensor.epoch.mechanisms import MAX_MECHANISMS, parted
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.primitives import Uid
from mycelia.primitives.fixed import U16_MAX, U64_MAX
from tests.unit.pallets.subtensor.emission.world import World, mined_subnet

TEMPO = 2
MINERS = {2: 65_535, 3: 21_845}
RAO = st.one_of(st.sampled_from([0, 1, 15, U64_MAX]), st.integers(0, U64_MAX))


@st.composite
def splits(draw: st.DrawFn, most: int = MAX_MECHANISMS) -> tuple[int, tuple[int, ...] | None]:
    """A number of mechanisms, and shares as an owner may set them: at most so many, 65535 together."""
    count = draw(st.integers(1, most))
    if draw(st.booleans()):
        return count, None
    cuts = sorted(draw(st.lists(st.integers(0, U16_MAX), max_size=count - 1)))
    edges = [0, *cuts, U16_MAX]
    return count, tuple(high - low for low, high in pairwise(edges))


@given(RAO, splits())
def test_the_parts_are_the_emission(
    emission: int, chosen: tuple[int, tuple[int, ...] | None]
) -> None:
    count, split = chosen
    parts = parted(emission, count, split)
    assert len(parts) == count
    assert sum(parts) == emission
    assert min(parts) >= 0
    for part, share in zip(parts[1:], (split or ())[1:], strict=False):
        assert part == emission * share // U16_MAX


@dataclass(frozen=True)
class Paid:
    """What a subnet and its people have after an epoch, in rao."""

    minted: tuple[int, ...]
    staked: int


def epoch(count: int, split: tuple[int, ...] | None, weighed: frozenset[int]) -> Paid:
    """One epoch of a subnet with so many mechanisms; in those of `weighed` the validator speaks, alike in all."""
    world = World()
    netuid = mined_subnet(world, tempo=TEMPO)
    for mechanism in range(1, count):
        world.results.add_mechanism(storage_index(netuid, mechanism), 4)
    world.mechanisms.set_count(netuid, U8(count))
    world.mechanisms.set_split(netuid, split and tuple(U16(share) for share in split))
    world.weights.of.clear()
    for mechanism in weighed:
        world.set_weights(netuid, Uid(1), MINERS, mechanism)
    world.next_blocks(TEMPO - 1)
    before = world.stakes.total_alpha_staked[netuid]
    world.next_blocks()
    assert world.schedule.last_mechansim_step_block[netuid] == world.system.now()
    return Paid(
        minted=(
            world.pools.alpha_issuance(netuid),
            world.pools.subnet_alpha_out[netuid],
            world.pools.subnet_tao[netuid],
            world.issuance.total_issuance,
        ),
        staked=world.stakes.total_alpha_staked[netuid] - before,
    )


ONE = epoch(1, None, frozenset({0}))


@settings(max_examples=20, deadline=None)
@given(splits())
def test_one_contest_held_many_times_pays_what_it_pays_once(
    chosen: tuple[int, tuple[int, ...] | None],
) -> None:
    count, split = chosen
    many = epoch(count, split, frozenset(range(count)))
    assert many.minted == ONE.minted
    # In each mechanism each of two miners may lose a rao to rounding; validators share what waits for them.
    assert ONE.staked - 2 * count <= many.staked <= ONE.staked + 2


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_what_nobody_weighs_changes_nothing_that_is_minted(data: st.DataObject) -> None:
    count, split = data.draw(splits())
    weighed = data.draw(st.frozensets(st.integers(0, count - 1)))
    some = epoch(count, split, weighed)
    assert some.minted == ONE.minted
    # Where nobody speaks, miners get nothing, and nobody gets it in their place, unless nobody speaks at all.
    assert some.staked <= ONE.staked + 2
    if not weighed:
        assert some.staked >= ONE.staked - 2
