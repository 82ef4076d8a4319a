"""What a network and its subnets start with, as constants that clients read.

A constant is the default of a row or an item that has it, so the two can't differ. A fast network starts with some
others.
"""

from __future__ import annotations

from typing import Any

from mycelia.codec import U16, U32
from mycelia.frame import Constant, Map, Pallet, Value
from mycelia.pallets.subtensor.children.families import Families
from mycelia.pallets.subtensor.children.pallet import Children
from mycelia.pallets.subtensor.emission.prices import Prices
from mycelia.pallets.subtensor.epoch.schedule import Schedule
from mycelia.pallets.subtensor.hyperparameters.table import (
    MAX_ACTIVITY_CUTOFF_MILLI,
    MAX_TEMPO,
    MIN_ACTIVITY_CUTOFF_MILLI,
    MIN_TEMPO,
    TAO,
    Hyperparameters,
    NetworkParameters,
)
from mycelia.pallets.subtensor.registration.pallet import Registration
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.primitives import Tao


def initial(item: Map[Any, Any] | Value[Any], name: str = "") -> Constant[Any]:
    """The value of an item that nobody has set. `Any`: the item's own type."""
    return Constant(item.value, item.default, doc=item.doc, name=name)


_LOW_ALPHA, _HIGH_ALPHA = Hyperparameters.alpha_values.default


class Initials(Pallet, name="SubtensorModule"):
    """What a network and its subnets start with."""

    # Epochs and consensus
    initial_tempo = initial(Hyperparameters.tempo)
    min_tempo = Constant(U16, U16(MIN_TEMPO), doc="Shortest tempo an owner may choose, in blocks.")
    max_tempo = Constant(U16, U16(MAX_TEMPO), doc="Longest tempo an owner may choose, in blocks.")
    initial_max_epochs_per_block = initial(Schedule.max_epochs_per_block)
    initial_rho = initial(Hyperparameters.rho)
    initial_kappa = initial(Hyperparameters.kappa)
    initial_bonds_moving_average = initial(Hyperparameters.bonds_moving_average)
    initial_bonds_penalty = initial(Hyperparameters.bonds_penalty)
    initial_bonds_reset_on = initial(Hyperparameters.bonds_reset_on)
    initial_alpha_sigmoid_steepness = initial(Hyperparameters.alpha_sigmoid_steepness)
    alpha_low = Constant(U16, _LOW_ALPHA, doc="Slowest bond speed of liquid alpha.")
    alpha_high = Constant(U16, _HIGH_ALPHA, doc="Fastest bond speed of liquid alpha.")
    liquid_alpha_on = initial(Hyperparameters.liquid_alpha_on)
    yuma3_on = initial(Hyperparameters.yuma3_on)
    initial_activity_cutoff = initial(Hyperparameters.activity_cutoff)
    min_activity_cutoff_factor_milli = Constant(
        U32,
        U32(MIN_ACTIVITY_CUTOFF_MILLI),
        doc="Least tempos of silence before a validator is inactive, in thousandths.",
    )
    max_activity_cutoff_factor_milli = Constant(
        U32,
        U32(MAX_ACTIVITY_CUTOFF_MILLI),
        doc="Most tempos of silence before a validator is inactive, in thousandths.",
    )
    initial_max_allowed_validators = initial(Hyperparameters.max_allowed_validators)
    initial_tao_weight = initial(NetworkParameters.tao_weight)
    initial_ema_price_halving_period = initial(Prices.ema_price_halving_blocks)

    # Weights
    initial_min_allowed_weights = initial(Hyperparameters.min_allowed_weights)
    initial_weights_version_key = initial(Hyperparameters.weights_version_key)

    # Slots and registration
    initial_min_allowed_uids = initial(Hyperparameters.min_allowed_uids)
    initial_max_allowed_uids = initial(Hyperparameters.max_allowed_uids)
    initial_immunity_period = initial(Hyperparameters.immunity_period)
    initial_max_registrations_per_block = initial(Hyperparameters.max_registrations_per_block)
    initial_target_registrations_per_interval = initial(
        Hyperparameters.target_registrations_per_interval
    )
    initial_burn = initial(Registration.burn)
    initial_rao_recycled = initial(
        Registration.rao_recycled_for_registration, "InitialRAORecycledForRegistration"
    )
    initial_min_burn = initial(Hyperparameters.min_burn)
    initial_max_burn = initial(Hyperparameters.max_burn)
    min_burn_upper_bound = Constant(
        Tao, Tao(TAO), doc="The least price of a slot is below this, in rao."
    )
    max_burn_lower_bound = Constant(
        Tao, Tao(TAO // 10), doc="The highest price of a slot is above this, in rao."
    )
    initial_difficulty = initial(Hyperparameters.difficulty)
    initial_min_difficulty = initial(Hyperparameters.min_difficulty)
    initial_max_difficulty = initial(Hyperparameters.max_difficulty)
    initial_adjustment_interval = initial(Hyperparameters.adjustment_interval)
    initial_adjustment_alpha = initial(Hyperparameters.adjustment_alpha)

    # Subnets
    initial_network_immunity_period = initial(NetworkParameters.network_immunity_period)
    initial_network_min_lock_cost = initial(NetworkParameters.network_min_lock_cost)
    initial_network_lock_reduction_interval = initial(
        NetworkParameters.network_lock_reduction_interval
    )
    initial_network_rate_limit = initial(NetworkParameters.network_rate_limit)
    initial_subnet_owner_cut = initial(NetworkParameters.subnet_owner_cut)

    # Serving and takes
    initial_serving_rate_limit = initial(Hyperparameters.serving_rate_limit)
    initial_tx_rate_limit = initial(NetworkParameters.tx_rate_limit)
    initial_tx_delegate_take_rate_limit = initial(NetworkParameters.tx_delegate_take_rate_limit)
    initial_tx_child_key_take_rate_limit = initial(Children.tx_childkey_take_rate_limit)
    initial_default_delegate_take = initial(Stakes.delegates)
    initial_min_delegate_take = initial(NetworkParameters.min_delegate_take)
    initial_default_child_key_take = Constant(
        U16, Families.childkey_take.default, doc=Families.childkey_take.doc
    )
    initial_min_child_key_take = initial(NetworkParameters.min_childkey_take)
    initial_max_child_key_take = initial(NetworkParameters.max_childkey_take)
