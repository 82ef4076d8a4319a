from dataclasses import replace

from mycelia.cli.up.watch import _Epochs
from tests.unit.neuron.kit import metagraph, neuron

PAID = metagraph(replace(neuron(1, "alice"), incentive=0.5))
UNPAID = metagraph(neuron(1, "alice"))


def seen(*graphs):
    epochs = _Epochs()
    for graph in graphs:
        epochs.see(graph)
    return epochs.paid


def test_epochs_before_the_first_look_do_not_count():
    assert seen(replace(PAID, last_step=20)) == 0


def test_each_paid_epoch_counts_once():
    steps = [replace(PAID, last_step=step) for step in (0, 20, 20, 20, 40, 40)]
    assert seen(*steps) == 2


def test_epoch_that_paid_nobody_does_not_count():
    assert seen(replace(UNPAID, last_step=0), replace(UNPAID, last_step=20)) == 0
