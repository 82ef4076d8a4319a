"""Starter: miners find the straight line in noisy points. `mycelia subnet dev starter.py`."""

import random

from mycelia.neuron import Challenge, Limits, Meta, Reply, Request, Subnet


class Starter(Subnet):
    """Pays for a slope that is close to the true one."""

    name = "starter"
    limits = Limits(deadline_s=5.0)

    class Ask(Request):
        """Points near a line through the origin."""

        points: list[tuple[float, float]]

    class Answer(Reply):
        """How steep the line is."""

        slope: float

    async def challenge(self, rng: random.Random) -> Challenge:
        """Something new to ask, and what only the validator knows about it."""
        slope, xs = rng.uniform(-9.0, 9.0), [rng.uniform(-1.0, 1.0) for _ in range(50)]
        points = [(x, slope * x + rng.gauss(0.0, 0.1)) for x in xs]
        return Challenge(self.Ask(points=points), truth=slope)

    async def score(self, _ask: Ask, answer: Answer, truth: float, _meta: Meta) -> float:
        """From 0 to 1; raise, or return None, if the miner is not to blame."""
        return max(0.0, 1.0 - abs(answer.slope - truth))


@Starter.miner
async def fit(ask: Starter.Ask) -> Starter.Answer:
    """Least squares through the origin."""
    square = sum(x * x for x, _ in ask.points)
    return Starter.Answer(slope=sum(x * y for x, y in ask.points) / square)
