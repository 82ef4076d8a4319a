"""Who coldkeys say they are."""

FIELDS = {
    "name": b"name",
    "url": b"https://example.org",
    "github_repo": b"",
    "image": b"",
    "discord": b"",
    "description": b"",
    "additional": b"",
}


def test_an_owner_of_a_neuron_says_who_it_is(world):
    result = world.call("//Alice", "set_identity", **FIELDS)
    assert result.events("ChainIdentitySet")[0].coldkey == world.key("//Alice")
    assert world.pallets.identities.identities_v2[world.key("//Alice")].name == b"name"


def test_set_identity_hot_key_not_registered_in_network(world):
    assert world.call("//Bob", "set_identity", **FIELDS).error == "HotKeyNotRegisteredInNetwork"


def test_set_identity_invalid_identity(world):
    long = {**FIELDS, "name": b"x" * 257}
    assert world.call("//Alice", "set_identity", **long).error == "InvalidIdentity"
