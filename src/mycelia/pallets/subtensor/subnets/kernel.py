"""What a new subnet costs, and the account that holds its TAO.

Source: subtensor@14bc6f9 `coinbase/root.rs::get_network_lock_cost`, `subnets/subnet.rs::get_subnet_account_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mycelia.primitives import AccountId, NetUid, Tao
from mycelia.primitives.fixed import U64_MAX

PALLET_ID: Final = b"subtensr"
BURN_ID: Final = b"burntnsr"


def lock_cost(
    last_cost_rao: int, last_block: int, now: int, interval_blocks: int, least_rao: int
) -> int:
    """The price of a subnet: twice the last one's, falling by one last price per interval, at least `least_rao`.

    The fall per block rounds down, so the price is never below the exact line: the network gains. Before the first
    registration (`last_block` 0) the price is not doubled. An interval of 0 means no fall.
    """
    multiple = 1 if last_block == 0 else 2
    per_block = last_cost_rao // interval_blocks if interval_blocks else 0
    return max(least_rao, last_cost_rao * multiple - per_block * max(0, now - last_block))


def scaled_interval(interval_blocks: int, block_emission_rao: int) -> int:
    """The interval of the price's fall, shortened as the block emission halves; rounded down.

    Source: `coinbase/root.rs::get_lock_reduction_interval`.
    """
    return (interval_blocks * ((block_emission_rao << 64) // 10**9)) >> 64


def largest_remainders(pot_rao: int, weights: Sequence[int]) -> list[int]:
    """The pot split by weights, to the rao: shares round down, what is left goes to the largest remainders.

    Of equal remainders the earlier gets the rao. All zero without any weight: nobody has a claim.

    Source: `staking/remove_stake.rs::destroy_alpha_in_out_stakes`.
    """
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares = [pot_rao * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(pot_rao * weights[at] % total))
    for at in by_remainder[: pot_rao - sum(shares)]:
        shares[at] += 1
    return shares


def subnet_account(netuid: NetUid) -> AccountId:
    """The keyless account that holds a subnet's TAO: "modl", the pallet's id, the netuid, zeros up to 32 bytes."""
    return AccountId((b"modl" + PALLET_ID + netuid.to_bytes(2, "little")).ljust(32, b"\0"))


def netuid_of_account(account: AccountId) -> NetUid | None:
    """The subnet whose account this is, if it is one."""
    netuid = NetUid(int.from_bytes(account[12:14], "little"))
    return netuid if account == subnet_account(netuid) else None


BURN_ACCOUNT: Final = AccountId((b"modl" + BURN_ID).ljust(32, b"\0"))
"""Keyless: what is sent here still counts as issued and never moves again."""


def alpha_at_price(tao_rao: Tao, price_q64: int) -> int:
    """The alpha beside `tao_rao` in a pool that opens at `price_q64`, rounded down.

    Source: `subnets/subnet.rs::do_register_network`
    Differs: what does not fit into 64 bits is cut to them; there the pool opens without alpha.
    """
    return min(U64_MAX, (tao_rao << 64) // price_q64)
