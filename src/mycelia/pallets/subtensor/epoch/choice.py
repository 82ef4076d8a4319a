"""By which rules a subnet runs its epochs: Yuma 2, Yuma 3, or Yuma 3 as this chain corrects it.

The compatible chain knows the first two, by its switch `Yuma3On`, and that switch stays in charge: off is Yuma 2,
whoever turned it. The correction is one more flag, kept in a pallet of its own, and counts only while the switch is on;
so clients that know the switch alone are never wrong about the family.
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U64, Enumeration
from mycelia.frame import (
    BoundMap,
    Event,
    Identity,
    Map,
    Origin,
    Pallet,
    State,
    Weight,
    call,
    ensure,
)
from mycelia.pallets.subtensor.errors import (
    AdminActionProhibitedDuringWeightsWindow,
    SubnetNotExists,
    TxRateLimitExceeded,
)
from mycelia.primitives import AccountId, NetUid

RATE_LIMIT: Final = "Yuma3Enabled"
"""Under which name an owner's changes are limited: that of the compatible switch, since both turn it."""


class RuleSet(Enumeration, path="mycelia::RuleSet"):
    """Rules of epochs that a subnet may choose."""


class Yuma2(RuleSet, index=0):
    """Bonds are shares of a miner that stake has bought."""


class Yuma3(RuleSet, index=1):
    """Bonds are what a validator says, whatever its stake."""


class Mycelia(RuleSet, index=2):
    """Yuma 3 where bonds earn by stake in each column, and decay where no weight is named."""


class Authority(Protocol):
    """Who may choose, how often and when."""

    def owner_or_root(self, origin: Origin, netuid: NetUid) -> AccountId | None:
        """The owner, if it calls; None for root; `BadOrigin` for anybody else."""

    def check_owner_limit(self, owner: AccountId | None, netuid: NetUid, row: str) -> None:
        """Refuse an owner that changed it too recently."""

    def check_window(self, netuid: NetUid) -> None:
        """Refuse changes shortly before the subnet's epoch."""

    def mark_owner(self, owner: AccountId | None, netuid: NetUid, row: str) -> None:
        """Remember that the owner changed it now."""


class Subnets(Protocol):
    """Which subnets there are."""

    def exists(self, netuid: NetUid) -> bool: ...


class Parameters(Protocol):
    """The compatible chain's switch between Yuma 2 and 3."""

    @property
    def yuma3_on(self) -> BoundMap[NetUid, bool]: ...


class RulesChosen(Event, index=0):
    """A subnet chose the rules of its epochs."""

    netuid: NetUid
    rules: RuleSet


class Choice(Pallet, name="EpochRules"):
    """By which rules a subnet runs its epochs."""

    events = (RulesChosen,)

    # Identity: netuids are handed out by the chain.
    mycelia_on = Map[NetUid, bool](
        NetUid,
        bool,
        hasher=Identity,
        default=False,
        doc="Whether Yuma 3 is corrected; without effect while the subnet's `Yuma3On` is off.",
    )

    parameters: Parameters
    subnets: Subnets
    authority: Authority

    def __init__(
        self, state: State, *, parameters: Parameters, subnets: Subnets, authority: Authority
    ) -> None:
        super().__init__(state, parameters=parameters, subnets=subnets, authority=authority)

    @call(
        index=0,
        weight=Weight(U64(30_000_000)),
        emits=(RulesChosen,),
        fails=(SubnetNotExists, TxRateLimitExceeded, AdminActionProhibitedDuringWeightsWindow),
    )
    def set_rules(self, origin: Origin, netuid: NetUid, rules: RuleSet) -> None:
        """Choose the rules from the next epoch on; turns `Yuma3On`, too. Root or owner."""
        # CHECK
        owner = self.authority.owner_or_root(origin, netuid)
        ensure(self.subnets.exists(netuid), SubnetNotExists)
        self.authority.check_owner_limit(owner, netuid, RATE_LIMIT)
        self.authority.check_window(netuid)
        # CHANGE
        self.parameters.yuma3_on[netuid] = not isinstance(rules, Yuma2)
        self.mycelia_on[netuid] = isinstance(rules, Mycelia)
        self.authority.mark_owner(owner, netuid, RATE_LIMIT)
        # TELL
        self.deposit(RulesChosen(netuid, rules))

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget what the subnet chose."""
        del self.mycelia_on[netuid]
