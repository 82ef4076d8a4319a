"""Which subnets there are, who owns them and how they present themselves.

Terms: *start* - from then on the subnet's alpha trades and it earns emission; *mechanism* - how its
token is priced, 0 for one TAO per alpha (the root), 1 for a pool.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import U16, U64, Bytes
from mycelia.frame import (
    BadOrigin,
    Blake2_128Concat,
    Constant,
    Identity,
    Map,
    OptionalMap,
    Origin,
    Pallet,
    State,
    Value,
    call,
    ensure,
)
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.errors import (
    FirstEmissionBlockNumberAlreadySet,
    InvalidIdentity,
    NeedWaitingMoreBlocksToStarCall,
    NotSubnetOwner,
    SubnetNotExists,
    SymbolAlreadyInUse,
    SymbolDoesNotExist,
)
from mycelia.pallets.subtensor.events import (
    FirstEmissionBlockNumberSet,
    SubnetIdentityRemoved,
    SubnetIdentitySet,
    SubnetOwnerHotkeySet,
    SymbolUpdated,
)
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters, NetworkParameters
from mycelia.pallets.subtensor.needs import Choices, Clock
from mycelia.pallets.subtensor.subnets.symbols import DEFAULT_SYMBOL, SYMBOLS, free_symbol
from mycelia.pallets.subtensor.types import SubnetIdentityV3
from mycelia.primitives import AccountId, NetUid, Tao
from mycelia.primitives.ids import ROOT_NETUID

NOBODY: Final = AccountId(bytes(32))
POOL_MECHANISM: Final = U16(1)
ROOT_TEMPO: Final = U16(100)
FAST_TEMPO: Final = U16(10)
ROOT_SLOTS: Final = U16(64)
IDENTITY_LIMITS: Final = (256, 1024, 1024, 1024, 256, 1024, 1024, 1024)
"""Most bytes of each field of a subnet's identity, in order."""


class Subnets(Pallet, name="SubtensorModule"):
    """Which subnets there are, who owns them and how they present themselves."""

    initial_start_call_delay = Constant(
        U64, U64(0), doc="Blocks before a new subnet may be started, unless root changed it."
    )

    networks_added = Map[NetUid, bool](
        NetUid, bool, hasher=Identity, default=False, doc="Whether the subnet exists."
    )
    total_networks = Value(U16, default=U16(0), doc="Number of subnets, the root included.")
    subnet_owner = Map[NetUid, AccountId](
        NetUid, AccountId, hasher=Identity, default=NOBODY, doc="Coldkey that owns the subnet."
    )
    subnet_owner_hotkey = Map[NetUid, AccountId](
        NetUid, AccountId, hasher=Identity, default=NOBODY, doc="The owner's hotkey on the subnet."
    )
    network_registered_at = Map[NetUid, U64](
        NetUid, U64, hasher=Identity, default=U64(0), doc="Block at which the subnet was created."
    )
    registered_subnet_counter = Map[NetUid, U64](
        NetUid, U64, hasher=Identity, default=U64(0), doc="How often the netuid was given out."
    )
    first_emission_block_number = OptionalMap(
        NetUid, U64, hasher=Identity, doc="First block that pays the subnet, once it is started."
    )
    subnet_mechanism = Map[NetUid, U16](
        NetUid, U16, hasher=Identity, default=U16(0), doc="0: one TAO per alpha; 1: a pool."
    )
    subnet_locked = Map[NetUid, Tao](
        NetUid, Tao, hasher=Identity, default=Tao(0), doc="What was paid for the subnet, in rao."
    )
    token_symbol = Map[NetUid, bytes](
        NetUid, Bytes, hasher=Identity, default=DEFAULT_SYMBOL, doc="Symbol of the token, UTF-8."
    )
    subnet_identities_v3 = OptionalMap(
        NetUid,
        SubnetIdentityV3,
        hasher=Blake2_128Concat,
        doc="What the owner says of the subnet.",
        name="SubnetIdentitiesV3",
    )

    clock: Clock
    parameters: Hyperparameters
    network: NetworkParameters
    rules: Choices

    def __init__(
        self,
        state: State,
        *,
        clock: Clock,
        parameters: Hyperparameters,
        network: NetworkParameters,
        rules: Choices,
    ) -> None:
        super().__init__(state, clock=clock, parameters=parameters, network=network, rules=rules)

    def genesis(self, owner: AccountId = NOBODY, hotkey: AccountId = NOBODY) -> None:
        """Found the root network."""
        root = ROOT_NETUID
        if owner != NOBODY:
            self.subnet_owner[root], self.subnet_owner_hotkey[root] = owner, hotkey
        self.networks_added[root] = True
        self.total_networks = U16(1)
        self.token_symbol[root] = SYMBOLS[0]
        self.parameters.tempo[root] = ROOT_TEMPO
        self.parameters.max_allowed_uids[root] = ROOT_SLOTS
        self.parameters.max_allowed_validators[root] = ROOT_SLOTS
        self.parameters.min_allowed_weights[root] = U16(0)
        self.parameters.target_registrations_per_interval[root] = U16(1)
        self.parameters.subtoken_enabled[root] = True

    @call(
        index=92,
        weight=cost(364_000_000, 4_583),
        emits=(FirstEmissionBlockNumberSet,),
        fails=(
            SubnetNotExists,
            FirstEmissionBlockNumberAlreadySet,
            NeedWaitingMoreBlocksToStarCall,
        ),
    )
    def start_call(self, origin: Origin, netuid: NetUid) -> None:
        """Start a subnet: its alpha trades from now on and it earns from the next block. Its owner."""
        # CHECK
        self.check_exists(netuid)
        ensure(origin.signed() == self.subnet_owner[netuid], BadOrigin)
        ensure(netuid not in self.first_emission_block_number, FirstEmissionBlockNumberAlreadySet)
        now = self.clock.now()
        ready = self.network_registered_at[netuid] + self.network.start_call_delay
        ensure(now >= ready, NeedWaitingMoreBlocksToStarCall)
        # CHANGE
        self.first_emission_block_number[netuid] = U64(now + 1)
        self.parameters.subtoken_enabled[netuid] = True
        # TELL
        self.deposit(FirstEmissionBlockNumberSet(netuid, U64(now + 1)))

    @call(
        index=78,
        weight=cost(142_000_000, 4_060),
        emits=(SubnetIdentitySet,),
        fails=(NotSubnetOwner, InvalidIdentity),
    )
    def set_subnet_identity(
        self,
        origin: Origin,
        netuid: NetUid,
        subnet_name: Bytes,
        github_repo: Bytes,
        subnet_contact: Bytes,
        subnet_url: Bytes,
        discord: Bytes,
        description: Bytes,
        logo_url: Bytes,
        additional: Bytes,
    ) -> None:
        """Say what a subnet is. Its owner."""
        ensure(origin.signed() == self.subnet_owner[netuid], NotSubnetOwner)
        identity = SubnetIdentityV3(
            subnet_name,
            github_repo,
            subnet_contact,
            subnet_url,
            discord,
            description,
            logo_url,
            additional,
        )
        self.identify(netuid, identity)

    @call(
        index=112,
        weight=cost(228_000_000, 9_074),
        emits=(SymbolUpdated,),
        fails=(SubnetNotExists, SymbolDoesNotExist, SymbolAlreadyInUse),
    )
    def update_symbol(self, origin: Origin, netuid: NetUid, symbol: Bytes) -> None:
        """Give a subnet's token another symbol of the built-in table. Its owner, or root."""
        # CHECK
        if not origin.is_root:
            ensure(origin.signed() == self.subnet_owner[netuid], BadOrigin)
        ensure(symbol in SYMBOLS[1:], SymbolDoesNotExist)
        ensure(symbol not in self.token_symbol.values(), SymbolAlreadyInUse)
        self.check_exists(netuid)
        # CHANGE
        self.token_symbol[netuid] = symbol
        # TELL
        self.deposit(SymbolUpdated(netuid, symbol))

    def identify(self, netuid: NetUid, identity: SubnetIdentityV3) -> None:
        """Publish what a subnet is; `InvalidIdentity` where a text is too long. Tells it."""
        # CHECK
        texts = vars(identity).values()
        within = all(len(text) <= most for text, most in zip(texts, IDENTITY_LIMITS, strict=True))
        ensure(within, InvalidIdentity)
        # CHANGE
        self.subnet_identities_v3[netuid] = identity
        # TELL
        self.deposit(SubnetIdentitySet(netuid))

    def exists(self, netuid: NetUid) -> bool:
        return self.networks_added[netuid]

    def check_exists(self, netuid: NetUid) -> None:
        """`SubnetNotExists` without such a subnet."""
        ensure(self.networks_added[netuid], SubnetNotExists)

    def netuids(self) -> list[NetUid]:
        """All subnets, ascending by raw key: by the low byte of the netuid first."""
        return [netuid for netuid, added in self.networks_added.items() if added]

    def owner_of(self, netuid: NetUid) -> AccountId:
        return self.subnet_owner[netuid]

    def has_pool(self, netuid: NetUid) -> bool:
        """Whether the subnet's alpha has a price of its own; otherwise it is worth one TAO."""
        return self.subnet_mechanism[netuid] == POOL_MECHANISM

    def is_started(self, netuid: NetUid) -> bool:
        return self.parameters.subtoken_enabled[netuid]

    def is_paid(self, netuid: NetUid) -> bool:
        """Whether emission may flow to the subnet."""
        return netuid in self.first_emission_block_number

    def add(self, netuid: NetUid, owner: AccountId, hotkey: AccountId, price: Tao) -> None:
        """Enter a new subnet with a pool, at the parameters of a new one."""
        now = U64(self.clock.now())
        self.networks_added[netuid] = True
        self.total_networks = U16(self.total_networks + 1)
        self.network_registered_at[netuid] = now
        self.registered_subnet_counter[netuid] = U64(self.registered_subnet_counter[netuid] + 1)
        self.subnet_mechanism[netuid] = POOL_MECHANISM
        self.subnet_locked[netuid] = price
        self.subnet_owner[netuid] = owner
        self.token_symbol[netuid] = free_symbol(netuid, self.token_symbol.values())
        self._set_new_parameters(netuid)
        self.set_owner_hotkey(netuid, hotkey)

    def found(
        self, netuid: NetUid, owner: AccountId, *, tempo: U16, min_allowed_weights: U16
    ) -> None:
        """Enter a subnet with a pool that exists from the first block on."""
        self.networks_added[netuid] = True
        self.total_networks = U16(self.total_networks + 1)
        self.subnet_mechanism[netuid] = POOL_MECHANISM
        self.subnet_locked[netuid] = Tao(1)
        self.subnet_owner[netuid] = owner
        self.token_symbol[netuid] = SYMBOLS[netuid]
        chosen = self.parameters
        chosen.tempo[netuid] = tempo
        chosen.max_allowed_uids[netuid] = U16(256)
        chosen.max_allowed_validators[netuid] = U16(64)
        chosen.min_allowed_weights[netuid] = min_allowed_weights

    def set_owner_hotkey(self, netuid: NetUid, hotkey: AccountId) -> None:
        """Name the owner's hotkey on the subnet."""
        self.subnet_owner_hotkey[netuid] = hotkey
        self.deposit(SubnetOwnerHotkeySet(netuid, hotkey))

    def next_netuid(self) -> NetUid:
        """The lowest number no subnet has; the root's is never given out."""
        taken = frozenset(self.netuids())
        free = 1
        while free in taken:
            free += 1
        return NetUid(free)

    def remove_subnet(self, netuid: NetUid) -> None:
        """Strike a subnet off; how often its number was given out stays known."""
        had_identity = netuid in self.subnet_identities_v3
        for item in (
            self.networks_added,
            self.subnet_owner,
            self.subnet_owner_hotkey,
            self.network_registered_at,
            self.first_emission_block_number,
            self.subnet_mechanism,
            self.subnet_locked,
            self.token_symbol,
            self.subnet_identities_v3,
        ):
            del item[netuid]
        self.total_networks = U16(self.total_networks - 1)
        self.parameters.remove_subnet(netuid)
        if had_identity:
            self.deposit(SubnetIdentityRemoved(netuid))

    def _set_new_parameters(self, netuid: NetUid) -> None:
        new = self.parameters
        new.tempo[netuid] = FAST_TEMPO if self.rules.is_fast() else new.tempo[netuid]
        new.kappa[netuid] = new.kappa[netuid]
        new.activity_cutoff[netuid] = new.activity_cutoff[netuid]
        new.max_allowed_uids[netuid] = U16(256)
        new.max_allowed_validators[netuid] = U16(64)
        new.min_allowed_weights[netuid] = U16(1)
        new.immunity_period[netuid] = U16(5000)
        new.network_registration_allowed[netuid] = True
