"""The border between an engine, which decides what comes next, and the runtime, which decides what that means.

Shaped like ABCI 2.0, so that one engine can embed it and another can drive it over a socket:

    check      may this extrinsic wait for a block?
    prepare    make a proposal of what waits            (the proposer only)
    process    is this proposal acceptable?             (everyone; executes it)
    finalize   the proposal is decided: what block is it?
    commit     make the block durable and stand on it

Execution happens once per proposal: `finalize` takes over what `prepare` or `process` has executed. Between two commits
everything lives in the overlay and can be dropped. One caller at a time; nothing here waits or runs in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mycelia.chain.free_calls import FreeCalls
from mycelia.chain.header import (
    ZERO_HASH,
    Block,
    Header,
    extrinsics_root,
    slot_digest,
    slot_of,
)
from mycelia.chain.history import History, genesis_records, record_keys_of, records_of
from mycelia.codec import H256, U32
from mycelia.crypto import blake2_256
from mycelia.pallets.system.types import Digest, Other
from mycelia.primitives import AccountId, Bug, InvalidBlock, InvalidTransaction
from mycelia.primitives.errors import AncientBirth, MalformedTransaction
from mycelia.runtime import Extrinsic, GenesisConfig, Rules, Runtime, Validity
from mycelia.state import Accumulators, Overlay, Store, values_before

_REMEMBERED: Final = 65_536
"""Signatures remembered as verified; what is forgotten is verified again."""


@dataclass(frozen=True)
class Budget:
    """How much a proposal may hold. `time_ms` is the proposer's own: how long it may take to make."""

    extrinsics: int = 16_384
    size_bytes: int = 5 * 1024 * 1024
    time_ms: int = 2_000


@dataclass(frozen=True)
class Proposal:
    """A block before it is executed. The first extrinsic is the timestamp, which the proposer chose."""

    height: int
    parent_hash: bytes
    slot: int
    extrinsics: tuple[bytes, ...]


@dataclass(frozen=True)
class _Executed:
    """What became of a proposal: everything that `commit` writes."""

    proposal: Proposal
    block: Block
    changes: dict[bytes, bytes | None]
    accumulators: dict[bytes, bytes]


class Draft:
    """A proposal in the making: extrinsics are executed as they are added, so that only what fits gets in."""

    def __init__(
        self, chain: Chain, now_ms: int, budget: Budget, shield_key: bytes | None = None
    ) -> None:
        self._chain = chain
        self._budget = budget
        self.slot = now_ms // chain.slot_ms
        self._raw: list[bytes] = []
        self.size_bytes = 0
        chain.begin_block(self.slot)
        self._append(chain.runtime.decode(chain.runtime.inherent(now_ms)))
        if shield_key is not None:
            self._append(chain.runtime.decode(chain.runtime.announcement(shield_key)))

    def __len__(self) -> int:
        """How many extrinsics it holds, the time included."""
        return len(self._raw)

    @property
    def is_full(self) -> bool:
        """Whether the budget is used up."""
        return (
            len(self._raw) > self._budget.extrinsics or self.size_bytes >= self._budget.size_bytes
        )

    def fits(self, size_bytes: int) -> bool:
        """Whether an extrinsic of this size may still be added."""
        return not self.is_full and self.size_bytes + size_bytes <= self._budget.size_bytes

    def add(self, xt: Extrinsic) -> None:
        """Execute an extrinsic and take it in; raises `InvalidTransaction` if it may not be included."""
        if xt.signer is None:
            raise MalformedTransaction("Inherents are made by the block's author, not submitted.")
        self._chain.require_signature(xt)
        self._append(xt)

    def finish(self) -> Proposal:
        """End the block; `Chain.finalize` of the result executes nothing again."""
        return self._chain.end_block(self.slot, tuple(self._raw))

    def _append(self, xt: Extrinsic) -> None:
        # A rule that breaks instead of refusing must leave no trace either.
        with self._chain.runtime.state.transaction():
            self._chain.runtime.apply(xt)
        self._raw.append(xt.raw)
        self.size_bytes += len(xt.raw)


class Chain:
    """The state machine of one network on one store."""

    def __init__(self, store: Store) -> None:
        """Stand on a store that holds at least its genesis; see `open_chain`."""
        self.store = store
        self.history = History(store)
        self.genesis_hash = self.history.genesis_hash()
        self._stand()
        self.slot_ms = self.runtime.rules.slot_ms

    def _stand(self) -> None:
        """Stand on the store's head, with nothing remembered of another."""
        self._overlay = Overlay(self.store.head())
        self._accumulators = Accumulators(self.store.accumulators())
        self._executed: _Executed | None = None
        self._verified: dict[bytes, int] = {}
        self._free_calls = FreeCalls()
        self.runtime = Runtime(self._overlay, self.history.rules())
        self.head = self.history.head()
        self.head_hash = self.head.hash()

    @property
    def height(self) -> int:
        return self.head.number

    def check(self, raw: bytes, *, verified_for: int | None = None) -> tuple[Extrinsic, Validity]:
        """Decode and judge an extrinsic against the state as it is; raises `InvalidTransaction`.

        A nonce beyond the account's next is fine here: the pool holds it back. `verified_for` is the height for which
        our own RPC process has verified the signature.
        """
        xt = self.runtime.decode(raw)
        if verified_for is not None:
            self.vouch(xt, verified_for)
        self.require_signature(xt)
        # What is outdated is refused by its nonce. Anybody may send it again, so it must not count against its signer.
        calls = self.runtime.free_calls(xt)
        if calls and xt.signer is not None and xt.nonce >= self.next_nonce(xt.signer):
            self._free_calls.use(xt.signer, calls)
        return xt, self.runtime.check(xt, self.height + 1)

    def now_ms(self) -> int:
        """Time of the newest block in the state as it is, an unfinished draft included."""
        return self.runtime.pallets.timestamp.now

    def has_author(self) -> bool:
        """Whether the state names who may author, so that an author's key has an owner."""
        return self.runtime.pallets.aura.author_in(0) is not None

    def next_nonce(self, who: AccountId) -> int:
        """The account's nonce in the state as it is, an unfinished draft included."""
        return self.runtime.next_nonce(who)

    def draft(
        self, now_ms: int, budget: Budget | None = None, *, shield_key: bytes | None = None
    ) -> Draft:
        """Begin a proposal step by step, for an engine that has other things to do in between.

        What was drafted before and not committed is dropped. `now_ms` must lie after the parent's. With `shield_key`
        the proposer announces the public key for which it opens secret extrinsics.
        """
        return Draft(self, now_ms, budget or Budget(), shield_key)

    def prepare(
        self, candidates: Iterable[bytes], now_ms: int, budget: Budget | None = None
    ) -> Proposal:
        """Make a proposal of those candidates that can be included, in their order."""
        draft = self.draft(now_ms, budget)
        for raw in candidates:
            if not draft.fits(len(raw)):
                continue
            try:
                draft.add(self.runtime.decode(raw))
            except InvalidTransaction:
                continue
        return draft.finish()

    def process(self, proposal: Proposal) -> None:
        """Execute a proposal; raises `InvalidBlock` if it must not be decided."""
        if self._executed is not None and self._executed.proposal == proposal:
            return
        expected = (self.head.number + 1, self.head_hash)
        if (proposal.height, proposal.parent_hash) != expected:
            raise InvalidBlock(
                f"Expected height {expected[0]} on 0x{expected[1].hex()}, found height "
                f"{proposal.height} on 0x{proposal.parent_hash.hex()}."
            )
        try:
            self.begin_block(proposal.slot)
            self._execute(proposal)
            self.end_block(proposal.slot, proposal.extrinsics)
        except BaseException:
            self.discard()
            raise

    def finalize(self, proposal: Proposal) -> Block:
        """The block that a decided proposal is; the state root stands in its header."""
        self.process(proposal)
        if self._executed is None:
            raise Bug("`process` returned without a result, but it ends by setting one.")
        return self._executed.block

    def commit(self) -> Block:
        """Write the finalized block in one durable transaction and stand on it."""
        done = self._executed
        if done is None:
            raise Bug("The engine commits only after `finalize`, which leaves a result.")
        block = done.block
        self.store.commit(block.height, done.changes, done.accumulators, records_of(block))
        self._overlay.rebase(self.store.head())
        self._accumulators.adopt(done.accumulators)
        self._executed = None
        self._free_calls.forget()
        self.head, self.head_hash = block.header, block.hash
        return block

    def rewind(self, height: int) -> None:
        """Make an earlier block the head again, and forget those after it. For development networks.

        Raises:
            UnknownHeight, StateDiscarded: the state of that block is not there; nothing has changed.
        """
        self.discard()
        gone: list[bytes] = []
        for later in range(height + 1, self.height + 1):
            hash_ = self.history.hash_at(later)
            if hash_ is not None:
                gone.extend(record_keys_of(later, hash_))
        self.store.rewind(height, gone)
        self.history.forget()
        self._stand()

    def discard(self) -> None:
        """Drop what was drafted, processed or finalized and not committed."""
        self._executed = None
        self._overlay.discard()

    def import_block(self, block: Block) -> None:
        """Execute a block from elsewhere, compare its header with ours, and commit it.

        Raises:
            InvalidBlock: it is not what our rules make of its extrinsics; nothing has changed.
        """
        slot = slot_of(block.header.digest)
        proposal = Proposal(
            block.height, bytes(block.header.parent_hash), slot, tuple(block.extrinsics)
        )
        found = self.finalize(proposal)
        if found.header != block.header:
            self.discard()
            raise InvalidBlock(_difference(block.header, found.header))
        self.commit()

    def vouch(self, xt: Extrinsic, height: int) -> None:
        """Take an extrinsic's signature as verified for a block of `height`: our own RPC process has done it.

        It may have been some blocks behind, and a mortal extrinsic's era may be over since.
        """
        if len(self._verified) >= _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[xt.hash] = xt.era.birth(height)

    def require_signature(self, xt: Extrinsic) -> None:
        """Verify an extrinsic's signature for the next block, once; raises `InvalidTransaction`."""
        verified_birth = self._verified.get(xt.hash)
        if verified_birth is None:
            verify_signature(self.runtime, self.history, xt, self.height + 1)
            self.vouch(xt, self.height + 1)
        elif verified_birth != xt.era.birth(self.height + 1):
            # What was signed named another block: the era is over.
            raise AncientBirth

    def begin_block(self, slot: int) -> None:
        """Open the next block, dropping one that was open. For `Draft`."""
        self.discard()
        self.runtime.begin(self.head.number + 1, self.head_hash, slot_digest(slot))

    def _execute(self, proposal: Proposal) -> None:
        """Apply a proposal's extrinsics: what the author says first, unsigned, then signed ones only."""
        for index, raw in enumerate(proposal.extrinsics):
            try:
                xt = self.runtime.decode(raw)
                self._require_place(xt, index)
                self.require_signature(xt)
                self.runtime.apply(xt)
            except InvalidTransaction as cause:
                raise InvalidBlock(
                    f"Extrinsic {index} of block {proposal.height} is invalid: {cause.detail}."
                ) from cause
        slot = self.now_ms() // self.slot_ms
        if slot != proposal.slot or not proposal.extrinsics:
            raise InvalidBlock(
                f"Expected the slot of the block's time, {slot}, found {proposal.slot}."
            )

    def _require_place(self, xt: Extrinsic, index: int) -> None:
        """`InvalidBlock` for an unsigned extrinsic out of its place, or a signed one in that of the time."""
        inherent = self.runtime.inherent_name(index)
        if xt.signer is None and str(xt.call) != inherent:
            kind = inherent or "signed"
            raise InvalidBlock(f"Expected extrinsic {index} to be {kind}, found {xt.call}.")
        if xt.signer is not None and index == 0:
            raise InvalidBlock(f"Expected extrinsic 0 to be {inherent}, found {xt.call}.")

    def end_block(self, slot: int, extrinsics: tuple[bytes, ...]) -> Proposal:
        """Close the open block and keep its result for `finalize`. For `Draft`."""
        self.runtime.end()
        changes = self._overlay.drain()
        updated = self._accumulators.update(changes, values_before(self._overlay.view, changes))
        header = Header(
            H256(self.head_hash),
            U32(self.head.number + 1),
            H256(self._accumulators.root(updated)),
            extrinsics_root(extrinsics),
            slot_digest(slot),
        )
        proposal = Proposal(header.number, self.head_hash, slot, extrinsics)
        self._executed = _Executed(proposal, Block(header, extrinsics), changes, updated)
        return proposal


def open_chain(store: Store, genesis: GenesisConfig, rules: Rules | None = None) -> Chain:
    """The chain on a store; an empty store gets block 0 first, another keeps what it began with.

    Block 0 names the metadata it began with: clients cache metadata by genesis hash and version, so
    a network begun by a changed program must have another hash.
    """
    if store.head().height < 0:
        rules = rules or Rules()
        overlay = Overlay(store.head())
        runtime = Runtime(overlay, rules)
        runtime.genesis(genesis)
        metadata = blake2_256(runtime.metadata(15))
        _write_genesis(store, overlay.drain(), rules, Digest((Other(metadata),)))
    return Chain(store)


def copy_genesis(source: History, store: Store) -> Chain:
    """A chain on an empty store with the block 0 of another, to replay the rest on it.

    Raises:
        InvalidBlock: the recorded state of block 0 doesn't have the root that its header says.
    """
    first = source.header_at(0)
    if first is None:
        raise InvalidBlock("Block 0 is not recorded; without it nothing can be replayed.")
    _write_genesis(store, source.genesis_state(), source.rules(), first.digest)
    chain = Chain(store)
    if chain.genesis_hash != source.genesis_hash():
        expected = source.genesis_hash().hex()
        raise InvalidBlock(f"Expected block 0x{expected}, found 0x{chain.genesis_hash.hex()}.")
    return chain


def _write_genesis(
    store: Store, state: Mapping[bytes, bytes | None], rules: Rules, digest: Digest
) -> None:
    sums = Accumulators({})
    updated = sums.update(state, dict.fromkeys(state))
    root, body = H256(sums.root(updated)), extrinsics_root(())
    block = Block(Header(H256(ZERO_HASH), U32(0), root, body, digest), ())
    store.commit(0, state, updated, {**records_of(block), **genesis_records(state, rules)})


def verify_signature(runtime: Runtime, history: History, xt: Extrinsic, height: int) -> None:
    """Verify what an extrinsic's signature covers, if it is to be included at `height` of this chain.

    Raises:
        InvalidTransaction: the signature is not the signer's, or the era began at no block of this chain.
    """
    if xt.signer is None:
        return
    era_hash = history.hash_at(xt.era.birth(height))
    if era_hash is None:
        raise AncientBirth
    runtime.verify(xt, history.genesis_hash(), era_hash)


def replay(source: History, target: Chain, on_block: Callable[[int], None] | None = None) -> int:
    """Import every block of `source` above the target's head; returns the height reached.

    Raises:
        InvalidBlock: a block does not give the recorded header; the target stands before it.
    """
    for height in range(target.height + 1, source.height() + 1):
        block = source.block_at(height)
        if block is None:
            raise InvalidBlock(f"Block {height} is not recorded, though {source.height()} is.")
        target.import_block(block)
        if on_block is not None:
            on_block(height)
    return target.height


def _difference(expected: Header, found: Header) -> str:
    names = ("parent_hash", "state_root", "extrinsics_root", "digest")
    for name in names:
        left, right = getattr(expected, name), getattr(found, name)
        if left != right:
            shown = [f"0x{v.hex()}" if isinstance(v, bytes) else repr(v) for v in (left, right)]
            return f"Block {expected.number}: expected {name} {shown[0]}, found {shown[1]}."
    return f"Block {expected.number}: headers differ in number, found {found.number}."
