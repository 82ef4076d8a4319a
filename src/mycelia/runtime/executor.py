"""The chain as a function: a state and an extrinsic give a state and events.

An extrinsic runs in two layers. Outside: nonce and fee, which stay whatever happens. Inside: the call, whose changes
and events are undone when it fails. Invalid extrinsics raise `InvalidTransaction` before anything changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from mycelia.codec import U32, U64
from mycelia.codec.scale import Tuple
from mycelia.crypto import verify
from mycelia.frame import NONE, Call, Origin, State, ViewSpec
from mycelia.frame import dispatch as d
from mycelia.frame.state import Journal
from mycelia.pallets.subtensor.emission.pallet import Witness
from mycelia.pallets.system.limits import MAX_EXTRINSIC
from mycelia.pallets.system.pallet import ExtrinsicFailed, ExtrinsicSuccess
from mycelia.pallets.system.types import (
    ApplyExtrinsic,
    Digest,
    Finalization,
    Initialization,
    RuntimeVersion,
)
from mycelia.primitives import AccountId, DispatchError, InvalidBlock, Tao
from mycelia.primitives.errors import (
    BadSignature,
    CannotPay,
    FutureNonce,
    MalformedTransaction,
    StaleNonce,
)
from mycelia.runtime.absent import ABSENT_APIS
from mycelia.runtime.admission import admit, count_free
from mycelia.runtime.apis import ApiNotFound, CoreApis, absent_views, bound_views
from mycelia.runtime.compose import COMPOSITION, Pallets, build
from mycelia.runtime.cost import TooHeavy, dispatch_info, pays, weight_of
from mycelia.runtime.eventlog import EVENT_LOG, EVENTS_KEY
from mycelia.runtime.extrinsic import (
    INHERENTS,
    Extrinsic,
    SigningContext,
    bare_extrinsic,
    decode_extrinsic,
    signing_payload,
)
from mycelia.runtime.genesis import FAST_CONSTANTS, GenesisConfig, apply_genesis
from mycelia.runtime.metadata import Metadata
from mycelia.runtime.rules import Rules
from mycelia.runtime.version import SPEC_VERSION, TRANSACTION_VERSION, with_apis

_IMMORTAL: Final = 2**63
"""Longevity of an extrinsic that never expires, in blocks."""


@dataclass(frozen=True)
class Validity:
    """What the pool needs to know of a valid extrinsic.

    Units: `priority` rao of tip; `longevity` blocks it stays valid, the newest included.
    """

    sender: AccountId
    nonce: int
    account_nonce: int
    priority: int
    longevity: int


class Runtime:
    """All rules over one state. Cheap to make: metadata and codecs are shared by all runtimes."""

    def __init__(
        self, journal: Journal, rules: Rules | None = None, *, witness: Witness | None = None
    ) -> None:
        self.state = State(journal)
        self.rules = rules or Rules()
        self.pallets: Pallets = build(self.state, dispatcher=self, witness=witness)
        self._applied = 0

    # --- reading ---

    @property
    def version(self) -> RuntimeVersion:
        """Which rules these are, and which APIs they publish."""
        return _version()

    def metadata(self, version: int) -> bytes:
        """Metadata 14 or 15, with magic; `ValueError` for others."""
        found = metadata(self.rules)
        if version not in (14, 15):
            raise ValueError(f"metadata {version} is not published; 14 and 15 are.")
        return found.v14 if version == 14 else found.v15

    def call_api(self, name: str, data: bytes) -> bytes:
        """Run a runtime API, `Api_method`, on SCALE arguments; `ApiNotFound` or `DecodeError`."""
        spec, function = self._apis.get(name, (None, None))
        if spec is None or function is None:
            raise ApiNotFound(name)
        codec = Tuple(*(COMPOSITION.codec(hint) for _, hint in spec.arguments))
        with self.state.read_only():
            result = function(*codec.decode(data))
        return COMPOSITION.codec(spec.output).encode(result)

    @cached_property
    def _apis(self) -> Mapping[str, tuple[ViewSpec, Callable[..., Any]]]:
        core = CoreApis(self, self.pallets.payment)
        return {**absent_views(ABSENT_APIS), **bound_views((core, *self.pallets.parts))}

    def next_nonce(self, who: AccountId) -> int:
        """The next nonce of an account at this state, the pool not counted."""
        return self.pallets.system.nonce_of(who)

    # --- extrinsics ---

    def decode(self, raw: bytes) -> Extrinsic:
        """Read an extrinsic; `InvalidTransaction` when it is none."""
        return decode_extrinsic(raw, COMPOSITION.call_scale)

    def verify(self, xt: Extrinsic, genesis_hash: bytes, era_hash: bytes) -> None:
        """Check the signature; `BadSignature` when it is not the signer's. `era_hash` is of the era's birth block."""
        if xt.signer is None:
            raise MalformedTransaction("Inherents are made by the block's author, not submitted.")
        context = SigningContext(SPEC_VERSION, TRANSACTION_VERSION, genesis_hash, era_hash)
        if not verify(signing_payload(xt, context), xt.signature, xt.signer, xt.scheme):
            raise BadSignature

    @staticmethod
    def free_calls(xt: Extrinsic) -> int:
        """How many calls an extrinsic asks for that nobody pays for; the operator's orders don't count."""
        return count_free(xt.call)

    def check(self, xt: Extrinsic, height: int) -> Validity:
        """Check against this state whether the pool may take it, for the block of `height` or a later one.

        A nonce ahead of the account's is fine. The state may be that before the block, or that of the open block.
        """
        if xt.signer is None:
            raise MalformedTransaction("Inherents are made by the block's author, not submitted.")
        expected, _ = self._judged(xt, xt.signer)
        admit(self.pallets, xt, xt.signer, height)
        # An era that is over can't be seen here: the same phase comes round again. The signature covers the
        # hash of the block it began with, so `verify` refuses it, and the pool drops it after `longevity`.
        longevity = xt.era.death(height) - height + 1 if xt.era.period else _IMMORTAL
        return Validity(xt.signer, xt.nonce, expected, xt.tip, longevity)

    def _judged(self, xt: Extrinsic, signer: AccountId) -> tuple[int, Tao]:
        """The account's nonce, which the extrinsic's is not below, and the fee, which the account can pay."""
        expected = self.pallets.system.nonce_of(signer)
        if xt.nonce < expected:
            raise StaleNonce(expected, xt.nonce)
        call = xt.call
        self.pallets.shield.vet(call)
        weight = weight_of(call)
        if weight.ref_time > MAX_EXTRINSIC.ref_time and call.pallet != "Sudo":
            raise TooHeavy
        fee = self.pallets.payment.total_fee(weight, len(xt.raw)) if pays(call) else Tao(0)
        if not self.pallets.payment.can_pay(signer, call, Tao(fee + xt.tip)):
            raise CannotPay
        return expected, fee

    # --- blocks ---

    def genesis(self, config: GenesisConfig) -> None:
        """Lay the first state."""
        self.state.phase = Initialization()
        apply_genesis(self.pallets, config, self.rules)
        self._close_events()

    def begin(self, height: int, parent_hash: bytes, digest: Digest | None = None) -> None:
        """Open a block: its facts, then the pallets' hooks in order."""
        self.state.told.clear()
        self.state.phase, self._applied = Initialization(), 0
        self.pallets.system.begin_block(height, parent_hash, digest or Digest())
        for part in self.pallets.parts:
            part.on_initialize()

    def apply(self, xt: Extrinsic) -> bool:
        """Apply an extrinsic; whether its call succeeded. `InvalidTransaction` leaves everything as it was."""
        self.state.phase = ApplyExtrinsic(U32(self._applied))
        signer = xt.signer
        succeeded = self._apply_bare(xt) if signer is None else self._apply_signed(xt, signer)
        self._applied += 1
        return succeeded

    def _apply_bare(self, xt: Extrinsic) -> bool:
        try:
            with self.state.transaction():
                self._make(xt.call, NONE)
        except DispatchError as error:
            raise InvalidBlock(f"Inherent {xt.call} failed: {type(error).__name__}.") from error
        self._tell_end(xt, None)
        return True

    def _apply_signed(self, xt: Extrinsic, signer: AccountId) -> bool:
        expected, fee = self._judged(xt, signer)
        if xt.nonce > expected:
            raise FutureNonce(expected, xt.nonce)
        self.pallets.system.use_nonce(signer)
        self.pallets.payment.charge(signer, xt.call, Tao(fee + xt.tip))
        failure: DispatchError | None = None
        try:
            with self.state.transaction():
                self._make(xt.call, Origin(signer))
        except DispatchError as error:
            failure = error
        self.pallets.payment.tell(signer, fee, xt.tip)
        self._tell_end(xt, failure)
        return failure is None

    def dispatch(self, call: Call, origin: Origin) -> d.Outcome:
        """Make a call inside a call, all or nothing."""
        try:
            self.perform(call, origin)
        except DispatchError as error:
            return d.Failed(COMPOSITION.failure(error))
        return d.Succeeded()

    def perform(self, call: Call, origin: Origin) -> None:
        """Make a call inside a call, all or nothing; raises its `DispatchError`."""
        with self.state.transaction():
            self._make(call, origin)

    def _make(self, call: Call, origin: Origin) -> None:
        call.spec.function(self.pallets.owner_of(call.spec), origin, **call.args)

    def _tell_end(self, xt: Extrinsic, failure: DispatchError | None) -> None:
        info = dispatch_info(xt.call, is_inherent=xt.signer is None)
        event = (
            ExtrinsicSuccess(info)
            if failure is None
            else ExtrinsicFailed(COMPOSITION.failure(failure), info)
        )
        self.state.deposit("System", event)

    def end(self) -> None:
        """Close a block: the pallets' hooks, then the event log."""
        self.state.phase = Finalization()
        for part in self.pallets.parts:
            part.on_finalize()
        self._close_events()

    def _close_events(self) -> None:
        log = tuple(self.state.told)
        self.pallets.system.event_count = U32(len(log))
        self.state.put(EVENTS_KEY, log, EVENT_LOG)

    def inherent(self, now_ms: int) -> bytes:
        """The first extrinsic of a block: its time."""
        call = COMPOSITION.call_scale.build("Timestamp", "set", now=U64(now_ms))
        return bare_extrinsic(call, COMPOSITION.call_scale)

    def announcement(self, public_key: bytes) -> bytes:
        """The second extrinsic of a block whose author takes secret extrinsics: the key to encrypt them for."""
        call = COMPOSITION.call_scale.build("MevShield", "announce_next_key", enc_key=public_key)
        return bare_extrinsic(call, COMPOSITION.call_scale)

    @staticmethod
    def inherent_name(index: int) -> str | None:
        """The call that may stand unsigned at a place of a block."""
        return INHERENTS[index] if index < len(INHERENTS) else None


@cache
def metadata(rules: Rules) -> Metadata:
    """The metadata of a network; built on first use, the same for every state."""
    constants = {
        ("Aura", "SlotDuration"): rules.slot_ms,
        ("System", "Version"): _version(),
        **(FAST_CONSTANTS if rules.is_fast else {}),
    }
    return Metadata(COMPOSITION, _views(), constants)


def _views() -> tuple[ViewSpec, ...]:
    """Every runtime API method that is published."""
    return (*CoreApis.specs(), *COMPOSITION.views(), *ABSENT_APIS)


@cache
def _version() -> RuntimeVersion:
    return with_apis(spec.api for spec in _views())
