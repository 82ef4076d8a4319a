"""Where new money goes: from a block's emission to subnets, pools and the pending pay of an epoch.

Each block mints TAO, halved whenever half of what was left is minted, and alpha on every subnet by
the same curve over its own issuance.

TAO goes to subnets in proportion to a slow average of their price. It enters a subnet's pool
together with alpha, at the pool's price, so that liquidity grows and the price stays. The alpha so
injected is limited; TAO beyond the limit buys alpha from the pool instead.

Alpha goes to people: the owner's cut first, of the rest one half to miners, the other to
validators, and of the validators' half a part for those who stake TAO on the root. It waits as
pending amounts until the subnet's epoch says who gets it.

Numbers are unsigned: U96F32 (`_q32`) and U64F64 (`_q64`), see `fixed`. Every amount is rounded down
to whole rao when it is handed out; what rounding leaves over stays unassigned in alpha, and is taken
back from the issuance in TAO.

Source: paths in this file are in subtensor's `pallets/subtensor/src`, spec 425.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mycelia.primitives import AccountId
from mycelia.primitives.fixed import (
    ONE_Q32,
    ONE_Q64,
    U16_MAX,
    U64_MAX,
    U128_MAX,
    div_u64f64,
    div_u96f32,
    mul_u64f64,
    mul_u96f32,
    u64_of_q32,
)

MAX_SUPPLY_RAO = 21 * 10**15
"""Never more than this exists: of TAO, and of each subnet's alpha."""
FIRST_EMISSION_RAO = 10**9
"""What one block mints before the first halving."""
HALF_Q32 = ONE_Q32 // 2


@dataclass(frozen=True)
class SubnetShare:
    """What a subnet's share of the block depends on."""

    moving_price_q64: int
    miner_burned_q32: int
    enabled: bool


@dataclass(frozen=True)
class Injection:
    """What a block adds to one subnet's pool: a balanced pair, and TAO that buys alpha."""

    tao_in_rao: int
    alpha_in_rao: int
    buying_tao_rao: int


@dataclass(frozen=True)
class AlphaSplit:
    """For whom a block's new alpha waits."""

    owner_rao: int
    servers_rao: int
    validators_rao: int
    root_rao: int


# TAO


def block_emission_rao(issuance_rao: int) -> int:
    """What one block mints at an issuance: 10^9 rao, halved at each half of the remaining supply.

    h = floor(log2(1 / (1 - issuance / 21e15))), both quotients rounded down to 32 fraction bits.

    Source: coinbase/block_emission.rs::get_block_emission_for_issuance
    """
    if issuance_rao >= MAX_SUPPLY_RAO:
        return 0
    left_q32 = ONE_Q32 - (issuance_rao << 32) // MAX_SUPPLY_RAO
    halvings = (ONE_Q32 // left_q32).bit_length() - 1
    return FIRST_EMISSION_RAO >> halvings


def subnet_shares(subnets: Sequence[SubnetShare]) -> list[int]:
    """Each subnet's share of the block's TAO, with 64 fraction bits.

    Prices as shares of their sum, weighed by the part of the miners' pay that was not withheld; if
    all was withheld everywhere, prices alone. A subnet whose emission is off gets nothing, the
    others share it.

    Source: coinbase/subnet_emissions.rs::get_shares, get_subnet_block_emissions
    """
    total = sum(subnet.moving_price_q64 for subnet in subnets)
    prices = [div_u64f64(subnet.moving_price_q64, total) for subnet in subnets]
    weighed = [
        mul_u64f64(price, ONE_Q64 - min(subnet.miner_burned_q32 << 32, ONE_Q64))
        for price, subnet in zip(prices, subnets, strict=True)
    ]
    total = sum(weighed)
    shares = [div_u64f64(weight, total) for weight in weighed] if total else prices
    if all(subnet.enabled for subnet in subnets):
        return shares
    shares = [share if subnet.enabled else 0 for share, subnet in zip(shares, subnets, strict=True)]
    total = sum(shares)
    return [div_u64f64(share, total) for share in shares]


def subnet_emission_q32(block_emission: int, share_q64: int) -> int:
    """A subnet's TAO of this block, with 32 fraction bits.

    Source: coinbase/subnet_emissions.rs::get_subnet_block_emissions
    """
    return mul_u64f64(block_emission << 64, share_q64) >> 32


def injection(
    emission_q32: int, alpha_emission_rao: int, price_q64: int, root_proportion_q32: int
) -> Injection:
    """How a subnet's TAO enters its pool.

    Units: the emission is TAO, the price TAO per alpha. The alpha side is at most the root's
    proportion of the alpha that the block creates; TAO that finds no counterpart buys alpha.
    Source: coinbase/run_coinbase.rs::get_subnet_terms
    """
    price_q32 = price_q64 >> 32
    tao_in, alpha_in = emission_q32, div_u96f32(emission_q32, price_q32)
    limit = mul_u96f32(root_proportion_q32, alpha_emission_rao << 32)
    if alpha_in > limit:
        tao_in, alpha_in = mul_u96f32(limit, price_q32), limit
    return Injection(
        tao_in_rao=u64_of_q32(tao_in),
        alpha_in_rao=u64_of_q32(alpha_in),
        buying_tao_rao=u64_of_q32(max(0, emission_q32 - tao_in)),
    )


def moving_price_q32(
    *, moving_q64: int, price_q64: int, smoothing_q32: int, age_blocks: int, halving_blocks: int
) -> int:
    """The average price after one more block; slow at first, at its full speed when old.

    a = smoothing * age / (age + halving), new = a min(price, 1) + (1 - a) old.

    Source: staking/stake_utils.rs::update_moving_price
    """
    speed = div_u64f64(age_blocks << 64, (age_blocks + halving_blocks) << 64)
    a = mul_u64f64(max(0, smoothing_q32) << 32, speed)
    new = mul_u64f64(a, min(price_q64, ONE_Q64)) + mul_u64f64(max(0, ONE_Q64 - a), moving_q64)
    return min(new, U128_MAX) >> 32


# Alpha


def tao_weight_q32(weight_u64: int) -> int:
    """How much a TAO staked on the root counts beside an alpha: 0..2^64-1 as 0..1.

    Source: staking/stake_utils.rs::get_tao_weight
    """
    return (weight_u64 << 32) // U64_MAX


def root_proportion_q32(root_tao_rao: int, weight_q32: int, alpha_issuance_rao: int) -> int:
    """The root's part of a subnet: weighed root stake beside all alpha of the subnet.

    Source: coinbase/block_step.rs::root_proportion
    """
    weighed = mul_u96f32(root_tao_rao << 32, weight_q32)
    return div_u96f32(weighed, weighed + (alpha_issuance_rao << 32))


def alpha_split(
    alpha_rao: int, root_proportion: int, owner_cut_u16: int | None = None
) -> AlphaSplit:
    """Split a block's new alpha; without an owner's cut all of it goes to the others.

    Source: coinbase/run_coinbase.rs::emit_to_subnets
    """
    rest = alpha_rao << 32
    cut = 0 if owner_cut_u16 is None else mul_u96f32(rest, (owner_cut_u16 << 32) // U16_MAX)
    rest -= cut
    root = mul_u96f32(mul_u96f32(root_proportion, rest), HALF_Q32)
    servers = mul_u96f32(rest, HALF_Q32)
    return AlphaSplit(
        owner_rao=u64_of_q32(cut),
        servers_rao=u64_of_q32(servers),
        validators_rao=u64_of_q32(max(0, rest - servers - root)),
        root_rao=u64_of_q32(root),
    )


# Dividends of an epoch


@dataclass(frozen=True)
class Dividends:
    """What each validator and its nominators earn, with 32 fraction bits: in alpha, and for root."""

    alpha_q32: Mapping[AccountId, int]
    root_q32: Mapping[AccountId, int]


def dividend_distribution(
    dividends_rao: Mapping[AccountId, int],
    stakes_rao: Mapping[AccountId, tuple[int, int]],
    weight_q32: int,
    pending_alpha_rao: int,
    pending_root_rao: int,
) -> Dividends:
    """Split the pending amounts by the epoch's dividends, each parted by what earned it.

    Source: coinbase/run_coinbase.rs::calculate_dividend_distribution
    """
    parts = dividends_by_stake(dividends_rao, stakes_rao, weight_q32)
    return Dividends(
        shared(parts.alpha_q32, pending_alpha_rao), shared(parts.root_q32, pending_root_rao)
    )


def dividends_by_stake(
    dividends_rao: Mapping[AccountId, int],
    stakes_rao: Mapping[AccountId, tuple[int, int]],
    weight_q32: int,
) -> Dividends:
    """Part dividends by the two kinds of stake that earned them.

    `stakes_rao` holds alpha and root TAO per validator. A dividend falls to the root as far as the
    stake behind it is weighed root TAO. Who has no stake recorded earns nothing.

    Source: coinbase/run_coinbase.rs::calculate_dividend_distribution
    """
    root: dict[AccountId, int] = {}
    alpha: dict[AccountId, int] = {}
    for hotkey, dividend_rao in dividends_rao.items():
        if hotkey not in stakes_rao:
            continue
        part = root_part_q32(*stakes_rao[hotkey], weight_q32)
        root[hotkey] = mul_u96f32(dividend_rao << 32, part)
        alpha[hotkey] = (dividend_rao << 32) - root[hotkey]
    return Dividends(alpha, root)


def root_part_q32(alpha_rao: int, root_rao: int, weight_q32: int) -> int:
    """The part of a validator's stake weight that is root TAO.

    Source: coinbase/run_coinbase.rs::calculate_dividend_distribution
    """
    weighed = mul_u96f32(root_rao << 32, weight_q32)
    return div_u96f32(weighed, (alpha_rao << 32) + weighed)


def shared(parts: Mapping[AccountId, int], pending_rao: int) -> dict[AccountId, int]:
    """An amount split in proportion to the parts; the proportions and the products round down.

    Source: coinbase/run_coinbase.rs::calculate_dividend_distribution
    """
    total = sum(parts.values())
    return {
        key: mul_u96f32(pending_rao << 32, div_u96f32(part, total)) for key, part in parts.items()
    }


def taken_q32(amount_q32: int, take_u16: int) -> int:
    """A validator's take of what its nominators earn.

    Source: staking/helpers.rs::get_hotkey_take_float
    """
    return mul_u96f32((take_u16 << 32) // U16_MAX, amount_q32)


def proportion_q32(part_rao: int, total_rao: int) -> int:
    """A part of a whole, rounded down, with 32 fraction bits; 0 of nothing.

    Source: coinbase/run_coinbase.rs::distribute_dividends_and_incentives
    """
    return div_u96f32(part_rao << 32, total_rao << 32)
