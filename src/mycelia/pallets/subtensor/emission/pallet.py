"""The block's own step: mints, fills pools, lets pay accumulate, and runs the epochs that are due.

At the start of each block:

1. The block's TAO goes to the started subnets by the average of their prices.
2. Each subnet's part enters its pool beside alpha at the pool's price; what finds no counterpart
   buys alpha, which nobody owns.
3. Each subnet's new alpha waits as pending pay of owner, miners, validators and the root.
4. Due epochs are run, and what waits for them is paid out.
5. Average prices move on, to count from the next block.

TAO is minted only as far as it arrives somewhere, so the issuance grows by exactly what subnets get.

Source: subtensor@14bc6f9 `coinbase/block_step.rs::block_step`, `coinbase/run_coinbase.rs`.
Differs: TAO that can't buy because the pool is too small is not minted; there it is left on the
subnet's account beside the pool.
"""

from __future__ import annotations

from typing import Protocol

from mycelia.codec import U64
from mycelia.frame import BoundMap, Identity, Map, Pallet, State, TokenError, Value, invariant
from mycelia.pallets.subtensor.emission import kernel
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch.pallet import Epochs
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, Alpha, DispatchError, NetUid, Tao
from mycelia.primitives.fixed import ONE_Q64
from mycelia.primitives.ids import ROOT_NETUID


class Mint(Protocol):
    """Puts new TAO on accounts."""

    def credit(self, who: AccountId, amount: Tao) -> None:
        """`TokenError` where the amount is too small to create the account."""


class Witness(Protocol):
    """Looks on, to explain; changes nothing. The chain's own blocks have none."""

    def __call__(self, coinbase: Coinbase, netuid: NetUid, /) -> None:
        """See a subnet's epoch about to run: all that it reads, and what waits for it."""


class Coinbase(Pallet, name="SubtensorModule"):
    """The block emission and its way to pools and pending pay."""

    block_emission = Value[U64](
        U64,
        default=U64(kernel.FIRST_EMISSION_RAO),
        doc="TAO that a block mints at the present issuance, in rao.",
    )
    # Identity: netuids are handed out by the chain.
    subnet_tao_in_emission = Map[NetUid, Tao](
        NetUid,
        Tao,
        hasher=Identity,
        default=Tao(0),
        doc="TAO that the last block added to the subnet's pool, in rao.",
    )
    subnet_alpha_in_emission = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that the last block added to the subnet's pool, in rao.",
    )
    subnet_alpha_out_emission = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that the last block created for people, in rao.",
    )
    subnet_excess_tao = Map[NetUid, Tao](
        NetUid,
        Tao,
        hasher=Identity,
        default=Tao(0),
        doc="TAO with which the last block bought alpha of the subnet, in rao.",
    )
    pending_server_emission = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that waits for the miners, in rao.",
    )
    pending_validator_emission = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that waits for the validators, in rao.",
    )
    pending_root_alpha_divs = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that waits for those who staked on the root, in rao.",
    )
    pending_owner_cut = Map[NetUid, Alpha](
        NetUid,
        Alpha,
        hasher=Identity,
        default=Alpha(0),
        doc="Alpha that waits for the subnet's owner, in rao.",
    )

    parameters: Hyperparameters
    network: NetworkParameters
    subnets: Subnets
    issuance: Issuance
    mint: Mint
    pools: Pools
    market: Market
    prices: Prices
    schedule: Schedule
    epochs: Epochs
    payout: Payout
    witness: Witness | None

    def __init__(
        self,
        state: State,
        *,
        parameters: Hyperparameters,
        network: NetworkParameters,
        subnets: Subnets,
        issuance: Issuance,
        mint: Mint,
        pools: Pools,
        market: Market,
        prices: Prices,
        schedule: Schedule,
        epochs: Epochs,
        payout: Payout,
        witness: Witness | None = None,
    ) -> None:
        super().__init__(
            state,
            parameters=parameters,
            network=network,
            subnets=subnets,
            issuance=issuance,
            mint=mint,
            pools=pools,
            market=market,
            prices=prices,
            schedule=schedule,
            epochs=epochs,
            payout=payout,
            witness=witness,
        )

    def on_initialize(self) -> None:
        """Mint, share and pay; then let the average prices move on."""
        netuids = [netuid for netuid in self.subnets.netuids() if netuid != ROOT_NETUID]
        earning = [netuid for netuid in netuids if self.earns(netuid)]
        self._emit(earning)
        self._run_due_epochs(netuids)
        for netuid in earning:
            self.prices.update(netuid)

    def earns(self, netuid: NetUid) -> bool:
        """Whether the subnet is started and open, and so gets emission."""
        return (
            self.subnets.is_paid(netuid)
            and self.subnets.is_started(netuid)
            and self.parameters.network_registration_allowed[netuid]
        )

    def shares_q64(self, netuids: list[NetUid]) -> list[int]:
        """Each subnet's share of the block's TAO, with 64 fraction bits."""
        return kernel.subnet_shares(
            [
                kernel.SubnetShare(
                    moving_price_q64=self.prices.moving_price_q64(netuid),
                    miner_burned_q32=self.payout.miner_burned[netuid],
                    enabled=self.parameters.subnet_emission_enabled[netuid],
                )
                for netuid in netuids
            ]
        )

    # Minting

    def _emit(self, earning: list[NetUid]) -> None:
        block_rao = kernel.block_emission_rao(self.issuance.total_issuance)
        if self.block_emission != block_rao:
            self.block_emission = U64(block_rao)
        shares = self.shares_q64(earning)
        # All terms before any pool moves: a purchase must not change what the others get.
        terms = [
            self._terms(netuid, kernel.subnet_emission_q32(block_rao, share))
            for netuid, share in zip(earning, shares, strict=True)
        ]
        root_is_paid = sum(self.prices.moving_price_q64(netuid) for netuid in earning) > ONE_Q64
        for netuid, (injection, _) in zip(earning, terms, strict=True):
            self._fill_pool(netuid, injection)
        for netuid, (_, created) in zip(earning, terms, strict=True):
            self._set_aside(netuid, created, root_is_paid=root_is_paid)

    def _terms(self, netuid: NetUid, emission_q32: int) -> tuple[kernel.Injection, Alpha]:
        """What enters the pool, and the alpha created for people."""
        created = Alpha(kernel.block_emission_rao(self.pools.alpha_issuance(netuid)))
        price_q64 = self.market.exchange.price_q64(netuid)
        root = self.prices.root_proportion_q32(netuid)
        return kernel.injection(emission_q32, created, price_q64, root), created

    def _fill_pool(self, netuid: NetUid, injection: kernel.Injection) -> None:
        self.subnet_excess_tao[netuid] = self._buy(netuid, Tao(injection.buying_tao_rao))
        tao = self._minted(netuid, Tao(injection.tao_in_rao))
        alpha = Alpha(injection.alpha_in_rao)
        self.pools.inject(netuid, tao, alpha)
        self.subnet_tao_in_emission[netuid] = tao
        self.subnet_alpha_in_emission[netuid] = alpha

    def _buy(self, netuid: NetUid, tao: Tao) -> Tao:
        """Buy alpha for the chain with new TAO; what was spent."""
        if not tao:
            return Tao(0)
        try:
            with self.state.transaction():
                trade = self.market.buy(netuid, tao, free=True)
                self.mint.credit(subnet_account(netuid), Tao(trade.paid_in))
        except DispatchError:  # the pool is too small to trade with
            return Tao(0)
        self.issuance.minted(Tao(trade.paid_in))
        held = self.pools.subnet_protocol_alpha
        held[netuid] = Alpha(held[netuid] + trade.paid_out)
        return Tao(trade.paid_in)

    def _minted(self, netuid: NetUid, tao: Tao) -> Tao:
        """Put new TAO on the subnet's account; what arrived."""
        try:
            self.mint.credit(subnet_account(netuid), tao)
        except TokenError:  # less than the existential deposit can't create the account
            return Tao(0)
        self.issuance.minted(tao)
        return tao

    def _set_aside(self, netuid: NetUid, created: Alpha, *, root_is_paid: bool) -> None:
        """Create alpha for people and let it wait for the epoch."""
        self.pools.issue(netuid, created)
        self.subnet_alpha_out_emission[netuid] = created
        cut = self.network.subnet_owner_cut if self.parameters.owner_cut_enabled[netuid] else None
        root = self.prices.root_proportion_q32(netuid)
        split = kernel.alpha_split(created, root, cut)
        _add(self.pending_owner_cut, netuid, split.owner_rao)
        _add(self.pending_server_emission, netuid, split.servers_rao)
        _add(self.pending_validator_emission, netuid, split.validators_rao)
        if root_is_paid:
            _add(self.pending_root_alpha_divs, netuid, split.root_rao)
        else:
            self.pools.recycle(netuid, Alpha(split.root_rao))

    # Epochs

    def _run_due_epochs(self, netuids: list[NetUid]) -> None:
        schedule = self.schedule
        due: list[NetUid] = []
        for netuid in netuids:
            schedule.tick(netuid)
            if not schedule.is_due(netuid):
                continue
            if len(due) >= schedule.max_epochs_per_block:
                schedule.defer(netuid)
                continue
            runs = self.epochs.is_consistent(netuid)
            schedule.use_slot(netuid, ran=runs)
            if runs:
                due.append(netuid)
        for netuid in sorted(due):
            self._run_epoch(netuid)
            schedule.ran(netuid)

    def _run_epoch(self, netuid: NetUid) -> None:
        """Decide who earned what waits, and pay it."""
        if self.witness is not None:
            self.witness(self, netuid)
        servers = _drained(self.pending_server_emission, netuid)
        validators = _drained(self.pending_validator_emission, netuid)
        root = _drained(self.pending_root_alpha_divs, netuid)
        owner_cut = _drained(self.pending_owner_cut, netuid)
        earned = self.epochs.run(netuid, Alpha(servers + validators + root))
        if not any(grant.incentive for grant in earned):
            # Where no miner earned anything, validators get the miners' part too.
            validators = Alpha(validators + servers)
        self.payout.pay(netuid, earned, owner_cut=owner_cut, validators=validators, root=root)

    def pending_alpha(self, netuid: NetUid) -> Alpha:
        """All alpha of the subnet that waits for its next epoch, in rao."""
        return Alpha(
            self.pending_server_emission[netuid]
            + self.pending_validator_emission[netuid]
            + self.pending_root_alpha_divs[netuid]
            + self.pending_owner_cut[netuid]
        )

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all of a subnet; what was pending is lost with its alpha."""
        for item in (
            self.subnet_tao_in_emission,
            self.subnet_alpha_in_emission,
            self.subnet_alpha_out_emission,
            self.subnet_excess_tao,
            self.pending_server_emission,
            self.pending_validator_emission,
            self.pending_root_alpha_divs,
            self.pending_owner_cut,
        ):
            del item[netuid]

    @invariant
    def alpha_out_covers_stake_and_pending(self) -> None:
        """Alpha outside a pool is at least all stake, all pending pay and what the chain bought.

        The rest is what was burned, and what rounding left over.
        """
        for netuid in self.subnets.netuids():
            staked = self.payout.stakes.total_alpha_staked[netuid]
            bought = self.pools.subnet_protocol_alpha[netuid]
            owed = staked + self.pending_alpha(netuid) + bought
            assert owed <= self.pools.subnet_alpha_out[netuid], netuid


def _add(pending: BoundMap[NetUid, Alpha], netuid: NetUid, amount_rao: int) -> None:
    pending[netuid] = Alpha(pending[netuid] + amount_rao)


def _drained(pending: BoundMap[NetUid, Alpha], netuid: NetUid) -> Alpha:
    amount = pending[netuid]
    pending[netuid] = Alpha(0)
    return amount
