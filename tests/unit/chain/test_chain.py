"""The border: what a proposal may hold, when it is executed, and that replay gives the same roots."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mycelia.chain import Block, Budget, Chain, Proposal, copy_genesis, open_chain, replay
from mycelia.codec import H256
from mycelia.primitives import AccountId, Bug, InvalidBlock, InvalidTransaction
from mycelia.primitives.errors import AncientBirth, BadSignature
from mycelia.runtime import GenesisConfig, Rules
from mycelia.state import MemoryStore
from mycelia.testing.blocks import ALICE, BOB, DAVE, SLOT_MS, grow, new_chain, transfer


def free(chain: Chain, account: AccountId) -> int:
    return int(chain.runtime.pallets.system.free_of(account))


def test_a_block_holds_its_time_and_what_was_prepared() -> None:
    chain = new_chain()
    first, second = transfer(chain, ALICE, 0), transfer(chain, ALICE, 1)
    proposal = chain.prepare([first, second], SLOT_MS)
    block = chain.finalize(proposal)
    assert block.extrinsics[1:] == (first, second)
    assert chain.height == 0
    assert chain.commit() == block
    assert (chain.height, chain.head_hash) == (1, block.hash)
    assert free(chain, DAVE.account) == 2 * 10**9


def test_candidates_that_may_not_be_included_are_left_out() -> None:
    chain = new_chain()
    good, gap, garbage = transfer(chain, ALICE, 0), transfer(chain, ALICE, 2), b"\x10junk"
    proposal = chain.prepare([garbage, gap, good], SLOT_MS)
    assert proposal.extrinsics[1:] == (good,)


def test_the_budget_bounds_count_and_bytes() -> None:
    chain = new_chain()
    several = [transfer(chain, ALICE, nonce) for nonce in range(4)]
    assert len(chain.prepare(several, SLOT_MS, Budget(extrinsics=2)).extrinsics) == 3
    room = 20 + 2 * len(several[0])
    assert len(chain.prepare(several, SLOT_MS, Budget(size_bytes=room)).extrinsics) == 3


def test_what_is_not_committed_leaves_no_trace() -> None:
    chain = new_chain()
    chain.finalize(chain.prepare([transfer(chain, ALICE, 0)], SLOT_MS))
    chain.discard()
    assert chain.next_nonce(ALICE.account) == 0
    assert free(chain, DAVE.account) == 0
    with pytest.raises(Bug):
        chain.commit()


def test_a_proposal_from_elsewhere_gives_the_same_block() -> None:
    proposer, other = new_chain(), new_chain()
    proposal = proposer.prepare([transfer(proposer, ALICE, 0)], SLOT_MS)
    other.process(proposal)
    assert other.finalize(proposal) == proposer.finalize(proposal)


def test_a_decided_proposal_replaces_one_that_was_drafted() -> None:
    chain, other = new_chain(), new_chain()
    chain.prepare([transfer(chain, ALICE, 0)], SLOT_MS)
    decided = other.prepare([transfer(other, BOB, 0)], SLOT_MS)
    assert chain.finalize(decided) == other.finalize(decided)


@pytest.mark.parametrize("fault", ["height", "parent", "no time", "signature", "nonce", "slot"])
def test_a_bad_proposal_is_refused_and_changes_nothing(fault: str) -> None:
    chain, source = new_chain(), new_chain()
    good = source.prepare([transfer(source, ALICE, 0)], SLOT_MS)
    time, paid = good.extrinsics
    bad = {
        "height": replace(good, height=7),
        "parent": replace(good, parent_hash=bytes(32)),
        "no time": replace(good, extrinsics=(paid,)),
        "signature": replace(good, extrinsics=(time, paid[:40] + b"\xff" + paid[41:])),
        "nonce": replace(good, extrinsics=(time, paid, paid)),
        "slot": replace(good, slot=good.slot + 1),
    }[fault]
    with pytest.raises(InvalidBlock):
        chain.process(bad)
    assert chain.next_nonce(ALICE.account) == 0
    chain.finalize(good)
    chain.commit()


def test_time_never_goes_back() -> None:
    chain = new_chain()
    grow(chain, blocks=2)
    with pytest.raises(InvalidBlock):
        chain.prepare([], chain.now_ms())
    assert chain.prepare([], chain.now_ms() + 1).height == 3


def test_replay_reaches_the_same_head() -> None:
    chain = new_chain()
    grow(chain, transfer(chain, ALICE, 0), transfer(chain, BOB, 0), blocks=5)
    copy = copy_genesis(chain.history, MemoryStore())
    assert replay(chain.history, copy) == 5
    assert copy.head == chain.head


def test_replay_names_the_first_block_that_differs() -> None:
    chain = new_chain()
    grow(chain, transfer(chain, ALICE, 0))
    real = chain.history.block_at(1)
    assert real is not None
    lie = Block(replace(real.header, state_root=H256(b"\7" * 32)), real.extrinsics)
    copy = copy_genesis(chain.history, MemoryStore())
    with pytest.raises(InvalidBlock, match="state_root"):
        copy.import_block(lie)
    assert copy.height == 0
    copy.import_block(real)
    assert copy.head_hash == chain.head_hash


def test_a_tampered_genesis_is_no_genesis_of_this_chain() -> None:
    chain = new_chain()

    class Tampered(type(chain.history)):  # type: ignore[misc]  # a class made of an instance's
        def genesis_state(self) -> dict[bytes, bytes]:
            state = super().genesis_state()
            key = next(iter(state))
            return {**state, key: state[key] + b"\0"}

    with pytest.raises(InvalidBlock):
        copy_genesis(Tampered(chain.store), MemoryStore())


def test_an_opened_store_keeps_what_it_began_with() -> None:
    store = MemoryStore()
    chain = new_chain(store)
    grow(chain, transfer(chain, ALICE, 0))
    again = open_chain(store, GenesisConfig(), Rules(slot_ms=77))
    assert again.head == chain.head
    assert again.slot_ms == SLOT_MS
    grow(again, transfer(again, ALICE, 1))


def test_networks_with_other_balances_have_other_names() -> None:
    other = open_chain(MemoryStore(), GenesisConfig(sudo=ALICE.account), Rules(slot_ms=SLOT_MS))
    assert other.genesis_hash != new_chain().genesis_hash


def test_a_network_begun_with_other_metadata_has_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = new_chain()
    monkeypatch.setattr("mycelia.runtime.Runtime.metadata", lambda *_: b"changed")
    after = new_chain()
    assert after.genesis_hash != before.genesis_hash
    assert after.head.state_root == before.head.state_root


def test_refused_candidates_leave_no_trace_in_the_root() -> None:
    chain = new_chain()
    good = [transfer(chain, ALICE, nonce) for nonce in range(3)]
    refused = [transfer(chain, BOB, 9), good[0], transfer(chain, DAVE, 0)]
    grow(chain, refused[0], refused[2], good[0], refused[1], good[1], good[2])
    block = chain.history.block_at(1)
    assert block is not None
    assert list(block.extrinsics[1:]) == good
    copy = copy_genesis(chain.history, MemoryStore())
    assert replay(chain.history, copy) == 1
    assert copy.head == chain.head


def test_a_signature_is_verified_once_and_not_again() -> None:
    chain = new_chain()
    raw = transfer(chain, ALICE, 0)
    forged = raw[:40] + bytes([raw[40] ^ 1]) + raw[41:]
    with pytest.raises(BadSignature):
        chain.check(forged)
    xt, _ = chain.check(forged, verified_for=1)
    draft = chain.draft(SLOT_MS)
    draft.add(xt)  # our own RPC process vouched for it


def test_a_mortal_extrinsic_dies_with_its_era() -> None:
    chain = new_chain()
    grow(chain, blocks=3)
    born = chain.history.hash_at(3)
    raw = transfer(chain, ALICE, 0, era={"period": 4, "current": 3}, era_hash=born)
    xt, validity = chain.check(raw)
    assert validity.longevity == 4
    grow(chain, blocks=2)
    chain.draft(chain.now_ms() + 1).add(xt)  # for height 6; it dies with 7
    grow(chain, blocks=1)
    with pytest.raises(AncientBirth):
        chain.draft(chain.now_ms() + 1).add(xt)


def test_an_era_that_ended_since_its_signature_was_verified_is_over() -> None:
    """The RPC process may hear of a block later than it submits for it; no block may hold what nobody can verify."""
    chain = new_chain()
    grow(chain, blocks=3)
    era = {"era": {"period": 4, "current": 3}, "era_hash": chain.history.hash_at(3)}
    raw = transfer(chain, ALICE, 0, **era)
    grow(chain, blocks=2)
    chain.check(raw, verified_for=4)  # two blocks behind, and its era goes on
    grow(chain, blocks=1)
    with pytest.raises(AncientBirth):
        chain.check(raw, verified_for=6)


def test_an_era_born_at_an_unknown_block_is_ancient() -> None:
    chain = new_chain()
    raw = transfer(chain, ALICE, 0, era={"period": 64, "current": 33}, era_hash=bytes(32))
    with pytest.raises(AncientBirth):
        chain.check(raw)


def test_an_extrinsic_that_breaks_a_rule_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = new_chain()
    xt, _ = chain.check(transfer(chain, ALICE, 0))
    draft = chain.draft(SLOT_MS)

    def breaks(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(chain.runtime, "_make", breaks)
        with pytest.raises(ZeroDivisionError):
            draft.add(xt)
    assert chain.next_nonce(ALICE.account) == 0
    block = chain.finalize(draft.finish())
    assert len(block.extrinsics) == 1


def test_unsigned_extrinsics_may_not_wait() -> None:
    chain = new_chain()
    with pytest.raises(InvalidTransaction):
        chain.check(chain.runtime.inherent(5))


def test_history_answers_for_every_height_and_hash() -> None:
    chain = new_chain()
    raw = transfer(chain, ALICE, 0)
    grow(chain, raw, blocks=3)
    history = chain.history
    block = history.block_at(1)
    assert block is not None
    assert block.extrinsics[1] == raw
    assert history.height_of(block.hash) == 1
    assert history.hash_at(1) == block.hash
    assert history.header_at(2).parent_hash == block.hash  # type: ignore[union-attr]
    assert history.genesis_hash() == history.hash_at(0)
    for height in (-1, 4, 2**40):
        assert history.hash_at(height) is None
        assert history.block_at(height) is None
    assert history.height_of(bytes(32)) is None


def test_an_empty_proposal_is_refused() -> None:
    chain = new_chain()
    with pytest.raises(InvalidBlock):
        chain.process(Proposal(1, chain.head_hash, 1, ()))


@pytest.mark.parametrize("places", ["TT", "KT", "TSK", "S", "ST", "TST"])
def test_what_the_author_says_stands_once_and_in_its_place(places: str) -> None:
    """T is the time, K the author's key, S a signed extrinsic."""
    chain = new_chain()
    said = {
        "T": chain.runtime.inherent(SLOT_MS),
        "K": chain.runtime.announcement(bytes(1_184)),
        "S": transfer(chain, ALICE, 0),
    }
    proposal = Proposal(1, chain.head_hash, 1, tuple(said[kind] for kind in places))
    with pytest.raises(InvalidBlock, match="Expected extrinsic"):
        chain.process(proposal)
    chain.process(replace(proposal, extrinsics=(said["T"], said["S"])))
