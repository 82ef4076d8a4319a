"""What neurons publish about themselves: small signed data per subnet, such as the digest of a model.

Terms: *space* - bytes an account may publish within one epoch of the subnet; every commitment counts for at least 100.
Source: subtensor@14bc6f9 `pallets/commitments/src/lib.rs`.
Differs: no timelocked commitments, see `types`.
"""

from __future__ import annotations

from typing import Final, Protocol

from mycelia.codec import U32, U64, Bytes, scale
from mycelia.frame import (
    Constant,
    Error,
    Event,
    Identity,
    OptionalDoubleMap,
    Origin,
    Pallet,
    State,
    Twox64Concat,
    Value,
    Weight,
    call,
    ensure,
)
from mycelia.pallets.commitments.types import (
    MAX_FIELDS,
    CommitmentInfo,
    Registration,
    UsageTracker,
)
from mycelia.primitives import AccountId, BlockNumber, NetUid, Tao

LEAST_SPACE_BYTES: Final = 100
_HASHERS: Final = (
    Identity,
    Twox64Concat,
)  # netuids and registered accounts: neither is free to choose


class Clock(Protocol):
    """Counts blocks."""

    def now(self) -> BlockNumber: ...


class Members(Protocol):
    """Who is in a subnet."""

    def has(self, netuid: NetUid, hotkey: AccountId) -> bool: ...


class Epochs(Protocol):
    """Counts epochs."""

    def index_of(self, netuid: NetUid) -> int: ...


class Bonds(Protocol):
    """What validators own of a neuron."""

    def reset_on(self, netuid: NetUid, hotkey: AccountId) -> None:
        """Drop all bonds on it, where the subnet lets neurons ask for that."""


class Commitment(Event, index=0):
    """A commitment was made."""

    netuid: NetUid
    who: AccountId


class TooManyFieldsInCommitmentInfo(Error, index=0):
    """Account passed too many additional fields to their commitment"""  # noqa: D400  # clients match it


class AccountNotAllowedCommit(Error, index=1):
    """Account is not allowed to make commitments to the chain"""  # noqa: D400  # clients match it


class SpaceLimitExceeded(Error, index=2):
    """Space Limit Exceeded for the current interval"""  # noqa: D400  # clients match it


class Commitments(Pallet, name="Commitments"):
    """What neurons publish about themselves."""

    events = (Commitment,)
    errors = (TooManyFieldsInCommitmentInfo, AccountNotAllowedCommit, SpaceLimitExceeded)

    max_fields = Constant(U32, U32(MAX_FIELDS), doc="Most fields of one commitment.")
    initial_deposit = Constant(Tao, Tao(0), doc="Deposit of a commitment, in rao.")
    field_deposit = Constant(Tao, Tao(0), doc="Deposit of each further field, in rao.")

    commitment_of = OptionalDoubleMap(
        NetUid, AccountId, Registration, hashers=_HASHERS, doc="What a hotkey published last."
    )
    last_commitment = OptionalDoubleMap(
        NetUid, AccountId, BlockNumber, hashers=_HASHERS, doc="Block of the last commitment."
    )
    last_bonds_reset = OptionalDoubleMap(
        NetUid,
        AccountId,
        BlockNumber,
        hashers=_HASHERS,
        doc="Block of the last wish to reset bonds.",
    )
    revealed_commitments = OptionalDoubleMap(
        NetUid,
        AccountId,
        tuple[tuple[Bytes, U64], ...],
        hashers=_HASHERS,
        doc="Revealed data with the block of each reveal.",
    )
    used_space_of = OptionalDoubleMap(
        NetUid, AccountId, UsageTracker, hashers=_HASHERS, doc="Space used within the epoch."
    )
    max_space = Value(U32, default=U32(3_100), doc="Bytes one account may publish in an epoch.")

    clock: Clock
    members: Members
    epochs: Epochs
    bonds: Bonds

    def __init__(
        self, state: State, *, clock: Clock, members: Members, epochs: Epochs, bonds: Bonds
    ) -> None:
        super().__init__(state, clock=clock, members=members, epochs=epochs, bonds=bonds)

    @call(
        index=0,
        weight=Weight(U64(33_480_000)),
        emits=(Commitment,),
        fails=(AccountNotAllowedCommit, TooManyFieldsInCommitmentInfo, SpaceLimitExceeded),
        pays=False,
    )
    def set_commitment(self, origin: Origin, netuid: NetUid, info: CommitmentInfo) -> None:
        """Publish data, in place of what was published before. A hotkey of the subnet."""
        # CHECK
        who, now = origin.signed(), self.clock.now()
        ensure(self.members.has(netuid, who), AccountNotAllowedCommit)
        ensure(len(info.fields) <= MAX_FIELDS, TooManyFieldsInCommitmentInfo)
        epoch, used = self.epochs.index_of(netuid), self.used_space_of[netuid, who]
        spent = used.used_space if used is not None and used.last_epoch == epoch else 0
        spent += max(LEAST_SPACE_BYTES, sum(len(field.content) for field in info.fields))
        ensure(spent <= self.max_space, SpaceLimitExceeded)
        # CHANGE
        self.used_space_of[netuid, who] = UsageTracker(U64(epoch), U64(spent))
        self.commitment_of[netuid, who] = Registration(Tao(0), U32(now), info)
        self.last_commitment[netuid, who] = now
        if any(field.resets_bonds for field in info.fields):
            self.last_bonds_reset[netuid, who] = now
            self.bonds.reset_on(netuid, who)
        # TELL
        self.deposit(Commitment(netuid, who))

    @call(index=2, weight=Weight(U64(2_856_000)))
    def set_max_space(self, origin: Origin, new_limit: U32) -> None:
        """Change how much may be published in an epoch. Root."""
        origin.root()
        self.max_space = new_limit

    def encoded_of(self, netuid: NetUid) -> list[tuple[AccountId, bytes]]:
        """What the hotkeys of a subnet published last, as bytes."""
        codec = scale(Registration)
        return [(who, codec.encode(made)) for who, made in self.commitment_of.under(netuid) if made]

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget all of a subnet."""
        for item in (
            self.commitment_of,
            self.last_commitment,
            self.last_bonds_reset,
            self.revealed_commitments,
            self.used_space_of,
        ):
            item.clear(netuid)
