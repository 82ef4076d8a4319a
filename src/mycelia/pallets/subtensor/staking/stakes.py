"""Who holds how much alpha behind which hotkey.

Terms: *position* - one coldkey's stake behind one hotkey on one subnet; *delegate* - a hotkey that
accepts nominators and takes a share of their pay; *nominator* - a coldkey that stakes behind a hotkey
it doesn't own.

All stake behind a hotkey is one pot (see `staking.shares`): paying a dividend to thousands of
nominators is one addition.
Source: subtensor@14bc6f9 `staking/{stake_utils,helpers}.rs`.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import I64, U16, U64, U128
from mycelia.frame import (
    Blake2_128Concat,
    DoubleMap,
    Identity,
    Map,
    NMap,
    OptionalDoubleMap,
    OptionalMap,
    Pallet,
    State,
    Twox64Concat,
    ensure,
    invariant,
)
from mycelia.pallets.subtensor.children.kernel import inherited_rao
from mycelia.pallets.subtensor.errors import CannotUseSystemAccount
from mycelia.pallets.subtensor.hyperparameters.table import NetworkParameters
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.staking.shares import (
    Decimal21,
    Position,
    deposited,
    shares_for,
    value_of,
    withdrawn,
)
from mycelia.pallets.subtensor.subnets.kernel import netuid_of_account
from mycelia.pallets.subtensor.subnets.pallet import NOBODY, Subnets
from mycelia.pallets.subtensor.types import SafeFloat
from mycelia.primitives import AccountId, Alpha, NetUid
from mycelia.primitives.fixed import U64_MAX
from mycelia.primitives.ids import ROOT_NETUID

DEFAULT_TAKE_U16: Final = U16(11_796)
Family = tuple[tuple[U64, AccountId], ...]
"""Shares of 2^64 - 1 of a hotkey's stake weight, and the hotkey they go to or come from."""

NO_SHARES: Final = SafeFloat()


class Stakes(Pallet, name="SubtensorModule"):
    """Who holds how much alpha behind which hotkey."""

    owner = Map[AccountId, AccountId](
        AccountId,
        AccountId,
        hasher=Blake2_128Concat,
        default=NOBODY,
        doc="Coldkey that owns the hotkey.",
    )
    owned_hotkeys = Map[AccountId, tuple[AccountId, ...]](
        AccountId,
        tuple[AccountId, ...],
        hasher=Blake2_128Concat,
        default=(),
        doc="Hotkeys the coldkey owns.",
    )
    staking_hotkeys = Map[AccountId, tuple[AccountId, ...]](
        AccountId,
        tuple[AccountId, ...],
        hasher=Blake2_128Concat,
        default=(),
        doc="Hotkeys the coldkey owns or ever staked behind.",
    )
    delegates = Map[AccountId, U16](
        AccountId,
        U16,
        hasher=Blake2_128Concat,
        default=DEFAULT_TAKE_U16,
        doc="Share the hotkey takes of its nominators' pay.",
    )
    total_hotkey_alpha = DoubleMap[AccountId, NetUid, Alpha](
        AccountId,
        NetUid,
        Alpha,
        hashers=(Blake2_128Concat, Identity),
        default=Alpha(0),
        doc="All stake behind the hotkey, in rao.",
    )
    total_hotkey_shares = DoubleMap[AccountId, NetUid, SafeFloat](
        AccountId,
        NetUid,
        SafeFloat,
        hashers=(Blake2_128Concat, Identity),
        default=NO_SHARES,
        doc="Sum of the shares of all positions behind the hotkey.",
        name="TotalHotkeySharesV2",
    )
    alpha = NMap(
        (AccountId, AccountId, NetUid),
        SafeFloat,
        hashers=(Blake2_128Concat, Blake2_128Concat, Identity),
        default=NO_SHARES,
        doc="Shares that the coldkey (second) holds of the stake behind the hotkey (first).",
        name="AlphaV2",
    )
    total_alpha_staked = Map[NetUid, Alpha](
        NetUid, Alpha, hasher=Identity, default=Alpha(0), doc="All stake on the subnet, in rao."
    )
    last_coldkey_hotkey_stake_block = OptionalDoubleMap(
        AccountId,
        AccountId,
        U64,
        hashers=(Twox64Concat, Twox64Concat),
        doc="Block at which the coldkey last changed its stake behind the hotkey.",
    )
    auto_stake_destination = OptionalDoubleMap(
        AccountId,
        NetUid,
        AccountId,
        hashers=(Blake2_128Concat, Identity),
        doc="Hotkey behind which the coldkey's mining pay is staked.",
    )
    child_keys = DoubleMap[AccountId, NetUid, Family](
        AccountId,
        NetUid,
        Family,
        hashers=(Blake2_128Concat, Identity),
        default=(),
        doc="Hotkeys to which the hotkey lends its stake weight.",
    )
    parent_keys = DoubleMap[AccountId, NetUid, Family](
        AccountId,
        NetUid,
        Family,
        hashers=(Blake2_128Concat, Identity),
        default=(),
        doc="Hotkeys that lend the hotkey their stake weight.",
    )
    childkey_threshold_suspended = OptionalMap[AccountId, tuple[()]](
        AccountId,
        tuple[()],
        hasher=Blake2_128Concat,
        doc="Hotkeys whose children are suspended; not used.",
    )
    pending_child_keys = DoubleMap[NetUid, AccountId, tuple[Family, U64]](
        NetUid,
        AccountId,
        tuple[Family, U64],
        hashers=(Identity, Blake2_128Concat),
        default=((), U64(0)),
        doc="Children that take effect at the block.",
    )

    subnets: Subnets
    network: NetworkParameters
    clock: Clock

    def __init__(
        self, state: State, *, subnets: Subnets, network: NetworkParameters, clock: Clock
    ) -> None:
        super().__init__(state, subnets=subnets, network=network, clock=clock)

    def is_claimed(self, hotkey: AccountId) -> bool:
        """Whether a coldkey owns the hotkey."""
        return hotkey in self.owner

    def owns(self, coldkey: AccountId, hotkey: AccountId) -> bool:
        return hotkey in self.owner and self.owner[hotkey] == coldkey

    def claim(self, coldkey: AccountId, hotkey: AccountId) -> None:
        """Make the coldkey the owner of a hotkey that nobody owns; leave an owned one alone.

        `CannotUseSystemAccount` for a subnet's own account.
        """
        ensure(netuid_of_account(hotkey) is None, CannotUseSystemAccount)
        if hotkey not in self.owner:
            self.owner[hotkey] = coldkey
            self.owned_hotkeys[coldkey] = _with(self.owned_hotkeys[coldkey], hotkey)
            self.staking_hotkeys[coldkey] = _with(self.staking_hotkeys[coldkey], hotkey)

    def take_of(self, hotkey: AccountId) -> int:
        """The share the hotkey takes of its nominators' pay, as 0..65535."""
        return self.delegates[hotkey]

    def is_delegate(self, hotkey: AccountId) -> bool:
        return hotkey in self.delegates

    def become_delegate(self, hotkey: AccountId) -> None:
        """Accept nominators at the default take, unless the hotkey does already."""
        if hotkey not in self.delegates:
            self.delegates[hotkey] = DEFAULT_TAKE_U16

    def stake_of(self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> Alpha:
        """What one position is worth, in rao, rounded down."""
        return Alpha(value_of(self._position(hotkey, coldkey, netuid)))

    def total_of(self, hotkey: AccountId, netuid: NetUid) -> Alpha:
        """All stake behind a hotkey, in rao."""
        return self.total_hotkey_alpha[hotkey, netuid]

    def positions(self, hotkey: AccountId) -> list[tuple[AccountId, NetUid]]:
        """(coldkey, netuid) of all positions behind a hotkey, ascending by raw key."""
        return [key for key, _ in self.alpha.under(hotkey)]

    def increase(
        self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid, amount: Alpha
    ) -> None:
        """Add to one position. The alpha is out already."""
        if not amount:
            return
        self.staking_hotkeys[coldkey] = _with(self.staking_hotkeys[coldkey], hotkey)
        after = deposited(self._position(hotkey, coldkey, netuid), amount)
        self._set_position(hotkey, coldkey, netuid, after)
        self._count(netuid, amount)

    def decrease(
        self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid, amount: Alpha
    ) -> None:
        """Take from one position, which is worth at least the amount. The alpha stays out."""
        after = withdrawn(self._position(hotkey, coldkey, netuid), amount)
        self._set_position(hotkey, coldkey, netuid, after)
        self._count(netuid, -amount)

    def pay(self, hotkey: AccountId, netuid: NetUid, amount: Alpha) -> None:
        """Add to all positions behind a hotkey by their shares."""
        self._set_pot(hotkey, netuid, Alpha(self.total_hotkey_alpha[hotkey, netuid] + amount))
        self._count(netuid, amount)

    def claims_on(self, netuid: NetUid) -> list[tuple[AccountId, Alpha]]:
        """(coldkey, worth in rao) of all positions on a subnet, ascending by raw key of hotkey and coldkey."""
        return [
            (coldkey, self.stake_of(hotkey, coldkey, netuid))
            for hotkey, coldkey, at in self.alpha.keys()  # noqa: SIM118  # a storage map is no mapping
            if at == netuid
        ]

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all positions on a subnet, and who lent whom weight there."""
        for hotkey, coldkey, at in self.alpha.keys():  # noqa: SIM118  # a storage map is no mapping
            if at == netuid:
                del self.alpha[hotkey, coldkey, at]
        for item in (
            self.total_hotkey_alpha,
            self.total_hotkey_shares,
            self.child_keys,
            self.parent_keys,
        ):
            for hotkey, at in item.keys():  # noqa: SIM118  # a storage map
                if at == netuid:
                    del item[hotkey, at]
        self.pending_child_keys.clear(netuid)
        del self.total_alpha_staked[netuid]

    def accepts(self, hotkey: AccountId, netuid: NetUid, amount: Alpha) -> bool:
        """Whether the pot is fine-grained enough for the amount to buy a share."""
        pot = self.total_hotkey_alpha[hotkey, netuid]
        denominator = _decimal(self.total_hotkey_shares[hotkey, netuid])
        return shares_for(amount, pot, denominator).mantissa > 0

    def touch(self, coldkey: AccountId, hotkey: AccountId) -> None:
        """Remember that the coldkey changed its stake behind the hotkey now."""
        self.last_coldkey_hotkey_stake_block[coldkey, hotkey] = U64(self.clock.now())

    def tao_weight_q64(self) -> int:
        """What a root TAO counts against an alpha, with 64 fraction bits of which 32 are used; rounded down."""
        return ((self.network.tao_weight << 32) // U64_MAX) << 32

    def stake_weight_q64(self, hotkey: AccountId, netuid: NetUid) -> int:
        """A hotkey's say on a subnet: its alpha there plus its root TAO at `TaoWeight`, rounded down.

        Of both it lends some to its children and borrows some from its parents.

        Source: `stake_utils.rs::get_stake_weights_for_hotkey_on_subnet`.
        """
        alpha_rao, tao_rao = (self.inherited_of(hotkey, netuid, of) for of in (netuid, ROOT_NETUID))
        return (alpha_rao << 64) + tao_rao * self.tao_weight_q64()

    def inherited_of(self, hotkey: AccountId, netuid: NetUid, of: NetUid) -> int:
        """The stake of subnet `of` that counts for a hotkey on a subnet, in rao."""
        own_rao = self.total_hotkey_alpha[hotkey, of]
        children, parents = self.child_keys[hotkey, netuid], self.parent_keys[hotkey, netuid]
        if not children and not parents:
            return own_rao
        lent = [proportion for proportion, _ in children]
        borrowed = [(share, self.total_hotkey_alpha[parent, of]) for share, parent in parents]
        return inherited_rao(own_rao, lent, borrowed)

    def _position(self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> Position:
        return Position(
            self.total_hotkey_alpha[hotkey, netuid],
            _decimal(self.total_hotkey_shares[hotkey, netuid]),
            _decimal(self.alpha[hotkey, coldkey, netuid]),
        )

    def _set_position(
        self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid, after: Position
    ) -> None:
        # What is zero is not stored, so that maps list only what there is.
        self._set_pot(hotkey, netuid, Alpha(after.pot_rao))
        if after.denominator.mantissa:
            self.total_hotkey_shares[hotkey, netuid] = _stored(after.denominator)
        else:
            del self.total_hotkey_shares[hotkey, netuid]
        if after.share.mantissa:
            self.alpha[hotkey, coldkey, netuid] = _stored(after.share)
        else:
            del self.alpha[hotkey, coldkey, netuid]

    def _set_pot(self, hotkey: AccountId, netuid: NetUid, pot: Alpha) -> None:
        if pot:
            self.total_hotkey_alpha[hotkey, netuid] = pot
        else:
            del self.total_hotkey_alpha[hotkey, netuid]

    def _count(self, netuid: NetUid, change_rao: int) -> None:
        self.total_alpha_staked[netuid] = Alpha(self.total_alpha_staked[netuid] + change_rao)

    @invariant
    def pots_add_up(self) -> None:
        """The pots of all hotkeys on a subnet are its total stake."""
        sums: dict[NetUid, int] = {}
        for (_, netuid), pot in self.total_hotkey_alpha.items():
            sums[netuid] = sums.get(netuid, 0) + pot
        for netuid, total in self.total_alpha_staked.items():
            assert total == sums.pop(netuid, 0), netuid
        assert not sums

    @invariant
    def holders_never_own_more_than_the_pot(self) -> None:
        """What the positions behind a hotkey are worth is at most its pot."""
        values: dict[tuple[AccountId, NetUid], int] = {}
        for hotkey, coldkey, netuid in self.alpha.keys():  # noqa: SIM118  # a storage map is no mapping
            worth = int(self.stake_of(hotkey, coldkey, netuid))
            values[hotkey, netuid] = values.get((hotkey, netuid), 0) + worth
        for (hotkey, netuid), total in values.items():
            assert total <= self.total_hotkey_alpha[hotkey, netuid]


def _with(keys: tuple[AccountId, ...], key: AccountId) -> tuple[AccountId, ...]:
    return keys if key in keys else (*keys, key)


def _decimal(stored: SafeFloat) -> Decimal21:
    return Decimal21(stored.mantissa, stored.exponent)


def _stored(value: Decimal21) -> SafeFloat:
    return SafeFloat(U128(value.mantissa), I64(value.exponent))
