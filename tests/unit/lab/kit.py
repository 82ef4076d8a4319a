"""The smallest trial of a subnet."""

from mycelia.lab.trial import TrialConfig
from mycelia.neuron.subnet import Spec, Variant
from tests.unit.neuron.kit import Sum, honest

QUICK = TrialConfig(epochs=1, rounds=4)


def spec(subnet=Sum, miner=honest):
    return Spec(subnet, {"honest": Variant("honest", honest=True, make=lambda _: miner)})


async def only_table(trial):
    await trial.probe()
    (table,) = [table async for table in trial.tables()]
    return table
