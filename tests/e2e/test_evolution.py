"""Selection works: a better model that joins a full, running subnet displaces the worst and leads.

The miners, the validators and the rules are the real ones, in one process; only blocks are quick.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import pytest
from bittensor_core import Keypair

from mycelia.lab.chain import NETUID, LabChain
from mycelia.models import ModelStore
from mycelia.neuron.ledger import Ledger
from mycelia.neuron.miner import MinerConfig, MinerProcess
from mycelia.neuron.validator import Seat, Validator, ValidatorConfig, mean_quality
from mycelia.subnets.vision import SPEC
from mycelia.subnets.vision.sheet import HANDS
from mycelia.wire.client import WireClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STAKES_TAO = {"validator-1": 300, "validator-2": 250, "validator-3": 200}
FOUNDERS = {"linear": "honest-b", "centroid": "honest-c", "twin": "honest-c", "cheat": "lookup"}
NEWCOMER = "network"
BLOCK_S, TEMPO = 0.25, 10
ROUNDS = 4
"""Of each validator in each epoch, at least: what a machine with time for them has there."""


def key(name):
    return Keypair.create_from_uri(f"//evolution//{name}")


@dataclass
class Network:
    """A running subnet with no slot to spare."""

    folder: object
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list = field(default_factory=list)
    seats: list = field(default_factory=list)
    chain: LabChain = field(
        default_factory=lambda: LabChain(
            tempo_blocks=TEMPO,
            slots=1 + len(STAKES_TAO) + len(FOUNDERS),  # one is the owner's
            immunity_blocks=2 * TEMPO,
        )
    )

    def mine(self, name, variant):
        """Register and serve, as an operator would."""
        hotkey = key(name)
        uid = self.chain.register(hotkey.ss58_address)
        process = MinerProcess(
            SPEC.subnet,
            SPEC.miners[variant].make(self.store),
            hotkey,
            self.chain.port(hotkey.ss58_address),
            MinerConfig(NETUID, "127.0.0.1", 0),
        )
        self.tasks.append(asyncio.create_task(process.run(self.stop)))
        return uid

    def validate(self, name, stake_tao, client):
        hotkey = key(name)
        self.chain.register(hotkey.ss58_address, stake_tao=stake_tao)
        seat = Seat(NETUID, SPEC.subnet(self.store))
        validator = Validator(
            hotkey.ss58_address,
            [seat],
            self.chain.port(hotkey.ss58_address),
            client,
            Ledger(self.folder / f"{name}.sqlite"),
            ValidatorConfig(round_s=0.5),
        )
        self.seats.append(seat)
        self.tasks.append(asyncio.create_task(validator.run(self.stop)))

    @property
    def store(self):
        return ModelStore()

    async def tick(self):
        """Seal blocks at their pace; where rounds are slow, an epoch waits for those that belong to it."""
        rounds, step = [], None
        while not self.stop.is_set():
            self.chain.seal()
            await asyncio.sleep(BLOCK_S)
            if step != (step := self.chain.graph().last_step):
                rounds = [seat.round for seat in self.seats]
            elif self.chain.height >= step + TEMPO - 1:
                await self._rounds_since(rounds)

    async def _rounds_since(self, before):
        ends = time.monotonic() + 30  # for a validator that has no permit any more
        while time.monotonic() < ends and not self.stop.is_set():
            seats = zip(self.seats, before, strict=True)
            if all(s.standing != "permit" or s.round >= b + ROUNDS for s, b in seats):
                return
            await asyncio.sleep(BLOCK_S / 4)

    async def epochs(self, count=1):
        """Wait for so many epochs."""
        for _ in range(count):
            before = self.chain.graph().last_step
            while self.chain.graph().last_step == before:  # noqa: ASYNC110 - a clock is waited for
                await asyncio.sleep(BLOCK_S / 2)

    def incentives(self):
        names = {key(name).ss58_address: name for name in (*FOUNDERS, NEWCOMER)}
        return {
            names[n.hotkey]: n.incentive for n in self.chain.graph().neurons if n.hotkey in names
        }

    def quality(self):
        """Mean quality of the registered miners, over all validators."""
        held = {n.identity for n in self.chain.graph().neurons}
        return sum(
            mean_quality(Seat(NETUID, seat.subnet, book={
                uid: s for uid, s in seat.book.items() if s.miner in held
            }))
            for seat in self.seats
        ) / len(self.seats)  # fmt: skip


@contextlib.asynccontextmanager
async def running(folder):
    network = Network(folder)
    for model in SPEC.models:
        network.store.ensure(model)
    async with contextlib.AsyncExitStack() as stack:
        for name, stake_tao in STAKES_TAO.items():
            client = await stack.enter_async_context(WireClient(key(name)))
            network.validate(name, stake_tao, client)
        for name, variant in FOUNDERS.items():
            network.mine(name, variant)
        network.tasks.append(asyncio.create_task(network.tick()))
        try:
            yield network
        finally:
            network.stop.set()
            await asyncio.gather(*network.tasks)


async def test_a_better_model_takes_first_place_and_the_worst_leaves(tmp_path):
    async with running(tmp_path) as network:
        while not any(network.incentives().values()):
            await network.epochs()
        await network.epochs(3)
        before = network.incentives()
        quality_before = network.quality()
        # Each validator draws by a hand of its own.
        assert len({seat.subnet.uid % len(HANDS) for seat in network.seats}) == len(STAKES_TAO)
        assert max(before, key=before.get) == "linear", before
        assert before["cheat"] == 0.0

        cheats_uid = network.chain.graph().neuron(key("cheat").ss58_address).uid
        assert network.mine(NEWCOMER, "honest-a") == cheats_uid
        epochs = 0
        while True:
            await network.epochs()
            epochs += 1
            after = network.incentives()
            if max(after, key=after.get) == NEWCOMER:
                break
            assert epochs < 5, after
        await network.epochs(2)
        after, quality_after = network.incentives(), network.quality()
    told = (before, after, quality_before, quality_after)
    assert max(after, key=after.get) == NEWCOMER, told
    assert "cheat" not in after
    assert quality_after > quality_before + 0.1, told
