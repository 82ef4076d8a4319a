"""Measure the error rates of the text subnet's check: `python -m mycelia.subnets.text.calibrate`.

Answers to fresh challenges are made in five ways -- by the declared model as miners run it, by the
declared model with other kernels (what another honest build looks like), by re-quantised weights,
and with noise of another seed -- and judged as a validator judges them. The table says how much of
the tolerance each uses up, and how many are accepted.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mycelia.models import ModelStore
from mycelia.models.catalog import SMOLLM2, SMOLLM2_Q4_0
from mycelia.models.llama import LlamaModel, Schedule
from mycelia.subnets.text.messages import Ask
from mycelia.subnets.text.subnet import challenge_ask
from mycelia.subnets.text.verification import follows, strain


@dataclass(frozen=True)
class Source:
    """A way of making answers."""

    name: str
    honest: bool
    model: str = SMOLLM2.name
    schedule: Schedule = field(default_factory=Schedule)
    seed_offset: int = 0


SOURCES = (
    Source("declared model", honest=True),
    Source("other attention kernel", honest=True, schedule=Schedule(flash_attention=False)),
    Source("prompt in one piece", honest=True, schedule=Schedule(chunk=512)),
    Source("re-quantised to Q4_0", honest=False, model=SMOLLM2_Q4_0.name),
    Source("noise of another seed", honest=False, seed_offset=1),
)


@dataclass(frozen=True)
class Trial:
    """One answer, judged."""

    tokens: int
    strain: float
    accepted: bool
    made_s: float
    judged_s: float


def trials(
    store: ModelStore, source: Source, asks: Sequence[Ask], tell: Callable[[int], None]
) -> list[Trial]:
    """Answer each ask the given way and judge the answer with the declared model."""
    judge = LlamaModel.load(store.path(SMOLLM2.name))
    maker = LlamaModel.load(store.ensure(source.model), source.schedule)
    out = []
    for done, ask in enumerate(asks, start=1):
        prompt = judge.vocabulary.conversation(ask.turns())
        began = time.perf_counter()
        steps = maker.generate(
            prompt,
            max_tokens=ask.max_tokens,
            seed=ask.seed + source.seed_offset,
            temperature=ask.temperature,
        )
        answer = [step.token for step in steps]
        made = time.perf_counter()
        found = judge.shortfalls(prompt, answer, seed=ask.seed, temperature=ask.temperature)
        judged = time.perf_counter()
        out.append(Trial(len(answer), strain(found), follows(found), made - began, judged - made))
        tell(done)
    maker.close()
    judge.close()
    return out


def asks(count: int, seed: int, tokens: int | None) -> list[Ask]:
    """Challenges as validators make them; `tokens` overrides the length that they draw."""
    rng = random.Random(seed)  # noqa: S311 -- repeatable prompts, no secret
    drawn = [challenge_ask(rng) for _ in range(count)]
    if tokens is None:
        return drawn
    return [ask.model_copy(update={"max_tokens": tokens}) for ask in drawn]


def report(source: Source, results: Sequence[Trial]) -> str:
    """One line of the table."""
    strains: NDArray[np.float64] = np.array([trial.strain for trial in results])
    accepted = sum(trial.accepted for trial in results)
    wrong = len(results) - accepted if source.honest else accepted
    kind = "false alarms" if source.honest else "missed"
    low, middle, high = np.quantile(strains, (0.0, 0.5, 1.0))
    per_64_s = 64 * sum(t.judged_s for t in results) / sum(t.tokens for t in results)
    return (
        f"{source.name:24} {len(results):5} answers {sum(t.tokens for t in results):6} tokens  "
        f"strain {low:6.2f} {middle:6.2f} {high:6.2f}  {kind} {wrong}/{len(results)}  "
        f"judged in {per_64_s:.2f} s per 64 tokens"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement; exit status 1 if the promised error rates do not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=300, help="from the declared model")
    parser.add_argument("--others", type=int, default=60, help="from each other source")
    parser.add_argument("--tokens", type=int, help="per answer (default: as challenges draw)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    store, kept = ModelStore(), True
    sys.stdout.write("strain: least, median, greatest; above 1 an answer is refused\n")
    for source in SOURCES:
        count = options.answers if source == SOURCES[0] else options.others
        chosen = asks(count, options.seed, options.tokens)
        if source.seed_offset:  # at temperature 0 the seed has no say
            chosen = [ask for ask in chosen if ask.temperature > 0]
        results = trials(store, source, chosen, _counted(source.name, len(chosen)))
        sys.stdout.write(report(source, results) + "\n")
        sys.stdout.flush()
        share = sum(trial.accepted for trial in results) / len(results)
        kept &= share >= 0.999 if source.honest else share <= 0.05
    return 0 if kept else 1


def _counted(name: str, total: int) -> Callable[[int], None]:
    def tell(done: int) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{name}: {done}/{total}\033[K" + ("\r\033[K" * (done == total)))

    return tell


if __name__ == "__main__":
    sys.exit(main())
