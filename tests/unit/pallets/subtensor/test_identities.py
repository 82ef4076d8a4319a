"""Who coldkeys say they are."""

import pytest

from mycelia.frame import Origin
from mycelia.pallets.subtensor.errors import HotKeyNotRegisteredInNetwork, InvalidIdentity
from mycelia.pallets.subtensor.events import ChainIdentitySet
from mycelia.pallets.subtensor.subnets.identities import Identities


@pytest.fixture
def identities(world):
    pallets = world.pallets
    return Identities(world.runtime.state, neurons=pallets.neurons, stakes=pallets.stakes)


FIELDS = (b"name", b"https://example.org", b"", b"", b"", b"", b"")


def test_an_owner_of_a_neuron_says_who_it_is(world, identities):
    identities.set_identity(Origin(world.key("//Alice")), *FIELDS)
    assert identities.identities_v2[world.key("//Alice")].name == b"name"
    assert world.runtime.state.told[-1].event == ChainIdentitySet(world.key("//Alice"))


def test_set_identity_hot_key_not_registered_in_network(world, identities):
    with pytest.raises(HotKeyNotRegisteredInNetwork):
        identities.set_identity(Origin(world.key("//Bob")), *FIELDS)


def test_set_identity_invalid_identity(world, identities):
    with pytest.raises(InvalidIdentity):
        identities.set_identity(Origin(world.key("//Alice")), b"x" * 257, *FIELDS[1:])
