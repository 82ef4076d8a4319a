"""Where an epoch's pay went: each step from what waited for it to what was staked, seen from one neuron.

The epoch grants each neuron an incentive and a dividend, see `epoch.explanation`. From there:

- `parted` says to whom the neuron's dividend falls: to those who lent it stake, less its take, and
  to itself; `lent` what falls to the neuron, of its own dividend and of those of its children, and
  `earned_rao` is their sum;
- `root_part_q32` = root * weight / (alpha + root * weight), of the stakes behind the neuron, is the
  part of it that root TAO earned, `root_earned_rao_q32`; alpha earned the rest;
- what waits for the validators is split by `alpha_earned_rao_q32` / `alpha_earned_total_rao_q32`,
  what waits for the root likewise; of both the neuron takes its share first;
- `positions` are all who hold stake behind a hotkey that the neuron's pay went to, before the
  epoch; behind it `staked_rao` were added as the neuron's pay, `others_rao` as that of others.

Products and quotients round down; the rest of a rao is nobody's.

Units: `_rao` in rao of the subnet's alpha, or of TAO for what is staked on the root; `_q32` with 32
fraction bits.
Source: `payout` and `kernel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.emission.pallet import Coinbase
from mycelia.pallets.subtensor.emission.payout import DividendPay, Payout, Plan, RootPay, StakePay
from mycelia.pallets.subtensor.epoch.pallet import Earned
from mycelia.primitives import AccountId, Alpha, NetUid


@dataclass(frozen=True)
class Waiting:
    """What waited for the epoch."""

    servers_rao: int
    validators_rao: int
    root_rao: int
    owner_cut_rao: int

    @property
    def emission_rao(self) -> int:
        """What the epoch itself decides about."""
        return self.servers_rao + self.validators_rao + self.root_rao


@dataclass(frozen=True)
class Part:
    """A part of a dividend, and whose it is or was."""

    hotkey: AccountId
    amount_rao: int


@dataclass(frozen=True)
class DividendSteps:
    """From the dividend that the epoch granted to what the validator and those who staked get."""

    parted: tuple[Part, ...]
    lent: tuple[Part, ...]
    earned_rao: int
    alpha_stake_rao: int
    root_stake_rao: int
    tao_weight_q32: int
    root_part_q32: int
    alpha_earned_rao_q32: int
    alpha_earned_total_rao_q32: int
    alpha_waiting_rao: int
    root_earned_rao_q32: int
    root_earned_total_rao_q32: int
    root_waiting_rao: int
    take_u16: int
    alpha: DividendPay | None
    root: RootPay | None


@dataclass(frozen=True)
class Pot:
    """The stake behind one hotkey that the neuron's pay went to; `positions` by coldkey."""

    hotkey: AccountId
    staked_rao: int
    others_rao: int
    positions: dict[AccountId, int]


@dataclass(frozen=True)
class PayExplanation:
    """One neuron's pay. `miner` is what was staked of its incentive; none where it was burned."""

    hotkey: AccountId
    coldkey: AccountId
    waiting: Waiting
    incentive_rao: int
    is_owners: bool
    miner: StakePay | None
    dividend_rao: int
    validator: DividendSteps
    owner: StakePay | None
    pots: tuple[Pot, ...]


def waiting_for(coinbase: Coinbase, netuid: NetUid) -> Waiting:
    """What waits for the subnet's next epoch."""
    return Waiting(
        coinbase.pending_server_emission[netuid],
        coinbase.pending_validator_emission[netuid],
        coinbase.pending_root_alpha_divs[netuid],
        coinbase.pending_owner_cut[netuid],
    )


def explained_pay(
    payout: Payout, netuid: NetUid, waiting: Waiting, earned: Sequence[Earned], uid: int
) -> PayExplanation:
    """What is paid for a neuron when an epoch grants `earned`, by uid; the state is that before it."""
    validators_rao = waiting.validators_rao
    if not any(grant.incentive for grant in earned):
        validators_rao += waiting.servers_rao
    plan = payout.plan(
        netuid,
        earned,
        owner_cut=Alpha(waiting.owner_cut_rao),
        validators=Alpha(validators_rao),
        root=Alpha(waiting.root_rao),
    )
    own, hotkey = earned[uid], earned[uid].hotkey
    miner = next(pay.staked for pay in plan.miners if pay.hotkey == hotkey)
    owner = plan.owner if plan.owner is not None and plan.owner.hotkey == hotkey else None
    behind = {hotkey} | ({miner.hotkey} if miner is not None else set())
    return PayExplanation(
        hotkey=hotkey,
        coldkey=payout.stakes.owner[hotkey],
        waiting=waiting,
        incentive_rao=own.incentive,
        is_owners=hotkey in payout.owner_hotkeys(netuid),
        miner=miner,
        dividend_rao=own.dividend,
        validator=_dividend_steps(
            payout, netuid, earned, hotkey, plan, (validators_rao, waiting.root_rao)
        ),
        owner=owner,
        pots=tuple(_pot(payout, netuid, plan, hotkey, key) for key in sorted(behind)),
    )


def staked_behind(payout: Payout, netuid: NetUid, hotkey: AccountId) -> dict[AccountId, int]:
    """What each coldkey's stake behind a hotkey is worth, in rao."""
    stakes = payout.stakes
    return {
        coldkey: stakes.stake_of(hotkey, coldkey, netuid)
        for coldkey, at in stakes.positions(hotkey)
        if at == netuid
    }


def _dividend_steps(
    payout: Payout,
    netuid: NetUid,
    earned: Sequence[Earned],
    hotkey: AccountId,
    plan: Plan,
    waiting: tuple[int, int],
) -> DividendSteps:
    granted = {grant.hotkey: grant.dividend for grant in earned if grant.dividend}
    flows = [
        (lent_to, lender, amount)
        for lent_to, dividend in granted.items()
        for lender, amount in payout.families.parted(netuid, lent_to, dividend)
    ]
    dividends = payout.dividends(netuid, earned)
    stakes, weight = payout.stakes_of(netuid, {*dividends, hotkey}), payout.prices.tao_weight_q32()
    by_stake = kernel.dividends_by_stake(dividends, stakes, weight)
    alpha_rao, root_rao = stakes[hotkey]
    alpha_waiting_rao, root_waiting_rao = waiting
    return DividendSteps(
        parted=tuple(Part(to, amount) for by, to, amount in flows if by == hotkey),
        lent=tuple(Part(by, amount) for by, to, amount in flows if to == hotkey),
        earned_rao=dividends.get(hotkey, 0),
        alpha_stake_rao=alpha_rao,
        root_stake_rao=root_rao,
        tao_weight_q32=weight,
        root_part_q32=kernel.root_part_q32(alpha_rao, root_rao, weight),
        alpha_earned_rao_q32=by_stake.alpha_q32.get(hotkey, 0),
        alpha_earned_total_rao_q32=sum(by_stake.alpha_q32.values()),
        alpha_waiting_rao=alpha_waiting_rao,
        root_earned_rao_q32=by_stake.root_q32.get(hotkey, 0),
        root_earned_total_rao_q32=sum(by_stake.root_q32.values()),
        root_waiting_rao=root_waiting_rao,
        take_u16=payout.stakes.take_of(hotkey),
        alpha=next((pay for pay in plan.dividends if pay.hotkey == hotkey), None),
        root=next((pay for pay in plan.root if pay.hotkey == hotkey), None),
    )


def _pot(payout: Payout, netuid: NetUid, plan: Plan, earner: AccountId, hotkey: AccountId) -> Pot:
    staked = [(by, amount) for by, behind, amount in _staked(plan) if behind == hotkey]
    return Pot(
        hotkey=hotkey,
        staked_rao=sum(amount for by, amount in staked if by == earner),
        others_rao=sum(amount for by, amount in staked if by != earner),
        positions=staked_behind(payout, netuid, hotkey),
    )


def _staked(plan: Plan) -> Iterable[tuple[AccountId, AccountId, int]]:
    """Who earned, behind whom it was staked, and how much."""
    if plan.owner is not None:
        yield plan.owner.hotkey, plan.owner.hotkey, plan.owner.amount
    for miner in plan.miners:
        if miner.staked is not None:
            yield miner.hotkey, miner.staked.hotkey, miner.staked.amount
    for dividend in plan.dividends:
        yield dividend.hotkey, dividend.hotkey, dividend.take + dividend.rest
    for part in plan.root:
        rest = part.rest if part.claim_q32 is None else 0
        yield part.hotkey, part.hotkey, part.take + rest
