"""A chain without calls: all parts below emission over one state in memory, driven block by block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mycelia.codec import U16, U64
from mycelia.frame import Pallet, State
from mycelia.pallets.balances import Balances
from mycelia.pallets.network import Network
from mycelia.pallets.subtensor.children.families import Families
from mycelia.pallets.subtensor.emission.pallet import Coinbase, Witness
from mycelia.pallets.subtensor.emission.payout import Payout
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms
from mycelia.pallets.subtensor.epoch.pallet import Epochs
from mycelia.pallets.subtensor.epoch.results import Results, storage_index
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.epoch.types import SparseRow
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.market import Market
from mycelia.pallets.subtensor.staking.pools import Pools
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.custody import Custody
from mycelia.pallets.subtensor.subnets.issuance import Issuance
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.pallets.swap.pallet import Swap
from mycelia.pallets.system import System
from mycelia.pallets.system.types import Digest
from mycelia.primitives import AccountId, Alpha, NetUid, Tao, Uid
from mycelia.primitives.ids import ROOT_NETUID
from mycelia.state import MemoryStore, Overlay

TAO = 10**9
OWNER = AccountId(b"o" * 32)
OWNER_HOTKEY = AccountId(b"O" * 32)
COLDKEY = AccountId(b"c" * 32)


def hotkey_of(number: int) -> AccountId:
    return AccountId(bytes([number]) * 32)


class Nobody:
    """No block has a known author."""

    def author(self) -> AccountId | None:
        return None


@dataclass
class Uncorrected:
    """No subnet corrects its Yuma 3."""

    mycelia_on: Mapping[NetUid, bool] = field(default_factory=lambda: defaultdict(bool))


@dataclass
class Opinions:
    """The weights that validators set, per storage index."""

    of: dict[int, dict[int, SparseRow]] = field(default_factory=dict)

    def rows(self, index: int) -> Mapping[int, SparseRow]:
        return self.of.get(index, {})

    def earliest_commits(self, index: int, *, from_epoch: int) -> Mapping[AccountId, int]:
        return {}


class World:
    """All parts that emission stands on, and emission."""

    def __init__(self, store: MemoryStore | None = None, witness: Witness | None = None) -> None:
        self.store = store or MemoryStore()
        self.overlay = Overlay(self.store.head())
        self.state = state = State(self.overlay)
        self.system = System(state)
        self.issuance = Issuance(state)
        self.balances = Balances(state, accounts=self.system, dust=self.issuance)
        self.parameters = Hyperparameters(state)
        self.network = NetworkParameters(state)
        rules = Network(state)
        self.subnets = Subnets(
            state,
            clock=self.system,
            parameters=self.parameters,
            network=self.network,
            rules=rules,
        )
        self.neurons = Neurons(state, clock=self.system)
        custody = Custody(currency=self.balances, issuance=self.issuance, author=Nobody())
        self.pools = Pools(state, subnets=self.subnets, custody=custody)
        self.swap = Swap(state, pools=self.pools)
        self.stakes = Stakes(state, subnets=self.subnets, network=self.network, clock=self.system)
        self.mechanisms = Mechanisms(state, parameters=self.parameters)
        self.results = Results(state, mechanisms=self.mechanisms)
        self.schedule = Schedule(state, clock=self.system, parameters=self.parameters, rules=rules)
        self.weights = Opinions()
        self.epochs = Epochs(
            state,
            clock=self.system,
            parameters=self.parameters,
            network=self.network,
            mechanisms=self.mechanisms,
            results=self.results,
            schedule=self.schedule,
            choice=Uncorrected(),
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            weights=self.weights,
        )
        self.prices = Prices(
            state,
            clock=self.system,
            network=self.network,
            subnets=self.subnets,
            pools=self.pools,
            exchange=self.swap,
        )
        families = Families(
            state, stakes=self.stakes, parameters=self.parameters, network=self.network
        )
        self.payout = Payout(
            state,
            subnets=self.subnets,
            neurons=self.neurons,
            stakes=self.stakes,
            families=families,
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
            market=Market(pools=self.pools, exchange=self.swap),
            prices=self.prices,
            schedule=self.schedule,
            epochs=self.epochs,
            payout=self.payout,
            witness=witness,
        )
        if store is None:
            self.subnets.genesis()

    def commit(self) -> None:
        """Store all changes so far, as a block does."""
        changes = self.overlay.drain()
        self.store.commit(self.overlay.height + 1, changes, {}, {})
        self.overlay.rebase(self.store.head())

    def add_subnet(self, *, tempo: int = 10, tao: int = 1_000 * TAO, alpha: int = 0) -> NetUid:
        """A started subnet with a pool, its owner as uid 0; price 1 unless alpha is given."""
        netuid = self.subnets.next_netuid()
        self.subnets.add(netuid, OWNER, OWNER_HOTKEY, Tao(tao))
        self.parameters.tempo[netuid] = U16(tempo)
        self.endow(subnet_account(netuid), tao)
        self.pools.open(netuid, Tao(tao), Alpha(alpha or tao))
        self.stakes.claim(OWNER, OWNER_HOTKEY)
        self.register(netuid, OWNER_HOTKEY)
        self.schedule.restart(netuid)
        self.subnets.first_emission_block_number[netuid] = U64(self.system.now() + 1)
        self.parameters.subtoken_enabled[netuid] = True
        return netuid

    def endow(self, who: AccountId, tao: int) -> None:
        """Bring TAO into existence."""
        self.balances.credit(who, Tao(tao))
        self.issuance.minted(Tao(tao))

    def register(self, netuid: NetUid, hotkey: AccountId, coldkey: AccountId = COLDKEY) -> Uid:
        """Give a hotkey the next uid."""
        self.stakes.claim(coldkey, hotkey)
        self.results.append_neuron(netuid, self.system.now())
        return self.neurons.append(netuid, hotkey)

    def stake(
        self, netuid: NetUid, hotkey: AccountId, alpha: int, coldkey: AccountId = COLDKEY
    ) -> None:
        """Give a coldkey stake behind a hotkey out of nothing."""
        self.pools.issue(netuid, Alpha(alpha))
        self.stakes.increase(hotkey, coldkey, netuid, Alpha(alpha))

    def stake_on_root(self, hotkey: AccountId, tao: int) -> None:
        """Stake new TAO on the root."""
        self.endow(subnet_account(ROOT_NETUID), tao)
        self.pools.inject(ROOT_NETUID, Tao(tao), Alpha(0))
        self.stake(ROOT_NETUID, hotkey, tao)

    def set_weights(
        self, netuid: NetUid, uid: Uid, weights: dict[int, int], mechanism: int = 0
    ) -> None:
        """As the call does."""
        index = storage_index(netuid, mechanism)
        self.weights.of.setdefault(index, {})[uid] = tuple(sorted(weights.items()))
        self.results.set_last_update(index, uid, self.system.now())

    def next_blocks(self, count: int = 1) -> None:
        """Build empty blocks and check every law after each."""
        for _ in range(count):
            height = self.system.now() + 1
            self.begin_block(height)
            self.check()

    def begin_block(self, height: int) -> None:
        """Start a block without checking anything."""
        self.system.begin_block(height, bytes(32), Digest(()))
        self.coinbase.on_initialize()

    def parts(self) -> list[Pallet]:
        return [part for part in vars(self).values() if isinstance(part, Pallet)]

    def check(self) -> None:
        """All invariants of all parts, and the one that spans two pallets."""
        for part in self.parts():
            for law in part.spec.invariants:
                law(part)
        assert self.issuance.total_issuance == self.balances.total_issuance

    def told(self, event: type) -> list[object]:
        """The events of a kind so far."""
        return [told.event for told in self.state.told if isinstance(told.event, event)]


def mined_subnet(world: World, *, tempo: int = 10) -> NetUid:
    """Validator 1 (uid 1) with stake, miners 2 and 3 (uids 2, 3), a permit, and weights 3 to 1."""
    netuid = world.add_subnet(tempo=tempo)
    for number in (1, 2, 3):
        world.register(netuid, hotkey_of(number))
    world.stake(netuid, hotkey_of(1), 100 * TAO)
    world.next_blocks(tempo)
    world.set_weights(netuid, Uid(1), {2: 65_535, 3: 21_845})
    return netuid
