"""Which claims a validator attests: those of miners whose answers its own checks found to be true.

A receipt names the manifest under which an answer was given, so answers are counted per claim: who
changes its claim begins anew, and who answers under none has nothing to attest. An answer speaks
for the claim if it scores at least the subnet's `floor`. One stray answer in a hundred is forgiven,
for checks have false alarms; a miner that cheats on one request in ten is past that in no time, and
takes its strays along to the next claim: one that differs in its price alone would wipe them out.

The fewer answers a claim rests on, the shorter the word holds: a minute after one, five after
twenty. So a good newcomer is offered at once, and one that only began well not for long. Nobody is
offered on one answer alone, since it takes the words of several validators.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mycelia.neuron.book import AUDITED, KNOWN_SAMPLES, Identity, Sample, Verdict
from mycelia.neuron.chain import CallFailed, ChainAway, Neuron
from mycelia.neuron.events import EventLog
from mycelia.neuron.ledger import Claimed
from mycelia.neuron.manifest import LIFE_S, ClaimDocument, ClaimError, Manifest
from mycelia.primitives.errors import AppError
from mycelia.wire.contract import Endpoint

_LEAST_LIFE = 0.2
"""Of a word on few answers, as a part of the longest: the next round may be that far off."""
WINDOW = 100
"""Newest answers that count."""
_FORGIVEN = 1
"""Answers below the floor among them, once there are `KNOWN_SAMPLES`; none before."""
_SILENT = 10
"""Failures in a row after which nothing is known of a miner any more."""
_LOOK_S = 1.0
_AGAIN_S = 20.0
"""Between two looks whether a miner still shows the word it was given."""
_AT_ONCE = 16
_RETRY_S = 2.0
_RETRY_MOST_S = 120.0

ATTESTED = "attested"

Published = Callable[[int], Awaitable[Mapping[str, bytes]]]
"""Digests of manifests on the chain, by hotkey, for a netuid."""


@dataclass
class Evidence:
    """What was seen of one miner under its present claim, and what it was found out at under others."""

    miner: Identity
    claim: str
    answers: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    """Whether each was worth the floor, oldest first."""
    failures: int = 0
    """Since the last answer."""

    @property
    def doubt(self) -> str:
        """Why there is no attestation; empty if nothing speaks against one."""
        if self.has_strayed:
            return "answers_differ"
        if self.failures >= _SILENT:
            return "silent"
        return ""

    @property
    def has_strayed(self) -> bool:
        """More often than checks have false alarms."""
        return self.strays > (_FORGIVEN if len(self.answers) >= KNOWN_SAMPLES else 0)

    @property
    def strays(self) -> int:
        """Answers that are not the claimed model's."""
        return self.answers.count(False)

    @property
    def life_s(self) -> float:
        """How long a word about it may hold."""
        return LIFE_S * max(_LEAST_LIFE, min(1.0, len(self.answers) / KNOWN_SAMPLES))


def weighed(held: Evidence | None, sample: Sample, floor: float) -> Evidence | None:
    """The evidence after one more sample: what there was, or new where the claim is. Void ones say nothing."""
    if sample.verdict is Verdict.FAILED and held is not None:
        held.failures += 1
    if sample.verdict is not Verdict.SCORED:
        return held
    if held is None or (held.miner, held.claim) != (sample.miner, sample.claim):
        if sample.reason == AUDITED:
            return held  # given some minutes ago: what is claimed now may be newer
        before, held = held, Evidence(sample.miner, sample.claim)
        if before is not None and before.miner == sample.miner and before.has_strayed:
            held.answers.extend([False] * before.strays)
    held.answers.append(sample.score >= floor)
    held.failures = 0
    return held


@dataclass
class _Word:
    """The last attestation of a miner's claim, or the tries at it."""

    state: str = ""
    about: str = ""
    """The manifest in a few words, once it was read."""
    expires_s: float = 0.0
    """Monotonic; 0 before the first."""
    looked_s: float = 0.0
    """When the miner's document was last seen; monotonic."""
    next_s: float = 0.0
    """Before this there is no new try."""
    pause_s: float = _RETRY_S

    def is_half_over(self, life_s: float) -> bool:
        """Whether less than half is left of what a new word would hold."""
        return self.expires_s - time.monotonic() < life_s / 2


class Attests(Protocol):
    """The part of `Attester` that this needs."""

    async def claim(self, endpoint: Endpoint, committed: Mapping[str, bytes]) -> ClaimDocument: ...
    def is_shown(self, document: ClaimDocument) -> bool: ...
    async def attest(self, endpoint: Endpoint, manifest: Manifest, life_s: float) -> None: ...


class Voucher:
    """A validator's, on one subnet: gathers evidence, and keeps the attestations renewed."""

    def __init__(
        self,
        netuid: int,
        floor: float,
        attester: Attests,
        published: Published,
        keep: Callable[[Claimed], None],
        log: EventLog | None = None,
    ) -> None:
        """`keep` is told what becomes of each claim; it may fail as a full disk does."""
        self._netuid = netuid
        self._floor = floor
        self._attester = attester
        self._published = published
        self._keep = keep
        self._log = log or EventLog(None, "validator")
        self._evidence: dict[str, Evidence] = {}
        self._words: dict[str, _Word] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def note(self, sample: Sample) -> None:
        """Take a sample as evidence."""
        hotkey = sample.miner.hotkey
        held = self._evidence.get(hotkey)
        found = weighed(held, sample, self._floor)
        if found is not None and found is not held:
            self._evidence[hotkey] = found
            self._words.pop(hotkey, None)

    def attested(self) -> frozenset[str]:
        """Miners that can show a word of this validator's at this moment."""
        now_s = time.monotonic()
        return frozenset(hotkey for hotkey, word in self._words.items() if word.expires_s > now_s)

    async def run(self, targets: Callable[[], Sequence[Neuron]]) -> None:
        """Attest whom the evidence speaks for among the targets, forever; beside all else.

        Miners that take their time can hold this up, but nothing else: each is waited for a few
        seconds, and then left alone for longer and longer.
        """
        while True:
            await self.look(targets())
            await asyncio.sleep(_LOOK_S)

    async def look(self, miners: Sequence[Neuron]) -> None:
        """Bring every attestation that is due."""
        if not miners:
            return  # the chain was not seen yet
        here = {miner.hotkey for miner in miners}
        for gone in self._evidence.keys() - here:
            del self._evidence[gone]
            self._words.pop(gone, None)
        due = [miner for miner in miners if self._is_due(miner)]
        if not due:
            return
        try:
            committed = await self._published(self._netuid)
        except (ChainAway, CallFailed):
            return  # told by who follows the chain; words given hold for a while
        await asyncio.gather(*(self._attest(miner, committed) for miner in due))

    def _is_due(self, miner: Neuron) -> bool:
        held = self._evidence.get(miner.hotkey)
        if held is None or not held.claim or held.miner != miner.identity:
            return False
        word = self._words.setdefault(miner.hotkey, _Word())
        if held.doubt:
            self._settle(held, word, held.doubt)
            return False
        now_s = time.monotonic()
        is_time = word.is_half_over(held.life_s) or now_s >= word.looked_s + _AGAIN_S
        return is_time and now_s >= word.next_s

    async def _attest(self, miner: Neuron, committed: Mapping[str, bytes]) -> None:
        held, word = self._evidence[miner.hotkey], self._words[miner.hotkey]
        endpoint = Endpoint(miner.hotkey, miner.host or "", miner.port)
        life_s = held.life_s
        try:
            async with self._slots:
                document = await self._attester.claim(endpoint, committed)
                word.looked_s, manifest = time.monotonic(), document.claim.manifest
                if manifest.digest().hex() != held.claim:
                    raise ClaimError(
                        "claim_other",
                        "The claim that is shown is not the one under which it answers.",
                        "Restart the miner.",
                    )
                if not word.is_half_over(life_s) and self._attester.is_shown(document):
                    return
                await self._attester.attest(endpoint, manifest, life_s)
        except Exception as error:  # an edge: an author's `knows` may fail in any way
            word.next_s = time.monotonic() + word.pause_s
            word.pause_s = min(2 * word.pause_s, _RETRY_MOST_S)
            code = error.code if isinstance(error, AppError) else type(error).__name__
            self._settle(held, word, code)
            return
        word.expires_s, word.pause_s = time.monotonic() + life_s, _RETRY_S
        word.about = f"{manifest.model} ({manifest.quantisation}) by {manifest.runtime}"
        self._settle(held, word, ATTESTED)

    def _settle(self, held: Evidence, word: _Word, state: str) -> None:
        """Note what became of a claim, where that is news."""
        if state == word.state != ATTESTED:
            return
        if state != word.state:
            self._log.emit(
                "claim", netuid=self._netuid, uid=held.miner.uid, digest=held.claim, state=state
            )
        word.state = state
        left_s = word.expires_s - time.monotonic()
        until_ms = int((time.time() + left_s) * 1000) if word.expires_s else 0
        try:
            self._keep(Claimed(held.miner.hotkey, held.claim, word.about, state, until_ms))
        except sqlite3.OperationalError as error:
            # Only for people to read; the next news is written again.
            self._log.emit("ledger_trouble", error=str(error))
