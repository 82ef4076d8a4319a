"""Measure the error rates of this subnet's check: `python -m mycelia.subnets.analysis.calibrate`.

Fresh challenges are answered by every miner that the subnet ships, by the declared model on other
kernels of the runtime (what another honest machine looks like), and by models that are nearly the
declared one: vectors with noise, with half of their elements, in half precision, and of texts cut
at half of the context. Each answer is judged as a validator judges it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycelia.models import ModelStore
from mycelia.models.catalog import MINILM, MINILM_VOCABULARY
from mycelia.models.embedding import CONTEXT, Embedded, Vectors, load_embedder
from mycelia.subnets.analysis.judge import WAYS, Judge
from mycelia.subnets.analysis.kernel import answered
from mycelia.subnets.analysis.messages import Answer, Ask
from mycelia.subnets.analysis.miners import MINERS
from mycelia.subnets.analysis.subnet import challenge_ask
from mycelia.subnets.figures import error_bound, part_time, shares

Way = Callable[[Ask], Awaitable[Answer]]


@dataclass(frozen=True)
class Source:
    """A way of making answers; whether they should pass is None where nothing is promised."""

    name: str
    honest: bool | None
    answer: Way


def sources(store: ModelStore) -> list[Source]:
    """All ways that are measured."""
    model = load_embedder(store)
    plain = load_embedder(store, optimised="none")

    def altered(change: Callable[[Vectors], Vectors]) -> Way:
        async def answer(ask: Ask) -> Answer:
            embedded = model.embed(ask.texts())
            return answered(ask, Embedded(change(embedded.vectors), embedded.tokens))

        return answer

    async def on_other_kernels(ask: Ask) -> Answer:
        return answered(ask, plain.embed(ask.texts()))

    async def half_read(ask: Ask) -> Answer:
        texts = ask.texts()
        return answered(ask, Embedded(model.embed(texts, CONTEXT // 2).vectors, model.count(texts)))

    shipped = [Source(v.name, v.honest, v.make(store)) for v in MINERS.values()]  # type: ignore[arg-type]  # miners that do not stream
    return [
        *(source for source in shipped if source.name != "honest-b"),  # the same as honest-a
        Source("other kernels", True, on_other_kernels),
        Source("half precision", None, altered(_in_half_precision)),
        Source("noise of 1 %", None, altered(_with_noise)),
        Source("half of the elements", False, altered(_halved)),
        Source("half of the context", None, half_read),
    ]


def _unit(vectors: NDArray[Any]) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def _in_half_precision(vectors: Vectors) -> Vectors:
    return vectors.astype(np.float16).astype(np.float32)


def _with_noise(vectors: Vectors) -> Vectors:
    rng = np.random.default_rng(1)
    size = 0.01 / np.sqrt(vectors.shape[1])
    return _unit(vectors + rng.normal(0.0, size, vectors.shape))


def _halved(vectors: Vectors) -> Vectors:
    kept = vectors.copy()
    kept[:, vectors.shape[1] // 2 :] = 0.0
    return _unit(kept)


async def strains(source: Source, asks: Sequence[Ask], judge: Judge) -> list[float]:
    """Answer each ask the given way, and judge the answers."""
    return [judge.strain(ask, await source.answer(ask)) for ask in asks]


def report(source: Source, found: Sequence[float], took_s: float) -> str:
    """One line of the table."""
    accepted = sum(strain <= 1.0 for strain in found)
    low, middle, high = np.quantile(found, (0.0, 0.5, 1.0), method="nearest")
    line = f"{source.name:22} strain {low:10.3g} {middle:10.3g} {high:10.3g}  "
    if source.honest is None:
        verdict = f"accepted {accepted}/{len(found)}"
    else:
        wrong = len(found) - accepted if source.honest else accepted
        bound = error_bound(wrong, len(found))
        kind = "false alarms" if source.honest else "missed"
        verdict = f"{kind} {wrong}/{len(found)} (at most {bound:.2%})"
    return f"{line}{verdict}  {1e3 * took_s / len(found):.0f} ms each"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the measurement; exit status 1 if the promised error rates do not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--answers", type=int, default=1_000, help="from the declared model")
    parser.add_argument("--others", type=int, default=200, help="from each other source")
    parser.add_argument("--seed", type=int, default=1, help="of the asks")
    parser.add_argument(
        "--judge", choices=WAYS, default=WAYS[0], help="how the judge's graph is optimised"
    )
    options = parser.parse_args(arguments)
    store = ModelStore()
    for name in (MINILM.name, MINILM_VOCABULARY.name):
        store.ensure(name)
    rng = random.Random(options.seed)  # noqa: S311 -- repeatable texts, no secret
    asks = [challenge_ask(rng) for _ in range(max(options.answers, options.others))]
    judge, kept = Judge(load_embedder(store, optimised=options.judge)), True
    scores: dict[str, list[float]] = {}
    sys.stdout.write("strain: least, median, greatest; above 1 an answer is refused\n")
    for source in sources(store):
        chosen = asks[: options.answers if source.name == "honest-a" else options.others]
        began = time.perf_counter()
        found = asyncio.run(strains(source, chosen, judge))
        sys.stdout.write(report(source, found, time.perf_counter() - began) + "\n")
        sys.stdout.flush()
        scores[source.name] = [float(strain <= 1.0) for strain in found]
        share = sum(scores[source.name]) / len(found)
        # Skimmers and repeaters do answer some asks rightly: those of short texts, or one in ten.
        kept &= source.honest is None or (share >= 0.999 if source.honest else share <= 0.25)
    sys.stdout.write(pay(scores) + "\n")
    return 0 if kept else 1


def pay(scores: dict[str, list[float]]) -> str:
    """What each source would earn beside an honest miner, by the scores that were measured."""
    honest = scores["honest-a"]
    for name in ("skimmer", "stale"):
        scores[f"{name} in a tenth of its answers"] = part_time(honest, scores[name])
    earned = shares(scores)
    lines = [f"{name:34} {share / earned['honest-a']:6.1%}" for name, share in earned.items()]
    return "\n".join(["pay, as a share of an honest miner's:", *lines])


if __name__ == "__main__":
    sys.exit(main())
