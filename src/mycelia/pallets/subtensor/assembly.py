"""SubtensorModule put together: every part with the parts it needs, low to high.

The order is that of `PARTS`: hooks run in it, and a part knows only those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Final

from mycelia.frame import Pallet, State
from mycelia.pallets.subtensor.emission.pallet import Coinbase, Mint
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch.pallet import Epochs
from mycelia.pallets.subtensor.epoch.results import Results
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.hyperparameters.admin import AdminUtils, Authority, SetParameters
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.info.people import NeuronViews, StakeViews
from mycelia.pallets.subtensor.info.subnets import SubnetViews
from mycelia.pallets.subtensor.needs import Author, Clock, Currency, Exchange
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.serving.pallet import Serving
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.pallet import Staking
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.creation import Creation
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.identities import Identities
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.limits import RateLimits
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.weights.pallet import Weights
from mycelia.pallets.subtensor.weights.rows import Rows

PARTS: Final[tuple[type[Pallet], ...]] = (
    Issuance,
    Hyperparameters,
    NetworkParameters,
    RateLimits,
    Subnets,
    Pools,
    Stakes,
    Neurons,
    Rows,
    Results,
    Schedule,
    Serving,
    Staking,
    Registration,
    Prices,
    Epochs,
    Payout,
    Coinbase,
    Creation,
    Weights,
    Identities,
    SubnetViews,
    NeuronViews,
    StakeViews,
)
ADMIN_PARTS: Final[tuple[type[Pallet], ...]] = (SetParameters, AdminUtils)


@dataclass(frozen=True)
class Subtensor:
    """The parts of SubtensorModule in the order of `PARTS`."""

    issuance: Issuance
    parameters: Hyperparameters
    network: NetworkParameters
    limits: RateLimits
    subnets: Subnets
    pools: Pools
    stakes: Stakes
    neurons: Neurons
    rows: Rows
    results: Results
    schedule: Schedule
    serving: Serving
    staking: Staking
    registration: Registration
    prices: Prices
    epochs: Epochs
    payout: Payout
    coinbase: Coinbase
    creation: Creation
    weights: Weights
    identities: Identities
    subnet_views: SubnetViews
    neuron_views: NeuronViews
    stake_views: StakeViews

    def __iter__(self) -> Iterator[Pallet]:
        return (getattr(self, field.name) for field in fields(self))

    def admin_utils(self) -> tuple[Pallet, ...]:
        """AdminUtils, which acts on these parts, in the order of `ADMIN_PARTS`."""
        authority = Authority(
            parameters=self.parameters,
            network=self.network,
            subnets=self.subnets,
            neurons=self.neurons,
            limits=self.limits,
            schedule=self.schedule,
        )
        state = self.issuance.state
        return (
            SetParameters(state, authority=authority),
            AdminUtils(state, authority=authority),
        )


def assemble(
    issuance: Issuance,
    *,
    clock: Clock,
    currency: Currency,
    mint: Mint,
    author: Author,
    exchange_over: Callable[[Pools], Exchange],
) -> Subtensor:
    """All parts over the state of `issuance`, which is made first: what moves balances tells it of dust.

    `exchange_over` makes the exchange that quotes trades against the pools.
    """
    state: State = issuance.state
    parameters, network = Hyperparameters(state), NetworkParameters(state)
    limits = RateLimits(state, clock=clock)
    subnets = Subnets(state, clock=clock, parameters=parameters, network=network)
    custody = Custody(currency=currency, issuance=issuance, author=author)
    pools = Pools(state, subnets=subnets, custody=custody)
    exchange = exchange_over(pools)
    market = Market(pools=pools, exchange=exchange)
    stakes = Stakes(state, subnets=subnets, network=network, clock=clock)
    neurons, rows, results = Neurons(state, clock=clock), Rows(state), Results(state)
    schedule = Schedule(state, clock=clock, parameters=parameters)
    serving = Serving(state, neurons=neurons, parameters=parameters, clock=clock)
    staking = Staking(
        state, subnets=subnets, stakes=stakes, market=market, custody=custody, limits=limits
    )
    registration = Registration(
        state,
        subnets=subnets,
        neurons=neurons,
        stakes=stakes,
        market=market,
        custody=custody,
        results=results,
        rows=rows,
        endpoints=serving,
        clock=clock,
    )
    prices = Prices(
        state, clock=clock, network=network, subnets=subnets, pools=pools, exchange=exchange
    )
    epochs = Epochs(
        state,
        clock=clock,
        parameters=parameters,
        network=network,
        results=results,
        schedule=schedule,
        subnets=subnets,
        neurons=neurons,
        stakes=stakes,
        weights=rows,
    )
    payout = Payout(state, subnets=subnets, neurons=neurons, stakes=stakes, prices=prices)
    coinbase = Coinbase(
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
    )
    identities = Identities(state, neurons=neurons, stakes=stakes)
    return Subtensor(
        issuance=issuance,
        parameters=parameters,
        network=network,
        limits=limits,
        subnets=subnets,
        pools=pools,
        stakes=stakes,
        neurons=neurons,
        rows=rows,
        results=results,
        schedule=schedule,
        serving=serving,
        staking=staking,
        registration=registration,
        prices=prices,
        epochs=epochs,
        payout=payout,
        coinbase=coinbase,
        creation=Creation(
            state,
            subnets=subnets,
            registration=registration,
            stakes=stakes,
            market=market,
            custody=custody,
            limits=limits,
            issuance=issuance,
            schedule=schedule,
            clock=clock,
        ),
        weights=Weights(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            results=results,
            rows=rows,
            clock=clock,
        ),
        identities=identities,
        subnet_views=SubnetViews(
            state,
            subnets=subnets,
            parameters=parameters,
            neurons=neurons,
            stakes=stakes,
            results=results,
            schedule=schedule,
            coinbase=coinbase,
            registration=registration,
            serving=serving,
            identities=identities,
            clock=clock,
        ),
        neuron_views=NeuronViews(
            state,
            subnets=subnets,
            neurons=neurons,
            stakes=stakes,
            results=results,
            rows=rows,
            serving=serving,
        ),
        stake_views=StakeViews(
            state,
            subnets=subnets,
            parameters=parameters,
            neurons=neurons,
            stakes=stakes,
            results=results,
            payout=payout,
            exchange=exchange,
        ),
    )
