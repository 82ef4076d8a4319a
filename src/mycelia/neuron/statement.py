"""What a validator holds against a miner, and what would change it: from its samples alone.

Pure, like the book: whoever has the samples can write the same statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mycelia.neuron.book import (
    KNOWN_SAMPLES,
    Book,
    Identity,
    Sample,
    Standing,
    Verdict,
    replayed,
)

RECENT = 50
"""Samples that the counts and checks of a statement look back on."""
_STEPS = 12  # halvings: qualities are told to three digits

Weigh = Callable[[Book], Mapping[int, float]]


@dataclass(frozen=True)
class Change:
    """Something that could be otherwise, and the share of the weights that would follow."""

    what: str
    share: float


@dataclass(frozen=True)
class Statement:
    """One validator's view of one miner. Qualities and shares are 0..1."""

    miner: Identity
    standing: Standing
    rank: int
    """1 is best; miners without a sample are not counted."""
    miners: int
    share: float
    """Of this validator's weights."""
    recent: int
    """Newest samples looked at, void ones included."""
    outcomes: Mapping[str, int]
    """Of those, by reason; `scored` for the rest."""
    checks: Mapping[str, float]
    """Means of what the scores are made of, where the subnet says so."""
    changes: tuple[Change, ...]

    @property
    def is_known(self) -> bool:
        """The quality rests on enough samples; until then the miner is sampled in every round."""
        return self.standing.samples >= KNOWN_SAMPLES


def statement(
    samples: Sequence[Sample], hotkey: str, weigh: Weigh, base: Book | None = None
) -> Statement | None:
    """The statement about a hotkey, from all samples of a subnet; None if it has none.

    `base` is what samples led to that are no longer there.
    """
    book = replayed(samples, base)
    standing = next((s for s in book.values() if s.miner.hotkey == hotkey), None)
    if standing is None:
        return None
    own = [sample for sample in samples if sample.miner == standing.miner]
    recent = own[-RECENT:]
    better = sorted(s.quality for s in book.values() if s.quality > standing.quality)
    return Statement(
        standing.miner,
        standing,
        rank=len(better) + 1,
        miners=sum(s.samples > 0 for s in book.values()),
        share=_share(book, standing, weigh),
        recent=len(recent),
        outcomes=Counter(sample.reason or "scored" for sample in recent),
        checks=_checks(recent),
        changes=tuple(_changes(book, standing, own, better, weigh, base)),
    )


def _changes(
    book: Book,
    standing: Standing,
    own: Sequence[Sample],
    better: Sequence[float],
    weigh: Weigh,
    base: Book | None,
) -> list[Change]:
    changes = []
    if standing.failures:
        delivered = [sample for sample in own if sample.verdict is not Verdict.FAILED]
        without = replayed(delivered, base).get(standing.miner.uid, Standing(standing.miner))
        changes.append(
            Change(
                f"had no sample failed, quality {without.quality:.3f}",
                _share(book, without, weigh),
            )
        )
    if better:
        passed = replace(standing, quality=better[0])
        changes.append(
            Change(f"as good as the next better one, quality {better[0]:.3f}",
                   _share(book, passed, weigh))
        )  # fmt: skip
    if _share(book, standing, weigh) == 0.0 and (least := _least(book, standing, weigh)):
        changes.append(
            Change(
                f"just enough to earn anything, quality {least:.3f}",
                _share(book, replace(standing, quality=least), weigh),
            )
        )
    perfect = replace(standing, quality=1.0)
    changes.append(Change("perfect, quality 1.000", _share(book, perfect, weigh)))
    return changes


def _share(book: Book, standing: Standing, weigh: Weigh) -> float:
    weights = weigh({**book, standing.miner.uid: standing})
    total = sum(weights.values())
    return weights.get(standing.miner.uid, 0.0) / total if total else 0.0


def _least(book: Book, standing: Standing, weigh: Weigh) -> float | None:
    """The lowest quality with any weight, by halving; None if even perfection has none."""
    low, high = standing.quality, 1.0
    if not _share(book, replace(standing, quality=high), weigh):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _share(book, replace(standing, quality=middle), weigh):
            high = middle
        else:
            low = middle
    return high


def _checks(samples: Sequence[Sample]) -> dict[str, float]:
    names = dict.fromkeys(name for sample in samples for name in sample.checks)
    values = {name: [s.checks[name] for s in samples if name in s.checks] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}
