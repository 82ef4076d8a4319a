"""What clients are shown, and that it has a form on the wire."""

import pytest

from mycelia.codec import scale
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.primitives import NetUid, Uid

TAO = 10**9
NETUID, ROOT, NOWHERE = NetUid(1), NetUid(0), NetUid(9)
OWNER = "//Alice_hk1"


class Shown:
    """Every view of a world, each answer checked to survive encoding."""

    def __init__(self, world):
        pallets = world.pallets
        self.parts = (pallets.subnet_views, pallets.neuron_views, pallets.stake_views)

    def __getattr__(self, name):
        part = next(part for part in self.parts if hasattr(part, name))
        spec = next(spec for spec in part.spec.views if spec.name == name)

        def ask(*arguments):
            answer = getattr(part, name)(*arguments)
            codec = scale(spec.output)
            assert codec.decode(codec.encode(answer)) == answer
            return answer

        return ask


@pytest.fixture
def lively(world):
    """Bob mines behind uid 1 and stakes behind the owner; weights are set."""
    world.register("//Bob")
    world.stake("//Bob", OWNER, 10 * TAO)
    world.stake("//Bob", OWNER, 5 * TAO, netuid=0)
    world.pallets.rows.set(NETUID, Uid(0), [0, 1], [0, 65535])
    world.seal()
    return world


def test_the_metagraph_lists_neurons_by_uid(lively):
    graph = Shown(lively).get_metagraph(NETUID)
    assert graph.hotkeys == (lively.key(OWNER), lively.key("//Bob_hk"))
    assert graph.coldkeys == (lively.key("//Alice"), lively.key("//Bob"))
    assert (graph.netuid, graph.num_uids, graph.tempo) == (1, 2, 360)
    assert bytes(graph.symbol) == "α".encode()
    assert graph.tao_in == lively.pallets.pools.subnet_tao[NETUID]
    assert graph.alpha_stake[0] == lively.pallets.stakes.total_of(lively.key(OWNER), NETUID)
    assert graph.tao_stake == (5 * TAO, 0)
    weight = lively.pallets.stakes.stake_weight_q64(lively.key(OWNER), NETUID) >> 64
    assert graph.total_stake[0] == weight > graph.alpha_stake[0]
    assert graph.block == lively.height
    assert len(graph.axons) == len(graph.identities) == len(graph.emission) == 2
    assert graph.max_weights_limit == 65_535
    assert graph.burn == lively.pallets.registration.burn[NETUID]


def test_what_is_not_there_is_none(lively):
    shown = Shown(lively)
    assert shown.get_metagraph(NOWHERE) is None
    assert shown.get_mechagraph(NETUID, 1) is None
    assert shown.get_dynamic_info(NOWHERE) is None
    assert shown.get_subnet_hyperparams_v3(NOWHERE) is None
    assert shown.get_next_epoch_start_block(NOWHERE) is None
    assert shown.get_subnet_account_id(NOWHERE) is None
    assert shown.get_neuron(NETUID, 2) is shown.get_neuron_lite(NETUID, 2) is None
    assert shown.get_delegate(lively.key("//Bob")) is None
    assert shown.get_coldkey_auto_stake_hotkey(lively.key("//Bob"), NETUID) is None


def test_mechanism_0_is_the_subnet(lively):
    shown = Shown(lively)
    assert shown.get_mechagraph(NETUID, 0) == shown.get_metagraph(NETUID)
    assert [graph.netuid for graph in shown.get_all_metagraphs()] == [0, 1]
    assert shown.get_all_mechagraphs() == shown.get_all_metagraphs()


def test_the_pool_is_shown(lively):
    shown = Shown(lively)
    info = shown.get_dynamic_info(NETUID)
    assert (info.tao_in, info.alpha_in) == lively.pallets.pools.reserves(NETUID)
    assert bytes(info.subnet_name) == b"subnet 1"
    assert bytes(shown.get_dynamic_info(ROOT).subnet_name) == b"root"
    assert len(shown.get_all_dynamic_info()) == 2
    assert shown.get_subnet_account_id(NETUID) == subnet_account(NETUID)


def test_parameters_are_shown_by_the_names_clients_know(lively):
    entries = Shown(lively).get_subnet_hyperparams_v3(NETUID)
    values = {entry.name.decode(): entry.value.value for entry in entries}
    assert len(values) == len(entries)
    assert values["tempo"] == 360
    assert values["commit_reveal_weights_enabled"] is False
    assert values["alpha_sigmoid_steepness"] == 1000 << 32
    assert values["yuma_version"] == 2
    assert values["activity_cutoff"] == 5000
    assert values["min_burn"] == 500_000
    # Every entry that the original chain shows.
    assert set(values) >= {
        "kappa",
        "immunity_period",
        "min_allowed_weights",
        "max_weights_limit",
        "tempo",
        "weights_version",
        "weights_rate_limit",
        "activity_cutoff",
        "activity_cutoff_factor",
        "registration_allowed",
        "target_regs_per_interval",
        "min_burn",
        "max_burn",
        "burn_half_life",
        "burn_increase_mult",
        "bonds_moving_avg",
        "max_regs_per_block",
        "serving_rate_limit",
        "max_validators",
        "commit_reveal_period",
        "commit_reveal_weights_enabled",
        "alpha_high",
        "alpha_low",
        "liquid_alpha_enabled",
        "alpha_sigmoid_steepness",
        "yuma_version",
        "subnet_is_active",
        "transfers_enabled",
        "bonds_reset_enabled",
        "user_liquidity_enabled",
        "owner_cut_enabled",
        "owner_cut_auto_lock_enabled",
        "min_childkey_take",
    }


def test_the_next_epoch_is_a_tempo_away(lively):
    shown = Shown(lively)
    start = lively.pallets.schedule.last_epoch_block[NETUID]
    assert shown.get_next_epoch_start_block(NETUID) == start + 360
    assert shown.get_next_epoch_start_block(ROOT) is None


def test_neurons_with_their_weights(lively):
    shown = Shown(lively)
    first, second = shown.get_neurons(NETUID)
    assert first.weights == ((1, 65535),)  # zeros are left out
    assert first.stake == (
        (lively.key("//Alice"), lively.pallets.stakes.total_of(lively.key(OWNER), NETUID)),
    )
    assert second.uid == 1
    updates = lively.pallets.results.last_update[storage_index(NETUID)].tolist()
    assert [first.last_update, second.last_update] == updates
    lite = shown.get_neurons_lite(NETUID)
    assert [neuron.hotkey for neuron in lite] == [first.hotkey, second.hotkey]
    assert shown.get_neuron(NETUID, 1) == second
    assert shown.get_neuron_lite(NETUID, 0) == lite[0]


def test_stake_by_coldkey(lively):
    shown, bob = Shown(lively), lively.key("//Bob")
    infos = shown.get_stake_info_for_coldkey(bob)
    assert {(info.netuid, info.hotkey) for info in infos} == {
        (0, lively.key(OWNER)),
        (1, lively.key(OWNER)),
    }
    assert all(info.is_registered == (info.netuid == 1) for info in infos)
    assert shown.get_stake_info_for_coldkeys((bob,)) == ((bob, infos),)
    single = shown.get_stake_info_for_hotkey_coldkey_netuid(lively.key(OWNER), bob, ROOT)
    assert single.stake == 5 * TAO
    nothing = shown.get_stake_info_for_hotkey_coldkey_netuid(bob, bob, NETUID)
    assert nothing.stake == 0


def test_all_stake_is_available(lively):
    shown, bob = Shown(lively), lively.key("//Bob")
    everywhere = shown.get_stake_availability_for_coldkeys((bob,), None)[bob]
    assert set(everywhere) == {0, 1}
    assert everywhere[0].available == everywhere[0].total == 5 * TAO
    asked = shown.get_stake_availability_for_coldkeys((bob,), (ROOT, NOWHERE))[bob]
    assert set(asked) == {0}


def test_the_stake_fee_depends_on_the_destination(lively):
    shown, bob, hot = Shown(lively), lively.key("//Bob"), lively.key(OWNER)
    assert shown.get_stake_fee(None, bob, (hot, NETUID), bob, TAO) == 503_547
    assert shown.get_stake_fee((hot, NETUID), bob, None, bob, TAO) == 503_547
    assert shown.get_stake_fee(None, bob, (hot, ROOT), bob, TAO) == 0
    assert shown.get_stake_fee((hot, NETUID), bob, (hot, NETUID), bob, TAO) == 0


def test_delegates(lively):
    shown = Shown(lively)
    assert shown.get_delegates() == ()
    lively.pallets.stakes.become_delegate(lively.key(OWNER))
    (delegate,) = shown.get_delegates()
    assert delegate == shown.get_delegate(lively.key(OWNER))
    assert delegate.owner_ss58 == lively.key("//Alice")
    assert delegate.take == 11_796
    nominated = dict(delegate.nominators)[lively.key("//Bob")]
    assert {netuid for netuid, _ in nominated} == {0, 1}
    delegated = shown.get_delegated(lively.key("//Bob"))
    assert {pair[0] for _, pair in delegated} == {0, 1}
    assert delegate.registrations == (1,)
