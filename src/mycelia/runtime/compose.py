"""The rules of a network, put together: which pallets, under which index, and what each gets from the others.

Start reading here: every call, event and storage item of the chain belongs to one class named in `COMPOSITION`.
"""

from __future__ import annotations

from typing import Final

from mycelia.frame import CallSpec, Pallet, State
from mycelia.pallets.aura import Aura
from mycelia.pallets.balances import Balances
from mycelia.pallets.commitments import Commitments
from mycelia.pallets.drand import Drand
from mycelia.pallets.network import Network
from mycelia.pallets.shield import MevShield
from mycelia.pallets.subtensor.children.families import Families
from mycelia.pallets.subtensor.children.pallet import Children
from mycelia.pallets.subtensor.commits.batches import Batches
from mycelia.pallets.subtensor.commits.pallet import Commits
from mycelia.pallets.subtensor.commits.timelock import Timelocks
from mycelia.pallets.subtensor.emission.pallet import Coinbase, Witness
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch import kernel_fast
from mycelia.pallets.subtensor.epoch.choice import Choice
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms
from mycelia.pallets.subtensor.epoch.pallet import Epochs
from mycelia.pallets.subtensor.epoch.results import Results
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.hyperparameters.admin import AdminUtils, Authority, SetParameters
from mycelia.pallets.subtensor.hyperparameters.owners import OwnerActions
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.info.older import OlderViews
from mycelia.pallets.subtensor.info.people import NeuronViews, StakeViews
from mycelia.pallets.subtensor.info.subnets import SubnetViews
from mycelia.pallets.subtensor.initials import Initials
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.registration.trimming import Trimming
from mycelia.pallets.subtensor.serving.pallet import Serving
from mycelia.pallets.subtensor.staking.fees import AlphaFees
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.pallet import Staking
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.creation import Creation
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.dissolution import Dissolution
from mycelia.pallets.subtensor.subnets.identities import Identities
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.limits import RateLimits
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.subtensor.weights.pallet import Weights
from mycelia.pallets.subtensor.weights.rows import Rows
from mycelia.pallets.sudo import Sudo
from mycelia.pallets.swap import Swap
from mycelia.pallets.system import System
from mycelia.pallets.timestamp import Timestamp
from mycelia.pallets.transaction_payment import TransactionPayment
from mycelia.pallets.utility import Utility
from mycelia.pallets.utility.pallet import Dispatcher
from mycelia.primitives import AccountId
from mycelia.runtime.absent import ABSENT
from mycelia.runtime.absent.declare import AbsentCall
from mycelia.runtime.composition import Composition
from mycelia.runtime.extrinsic import OpaqueExtrinsic, OpaqueScale

SUBTENSOR: Final[tuple[type[Pallet], ...]] = (
    Issuance,
    Hyperparameters,
    NetworkParameters,
    RateLimits,
    Subnets,
    Neurons,
    Pools,
    Stakes,
    Families,
    Results,
    Mechanisms,
    Rows,
    Schedule,
    Weights,
    Commits,
    Batches,
    Epochs,
    Timelocks,
    Prices,
    Payout,
    Coinbase,
    Children,
    Registration,
    Dissolution,
    Creation,
    AlphaFees,
    Staking,
    Serving,
    Trimming,
    Identities,
    SubnetViews,
    OlderViews,
    NeuronViews,
    StakeViews,
    Initials,
)
"""Parts of SubtensorModule, low to high: a part knows those before it."""

COMPOSITION: Final = Composition(
    (
        (0, (System,)),
        (2, (Timestamp,)),
        (3, (Aura,)),
        (5, (Balances,)),
        (6, (TransactionPayment,)),
        (7, SUBTENSOR),
        (11, (Utility,)),
        (12, (Sudo,)),
        (18, (Commitments,)),
        (19, (AdminUtils, OwnerActions, SetParameters)),
        (26, (Drand,)),
        (28, (Swap,)),
        (30, (MevShield,)),
        (64, (Network,)),
        (65, (Choice,)),
    ),
    ABSENT,
)
COMPOSITION.late[OpaqueExtrinsic] = OpaqueScale()


class _Unnamed:
    """Who made the block: nobody in particular, so fees that belong to the author are burned."""

    def author(self) -> AccountId | None:
        return None


class Pallets:
    """The pallets over one state; `parts` is the order in which their hooks run."""

    def __init__(
        self, state: State, *, dispatcher: Dispatcher, witness: Witness | None = None
    ) -> None:
        self.system = System(state)
        self.timestamp = Timestamp(state)
        self.aura = Aura(state)
        self.issuance = Issuance(state)
        self.balances = Balances(state, accounts=self.system, dust=self.issuance)
        self.sudo = Sudo(state, dispatcher=dispatcher)
        self.utility = Utility(state, dispatcher=dispatcher)
        self.rules = Network(state)
        self.drand = Drand(state)
        self.shield = MevShield(state, clock=self.system, authors=self.aura)
        self._compose_subnets(state)
        self._compose_epochs(state, witness)
        self._compose_people(state)
        self._compose_views(state)
        self.parts: tuple[Pallet, ...] = tuple(
            part for part in vars(self).values() if isinstance(part, Pallet)
        )
        self._owners = {id(spec): part for part in self.parts for spec in part.spec.calls}

    def _compose_subnets(self, state: State) -> None:
        clock = self.system
        self.parameters = Hyperparameters(state)
        self.network = NetworkParameters(state)
        self.limits = RateLimits(state, clock=clock)
        self.subnets = Subnets(
            state,
            clock=clock,
            parameters=self.parameters,
            network=self.network,
            rules=self.rules,
        )
        self.neurons = Neurons(state, clock=clock)
        self.custody = Custody(currency=self.balances, issuance=self.issuance, author=_Unnamed())
        self.pools = Pools(state, subnets=self.subnets, custody=self.custody)
        self.swap = Swap(state, pools=self.pools)
        self.market = Market(pools=self.pools, exchange=self.swap)
        self.stakes = Stakes(state, subnets=self.subnets, network=self.network, clock=clock)
        self.families = Families(
            state, stakes=self.stakes, parameters=self.parameters, network=self.network
        )

    def _compose_epochs(self, state: State, witness: Witness | None) -> None:
        clock = self.system
        self.mechanisms = Mechanisms(state, parameters=self.parameters)
        self.rows = Rows(state, mechanisms=self.mechanisms)
        self.schedule = Schedule(state, clock=clock, parameters=self.parameters, rules=self.rules)
        self.results = Results(state, mechanisms=self.mechanisms)
        self.weights = Weights(
            state,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            results=self.results,
            rows=self.rows,
            clock=clock,
        )
        self.commits = Commits(
            state, weights=self.weights, rows=self.rows, schedule=self.schedule, clock=clock
        )
        self.batches = Batches(
            state, weights=self.weights, commits=self.commits, failure_of=COMPOSITION.failure
        )
        self.authority = Authority(
            parameters=self.parameters,
            network=self.network,
            subnets=self.subnets,
            neurons=self.neurons,
            limits=self.limits,
            schedule=self.schedule,
            rules=self.rules,
        )
        self.choice = Choice(
            state, parameters=self.parameters, subnets=self.subnets, authority=self.authority
        )
        self.epochs = Epochs(
            state,
            clock=clock,
            parameters=self.parameters,
            network=self.network,
            mechanisms=self.mechanisms,
            results=self.results,
            schedule=self.schedule,
            choice=self.choice,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            weights=self.rows,
            kernel=kernel_fast.run_epoch,
        )
        self.timelocks = Timelocks(
            state,
            commits=self.commits,
            rows=self.rows,
            schedule=self.schedule,
            epochs=self.epochs,
            beacon=self.drand,
        )
        self.prices = Prices(
            state,
            clock=clock,
            network=self.network,
            subnets=self.subnets,
            pools=self.pools,
            exchange=self.swap,
        )
        self.payout = Payout(
            state,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            families=self.families,
            prices=self.prices,
        )
        self.coinbase = Coinbase(
            state,
            parameters=self.parameters,
            network=self.network,
            subnets=self.subnets,
            issuance=self.issuance,
            mint=self.balances,
            pools=self.pools,
            market=self.market,
            prices=self.prices,
            schedule=self.schedule,
            epochs=self.epochs,
            payout=self.payout,
            witness=witness,
        )
        self.children = Children(
            state,
            families=self.families,
            subnets=self.subnets,
            neurons=self.neurons,
            limits=self.limits,
            schedule=self.schedule,
            exchange=self.swap,
            clock=clock,
        )

    def _compose_people(self, state: State) -> None:
        clock = self.system
        self.serving = Serving(state, neurons=self.neurons, parameters=self.parameters, clock=clock)
        self.registration = Registration(
            state,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            market=self.market,
            custody=self.custody,
            results=self.results,
            rows=self.rows,
            endpoints=self.serving,
            clock=clock,
        )
        self.commitments = Commitments(
            state,
            clock=clock,
            members=self.neurons,
            epochs=self.schedule,
            bonds=self.epochs,
        )
        self.dissolution = Dissolution(
            state,
            subnets=self.subnets,
            coinbase=self.coinbase,
            custody=self.custody,
            removers=(
                self.stakes,
                self.families,
                self.coinbase,
                self.prices,
                self.payout,
                self.schedule,
                self.results,
                self.rows,
                self.mechanisms,
                self.serving,
                self.registration,
                self.neurons,
                self.commitments,
                self.swap,
                self.limits,
                self.choice,
            ),
            clock=clock,
        )
        self.creation = Creation(
            state,
            subnets=self.subnets,
            dissolution=self.dissolution,
            registration=self.registration,
            stakes=self.stakes,
            children=self.children,
            market=self.market,
            custody=self.custody,
            limits=self.limits,
            issuance=self.issuance,
            schedule=self.schedule,
            clock=clock,
        )
        self.staking = Staking(
            state,
            subnets=self.subnets,
            stakes=self.stakes,
            market=self.market,
            custody=self.custody,
            limits=self.limits,
        )
        self.alpha_fees = AlphaFees(
            state,
            subnets=self.subnets,
            stakes=self.stakes,
            market=self.market,
            custody=self.custody,
        )
        self.payment = TransactionPayment(
            state, currency=self.balances, sink=self.issuance, stake=self.alpha_fees
        )
        self.trimming = Trimming(
            state,
            registration=self.registration,
            mechanisms=self.mechanisms,
            rows=self.rows,
            serving=self.serving,
            payout=self.payout,
        )
        self.admin = AdminUtils(state, authority=self.authority)
        self.owner_actions = OwnerActions(
            state,
            authority=self.authority,
            trimming=self.trimming,
            mechanisms=self.mechanisms,
            results=self.results,
            rows=self.rows,
        )
        self.admin_parameters = SetParameters(state, authority=self.authority)

    def _compose_views(self, state: State) -> None:
        self.identities = Identities(state, neurons=self.neurons, stakes=self.stakes)
        self.subnet_views = SubnetViews(
            state,
            subnets=self.subnets,
            parameters=self.parameters,
            neurons=self.neurons,
            stakes=self.stakes,
            mechanisms=self.mechanisms,
            results=self.results,
            schedule=self.schedule,
            coinbase=self.coinbase,
            registration=self.registration,
            serving=self.serving,
            identities=self.identities,
            clock=self.system,
        )
        self.older_views = OlderViews(state, views=self.subnet_views, published=self.commitments)
        self.neuron_views = NeuronViews(
            state,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            results=self.results,
            rows=self.rows,
            serving=self.serving,
        )
        self.stake_views = StakeViews(
            state,
            subnets=self.subnets,
            parameters=self.parameters,
            neurons=self.neurons,
            stakes=self.stakes,
            results=self.results,
            payout=self.payout,
            exchange=self.swap,
        )

    def owner_of(self, spec: CallSpec) -> Pallet | None:
        """The pallet object that a call runs on; none for a call without rules."""
        return None if isinstance(spec, AbsentCall) else self._owners[id(spec)]


def build(state: State, *, dispatcher: Dispatcher, witness: Witness | None = None) -> Pallets:
    """All pallets over one state. `dispatcher` makes calls inside calls, `witness` sees epochs run."""
    return Pallets(state, dispatcher=dispatcher, witness=witness)
