"""Measure the error rates of the text subnet's check: `python -m mycelia.subnets.text.calibrate`.

Answers to fresh challenges are made in five ways -- by the declared model as miners run it, by the
declared model with other kernels (what another honest build looks like), by re-quantised weights,
and with noise of another seed -- and judged as a validator judges them. The tables say how much of
the tolerance each uses up, how many are accepted, after how many tokens a cheat shows, and what
part of an honest miner's pay somebody earns who cheats now and then.

With `--record FILE` each judgement is kept as a line of the file; the next run goes on from there,
and `--budget` ends a run in time. `--recorded FILE` judges the answers of such a file again, made
by another machine perhaps, instead of making new ones.
"""

from __future__ import annotations

import argparse
import gzip
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from mycelia.models import ModelStore
from mycelia.models.catalog import SMOLLM2, SMOLLM2_Q4_0
from mycelia.models.llama import LlamaModel, Schedule
from mycelia.subnets.figures import error_bound, part_time, shares
from mycelia.subnets.text.judge import WAYS
from mycelia.subnets.text.messages import Ask
from mycelia.subnets.text.prompts import measured
from mycelia.subnets.text.verification import follows, strain

MARKS = (8, 16, 32, 48, 64)
"""Lengths, in tokens, at which the beginning of an answer is judged as if it were all."""

_LENGTHS = (24, 32, 32, 40, 48, 64)
_TEMPERATURES = (0.0, 0.7, 0.7, 1.0, 1.0)


@dataclass(frozen=True)
class Source:
    """A way of making answers."""

    name: str
    honest: bool
    model: str = SMOLLM2.name
    schedule: Schedule = field(default_factory=Schedule)
    seed_offset: int = 0
    tokens: int | None = None
    """Length asked for; as challenges draw it if None."""


DECLARED = Source("declared model", honest=True)
REQUANTISED = Source(
    "re-quantised to Q4_0", honest=False, model=SMOLLM2_Q4_0.name, tokens=MARKS[-1]
)
SOURCES = (
    DECLARED,
    Source("other attention kernel", honest=True, schedule=Schedule(flash_attention=False)),
    Source("prompt in one piece", honest=True, schedule=Schedule(chunk=512)),
    REQUANTISED,
    Source("noise of another seed", honest=False, seed_offset=1),
)


@dataclass(frozen=True)
class Trial:
    """One answer, judged."""

    source: str
    ask: int
    """Which of the asks that follow from the calibration's seed."""
    tokens: tuple[int, ...]
    strain: float
    accepted: bool
    begun: tuple[bool, ...]
    """Whether its beginnings of `MARKS` tokens are accepted, as far as it is that long."""
    judged_s: float

    @classmethod
    def of(cls, source: Source, number: int, answer: Sequence[int], judge: Judged) -> Trial:
        """Judge an answer."""
        found, took_s = judge
        begun = tuple(follows(found[:mark]) for mark in MARKS if mark <= len(found))
        return cls(source.name, number, tuple(answer), strain(found), follows(found), begun, took_s)


_TRIAL = TypeAdapter(Trial)
Judged = tuple[NDArray[np.float64], float]
"""Shortfalls, and the seconds that it took to find them."""


def asks(count: int, seed: int, tokens: int | None = None) -> list[Ask]:
    """Asks for text that goes on to the limit, in which a cheat shows; `tokens` overrides that.

    Validators' own challenges are of more kinds. These stay as they are, since recorded answers
    refer to them by number.
    """
    rng = random.Random(seed)  # noqa: S311 -- repeatable prompts, no secret
    drawn = [_ask(rng) for _ in range(count)]
    if tokens is None:
        return drawn
    return [ask.model_copy(update={"max_tokens": tokens}) for ask in drawn]


def _ask(rng: random.Random) -> Ask:
    return Ask.model_validate(
        {
            "messages": measured(rng),
            "max_tokens": rng.choice(_LENGTHS),
            "temperature": rng.choice(_TEMPERATURES),
            "seed": rng.getrandbits(63),
        }
    )


def made(store: ModelStore, source: Source, numbered: Sequence[tuple[int, Ask]]) -> Iterator[Trial]:
    """Answer each ask the given way and judge the answer with the declared model."""
    maker = LlamaModel.load(store.ensure(source.model), source.schedule)
    judge = maker if source == DECLARED else LlamaModel.load(store.path(SMOLLM2.name))
    for number, ask in numbered:
        steps = maker.generate(
            judge.vocabulary.conversation(ask.turns()),
            max_tokens=ask.max_tokens,
            seed=ask.seed + source.seed_offset,
            temperature=ask.temperature,
        )
        answer = [step.token for step in steps]
        yield Trial.of(source, number, answer, judged(judge, ask, answer))


def judged(judge: LlamaModel, ask: Ask, answer: Sequence[int]) -> Judged:
    """Shortfalls of an answer, as a validator finds them."""
    began = time.perf_counter()
    prompt = judge.vocabulary.conversation(ask.turns())
    found = judge.shortfalls(prompt, answer, seed=ask.seed, temperature=ask.temperature)
    return found, time.perf_counter() - began


def load(path: Path) -> list[Trial]:
    """Trials of a record, compressed or not; none if there is no such file."""
    if not path.exists():
        return []
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt") as lines:
        return [_TRIAL.validate_json(line) for line in lines]


def report(source: Source, results: Sequence[Trial]) -> str:
    """One line of the first table, and one that follows the cheat through its answers."""
    strains: NDArray[np.float64] = np.array([trial.strain for trial in results])
    wrong = sum(trial.accepted != source.honest for trial in results)
    kind = "false alarms" if source.honest else "missed"
    tokens = sum(len(trial.tokens) for trial in results)
    low, middle, high = np.quantile(strains, (0.0, 0.5, 1.0))
    line = (
        f"{source.name:24} {len(results):5} answers {tokens:6} tokens  "
        f"strain {low:6.2f} {middle:6.2f} {high:6.2f}  {kind} {wrong}/{len(results)} "
        f"(at most {error_bound(wrong, len(results)):.2%})  "
        f"judged in {64 * sum(t.judged_s for t in results) / tokens:.2f} s per 64 tokens"
    )
    if source.honest:
        exact = int((strains == 0.0).sum())
        return f"{line}\n{'':24} {exact} to the last bit"
    shown = []
    for place, mark in enumerate(MARKS):
        reached = [trial for trial in results if len(trial.begun) > place]
        if reached:
            caught = sum(not trial.begun[place] for trial in reached)
            shown.append(f"{mark} tokens {caught}/{len(reached)}")
    return f"{line}\n{'':24} caught after {', '.join(shown)}"


def pay(results: Sequence[Trial]) -> str:
    """What cheats would earn beside an honest miner, by the scores that were measured."""
    honest = [float(t.accepted) for t in results if t.source == DECLARED.name]
    cheap = [float(t.accepted) for t in results if t.source == REQUANTISED.name]
    if not honest or not cheap:
        return ""
    earned = shares(
        {
            "honest": honest,
            "re-quantised in a tenth of its answers": part_time(honest, cheap),
            "re-quantised in half of them": part_time(honest, cheap, tenths=5),
            "re-quantised": cheap,
        }
    )
    lines = [f"{name:40} {share / earned['honest']:6.1%}" for name, share in earned.items()]
    return "\n".join(["pay, as a share of an honest miner's:", *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement; exit status 1 if the promised error rates do not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=300, help="from the declared model")
    parser.add_argument("--others", type=int, default=60, help="from each other source")
    parser.add_argument("--seed", type=int, default=1, help="of the asks")
    parser.add_argument("--record", type=Path, help="keep judgements here and go on from there")
    parser.add_argument("--recorded", type=Path, help="judge the answers of this record again")
    parser.add_argument("--judge", type=int, choices=range(len(WAYS)), default=0, help="its way")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds to spend")
    options = parser.parse_args(arguments)
    ends_at = time.monotonic() + options.budget
    if options.recorded:
        results = list(_again(options, load(options.recorded), ends_at))
    else:
        known = load(options.record) if options.record else []
        results = known + list(_fresh(options, known, ends_at))
    sys.stdout.write("strain: least, median, greatest; above 1 an answer is refused\n")
    kept = True
    for source in SOURCES:
        own = [trial for trial in results if trial.source == source.name]
        if own:
            sys.stdout.write(report(source, own) + "\n")
            share = sum(trial.accepted for trial in own) / len(own)
            kept &= share >= 0.999 if source.honest else share <= 0.05
    sys.stdout.write(pay(results) + "\n")
    return 0 if kept else 1


def _fresh(options: argparse.Namespace, known: Sequence[Trial], ends_at: float) -> Iterator[Trial]:
    store = ModelStore()
    store.ensure(SMOLLM2.name)
    for source in SOURCES:
        count = options.answers if source == DECLARED else options.others
        done = {trial.ask for trial in known if trial.source == source.name}
        numbered = [
            (number, ask)
            for number, ask in enumerate(asks(count, options.seed, source.tokens))
            # at temperature 0 the seed has no say
            if number not in done and (ask.temperature > 0 or not source.seed_offset)
        ]
        for trial in made(store, source, numbered):
            if options.record:
                with options.record.open("ab") as file:
                    file.write(_TRIAL.dump_json(trial) + b"\n")
            yield trial
            if time.monotonic() > ends_at:
                return


def _again(options: argparse.Namespace, trials: Sequence[Trial], ends_at: float) -> Iterator[Trial]:
    """Judge recorded answers. Their asks follow from the seed, so the record holds none."""
    judge = LlamaModel.load(ModelStore().ensure(SMOLLM2.name), WAYS[options.judge])
    count = max((trial.ask for trial in trials), default=-1) + 1
    asked = {source.name: (source, asks(count, options.seed, source.tokens)) for source in SOURCES}
    for trial in trials:
        if time.monotonic() > ends_at:
            return
        source, ask = asked[trial.source][0], asked[trial.source][1][trial.ask]
        yield Trial.of(source, trial.ask, trial.tokens, judged(judge, ask, trial.tokens))


if __name__ == "__main__":
    sys.exit(main())
