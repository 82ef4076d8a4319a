"""What a validator has seen of each miner, and the weights that follow from it.

Everything here is pure: a book is a fold over samples in the order they were recorded, and weights
are a function of a book. So anyone who has a validator's samples can recompute its weights.

Terms: *sample* - the outcome of one challenge to one miner; *standing* - the running judgement of
one miner; *void* - a sample that says nothing about the miner and changes no standing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from numbers import Real

SMOOTHING = 0.1
"""Weight of the newest sample once a miner has more than ten; before that the plain mean."""
KNOWN_SAMPLES = 20
"""From here on a miner's quality rests on enough samples; until then it is sampled more often."""
AUDITED = "audited"
"""Reason of a sample that is a consumer's answer, and a bad one; see `audits`."""


class Verdict(StrEnum):
    """What kind of outcome a sample is."""

    SCORED = "scored"
    """The miner answered and the subnet judged the answer."""
    FAILED = "failed"
    """The miner did not deliver a valid answer in time: counts as zero."""
    VOID = "void"
    """The judge failed, or the miner could not be blamed: counts for nothing."""


@dataclass(frozen=True)
class Identity:
    """Who holds a uid. A uid is reused, and a hotkey may register anew; neither inherits."""

    uid: int
    hotkey: str
    registered_at: int
    """Height at which this hotkey got this uid."""


@dataclass(frozen=True)
class Sample:
    """The outcome of one challenge to one miner."""

    miner: Identity
    round: int
    verdict: Verdict
    score: float
    """0..1; zero unless the verdict is SCORED."""
    reason: str = ""
    """Why it failed or is void; empty when scored, unless it is `AUDITED`."""
    latency_ms: float = 0.0
    first_byte_ms: float = 0.0
    checks: Mapping[str, float] = field(default_factory=dict)
    """What the score is made of, where the subnet says so."""
    claim: str = ""
    """Digest of the manifest under which the miner answered, in hex; empty without one."""


@dataclass(frozen=True)
class Standing:
    """The running judgement of one miner."""

    miner: Identity
    quality: float = 0.0
    """Smoothed score, 0..1. Failures count as zero, void samples not at all."""
    samples: int = 0
    failures: int = 0
    latency_ms: float = 0.0
    """Smoothed over scored samples only, and not those that were measured by the miner's own clock."""
    reason: str = ""
    """Of the last sample that was not scored."""


Book = Mapping[int, Standing]
"""Standings by uid."""


@dataclass(frozen=True)
class WeightPolicy:
    """How standings become weights."""

    gate: float = 0.5
    """A miner below this fraction of the best quality gets exactly nothing."""
    floor: float = 0.05
    """Nor does a miner below this quality, however bad the others are."""
    sharpness: int = 3
    """Weight is quality to this power, so that being better pays more than in proportion."""


def record(book: dict[int, Standing], sample: Sample) -> None:
    """Fold one sample into a book. A uid with a new holder starts afresh."""
    held = book.get(sample.miner.uid)
    standing = held if held and held.miner == sample.miner else Standing(sample.miner)
    if sample.verdict is Verdict.VOID:
        book[sample.miner.uid] = replace(standing, reason=sample.reason)
        return
    scored = sample.verdict is Verdict.SCORED
    samples = standing.samples + 1
    successes = samples - standing.failures
    book[sample.miner.uid] = replace(
        standing,
        quality=_smoothed(standing.quality, sample.score if scored else 0.0, samples),
        samples=samples,
        failures=standing.failures + (not scored),
        latency_ms=_smoothed(standing.latency_ms, sample.latency_ms, successes)
        if scored and sample.reason != AUDITED
        else standing.latency_ms,
        reason=standing.reason if scored else sample.reason,
    )


def replayed(samples: Iterable[Sample], before: Book | None = None) -> dict[int, Standing]:
    """The book that these samples, in this order, lead to, from the one `before` them."""
    book = dict(before or {})
    for sample in samples:
        record(book, sample)
    return book


def current(book: Book, miners: Iterable[Identity]) -> dict[int, Standing]:
    """The part of a book that is about these miners: drops whoever lost the uid since."""
    return {
        miner.uid: book[miner.uid]
        for miner in miners
        if miner.uid in book and book[miner.uid].miner == miner
    }


def weigh(book: Book, policy: WeightPolicy | None = None) -> dict[int, float]:
    """Weights by uid, relative to each other; zero for miners that clearly fail.

    Units: qualities are 0..1; weights are dimensionless and not normalised.
    Ties and order: a better quality never gets less, an equal one gets the same.
    """
    policy = policy or WeightPolicy()
    judged = {uid: standing.quality for uid, standing in book.items() if standing.samples}
    bar = max(policy.floor, policy.gate * max(judged.values(), default=0.0))
    return {
        uid: quality**policy.sharpness if quality >= bar else 0.0
        for uid, quality in sorted(judged.items())
    }


def checked(weights: object, book: Book) -> dict[int, float]:
    """Weights by a subnet's own rule, if a chain can take them. Raises ValueError."""
    if not isinstance(weights, Mapping):
        raise ValueError(f"weigh() gave {weights!r}, not weights by uid.")  # noqa: TRY004 - as below
    for uid, weight in weights.items():
        if uid not in book:
            raise ValueError(f"weigh() gave a weight to {uid!r}, which is no uid of the book.")
        if not isinstance(weight, Real) or not 0.0 <= float(weight) < math.inf:
            raise ValueError(f"weigh() gave uid {uid} {weight!r}, which is no number from 0 up.")
    return {int(uid): float(weight) for uid, weight in weights.items()}


def _smoothed(before: float, value: float, count: int) -> float:
    """Mean of the first values, exponential afterwards. `count` includes `value`."""
    return before + (value - before) * max(1.0 / count, SMOOTHING)
