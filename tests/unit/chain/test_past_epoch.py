"""What an epoch paid, explained afterwards from the store: to the last rao, and only where there was one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mycelia.chain import CannotExplain, PastEpoch, past_epoch
from mycelia.cli.explain import lines
from mycelia.frame import State
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.primitives import AppError, NetUid, Uid
from mycelia.rpc.methods.explain import explain
from mycelia.runtime import Runtime
from mycelia.runtime.eventlog import EVENT_LOG, EVENTS_KEY
from mycelia.state import MemoryStore, Overlay, ReadView, StateDiscarded
from mycelia.testing.devchain import DevChain
from mycelia.testing.oracle import Person
from mycelia.testing.rpc import rpc_node

TAO = 10**9
NETUID = NetUid(1)
TEMPO_BLOCKS = 12
NEURONS = 6


def call(chain: DevChain, uri: str, name: str, /, **params: Any) -> None:
    done = chain.submit(uri, "SubtensorModule", name, **params)
    assert done.succeeded, (name, done.error)


def admin(chain: DevChain, name: str, /, **params: Any) -> None:
    done = chain.sudo("AdminUtils", f"sudo_set_{name}", **params)
    assert done.succeeded, (name, done.error)


@pytest.fixture(scope="module")
def chain() -> DevChain:
    """Uid 0 is the owner's; Bob's uid 1 lends half its weight to Charlie's uid 2; 3 to 5 mine, 5 for the owner."""
    chain = DevChain()
    admin(chain, "admin_freeze_window", window=0)
    call(chain, "//Alice", "register_network", hotkey=chain.address("//Alice_hk"))
    for name, value in (
        ("commit_reveal_weights_enabled", {"enabled": False}),
        ("weights_set_rate_limit", {"weights_set_rate_limit": 0}),
        ("tempo", {"tempo": TEMPO_BLOCKS}),
        ("max_registrations_per_block", {"max_registrations_per_block": 8}),
        ("target_registrations_per_interval", {"target_registrations_per_interval": 8}),
    ):
        admin(chain, name, netuid=1, **value)
    for owner, hotkey in (
        ("//Bob", "//Bob_hk"),
        ("//Charlie", "//Charlie_hk"),
        ("//Bob", "//miner3"),
        ("//Charlie", "//miner4"),
        ("//Alice", "//miner5"),
    ):
        call(chain, owner, "burned_register", netuid=1, hotkey=chain.address(hotkey))
    stake(chain, "//Bob", "//Bob_hk", 5_000, netuid=0)
    half = [(1 << 63, chain.address("//Charlie_hk"))]
    hotkey = chain.address("//Bob_hk")
    call(chain, "//Bob", "set_children", hotkey=hotkey, netuid=1, children=half)
    call(chain, "//Alice", "start_call", netuid=1)
    stake(chain, "//Bob", "//Bob_hk", 40, netuid=1)
    stake(chain, "//Charlie", "//Bob_hk", 23, netuid=1)
    stake(chain, "//Charlie", "//Charlie_hk", 31, netuid=1)
    chain.seal_epoch(1)
    for uri, weights in (("//Bob_hk", [5, 9, 2]), ("//Charlie_hk", [4, 4, 9])):
        call(chain, uri, "set_weights", netuid=1, dests=[3, 4, 5], weights=weights, version_key=0)
    chain.seal_epoch(1)
    chain.seal_epoch(1)
    return chain


def stake(chain: DevChain, uri: str, hotkey: str, tao: int, netuid: int) -> None:
    call(
        chain,
        uri,
        "add_stake",
        hotkey=chain.address(hotkey),
        netuid=netuid,
        amount_staked=tao * TAO,
    )


def explained(chain: DevChain, who: Any, height: int | None = None) -> PastEpoch:
    return past_epoch(chain.chain.store, chain.chain.history, NETUID, who, height)


def pallets_at(chain: DevChain, height: int) -> Any:
    return Runtime(Overlay(chain.chain.store.at(height)), chain.chain.history.rules()).pallets


def positions(chain: DevChain, height: int) -> dict[tuple[bytes, bytes], int]:
    """What each coldkey's stake on the subnet was worth, by hotkey and coldkey."""
    stakes = pallets_at(chain, height).stakes
    return {
        (hotkey, coldkey): stakes.stake_of(hotkey, coldkey, NETUID)
        for hotkey, coldkey, netuid in stakes.alpha.keys()  # noqa: SIM118  # a storage map is no mapping
        if netuid == NETUID
    }


def test_what_is_explained_is_what_was_staked(chain: DevChain) -> None:
    block = explained(chain, Uid(0)).block
    before, after = pallets_at(chain, block - 1).stakes, pallets_at(chain, block).stakes
    was, became = positions(chain, block - 1), positions(chain, block)
    staked = 0
    for uid in range(NEURONS):
        found = explained(chain, Uid(uid), block)
        (pot,) = found.pay.pots
        grown = after.total_of(pot.hotkey, NETUID) - before.total_of(pot.hotkey, NETUID)
        assert grown == pot.staked_rao + pot.others_rao
        assert pot.positions == {c: v for (h, c), v in was.items() if h == pot.hotkey}
        assert found.stakes_after[pot.hotkey] == {
            c: v for (h, c), v in became.items() if h == pot.hotkey
        }
        staked += pot.staked_rao
    total = after.total_alpha_staked[NETUID] - before.total_alpha_staked[NETUID]
    assert staked == total > 0


def test_each_kind_of_pay_is_there(chain: DevChain) -> None:
    owner, bob, child, miner, _, burned = (explained(chain, Uid(uid)).pay for uid in range(NEURONS))
    assert owner.owner is not None
    assert owner.owner.amount == owner.waiting.owner_cut_rao > 0
    assert miner.miner is not None
    assert miner.miner.amount == miner.incentive_rao > 0
    assert (burned.is_owners, burned.miner) == (True, None)
    assert burned.incentive_rao > 0
    assert [part.hotkey for part in child.validator.parted] == [bob.hotkey, child.hotkey]
    assert {part.hotkey for part in bob.validator.lent} == {bob.hotkey, child.hotkey}
    assert bob.validator.alpha is not None
    assert bob.validator.alpha.take > 0
    assert len(bob.pots[0].positions) == 2


def test_pay_can_be_followed_by_hand(chain: DevChain) -> None:
    for uid in range(NEURONS):
        pay = explained(chain, Uid(uid)).pay
        steps = pay.validator
        lost = pay.dividend_rao - sum(part.amount_rao for part in steps.parted)
        assert 0 <= lost < max(1, len(steps.parted))
        assert sum(part.amount_rao for part in steps.lent) == steps.earned_rao
        weighed = (steps.root_stake_rao << 32) * steps.tao_weight_q32 >> 32
        whole = (steps.alpha_stake_rao << 32) + weighed
        assert steps.root_part_q32 == ((weighed << 32) // whole if whole else 0)
        of_root = (steps.earned_rao << 32) * steps.root_part_q32 >> 32
        assert steps.root_earned_rao_q32 == of_root
        assert steps.alpha_earned_rao_q32 == (steps.earned_rao << 32) - of_root
        kinds = (
            (steps.alpha, steps.alpha_earned_rao_q32, steps.alpha_earned_total_rao_q32),
            (steps.root, steps.root_earned_rao_q32, steps.root_earned_total_rao_q32),
        )
        waiting = (steps.alpha_waiting_rao, steps.root_waiting_rao)
        for (paid, earned, total), rao in zip(kinds, waiting, strict=True):
            amount = (rao << 32) * ((earned << 32) // total) >> 32 if total else 0
            if paid is None:
                assert amount == 0
                continue
            take = ((steps.take_u16 << 32) // 65_535) * amount >> 32
            parts = (paid.amount_rao_q32, paid.take, paid.rest)
            assert parts == (amount, take >> 32, amount - take >> 32)


def test_it_agrees_with_the_stored_results_and_the_events(chain: DevChain) -> None:
    block = explained(chain, Uid(0)).block
    results = pallets_at(chain, block).results
    state = State(Overlay(chain.chain.store.at(block)))
    told = next(
        entry.event
        for entry in state.get(EVENTS_KEY, EVENT_LOG) or ()
        if type(entry.event).__name__ == "IncentiveAlphaEmittedToMiners"
    )
    for uid in range(NEURONS):
        (why,) = explained(chain, Uid(uid)).mechanisms
        assert told.emissions[uid] == why.server_emission_rao
        assert results.incentive[storage_index(NETUID)][uid] == why.incentive * 65_535 >> 32
        assert results.dividends[NETUID][uid] == why.dividend * 65_535 >> 32
        assert results.consensus[NETUID][uid] == why.consensus * 65_535 >> 32
        assert results.validator_permit[NETUID][uid] == why.has_permit
        bonds = dict(results.bonds[storage_index(NETUID), Uid(uid)].tolist())
        assert bonds == {b.miner: b.bond_u16 for b in why.bonds if b.averaged and why.has_permit}


def test_each_mechanism_is_explained_by_itself(chain: DevChain) -> None:
    then = chain.snapshot()
    admin(chain, "max_allowed_uids", netuid=1, max_allowed_uids=128)
    admin(chain, "mechanism_count", netuid=1, mechanism_count=2)
    admin(chain, "mechanism_emission_split", netuid=1, maybe_split=[1_000, 64_535])
    row = {"netuid": 1, "mecid": 1, "dests": [3], "weights": [1], "version_key": 0}
    call(chain, "//Bob_hk", "set_mechanism_weights", **row)
    block = chain.seal_epoch(1)
    results = pallets_at(chain, block).results
    for uid in range(NEURONS):
        found = explained(chain, Uid(uid))
        assert found.block == block
        for mechanism, why in enumerate(found.mechanisms):
            index = storage_index(NETUID, mechanism)
            assert results.incentive[index][uid] == why.incentive * 65_535 >> 32
        granted = sum(why.server_emission_rao for why in found.mechanisms)
        assert granted == found.pay.incentive_rao
    first, second = explained(chain, Uid(4)).mechanisms
    assert first.server_emission_rao > 0 == second.server_emission_rao
    chain.revert(then)


def test_a_hotkey_names_a_neuron_too(chain: DevChain) -> None:
    assert explained(chain, Person("//Bob_hk").account).mechanisms[0].uid == 1


def test_every_kept_epoch_can_be_explained_when_others_followed(chain: DevChain) -> None:
    newest = explained(chain, Uid(3)).block
    before = explained(chain, Uid(3), newest - TEMPO_BLOCKS)
    assert before.block == newest - TEMPO_BLOCKS
    assert before.pay.waiting != explained(chain, Uid(3)).pay.waiting


@pytest.mark.parametrize(
    ("netuid", "who", "height", "code", "says"),
    [
        (9, 0, None, "unknown_subnet", "no subnet 9"),
        (0, 0, None, "no_epoch_yet", "no epoch up to"),
        (1, 0, 3, "no_epoch_yet", "no epoch up to block 3"),
        (1, NEURONS, None, "unknown_neuron", "6 neurons"),
        (1, -1, None, "unknown_neuron", "6 neurons"),
        (1, Person("//Dave").account, None, "unknown_neuron", "hotkey 0x"),
        (1, 0, 10**6, "unknown_height", "newest is"),
    ],
)
def test_what_cannot_be_explained_is_named(
    chain: DevChain, netuid: int, who: Any, height: int | None, code: str, says: str
) -> None:
    with pytest.raises(AppError, match=says) as refused:
        past_epoch(chain.chain.store, chain.chain.history, NetUid(netuid), who, height)
    assert refused.value.code == code
    assert refused.value.remedy


def test_a_block_without_an_epoch_says_where_one_was(chain: DevChain) -> None:
    newest = explained(chain, Uid(0)).block
    chain.seal()
    with pytest.raises(CannotExplain, match=f"the last before it ran in block {newest}"):
        explained(chain, Uid(0), newest + 1)


@dataclass(frozen=True)
class Tampered:
    """A view with another value under one key."""

    view: ReadView
    key: bytes
    value: bytes

    @property
    def height(self) -> int:
        return self.view.height

    def get(self, key: bytes) -> bytes | None:
        return self.value if key == self.key else self.view.get(key)

    def keys(
        self, prefix: bytes, after: bytes | None = None, limit: int | None = None
    ) -> Iterator[bytes]:
        return self.view.keys(prefix, after, limit)


@pytest.mark.parametrize("what", ["events", "results"])
def test_a_store_that_says_otherwise_is_named(
    chain: DevChain, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    found = explained(chain, Uid(3))
    block, store = found.block, chain.chain.store
    emission = pallets_at(chain, block).results.emission
    key = EVENTS_KEY if what == "events" else emission.raw_key(NETUID)
    raw, paid = store.at(block).get(key), found.pay.incentive_rao.to_bytes(8, "little")
    assert raw is not None
    assert paid in raw
    value = raw.replace(paid, (found.pay.incentive_rao + 1).to_bytes(8, "little"), 1)
    at = MemoryStore.at

    def tampered(self: MemoryStore, height: int) -> Any:
        view = at(self, height)
        return Tampered(view, key, value) if height == block else view

    monkeypatch.setattr(MemoryStore, "at", tampered)
    with pytest.raises(CannotExplain, match="would not be what is recorded"):
        explained(chain, Uid(3), block)


def test_what_is_no_longer_kept_is_named(chain: DevChain, monkeypatch: pytest.MonkeyPatch) -> None:
    block, at = explained(chain, Uid(0)).block, MemoryStore.at

    def pruned(self: MemoryStore, height: int) -> Any:
        if height < block:
            raise StateDiscarded(height, block)
        return at(self, height)

    monkeypatch.setattr(MemoryStore, "at", pruned)
    with pytest.raises(StateDiscarded, match="oldest kept"):
        explained(chain, Uid(0))


@pytest.mark.parametrize("uid", [1, 3])
def test_the_documents_show_this_very_epoch(chain: DevChain, uid: int) -> None:
    page = (Path(__file__).parents[3] / "docs" / "explanation.md").read_text(encoding="utf-8")
    node, _ = rpc_node(chain.chain)
    told = "\n".join(lines(explain(node, 1, uid)))
    assert f"$ mycelia explain 1 {uid}\n{told}\n```" in page
