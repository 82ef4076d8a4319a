"""When epochs run: each subnet's own clock.

With modular epochs an epoch is due where height and netuid say so; otherwise see below.

A subnet's epoch is due `tempo` blocks after the last slot it used, or at a block its owner chose.
Few epochs fit into one block, so due ones beyond the limit wait for the next. A slot is used up even
where the epoch could not run; what was pending then waits for the next one.

Source: subtensor@14bc6f9 `coinbase/run_coinbase.rs::should_run_epoch, drain_pending`,
`coinbase/tempo_control.rs`.
"""

from __future__ import annotations

from mycelia.codec import U8, U64
from mycelia.frame import Event, Identity, Map, Pallet, State, Value
from mycelia.pallets.subtensor.hyperparameters.table import MAX_TEMPO, Hyperparameters
from mycelia.pallets.subtensor.needs import Choices, Clock
from mycelia.primitives import NetUid


class EpochDeferred(Event, index=132):
    """A due epoch was put off because its block was full."""

    netuid: NetUid
    from_block: U64
    to_block: U64


class EpochSkipped(Event, index=133):
    """A due epoch could not run; its slot is used up."""

    netuid: NetUid
    block: U64


def blocks_to_modular_epoch(netuid: int, tempo_blocks: int, height: int) -> int:
    """Blocks until the height and the netuid alone call for an epoch; 0 in the block that they do.

    Source: subtensor v3.3.12-391 `coinbase/run_coinbase.rs::blocks_until_next_epoch`.
    """
    return tempo_blocks - (height + netuid + 1) % (tempo_blocks + 1)


class Schedule(Pallet, name="SubtensorModule"):
    """When each subnet's epochs ran and will run."""

    events = (EpochDeferred, EpochSkipped)

    # Identity: netuids are handed out by the chain.
    last_epoch_block = Map[NetUid, U64](
        NetUid,
        U64,
        hasher=Identity,
        default=U64(0),
        doc="Block of the last slot for an epoch, whether it ran or not.",
    )
    pending_epoch_at = Map[NetUid, U64](
        NetUid,
        U64,
        hasher=Identity,
        default=U64(0),
        doc="Block from which an epoch runs out of turn; 0 for none.",
    )
    subnet_epoch_index = Map[NetUid, U64](
        NetUid, U64, hasher=Identity, default=U64(0), doc="Number of slots used so far."
    )
    blocks_since_last_step = Map[NetUid, U64](
        NetUid, U64, hasher=Identity, default=U64(0), doc="Blocks since an epoch last ran."
    )
    last_mechansim_step_block = Map[NetUid, U64](
        NetUid, U64, hasher=Identity, default=U64(0), doc="Block at which an epoch last ran."
    )
    max_epochs_per_block = Value[U8](
        U8, default=U8(2), doc="How many epochs one block runs at most."
    )

    clock: Clock
    parameters: Hyperparameters
    rules: Choices

    def __init__(
        self, state: State, *, clock: Clock, parameters: Hyperparameters, rules: Choices
    ) -> None:
        super().__init__(state, clock=clock, parameters=parameters, rules=rules)

    def is_due(self, netuid: NetUid) -> bool:
        """Whether the subnet's epoch should run in this block."""
        now, tempo = self.clock.now(), self.parameters.tempo[netuid]
        if tempo == 0:
            return False
        asked_for = self.pending_epoch_at[netuid]
        if self.rules.has_modular_epochs():
            return 0 < asked_for <= now or blocks_to_modular_epoch(netuid, tempo, now) == 0
        return (
            0 < asked_for <= now
            or self.blocks_since_last_step[netuid] > MAX_TEMPO
            or now - self.last_epoch_block[netuid] >= tempo
        )

    def next_epoch_start(self, netuid: NetUid) -> int | None:
        """The block at which the next epoch is expected; None where none runs."""
        tempo = self.parameters.tempo[netuid]
        if tempo == 0:
            return None
        now = self.clock.now()
        if self.rules.has_modular_epochs():
            return now + blocks_to_modular_epoch(netuid, tempo, now)
        regular = self.last_epoch_block[netuid] + tempo
        asked_for = self.pending_epoch_at[netuid]
        return min(regular, asked_for) if asked_for else regular

    def blocks_until_epoch(self, netuid: NetUid) -> int | None:
        """Blocks until the next regular epoch; 0 when one was asked for; None where none runs."""
        tempo = self.parameters.tempo[netuid]
        if tempo == 0:
            return None
        now = self.clock.now()
        if self.rules.has_modular_epochs():
            return blocks_to_modular_epoch(netuid, tempo, now)
        if self.pending_epoch_at[netuid]:
            return 0
        return max(0, self.last_epoch_block[netuid] + tempo - now)

    def index_of(self, netuid: NetUid) -> int:
        """How many epochs the subnet has had."""
        return self.subnet_epoch_index[netuid]

    def commit_epoch(self, netuid: NetUid) -> int:
        """The epoch that a commit in this block belongs to: one that is due has begun.

        Source: subnets/weights.rs::current_epoch_with_lookahead
        """
        if self.rules.has_modular_epochs():
            return (self.clock.now() + netuid + 1) // (self.parameters.tempo[netuid] + 1)
        return self.subnet_epoch_index[netuid] + self.is_due(netuid)

    def begin(self, netuid: NetUid) -> None:
        """Start the clock of a new subnet, set apart from the others' by its netuid."""
        apart = netuid % max(1, self.parameters.tempo[netuid])
        self.last_epoch_block[netuid] = U64(max(0, self.clock.now() - apart))

    def restart(self, netuid: NetUid) -> None:
        """Begin a full tempo now: when the tempo changes."""
        self.last_epoch_block[netuid] = U64(self.clock.now())

    def tick(self, netuid: NetUid) -> None:
        """Count this block."""
        self.blocks_since_last_step[netuid] = U64(self.blocks_since_last_step[netuid] + 1)

    def defer(self, netuid: NetUid) -> None:
        """Put a due epoch off by one block."""
        now = self.clock.now()
        self.pending_epoch_at[netuid] = U64(now + 1)
        self.deposit(EpochDeferred(netuid, U64(now), U64(now + 1)))

    def use_slot(self, netuid: NetUid, *, ran: bool) -> None:
        """Count the slot; where the epoch could not run, say so."""
        now = U64(self.clock.now())
        if ran:
            self.blocks_since_last_step[netuid] = U64(0)
        else:
            self.deposit(EpochSkipped(netuid, now))
        self.last_epoch_block[netuid] = now
        self.pending_epoch_at[netuid] = U64(0)
        self.subnet_epoch_index[netuid] = U64(self.subnet_epoch_index[netuid] + 1)

    def ran(self, netuid: NetUid) -> None:
        """Note, once all is paid, that an epoch ran: bonds on later registrations will not count."""
        self.last_mechansim_step_block[netuid] = U64(self.clock.now())

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all of a subnet."""
        del self.last_epoch_block[netuid], self.pending_epoch_at[netuid]
        del self.subnet_epoch_index[netuid], self.blocks_since_last_step[netuid]
        del self.last_mechansim_step_block[netuid]
