"""Subnets as clients see them: metagraph, pool, parameters, schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mycelia.codec import I16, I32F32, U8, U16, U32, U64, U64F64
from mycelia.frame import Pallet, State, view
from mycelia.pallets.subtensor.emission.pallet import Coinbase
from mycelia.pallets.subtensor.epoch.mechanisms import Mechanisms
from mycelia.pallets.subtensor.epoch.results import Results, storage_index
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.hyperparameters.parameter import Parameter
from mycelia.pallets.subtensor.hyperparameters.table import Hyperparameters
from mycelia.pallets.subtensor.info import types as t
from mycelia.pallets.subtensor.needs import Clock
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.serving.pallet import Serving
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.subnets.identities import Identities
from mycelia.pallets.subtensor.subnets.kernel import subnet_account
from mycelia.pallets.subtensor.subnets.pallet import Subnets
from mycelia.primitives import AccountId, Alpha, NetUid, Tao
from mycelia.primitives.ids import ROOT_NETUID

API: Final = "SubnetInfoRuntimeApi"
YUMA_2: Final = U16(2)
YUMA_3: Final = U16(3)

_SHOWN_AS: Final[dict[Any, Callable[[Any], t.HyperparamValue]]] = {
    bool: t.BoolValue,
    U16: t.U16Value,
    U32: t.U32Value,
    U64: t.U64Value,
    Tao: t.TaoValue,
    U64F64: t.U64F64Value,
}


class SubnetViews(Pallet, name="SubtensorModule"):
    """Subnets as clients see them."""

    subnets: Subnets
    parameters: Hyperparameters
    neurons: Neurons
    stakes: Stakes
    mechanisms: Mechanisms
    results: Results
    schedule: Schedule
    coinbase: Coinbase
    registration: Registration
    serving: Serving
    identities: Identities
    clock: Clock

    def __init__(
        self,
        state: State,
        *,
        subnets: Subnets,
        parameters: Hyperparameters,
        neurons: Neurons,
        stakes: Stakes,
        mechanisms: Mechanisms,
        results: Results,
        schedule: Schedule,
        coinbase: Coinbase,
        registration: Registration,
        serving: Serving,
        identities: Identities,
        clock: Clock,
    ) -> None:
        super().__init__(
            state,
            subnets=subnets,
            parameters=parameters,
            neurons=neurons,
            stakes=stakes,
            mechanisms=mechanisms,
            results=results,
            schedule=schedule,
            coinbase=coinbase,
            registration=registration,
            serving=serving,
            identities=identities,
            clock=clock,
        )

    @view(api=API)
    def get_metagraph(self, netuid: NetUid) -> t.Metagraph | None:
        """All of a subnet; None when there is none."""
        return self.graph(netuid, storage_index(netuid))

    @view(api=API)
    def get_all_metagraphs(self) -> tuple[t.Metagraph | None, ...]:
        """The metagraphs of all subnets."""
        return tuple(self.get_metagraph(netuid) for netuid in self.subnets.netuids())

    @view(api=API)
    def get_mechagraph(self, netuid: NetUid, mecid: U8) -> t.Metagraph | None:
        """All of a subnet with what is one mechanism's own; None when there is none.

        Its number there is the storage index, from which clients tell the mechanism.
        """
        if mecid >= self.mechanisms.count(netuid):
            return None
        return self.graph(netuid, storage_index(netuid, mecid))

    @view(api=API)
    def get_all_mechagraphs(self) -> tuple[t.Metagraph | None, ...]:
        """All mechanisms of all subnets."""
        return tuple(
            self.graph(netuid, index)
            for netuid in self.subnets.netuids()
            for index in self.mechanisms.indexes(netuid)
        )

    @view(api=API)
    def get_dynamic_info(self, netuid: NetUid) -> t.DynamicInfo | None:
        """A subnet's pool and pay; None when there is none."""
        if not self.subnets.exists(netuid):
            return None
        heading = self._heading(netuid)
        renamed = {
            "name": "subnet_name",
            "symbol": "token_symbol",
            "identity": "subnet_identity",
            "subnet_emission": "emission",
        }
        fields = {renamed.get(name, name): value for name, value in heading.items()}
        del fields["block"]
        return t.DynamicInfo(**fields)

    @view(api=API)
    def get_all_dynamic_info(self) -> tuple[t.DynamicInfo | None, ...]:
        """Pools and pay of all subnets."""
        return tuple(self.get_dynamic_info(netuid) for netuid in self.subnets.netuids())

    @view(api=API)
    def get_subnet_hyperparams_v3(self, netuid: NetUid) -> tuple[t.HyperparamEntry, ...] | None:
        """A subnet's parameters by name; None when there is none."""
        if not self.subnets.exists(netuid):
            return None
        low, high = self.parameters.alpha_values[netuid]
        steepness: I16 = self.parameters.alpha_sigmoid_steepness[netuid]
        derived: dict[str, t.HyperparamValue] = {
            "activity_cutoff": t.U64Value(U64(self.parameters.activity_cutoff_blocks(netuid))),
            "alpha_high": t.U16Value(high),
            "alpha_low": t.U16Value(low),
            "alpha_sigmoid_steepness": t.I32F32Value(I32F32(steepness << 32)),
            "yuma_version": t.U16Value(YUMA_3 if self.parameters.yuma3_on[netuid] else YUMA_2),
            "user_liquidity_enabled": t.BoolValue(value=False),
        }
        stored = {
            row.shown: _SHOWN_AS[row.value](self.parameters.handles[row.attribute][netuid])
            for row, _ in Hyperparameters.spec.storage
            if isinstance(row, Parameter) and row.shown
        }
        entries = {**stored, **derived}
        return tuple(t.HyperparamEntry(name.encode(), value) for name, value in entries.items())

    @view(api=API)
    def get_next_epoch_start_block(self, netuid: NetUid) -> U64 | None:
        """Block at which the next epoch is expected; None where none runs."""
        if not self.subnets.exists(netuid) or netuid == ROOT_NETUID:
            return None
        expected = self.schedule.next_epoch_start(netuid)
        return None if expected is None else U64(expected)

    @view(api=API)
    def get_subnet_account_id(self, netuid: NetUid) -> AccountId | None:
        """The account that holds the subnet's TAO; None when there is no such subnet."""
        return subnet_account(netuid) if self.subnets.exists(netuid) else None

    @view(api=API)
    def get_coldkey_auto_stake_hotkey(self, coldkey: AccountId, netuid: NetUid) -> AccountId | None:
        """The hotkey behind which the coldkey's mining pay is staked, if it chose one."""
        return self.stakes.auto_stake_destination[coldkey, netuid]

    def graph(self, netuid: NetUid, index: int) -> t.Metagraph | None:
        """A subnet as one mechanism has it; None when there is no such subnet.

        Incentives and updates are the mechanism's, all else is the subnet's.
        """
        if not self.subnets.exists(netuid):
            return None
        heading = {**self._heading(netuid), "netuid": NetUid(index)}
        return t.Metagraph(**heading, **self._choices(netuid), **self._columns(netuid, index))

    def name_of(self, netuid: NetUid) -> bytes:
        """What the owner calls the subnet, or a name from its number."""
        identity = self.subnets.subnet_identities_v3[netuid]
        if identity and identity.subnet_name:
            return identity.subnet_name
        return b"root" if netuid == ROOT_NETUID else f"subnet {netuid}".encode()

    def _heading(self, netuid: NetUid) -> dict[str, Any]:
        """The subnet itself, its pool and its pay. `Any`: fields of a record, checked by their test."""
        coinbase, pools = self.coinbase, self.coinbase.pools
        now, last_step = self.clock.now(), self.schedule.last_mechansim_step_block[netuid]
        waiting = (
            coinbase.pending_validator_emission[netuid] + coinbase.pending_server_emission[netuid]
        )
        return {
            "netuid": netuid,
            "name": t.text(self.name_of(netuid)),
            "symbol": t.text(self.subnets.token_symbol[netuid]),
            "identity": self.subnets.subnet_identities_v3[netuid],
            "network_registered_at": self.subnets.network_registered_at[netuid],
            "owner_hotkey": self.subnets.subnet_owner_hotkey[netuid],
            "owner_coldkey": self.subnets.subnet_owner[netuid],
            "block": U64(now),
            "tempo": self.parameters.tempo[netuid],
            "last_step": last_step,
            "blocks_since_last_step": U64(max(0, now - last_step)),
            "subnet_emission": U64(0),
            "alpha_in": pools.subnet_alpha_in[netuid],
            "alpha_out": pools.subnet_alpha_out[netuid],
            "tao_in": pools.subnet_tao[netuid],
            "alpha_out_emission": coinbase.subnet_alpha_out_emission[netuid],
            "alpha_in_emission": coinbase.subnet_alpha_in_emission[netuid],
            "tao_in_emission": coinbase.subnet_tao_in_emission[netuid],
            "pending_alpha_emission": Alpha(waiting),
            "pending_root_emission": Tao(0),
            "subnet_volume": pools.subnet_volume[netuid],
            "moving_price": coinbase.prices.subnet_moving_price[netuid],
        }

    def _choices(self, netuid: NetUid) -> dict[str, Any]:
        """The subnet's parameters."""
        chosen = self.parameters
        low, high = chosen.alpha_values[netuid]
        return {
            "rho": chosen.rho[netuid],
            "kappa": chosen.kappa[netuid],
            "min_allowed_weights": chosen.min_allowed_weights[netuid],
            "max_weights_limit": chosen.max_weights_limit[netuid],
            "weights_version": chosen.weights_version_key[netuid],
            "weights_rate_limit": chosen.weights_set_rate_limit[netuid],
            "activity_cutoff": U64(chosen.activity_cutoff_blocks(netuid)),
            "max_validators": chosen.max_allowed_validators[netuid],
            "num_uids": U16(self.neurons.size(netuid)),
            "max_uids": chosen.max_allowed_uids[netuid],
            "burn": self.registration.burn[netuid],
            "difficulty": chosen.difficulty[netuid],
            "registration_allowed": chosen.network_registration_allowed[netuid],
            "pow_registration_allowed": chosen.network_pow_registration_allowed[netuid],
            "immunity_period": chosen.immunity_period[netuid],
            "min_difficulty": chosen.min_difficulty[netuid],
            "max_difficulty": chosen.max_difficulty[netuid],
            "min_burn": chosen.min_burn[netuid],
            "max_burn": chosen.max_burn[netuid],
            "adjustment_alpha": chosen.adjustment_alpha[netuid],
            "adjustment_interval": chosen.adjustment_interval[netuid],
            "target_regs_per_interval": chosen.target_registrations_per_interval[netuid],
            "max_regs_per_block": chosen.max_registrations_per_block[netuid],
            "serving_rate_limit": chosen.serving_rate_limit[netuid],
            "commit_reveal_weights_enabled": chosen.commit_reveal_weights_enabled[netuid],
            "commit_reveal_period": chosen.reveal_period_epochs[netuid],
            "liquid_alpha_enabled": chosen.liquid_alpha_on[netuid],
            "alpha_high": high,
            "alpha_low": low,
            "bonds_moving_avg": chosen.bonds_moving_average[netuid],
        }

    def _columns(self, netuid: NetUid, index: int) -> dict[str, Any]:
        """One column per neuron attribute, by uid. Rank, trust and pruning score are no longer computed."""
        results = self.results
        hotkeys = self.neurons.hotkeys(netuid)
        coldkeys = [self.stakes.owner[hotkey] for hotkey in hotkeys]
        alpha = [self.stakes.total_of(hotkey, netuid) for hotkey in hotkeys]
        tao = [self.stakes.total_of(hotkey, ROOT_NETUID) for hotkey in hotkeys]
        total = [self.stakes.stake_weight_q64(hotkey, netuid) >> 64 for hotkey in hotkeys]
        dividends = self.coinbase.payout.alpha_dividends_per_subnet
        return {
            "hotkeys": tuple(hotkeys),
            "coldkeys": tuple(coldkeys),
            "identities": tuple(self.identities.identities_v2[key] for key in coldkeys),
            "axons": tuple(self.serving.axon_of(netuid, hotkey) for hotkey in hotkeys),
            "active": _plain(results.active[netuid]),
            "validator_permit": _plain(results.validator_permit[netuid]),
            "pruning_score": (),
            "last_update": _plain(results.last_update[index]),
            "emission": results.emission[netuid],
            "dividends": _plain(results.dividends[netuid]),
            "incentives": _plain(results.incentive[index]),
            "consensus": _plain(results.consensus[netuid]),
            "trust": (),
            "rank": (),
            "block_at_registration": tuple(self.neurons.registered_at(netuid)),
            "alpha_stake": tuple(alpha),
            "tao_stake": tuple(tao),
            "total_stake": tuple(total),
            "tao_dividends_per_hotkey": tuple((hotkey, Tao(0)) for hotkey in hotkeys),
            "alpha_dividends_per_hotkey": tuple(
                (hotkey, dividends[netuid, hotkey]) for hotkey in hotkeys
            ),
        }


def _plain(column: NDArray[np.generic]) -> tuple[Any, ...]:
    return tuple(column.tolist())
