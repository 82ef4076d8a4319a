"""Views that clients of the 10.x line ask for: subnets as fixed lists of fields, and chosen parts of a metagraph.

Source: subtensor@14bc6f9 `rpc_info/{subnet_info,metagraph,show_subnet}.rs`.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from mycelia.codec import I32F32, U8, U16, U64, Compact, Record
from mycelia.frame import Pallet, State, view
from mycelia.pallets.subtensor.emission.kernel import block_emission_rao
from mycelia.pallets.subtensor.epoch.results import storage_index
from mycelia.pallets.subtensor.info import types as t
from mycelia.pallets.subtensor.info.selective import NAMES, SelectiveMetagraph
from mycelia.pallets.subtensor.info.subnets import API, YUMA_2, YUMA_3, SubnetViews
from mycelia.pallets.subtensor.types import SubnetIdentityV3
from mycelia.primitives import AccountId, Alpha, NetUid, Tao

_PATH: Final = "pallet_subtensor::rpc_info"
_SCALING_LAW_POWER: Final = U16(50)


class Published(Protocol):
    """What neurons publish about themselves."""

    def encoded_of(self, netuid: NetUid) -> list[tuple[AccountId, bytes]]: ...


class SubnetInfo(Record, path=f"{_PATH}::subnet_info::SubnetInfo"):
    """A subnet's parameters. Modality, connections and emission are no longer kept."""

    netuid: Compact[NetUid]
    rho: Compact[U16]
    kappa: Compact[U16]
    difficulty: Compact[U64]
    immunity_period: Compact[U16]
    max_allowed_validators: Compact[U16]
    min_allowed_weights: Compact[U16]
    max_weights_limit: Compact[U16]
    scaling_law_power: Compact[U16]
    subnetwork_n: Compact[U16]
    max_allowed_uids: Compact[U16]
    blocks_since_last_step: Compact[U64]
    tempo: Compact[U16]
    network_modality: Compact[U16]
    network_connect: tuple[tuple[U16, U16], ...]
    emission_values: Compact[U64]
    burn: Compact[Tao]
    owner: AccountId


class SubnetInfov2(Record, path=f"{_PATH}::subnet_info::SubnetInfov2"):
    """The same, with what the owner says of the subnet."""

    netuid: Compact[NetUid]
    rho: Compact[U16]
    kappa: Compact[U16]
    difficulty: Compact[U64]
    immunity_period: Compact[U16]
    max_allowed_validators: Compact[U16]
    min_allowed_weights: Compact[U16]
    max_weights_limit: Compact[U16]
    scaling_law_power: Compact[U16]
    subnetwork_n: Compact[U16]
    max_allowed_uids: Compact[U16]
    blocks_since_last_step: Compact[U64]
    tempo: Compact[U16]
    network_modality: Compact[U16]
    network_connect: tuple[tuple[U16, U16], ...]
    emission_value: Compact[U64]
    burn: Compact[Tao]
    owner: AccountId
    identity: SubnetIdentityV3 | None


class SubnetHyperparams(Record, path=f"{_PATH}::subnet_info::SubnetHyperparams"):
    """A subnet's parameters, as their list was first."""

    rho: Compact[U16]
    kappa: Compact[U16]
    immunity_period: Compact[U16]
    min_allowed_weights: Compact[U16]
    max_weights_limit: Compact[U16]
    tempo: Compact[U16]
    min_difficulty: Compact[U64]
    max_difficulty: Compact[U64]
    weights_version: Compact[U64]
    weights_rate_limit: Compact[U64]
    adjustment_interval: Compact[U16]
    activity_cutoff: Compact[U64]
    registration_allowed: bool
    target_regs_per_interval: Compact[U16]
    min_burn: Compact[Tao]
    max_burn: Compact[Tao]
    bonds_moving_avg: Compact[U64]
    max_regs_per_block: Compact[U16]
    serving_rate_limit: Compact[U64]
    max_validators: Compact[U16]
    adjustment_alpha: Compact[U64]
    difficulty: Compact[U64]
    commit_reveal_period: Compact[U64]
    commit_reveal_weights_enabled: bool
    alpha_high: Compact[U16]
    alpha_low: Compact[U16]
    liquid_alpha_enabled: bool


class SubnetHyperparamsV2(Record, path=f"{_PATH}::subnet_info::SubnetHyperparamsV2"):
    """A subnet's parameters, as their list was second."""

    rho: Compact[U16]
    kappa: Compact[U16]
    immunity_period: Compact[U16]
    min_allowed_weights: Compact[U16]
    max_weights_limit: Compact[U16]
    tempo: Compact[U16]
    min_difficulty: Compact[U64]
    max_difficulty: Compact[U64]
    weights_version: Compact[U64]
    weights_rate_limit: Compact[U64]
    adjustment_interval: Compact[U16]
    activity_cutoff: Compact[U64]
    registration_allowed: bool
    target_regs_per_interval: Compact[U16]
    min_burn: Compact[Tao]
    max_burn: Compact[Tao]
    bonds_moving_avg: Compact[U64]
    max_regs_per_block: Compact[U16]
    serving_rate_limit: Compact[U64]
    max_validators: Compact[U16]
    adjustment_alpha: Compact[U64]
    difficulty: Compact[U64]
    commit_reveal_period: Compact[U64]
    commit_reveal_weights_enabled: bool
    alpha_high: Compact[U16]
    alpha_low: Compact[U16]
    liquid_alpha_enabled: bool
    alpha_sigmoid_steepness: I32F32
    yuma_version: Compact[U16]
    subnet_is_active: bool
    transfers_enabled: bool
    bonds_reset_enabled: bool
    user_liquidity_enabled: bool


class SubnetState(Record, path=f"{_PATH}::show_subnet::SubnetState"):
    """The columns of a metagraph, without its heading. No history of emissions is kept."""

    netuid: Compact[NetUid]
    hotkeys: tuple[AccountId, ...]
    coldkeys: tuple[AccountId, ...]
    active: tuple[bool, ...]
    validator_permit: tuple[bool, ...]
    pruning_score: tuple[Compact[U16], ...]
    last_update: tuple[Compact[U64], ...]
    emission: tuple[Compact[Alpha], ...]
    dividends: tuple[Compact[U16], ...]
    incentives: tuple[Compact[U16], ...]
    consensus: tuple[Compact[U16], ...]
    trust: tuple[Compact[U16], ...]
    rank: tuple[Compact[U16], ...]
    block_at_registration: tuple[Compact[U64], ...]
    alpha_stake: tuple[Compact[Alpha], ...]
    tao_stake: tuple[Compact[Tao], ...]
    total_stake: tuple[Compact[Tao], ...]
    emission_history: tuple[tuple[Compact[Alpha], ...], ...]


class OlderViews(Pallet, name="SubtensorModule"):
    """Views that clients of the 10.x line ask for."""

    views: SubnetViews
    published: Published

    def __init__(self, state: State, *, views: SubnetViews, published: Published) -> None:
        super().__init__(state, views=views, published=published)

    @view(api=API)
    def get_subnet_info(self, netuid: NetUid) -> SubnetInfo | None:
        """A subnet's parameters; None when there is none."""
        graph = self.views.get_metagraph(netuid)
        if graph is None:
            return None
        return SubnetInfo(**self._info(graph), emission_values=U64(0))

    @view(api=API)
    def get_subnets_info(self) -> tuple[SubnetInfo | None, ...]:
        """The parameters of all subnets."""
        return tuple(self.get_subnet_info(netuid) for netuid in self._netuids())

    @view(api=API)
    def get_subnet_info_v2(self, netuid: NetUid) -> SubnetInfov2 | None:
        """A subnet's parameters and identity; None when there is none."""
        graph = self.views.get_metagraph(netuid)
        if graph is None:
            return None
        return SubnetInfov2(**self._info(graph), emission_value=U64(0), identity=graph.identity)

    @view(api=API)
    def get_subnets_info_v2(self) -> tuple[SubnetInfov2 | None, ...]:
        """The parameters and identities of all subnets."""
        return tuple(self.get_subnet_info_v2(netuid) for netuid in self._netuids())

    @view(api=API)
    def get_subnet_hyperparams(self, netuid: NetUid) -> SubnetHyperparams | None:
        """A subnet's parameters; None when there is none."""
        graph = self.views.get_metagraph(netuid)
        return None if graph is None else SubnetHyperparams(**_parameters(graph))

    @view(api=API)
    def get_subnet_hyperparams_v2(self, netuid: NetUid) -> SubnetHyperparamsV2 | None:
        """A subnet's parameters; None when there is none."""
        graph = self.views.get_metagraph(netuid)
        if graph is None:
            return None
        chosen = self.views.parameters
        return SubnetHyperparamsV2(
            **_parameters(graph),
            alpha_sigmoid_steepness=I32F32(chosen.alpha_sigmoid_steepness[netuid] << 32),
            yuma_version=YUMA_3 if chosen.yuma3_on[netuid] else YUMA_2,
            subnet_is_active=chosen.subtoken_enabled[netuid],
            transfers_enabled=chosen.transfer_toggle[netuid],
            bonds_reset_enabled=chosen.bonds_reset_on[netuid],
            user_liquidity_enabled=False,
        )

    @view(api=API)
    def get_block_emission(self) -> Tao:
        """What each block mints now."""
        return Tao(block_emission_rao(self.views.coinbase.issuance.total_issuance))

    @view(api=API)
    def get_subnet_state(self, netuid: NetUid) -> SubnetState | None:
        """The columns of a subnet's metagraph; None when there is none."""
        graph = self.views.get_metagraph(netuid)
        if graph is None:
            return None
        names = (name for name in vars(graph) if name in SubnetState.__dataclass_fields__)
        return SubnetState(**{name: getattr(graph, name) for name in names}, emission_history=())

    @view(api=API)
    def get_selective_metagraph(
        self, netuid: NetUid, metagraph_indexes: tuple[U16, ...]
    ) -> SelectiveMetagraph | None:
        """Chosen fields of a subnet's metagraph; None when there is none."""
        return self.get_selective_mechagraph(netuid, U8(0), metagraph_indexes)

    @view(api=API)
    def get_selective_mechagraph(
        self, netuid: NetUid, subid: U8, metagraph_indexes: tuple[U16, ...]
    ) -> SelectiveMetagraph | None:
        """Chosen fields of the metagraph of one mechanism; None when there is no such subnet.

        A mechanism that is not there has neither incentives nor updates. The netuid is the subnet's.
        """
        graph = self.views.graph(netuid, storage_index(netuid, subid))
        if graph is None:
            return None
        asked = {NAMES[index] for index in metagraph_indexes if index < len(NAMES)}
        fields: dict[str, Any] = {
            name: (self._field(netuid, graph, name),) if name in asked else None for name in NAMES
        }
        return SelectiveMetagraph(**{**fields, "netuid": netuid})

    def _field(self, netuid: NetUid, graph: t.Metagraph, name: str) -> Any:
        if name == "validators":
            return self._validators(graph)
        if name == "commitments":
            published = self.published.encoded_of(netuid)
            return tuple((who, t.text(data)) for who, data in published)
        return getattr(graph, name)

    def _validators(self, graph: t.Metagraph) -> tuple[U16, ...]:
        """Slots with a permit and enough stake, the least staked first."""
        least = self.views.subnets.network.stake_threshold
        ranked = sorted(
            (stake, uid)
            for uid, (permit, stake) in enumerate(
                zip(graph.validator_permit, graph.total_stake, strict=True)
            )
            if permit and stake > least
        )
        return tuple(U16(uid) for _, uid in ranked)

    def _netuids(self) -> list[NetUid]:
        return sorted(self.views.subnets.netuids())

    def _info(self, graph: t.Metagraph) -> dict[str, Any]:
        """The fields that both lists of a subnet's parameters share. `Any`: fields of a record."""
        return {
            "netuid": graph.netuid,
            "rho": graph.rho,
            "kappa": graph.kappa,
            "difficulty": graph.difficulty,
            "immunity_period": graph.immunity_period,
            "max_allowed_validators": graph.max_validators,
            "min_allowed_weights": graph.min_allowed_weights,
            "max_weights_limit": graph.max_weights_limit,
            "scaling_law_power": _SCALING_LAW_POWER,
            "subnetwork_n": graph.num_uids,
            "max_allowed_uids": graph.max_uids,
            "blocks_since_last_step": self.views.schedule.blocks_since_last_step[graph.netuid],
            "tempo": graph.tempo,
            "network_modality": U16(0),
            "network_connect": (),
            "burn": graph.burn,
            "owner": graph.owner_coldkey,
        }


def _parameters(graph: t.Metagraph) -> dict[str, Any]:
    """The metagraph's fields that the first list of parameters has. `Any`: fields of a record."""
    return {name: getattr(graph, name) for name in SubnetHyperparams.__dataclass_fields__}
