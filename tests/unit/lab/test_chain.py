import pytest
from bittensor_core import Keypair

from mycelia.lab.chain import NETUID, LabChain
from mycelia.neuron.chain import CallFailed

VALIDATOR, GOOD, BETTER, POOR, NEW = (
    Keypair.create_from_uri(f"//{name}").ss58_address
    for name in ("validator", "good", "better", "poor", "new")
)


def paid(chain):
    return {n.hotkey: n.incentive for n in chain.graph().neurons if n.incentive}


def test_pay_follows_weights_by_the_chains_own_epoch():
    chain = LabChain()
    chain.register(VALIDATOR, stake_tao=100)
    good, better = chain.register(GOOD), chain.register(BETTER)
    chain.run_epoch()
    chain.set_weights(VALIDATOR, {good: 0.25, better: 0.75})
    chain.run_epoch()
    assert paid(chain) == pytest.approx({GOOD: 0.25, BETTER: 0.75}, abs=1e-3)
    neuron = chain.graph().neuron(BETTER)
    assert neuron is not None
    assert neuron.emission_rao > 0


def test_a_full_subnet_drops_the_worst_for_a_newcomer():
    chain = LabChain(slots=4, immunity_blocks=1)
    chain.register(VALIDATOR, stake_tao=100)
    good, poor = chain.register(GOOD), chain.register(POOR)
    chain.run_epoch()
    chain.set_weights(VALIDATOR, {good: 1.0, poor: 0.1})
    chain.run_epoch()
    assert chain.register(NEW) == poor
    assert chain.graph().neuron(POOR) is None


def test_rules_hold():
    chain = LabChain()
    chain.register(VALIDATOR)
    with pytest.raises(CallFailed, match="set_weights"):
        chain.set_weights(GOOD, {1: 1.0})
    with pytest.raises(CallFailed):
        chain.register(VALIDATOR)


async def test_a_process_sees_it_as_any_chain():
    chain = LabChain()
    uid = chain.register(GOOD)
    port = chain.port(GOOD)
    await port.serve_axon(NETUID, "127.0.0.1", 4000)
    neuron = (await port.metagraph(NETUID)).neurons[uid]
    assert (neuron.hotkey, neuron.host, neuron.port) == (GOOD, "127.0.0.1", 4000)
