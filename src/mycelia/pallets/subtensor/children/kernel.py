"""Arithmetic of lent stake weight.

Terms: *parent* - the hotkey that lends, *child* - the one that borrows; *proportion* - how much of a
parent's stake a child gets, 0..2^64-1 as 0..1; *contribution* - what one stake adds to a child's weight.

Everything rounds down, so lending creates neither weight nor pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mycelia.primitives import AccountId
from mycelia.primitives.fixed import (
    ONE_Q32,
    U16_MAX,
    U64_MAX,
    div_u96f32,
    mul_u96f32,
    u64_of_q32,
)


def share_q32(proportion: int) -> int:
    """A proportion with 32 fraction bits.

    Source: staking/stake_utils.rs::get_inherited_for_hotkey_on_subnet
    """
    return (proportion << 32) // U64_MAX


def inherited_rao(own_rao: int, lent: Sequence[int], borrowed: Sequence[tuple[int, int]]) -> int:
    """The stake that counts for a hotkey: its own, less what it lends, plus what it borrows.

    `lent` are proportions, `borrowed` proportions of the parents' stakes in rao.

    Source: staking/stake_utils.rs::get_{inherited,tao_inherited}_for_hotkey_on_subnet
    """
    away_q32 = sum(own_rao * share_q32(proportion) for proportion in lent)
    more_q32 = sum(stake_rao * share_q32(proportion) for proportion, stake_rao in borrowed)
    return u64_of_q32(max(0, (own_rao << 32) - away_q32) + more_q32)


def contribution_q32(alpha_rao: int, root_rao: int, part_q32: int, tao_weight_q32: int) -> int:
    """What a part of somebody's stake adds to a hotkey's weight.

    Source: coinbase/run_coinbase.rs::get_parent_child_dividends_distribution
    """
    return alpha_rao * part_q32 + mul_u96f32(root_rao * part_q32, tao_weight_q32)


def kept_part_q32(lent: Sequence[int]) -> int:
    """The part of its own stake that a hotkey doesn't lend.

    Source: coinbase/run_coinbase.rs::get_self_contribution
    """
    return max(0, ONE_Q32 - sum(share_q32(proportion) for proportion in lent))


@dataclass(frozen=True)
class Parent:
    """Who lends to a child: how much, and whether both have one owner, who pays no take to itself."""

    hotkey: AccountId
    contribution_q32: int
    same_owner: bool


def parted_dividend(
    dividend_rao: int, own_rao: int, parents: Sequence[Parent], take_u16: int
) -> tuple[list[int], int]:
    """A child's dividend, split by what earned it: to each parent, less the child's take, and to the child.

    `own_rao` is the child's own contribution in whole rao.

    Source: coinbase/run_coinbase.rs::get_parent_child_dividends_distribution
    Differs: nothing of it is burned; there `CKBurn`, which is 0, would say how much.
    """
    take_q32 = (take_u16 << 32) // U16_MAX
    whole_q32 = dividend_rao << 32
    total_q32 = (own_rao << 32) + sum(parent.contribution_q32 for parent in parents)
    rest_q32 = whole_q32
    to_parents: list[int] = []
    for parent in parents:
        part_q32 = mul_u96f32(whole_q32, div_u96f32(parent.contribution_q32, total_q32))
        taken_q32 = 0 if parent.same_owner else mul_u96f32(take_q32, part_q32)
        rest_q32 = rest_q32 - part_q32 + taken_q32
        to_parents.append(u64_of_q32(part_q32 - taken_q32))
    return to_parents, u64_of_q32(rest_q32)
