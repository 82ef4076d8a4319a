"""Staking: TAO becomes alpha behind a hotkey, and alpha becomes TAO again.

Terms: *stake* - buy alpha from the subnet's pool and put it behind a hotkey; *unstake* - the reverse;
*limit* - the worst price the trade may move the pool to, in rao of TAO per 10^9 rao of alpha. On the
root one TAO is one alpha.

The fee of a trade goes to the block's author in TAO, or is burned when nobody is named as the author.
Source: subtensor@14bc6f9 `staking/{add_stake,remove_stake,stake_utils,increase_take,decrease_take}.rs`,
`guards/check_delegate_take.rs`.
Differs: what a limit leaves unspent is refunded; stake is not locked. A nominator's small rest that cannot be sold
stays staked, and is not taken away.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16, U64
from mycelia.frame import Constant, Origin, Pallet, State, call, ensure, invariant
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.errors import (
    AmountTooLow,
    CannotUseSystemAccount,
    DelegateTakeTooHigh,
    DelegateTakeTooLow,
    DelegateTxRateLimitExceeded,
    HotKeyAccountNotExists,
    InsufficientLiquidity,
    InsufficientTaoBalance,
    NonAssociatedColdKey,
    NotEnoughBalanceToStake,
    NotEnoughStakeToWithdraw,
    SlippageTooHigh,
    SubnetNotExists,
    SubtokenDisabled,
)
from mycelia.pallets.subtensor.events import (
    StakeAdded,
    StakeRemoved,
    TakeDecreased,
    TakeIncreased,
)
from mycelia.pallets.subtensor.needs import Trade
from mycelia.pallets.subtensor.staking.fees import TransactionFeePaidWithAlpha
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.limits import RateLimits
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.types import LastTxBlockDelegateTake
from mycelia.primitives import AccountId, Alpha, DispatchError, NetUid, Tao
from mycelia.primitives.fixed import U64_MAX
from mycelia.primitives.ids import ROOT_NETUID

PAR: Final = 10**9
"""The price on a subnet without a pool."""
MAX_INPUT_RESERVES: Final = 1_000
"""A trade pays in at most this many times the pool."""

_ADD: Final = (
    InsufficientLiquidity,
    SubnetNotExists,
    SubtokenDisabled,
    AmountTooLow,
    NotEnoughBalanceToStake,
    HotKeyAccountNotExists,
)
_UNSTAKED: Final = (StakeRemoved, TransactionFeePaidWithAlpha)
_REMOVE: Final = (InsufficientLiquidity, AmountTooLow, HotKeyAccountNotExists)
_TAKE: Final = (
    DelegateTakeTooLow,
    DelegateTakeTooHigh,
    HotKeyAccountNotExists,
    NonAssociatedColdKey,
)


class Staking(Pallet, name="SubtensorModule"):
    """TAO becomes alpha behind a hotkey, and alpha becomes TAO again."""

    initial_min_stake = Constant(
        Tao, Tao(2_000_000), doc="Least TAO a trade must move, in rao; the rest may go at once."
    )

    subnets: Subnets
    stakes: Stakes
    market: Market
    custody: Custody
    limits: RateLimits

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        stakes: Stakes,
        market: Market,
        custody: Custody,
        limits: RateLimits,
    ) -> None:
        super().__init__(
            state, subnets=subnets, stakes=stakes, market=market, custody=custody, limits=limits
        )

    @call(index=2, weight=cost(3_064_000_000, 8_727), emits=(StakeAdded,), fails=_ADD)
    def add_stake(
        self, origin: Origin, hotkey: AccountId, netuid: NetUid, amount_staked: Tao
    ) -> None:
        """Stake TAO behind a hotkey at whatever price. Signed by the coldkey."""
        coldkey = origin.signed()
        self._check_input(amount_staked, netuid, self.market.pools.subnet_tao[netuid])
        self._check_amount(netuid, amount_staked)
        self._check_stake(coldkey, hotkey, netuid, amount_staked)
        self.stake(hotkey, coldkey, netuid, amount_staked)

    @call(
        index=88,
        weight=cost(3_253_000_000, 8_727),
        emits=(StakeAdded,),
        fails=(*_ADD, SlippageTooHigh),
    )
    def add_stake_limit(
        self,
        origin: Origin,
        hotkey: AccountId,
        netuid: NetUid,
        amount_staked: Tao,
        limit_price: Tao,
        allow_partial: bool,
    ) -> None:
        """Stake TAO until the price reaches the limit: all of it, or in part if allowed. Signed by the coldkey."""
        coldkey = origin.signed()
        self._check_input(amount_staked, netuid, self.market.pools.subnet_tao[netuid])
        room = self._room_to_buy(netuid, limit_price)
        self._check_amount(netuid, amount_staked)
        ensure(allow_partial or amount_staked <= room, SlippageTooHigh)
        amount = Tao(min(amount_staked, room))
        self._check_stake(coldkey, hotkey, netuid, amount)
        if not self.stakes.owns(coldkey, hotkey):
            self.stakes.become_delegate(hotkey)
        self.stake(hotkey, coldkey, netuid, amount, limit_price)

    @call(
        index=3,
        weight=cost(2_569_000_000, 10_557),
        emits=_UNSTAKED,
        fails=(SubtokenDisabled, *_REMOVE),
    )
    def remove_stake(
        self, origin: Origin, hotkey: AccountId, netuid: NetUid, amount_unstaked: Alpha
    ) -> None:
        """Unstake alpha at whatever price; more than there is means all. Signed by the coldkey."""
        coldkey = origin.signed()
        ensure(self.subnets.is_started(netuid), SubtokenDisabled)
        amount = Alpha(min(amount_unstaked, self.stakes.stake_of(hotkey, coldkey, netuid)))
        self._check_input(amount, netuid, self.market.pools.subnet_alpha_in[netuid])
        self._check_unstake(coldkey, hotkey, netuid, amount)
        self.unstake(hotkey, coldkey, netuid, amount)
        self._return_small_rest(hotkey, coldkey, netuid)
        self._check_children(hotkey)

    @call(
        index=89,
        weight=cost(2_716_000_000, 10_591),
        emits=_UNSTAKED,
        fails=(*_REMOVE, SubnetNotExists, NotEnoughStakeToWithdraw, SlippageTooHigh),
    )
    def remove_stake_limit(
        self,
        origin: Origin,
        hotkey: AccountId,
        netuid: NetUid,
        amount_unstaked: Alpha,
        limit_price: Tao,
        allow_partial: bool,
    ) -> None:
        """Unstake alpha until the price falls to the limit: all of it, or in part if allowed. Signed by the coldkey."""
        self._unstake_limited(
            origin.signed(), hotkey, netuid, amount_unstaked, limit_price, allow_partial
        )

    @call(
        index=103,
        weight=cost(2_729_000_000, 10_591),
        emits=_UNSTAKED,
        fails=(*_REMOVE, SubnetNotExists, SubtokenDisabled, SlippageTooHigh),
    )
    def remove_stake_full_limit(
        self, origin: Origin, hotkey: AccountId, netuid: NetUid, limit_price: Tao | None
    ) -> None:
        """Unstake all alpha of one position, unless the price would pass the limit. Signed by the coldkey."""
        coldkey = origin.signed()
        amount = self.stakes.stake_of(hotkey, coldkey, netuid)
        if limit_price is None:
            self.remove_stake(origin, hotkey, netuid, amount)
        else:
            self._unstake_limited(coldkey, hotkey, netuid, amount, limit_price, False)

    @call(
        index=83,
        weight=cost(4_276_000_000, 11_306),
        emits=_UNSTAKED,
        fails=(HotKeyAccountNotExists,),
    )
    def unstake_all(self, origin: Origin, hotkey: AccountId) -> None:
        """Unstake all alpha behind a hotkey, on every subnet where that is possible. Signed by the coldkey."""
        coldkey = origin.signed()
        ensure(self.stakes.is_claimed(hotkey), HotKeyAccountNotExists)
        self._unstake_everywhere(coldkey, hotkey, self.subnets.netuids())

    @call(
        index=84,
        weight=cost(4_276_000_000, 11_306),
        emits=(*_UNSTAKED, StakeAdded),
        fails=(HotKeyAccountNotExists, AmountTooLow, InsufficientTaoBalance),
    )
    def unstake_all_alpha(self, origin: Origin, hotkey: AccountId) -> None:
        """Unstake all alpha behind a hotkey and stake the TAO on the root instead. Signed by the coldkey."""
        coldkey = origin.signed()
        ensure(self.stakes.is_claimed(hotkey), HotKeyAccountNotExists)
        elsewhere = [netuid for netuid in self.subnets.netuids() if netuid != ROOT_NETUID]
        total = self._unstake_everywhere(coldkey, hotkey, elsewhere)
        self.stake(hotkey, coldkey, ROOT_NETUID, total)

    @call(
        index=66,
        weight=cost(363_000_000, 4_388),
        emits=(TakeIncreased,),
        fails=(*_TAKE, DelegateTxRateLimitExceeded),
        pays=False,
    )
    def increase_take(self, origin: Origin, hotkey: AccountId, take: U16) -> None:
        """Take more from the hotkey's nominators; rate limited. Signed by its owner."""
        # CHECK
        coldkey = self._check_take(origin, hotkey, take)
        ensure(
            not self.stakes.is_delegate(hotkey) or take > self.stakes.take_of(hotkey),
            DelegateTakeTooLow,
        )
        key = LastTxBlockDelegateTake(hotkey)
        limit = self.subnets.network.tx_delegate_take_rate_limit
        ensure(self.limits.passes_strictly(key, limit), DelegateTxRateLimitExceeded)
        # CHANGE
        self.limits.mark(key)
        self.stakes.delegates[hotkey] = take
        # TELL
        self.deposit(TakeIncreased(coldkey, hotkey, take))

    @call(
        index=65,
        weight=cost(305_000_000, 4_293),
        emits=(TakeDecreased,),
        fails=_TAKE,
        pays=False,
    )
    def decrease_take(self, origin: Origin, hotkey: AccountId, take: U16) -> None:
        """Take less from the hotkey's nominators. Signed by its owner."""
        # CHECK
        coldkey = self._check_take(origin, hotkey, take)
        ensure(
            not self.stakes.is_delegate(hotkey) or take < self.stakes.take_of(hotkey),
            DelegateTakeTooLow,
        )
        # CHANGE
        self.stakes.delegates[hotkey] = take
        self.limits.mark(LastTxBlockDelegateTake(hotkey))
        # TELL
        self.deposit(TakeDecreased(coldkey, hotkey, take))

    @call(
        index=91,
        weight=cost(400_000_000, 4_283),
        fails=(CannotUseSystemAccount,),
    )
    def try_associate_hotkey(self, origin: Origin, hotkey: AccountId) -> None:
        """Make the signer the owner of a hotkey that nobody owns."""
        self.stakes.claim(origin.signed(), hotkey)

    def stake(
        self,
        hotkey: AccountId,
        coldkey: AccountId,
        netuid: NetUid,
        tao: Tao,
        limit_price: int | None = None,
    ) -> Alpha:
        """Buy alpha for a coldkey's TAO and put it behind the hotkey; the alpha bought. Tells it.

        The coldkey keeps the existential deposit, so a little less than `tao` may be staked.
        """
        taken = self.custody.pay_in(netuid, coldkey, tao)
        trade = self.market.buy(netuid, taken, limit_price)
        alpha = Alpha(trade.paid_out)
        ensure(alpha > 0, AmountTooLow)
        self._refund(netuid, coldkey, taken, trade)
        self.stakes.increase(hotkey, coldkey, netuid, alpha)
        self.custody.pay_author(netuid, Tao(trade.fee))
        self.market.pools.record_flow(netuid, trade.paid_in)
        self.stakes.touch(coldkey, hotkey)
        spent = Tao(trade.paid_in + trade.fee)
        self.deposit(StakeAdded(coldkey, hotkey, spent, alpha, netuid, U64(trade.fee)))
        return alpha

    def unstake(
        self,
        hotkey: AccountId,
        coldkey: AccountId,
        netuid: NetUid,
        alpha: Alpha,
        limit_price: int | None = None,
    ) -> Tao:
        """Sell alpha from behind a hotkey and give its coldkey the TAO, which is returned. Tells it.

        What the limit leaves unsold stays staked.
        """
        trade = self.market.sell(netuid, alpha, limit_price)
        sold = Alpha(trade.paid_in + trade.fee)
        self.stakes.decrease(hotkey, coldkey, netuid, sold)
        self.custody.pay_out(netuid, coldkey, Tao(trade.paid_out))
        fee_value = self._sell_fee(netuid, trade.fee)
        self.market.pools.record_flow(netuid, -(trade.paid_out + fee_value))
        self.stakes.touch(coldkey, hotkey)
        self.deposit(
            StakeRemoved(
                coldkey,
                hotkey,
                Tao(trade.paid_out),
                Alpha(trade.paid_in),
                netuid,
                U64(trade.fee),
            )
        )
        return Tao(trade.paid_out)

    def _sell_fee(self, netuid: NetUid, fee_rao: int) -> int:
        # The author is paid in TAO, fee-free; without one, or where that is less than a rao, the alpha is out for good,
        # held by nobody.
        author = self.custody.author()
        if author is None or not fee_rao:
            return 0
        try:
            tao = self.market.sell(netuid, fee_rao, free=True).paid_out
        except DispatchError:
            return 0
        self.custody.pay_out(netuid, author, Tao(tao))
        return tao

    def _refund(self, netuid: NetUid, coldkey: AccountId, taken: Tao, trade: Trade) -> None:
        self.custody.pay_out(netuid, coldkey, Tao(taken - trade.paid_in - trade.fee))

    def _check_take(self, origin: Origin, hotkey: AccountId, take: int) -> AccountId:
        """The signer, if it may set such a take for the hotkey."""
        coldkey, network = origin.signed(), self.subnets.network
        ensure(take >= network.min_delegate_take, DelegateTakeTooLow)
        ensure(take <= network.max_delegate_take, DelegateTakeTooHigh)
        ensure(self.stakes.is_claimed(hotkey), HotKeyAccountNotExists)
        ensure(self.stakes.owns(coldkey, hotkey), NonAssociatedColdKey)
        return coldkey

    def _check_amount(self, netuid: NetUid, asked: Tao) -> None:
        """Whether an amount may be asked to be staked on the subnet."""
        self.subnets.check_exists(netuid)
        ensure(self.subnets.is_started(netuid), SubtokenDisabled)
        fee = self.market.exchange.fee_of(netuid, self.initial_min_stake)
        ensure(asked >= self.initial_min_stake + fee, AmountTooLow)

    def _check_stake(
        self, coldkey: AccountId, hotkey: AccountId, netuid: NetUid, amount: Tao
    ) -> None:
        """Whether the coldkey can stake the amount, of what was asked for as much as the limit leaves."""
        ensure(self.custody.affords(coldkey, amount), NotEnoughBalanceToStake)
        ensure(self.stakes.is_claimed(hotkey), HotKeyAccountNotExists)
        try:
            trade = self.market.exchange.quote_buy(netuid, amount)
        except DispatchError as cause:
            raise InsufficientLiquidity from cause
        ensure(trade.paid_in >= self.initial_min_stake, AmountTooLow)
        ensure(self.stakes.accepts(hotkey, netuid, Alpha(trade.paid_out)), InsufficientLiquidity)

    def _check_unstake(
        self,
        coldkey: AccountId,
        hotkey: AccountId,
        netuid: NetUid,
        amount: Alpha,
        room: int = U64_MAX,
    ) -> None:
        """Whether the amount can be unstaked, of which there is room for some before the limit."""
        self.subnets.check_exists(netuid)
        ensure(amount > 0, AmountTooLow)
        held = self.stakes.stake_of(hotkey, coldkey, netuid)
        ensure(amount <= held, NotEnoughStakeToWithdraw)
        try:
            trade = self.market.exchange.quote_sell(netuid, amount)
        except DispatchError as cause:
            raise InsufficientLiquidity from cause
        ensure(amount == held or trade.paid_out >= self.initial_min_stake, AmountTooLow)
        ensure(amount <= room, SlippageTooHigh)
        ensure(self.stakes.is_claimed(hotkey), HotKeyAccountNotExists)

    def _check_input(self, amount_rao: int, netuid: NetUid, reserve_rao: int) -> None:
        within = amount_rao <= reserve_rao * MAX_INPUT_RESERVES
        ensure(within or not self.subnets.has_pool(netuid), InsufficientLiquidity)

    def _unstake_limited(
        self,
        coldkey: AccountId,
        hotkey: AccountId,
        netuid: NetUid,
        amount: Alpha,
        limit_price: Tao,
        allow_partial: bool,
    ) -> None:
        self._check_input(amount, netuid, self.market.pools.subnet_alpha_in[netuid])
        room = self._room_to_sell(netuid, limit_price)
        self._check_unstake(coldkey, hotkey, netuid, amount, U64_MAX if allow_partial else room)
        self.unstake(hotkey, coldkey, netuid, Alpha(min(amount, room)), limit_price)
        self._return_small_rest(hotkey, coldkey, netuid)
        self._check_children(hotkey)

    def _room_to_buy(self, netuid: NetUid, limit_price: int) -> int:
        """The TAO, fee included, that may be staked before the price reaches the limit."""
        if not self.subnets.has_pool(netuid):
            return U64_MAX if limit_price >= PAR else 0
        most = self.market.pools.subnet_tao[netuid] * MAX_INPUT_RESERVES
        trade = self.market.exchange.quote_buy(netuid, most, limit_price)
        return trade.paid_in + trade.fee

    def _room_to_sell(self, netuid: NetUid, limit_price: int) -> int:
        """The alpha, fee included, that may be unstaked before the price falls to the limit."""
        if not self.subnets.has_pool(netuid):
            return U64_MAX if limit_price <= PAR else 0
        most = self.market.pools.subnet_alpha_in[netuid] * MAX_INPUT_RESERVES
        trade = self.market.exchange.quote_sell(netuid, most, limit_price)
        return trade.paid_in + trade.fee

    def _unstake_everywhere(
        self, coldkey: AccountId, hotkey: AccountId, netuids: list[NetUid]
    ) -> Tao:
        """Unstake all there is where it is possible; the TAO it gave."""
        total = 0
        for netuid in netuids:
            amount = self.stakes.stake_of(hotkey, coldkey, netuid)
            if not amount or not self.subnets.is_started(netuid):
                continue
            try:
                self._check_unstake(coldkey, hotkey, netuid, amount)
            except DispatchError:
                continue
            total += self.unstake(hotkey, coldkey, netuid, amount)
        return Tao(total)

    def _return_small_rest(self, hotkey: AccountId, coldkey: AccountId, netuid: NetUid) -> None:
        """Unstake what is left of a nominator's position when it is below the least one and can be sold.

        Source: `utils/misc.rs::get_nominator_min_required_stake`
        Differs: what can't be sold stays; there it is taken away.
        """
        if self.stakes.owns(coldkey, hotkey):
            return
        millionths = self.subnets.network.nominator_min_required_stake
        least = self.initial_min_stake * millionths // 1_000_000
        rest = self.stakes.stake_of(hotkey, coldkey, netuid)
        if not rest or self.market.value_rao(netuid, rest) >= least:
            return
        try:
            self._check_unstake(coldkey, hotkey, netuid, rest)
        except DispatchError:
            return
        self.unstake(hotkey, coldkey, netuid, rest)

    def _check_children(self, hotkey: AccountId) -> None:
        """Forget children that wait, on every subnet, where the hotkey's stake fell below the threshold."""
        threshold = self.subnets.network.stake_threshold
        if not threshold:
            return
        netuids, exchange = self.subnets.netuids(), self.market.exchange
        worth_q64 = sum(
            self.stakes.total_of(hotkey, netuid) * exchange.price_q64(netuid) for netuid in netuids
        )
        if worth_q64 >> 64 < threshold:
            for netuid in netuids:
                del self.stakes.pending_child_keys[netuid, hotkey]

    @invariant
    def stake_is_out(self) -> None:
        """All stake on a subnet is part of the alpha outside its pool."""
        for netuid, staked in self.stakes.total_alpha_staked.items():
            assert staked <= self.market.pools.subnet_alpha_out[netuid], netuid
