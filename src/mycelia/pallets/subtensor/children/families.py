"""Who lends stake weight to whom, subnet by subnet, and how the pay for it is parted.

Both directions are stored: a parent's children and a child's parents. On one subnet no hotkey lends
to one that lends to it.

Source: subtensor@14bc6f9 `staking/set_children.rs`, `coinbase/run_coinbase.rs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mycelia.codec import U16, U64
from mycelia.frame import Blake2_128Concat, DoubleMap, Identity, Pallet, State, ensure, invariant
from mycelia.pallets.subtensor.children.errors import (
    ChildParentInconsistency,
    InvalidChild,
    ProportionOverflow,
)
from mycelia.pallets.subtensor.children.kernel import (
    Parent,
    contribution_q32,
    kept_part_q32,
    parted_dividend,
    share_q32,
)
from mycelia.pallets.subtensor.emission.kernel import tao_weight_q32
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.staking.stakes import Family, Stakes
from mycelia.primitives import AccountId, NetUid
from mycelia.primitives.fixed import ONE_Q32, U64_MAX, u64_of_q32
from mycelia.primitives.ids import ROOT_NETUID


class Families(Pallet, name="SubtensorModule"):
    """Who lends stake weight to whom."""

    childkey_take = DoubleMap[AccountId, NetUid, U16](
        AccountId,
        NetUid,
        U16,
        hashers=(Blake2_128Concat, Identity),
        default=U16(0),
        doc="Share that the hotkey takes of what its parents earn with it, 0..65535 as 0..1.",
    )

    stakes: Stakes
    parameters: Hyperparameters
    network: NetworkParameters

    def __init__(
        self,
        state: State,
        *,
        stakes: Stakes,
        parameters: Hyperparameters,
        network: NetworkParameters,
    ) -> None:
        super().__init__(state, stakes=stakes, parameters=parameters, network=network)

    def least_take(self, netuid: NetUid) -> int:
        """The least take of children on a subnet."""
        of_subnet = self.parameters.min_childkey_take_per_subnet[netuid]
        return max(self.network.min_childkey_take, of_subnet)

    def take_of(self, hotkey: AccountId, netuid: NetUid) -> int:
        """The share a child takes of what its parents earn with it, as 0..65535."""
        return max(self.childkey_take[hotkey, netuid], self.least_take(netuid))

    # Relations

    def check(self, parent: AccountId, netuid: NetUid, children: Family) -> None:
        """What must hold of a parent's children whenever they are set.

        Raises:
            InvalidChild, ProportionOverflow, ChildParentInconsistency: it does not.
        """
        ensure(all(child != parent for _, child in children), InvalidChild)
        ensure(sum(proportion for proportion, _ in children) <= U64_MAX, ProportionOverflow)
        own = {lender for _, lender in self.stakes.parent_keys[parent, netuid]}
        ensure(not any(child in own for _, child in children), ChildParentInconsistency)

    def set_children(self, parent: AccountId, netuid: NetUid, children: Family) -> None:
        """Replace a parent's children; both directions follow."""
        before = {child for _, child in self.stakes.child_keys[parent, netuid]}
        after = {child: proportion for proportion, child in children}
        for child in sorted(before - after.keys()):
            self._set_parents(child, netuid, self._others(child, netuid, parent))
        for child, proportion in sorted(after.items()):
            self._set_parents(child, netuid, self._with_parent(child, netuid, parent, proportion))
        key = (parent, netuid)
        if after:
            ordered = sorted(after.items())
            self.stakes.child_keys[key] = tuple((share, child) for child, share in ordered)
        else:
            del self.stakes.child_keys[key]

    def _others(self, child: AccountId, netuid: NetUid, parent: AccountId) -> Family:
        parents = self.stakes.parent_keys[child, netuid]
        return tuple(entry for entry in parents if entry[1] != parent)

    def _with_parent(
        self, child: AccountId, netuid: NetUid, parent: AccountId, proportion: U64
    ) -> Family:
        parents = self.stakes.parent_keys[child, netuid]
        if all(lender != parent for _, lender in parents):
            return (*parents, (proportion, parent))
        return tuple(
            (proportion if lender == parent else share, lender) for share, lender in parents
        )

    def _set_parents(self, child: AccountId, netuid: NetUid, parents: Family) -> None:
        if parents:
            self.stakes.parent_keys[child, netuid] = parents
        else:
            del self.stakes.parent_keys[child, netuid]

    # Pay

    def dividends_by_lender(
        self, netuid: NetUid, dividends_rao: Mapping[AccountId, int]
    ) -> dict[AccountId, int]:
        """What an epoch's dividends are worth to those whose stake earned them, ascending by hotkey."""
        totals: dict[AccountId, int] = {}
        for hotkey, dividend in dividends_rao.items():
            for earner, part in self.parted(netuid, hotkey, dividend):
                totals[earner] = totals.get(earner, 0) + part
        return dict(sorted(totals.items()))

    def parted(
        self, netuid: NetUid, hotkey: AccountId, dividend_rao: int
    ) -> Iterable[tuple[AccountId, int]]:
        """To whom one hotkey's dividend falls: those who lent it stake, and itself last."""
        lenders = self.stakes.parent_keys[hotkey, netuid]
        if not lenders:
            return [(hotkey, dividend_rao)]
        lent = [proportion for proportion, _ in self.stakes.child_keys[hotkey, netuid]]
        own_rao = u64_of_q32(self._contribution_q32(hotkey, netuid, kept_part_q32(lent)))
        owner = self.stakes.owner[hotkey]
        parents = [
            Parent(
                lender,
                self._contribution_q32(lender, netuid, share_q32(proportion)),
                self.stakes.owner[lender] == owner,
            )
            for proportion, lender in lenders
        ]
        take = self.take_of(hotkey, netuid)
        to_parents, rest = parted_dividend(dividend_rao, own_rao, parents, take)
        shares = zip((parent.hotkey for parent in parents), to_parents, strict=True)
        return [*shares, (hotkey, rest)]

    def _contribution_q32(self, hotkey: AccountId, netuid: NetUid, part_q32: int) -> int:
        alpha, root = (
            self.stakes.total_of(hotkey, netuid),
            self.stakes.total_of(hotkey, ROOT_NETUID),
        )
        return contribution_q32(alpha, root, part_q32, tao_weight_q32(self.network.tao_weight))

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget the takes on a subnet; relations go with the stakes."""
        for hotkey, at in self.childkey_take.keys():  # noqa: SIM118  # a storage map is no mapping
            if at == netuid:
                del self.childkey_take[hotkey, at]

    @invariant
    def both_directions_agree(self) -> None:
        """Every child names its parent with the same proportion, and the other way round."""
        down = {
            (parent, child, netuid): share
            for (parent, netuid), family in self.stakes.child_keys.items()
            for share, child in family
        }
        up = {
            (parent, child, netuid): share
            for (child, netuid), family in self.stakes.parent_keys.items()
            for share, parent in family
        }
        assert down == up

    @invariant
    def nobody_lends_more_than_everything(self) -> None:
        """A parent's proportions add up to at most one."""
        for family in self.stakes.child_keys.values():
            assert sum(share_q32(share) for share, _ in family) <= ONE_Q32
