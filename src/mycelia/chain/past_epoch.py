"""An epoch as it ran, explained for one neuron from what a store keeps.

The epoch's block is begun anew, in memory, on the state after its parent, with a witness. So all is
computed by the rules themselves from what anybody has who replays the chain, and it is compared with
what the block left behind: the events of its beginning, and the neuron's stored results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mycelia.chain.history import History
from mycelia.pallets.subtensor.emission.explanation import (
    PayExplanation,
    explained_pay,
    staked_behind,
    waiting_for,
)
from mycelia.pallets.subtensor.emission.pallet import Coinbase
from mycelia.pallets.subtensor.epoch import EpochParameters, EpochRules
from mycelia.pallets.subtensor.epoch.explanation import Explanation, explained
from mycelia.pallets.system.types import Initialization
from mycelia.primitives import AccountId, Alpha, AppError, Bug, NetUid, Uid
from mycelia.runtime import Runtime
from mycelia.runtime.eventlog import EVENT_LOG, EVENTS_KEY
from mycelia.state import Overlay, Store

_ANOTHER_HEIGHT: Final = "Ask for that block, or for none to get the newest epoch."


class CannotExplain(AppError):
    """There is nothing to explain as asked for."""


@dataclass(frozen=True)
class PastEpoch:
    """One neuron's epoch, step by step in each mechanism; its pay is what they grant together.

    `stakes_after` holds rao by coldkey, for each hotkey that `pay.pots` has.
    """

    netuid: NetUid
    block: int
    rules: EpochRules
    parameters: EpochParameters
    mechanisms: tuple[Explanation, ...]
    pay: PayExplanation
    stakes_after: Mapping[AccountId, Mapping[AccountId, int]]


def past_epoch(
    store: Store,
    history: History,
    netuid: NetUid,
    who: Uid | AccountId,
    height: int | None = None,
) -> PastEpoch:
    """A subnet's epoch in the block of a height, else its newest, as it went for a uid or a hotkey.

    Raises:
        CannotExplain: no such subnet or neuron then, or no epoch in that block; it says where one was.
        UnknownHeight, StateDiscarded: the state before the epoch is not there.
    """
    block = _block_of(store, history, netuid, height)
    header = history.header_at(block)
    if header is None:
        raise Bug(f"Block {block} has no header, though a later state names it.")
    seen: list[PastEpoch] = []

    def witness(coinbase: Coinbase, of: NetUid) -> None:
        if of == netuid:
            seen.append(_seen(coinbase, netuid, who, block))

    runtime = Runtime(Overlay(store.at(block - 1)), history.rules(), witness=witness)
    runtime.begin(block, header.parent_hash, header.digest)
    if not seen:
        raise _differs(block)
    found = seen[0]
    payout = runtime.pallets.payout
    after = {pot.hotkey: staked_behind(payout, netuid, pot.hotkey) for pot in found.pay.pots}
    _require_same(runtime, Runtime(Overlay(store.at(block)), history.rules()), found)
    return replace(found, stakes_after=after)


def _block_of(store: Store, history: History, netuid: NetUid, height: int | None) -> int:
    """The block in which the subnet's epoch ran that is asked for."""
    at = history.height() if height is None else height
    pallets = Runtime(Overlay(store.at(at)), history.rules()).pallets
    if not pallets.subnets.exists(netuid):
        raise CannotExplain(
            "unknown_subnet",
            f"There is no subnet {netuid} after block {at}.",
            "Ask for one that exists then.",
        )
    ran = int(pallets.schedule.last_mechansim_step_block[netuid])
    if ran == 0:
        raise CannotExplain(
            "no_epoch_yet",
            f"Subnet {netuid} has had no epoch up to block {at}.",
            "Wait for its first, or ask for a later block.",
        )
    if height is not None and ran != height:
        raise CannotExplain(
            "no_epoch_there",
            f"No epoch of subnet {netuid} ran in block {height}; the last before it ran in block {ran}.",
            _ANOTHER_HEIGHT,
        )
    return ran


def _seen(coinbase: Coinbase, netuid: NetUid, who: Uid | AccountId, block: int) -> PastEpoch:
    """The epoch and its pay, worked out on the state in which it is about to run."""
    uid = _uid_of(coinbase, netuid, who, block)
    epochs, waiting = coinbase.epochs, waiting_for(coinbase, netuid)
    emission = Alpha(waiting.emission_rao)
    parts = epochs.mechanisms.parts(netuid, emission)
    snapshots = [epochs.snapshot(netuid, part, each) for each, part in enumerate(parts)]
    mechanisms = tuple(explained(each, uid) for each in snapshots)
    with coinbase.state.read_only():
        earned = epochs.run(netuid, emission)
    granted = (
        sum(each.server_emission_rao for each in mechanisms),
        sum(each.validator_emission_rao for each in mechanisms),
    )
    if granted != (earned[uid].incentive, earned[uid].dividend):
        raise Bug("The two kernels differ, though tests hold them equal in every bit.")
    pay = explained_pay(coinbase.payout, netuid, waiting, earned, uid)
    first = snapshots[0]
    return PastEpoch(netuid, block, first.rules, first.parameters, mechanisms, pay, {})


def _uid_of(coinbase: Coinbase, netuid: NetUid, who: Uid | AccountId, block: int) -> Uid:
    neurons = coinbase.epochs.neurons
    if isinstance(who, int):
        count = len(neurons.hotkeys(netuid))
        uid = Uid(who) if 0 <= who < count else None
        wanted = f"uid {who}; its {count} neurons have uids from 0"
    else:
        uid, wanted = neurons.uid_of(netuid, who), f"neuron with hotkey 0x{who.hex()}"
    if uid is None:
        raise CannotExplain(
            "unknown_neuron",
            f"At the epoch in block {block} subnet {netuid} had no {wanted}.",
            "Ask for a neuron that was registered before that block.",
        )
    return uid


def _require_same(again: Runtime, recorded: Runtime, found: PastEpoch) -> None:
    """`CannotExplain` unless the block began as it did then, and left the neuron the same results.

    A neuron that took its slot later in the same block has no results of the epoch, nor has a
    mechanism that was taken away.
    """
    told = tuple(recorded.state.get(EVENTS_KEY, EVENT_LOG) or ())
    began = tuple(entry for entry in told if isinstance(entry.phase, Initialization))
    if EVENT_LOG.encode(began) != EVENT_LOG.encode(tuple(again.state.told)):
        raise _differs(found.block)
    netuid, uid = found.netuid, Uid(found.mechanisms[0].uid)
    stayed = recorded.pallets.neurons.uid_of(netuid, found.pay.hotkey) == uid
    indexes = recorded.pallets.mechanisms.indexes(netuid)[: len(found.mechanisms)]
    if stayed and _results(again, netuid, uid, indexes) != _results(recorded, netuid, uid, indexes):
        raise _differs(found.block)


def _results(runtime: Runtime, netuid: NetUid, uid: Uid, indexes: Sequence[int]) -> tuple[int, ...]:
    results = runtime.pallets.results
    return (
        int(results.active[netuid][uid]),
        int(results.validator_permit[netuid][uid]),
        int(results.stake_weight[netuid][uid]),
        int(results.consensus[netuid][uid]),
        *(int(results.incentive[index][uid]) for index in indexes),
        int(results.validator_trust[netuid][uid]),
        int(results.dividends[netuid][uid]),
        int(results.emission[netuid][uid]),
    )


def _differs(block: int) -> CannotExplain:
    return CannotExplain(
        "rules_differ",
        f"By the rules of this program block {block} would not be what is recorded.",
        "Ask a node that runs the release which made the block; replay the chain to find where they part.",
    )
