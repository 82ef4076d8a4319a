"""The parameters of subnets and of the network: name, type, default, bounds, who may set them.

To add one, add a row. Units are in each row's text; shares are `_u16` (0..65535 as 0..1) unless said otherwise.
Source: subtensor@14bc6f9 `pallets/subtensor/src/lib.rs` (items), `runtime/src/lib.rs` (defaults),
`pallets/admin-utils/src/lib.rs` (bounds and who may set).
Differs: owners may open registration, which is root's there. When root raises the least stake of nominators, nobody's
is returned at once.
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import I16, U8, U16, U32, U64, U64F64
from mycelia.frame import Blake2_128Concat, Pallet, Twox64Concat
from mycelia.pallets.subtensor import errors
from mycelia.pallets.subtensor.errors import (
    ActivityCutoffFactorMilliOutOfBounds,
    RevealPeriodTooLarge,
    RevealPeriodTooSmall,
)
from mycelia.pallets.subtensor.hyperparameters.errors import (
    BondsMovingAverageMaxReached,
    InvalidValue,
    MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
    NegativeSigmoidSteepness,
)
from mycelia.pallets.subtensor.hyperparameters.parameter import (
    UNLIMITED,
    VERSION_KEY,
    Admin,
    Bounds,
    GlobalParameter,
    Parameter,
    events_of,
    told,
)
from mycelia.pallets.subtensor.types import EpochConsensus, Yuma
from mycelia.primitives import NetUid, Tao

TAO: Final = 10**9
MAX_UIDS: Final = 256
MIN_TEMPO: Final = 360
MAX_TEMPO: Final = 50_400
MIN_ACTIVITY_CUTOFF_MILLI: Final = 1_000
MAX_ACTIVITY_CUTOFF_MILLI: Final = 50_000
TempoSet: Final = told("TempoSet", 52, U16)


class Hyperparameters(Pallet, name="SubtensorModule"):
    """What each subnet may choose."""

    # Epochs and consensus
    tempo = Parameter(
        U16,
        default=U16(360),
        doc="Blocks between two epochs of the subnet.",
        shown="tempo",
    )
    kappa = Parameter(
        U16,
        default=U16(32_767),
        doc="Share of stake that must back a weight for it to count.",
        shown="kappa",
        admin=Admin(16, told("KappaSet", 18, U16), frozen=False),
    )
    rho = Parameter(
        U16,
        default=U16(10),
        doc="Steepness of the old trust function; shown, not used.",
        admin=Admin(17, told("RhoSet", 16, U16), owner="Rho"),
    )
    bonds_moving_average = Parameter(
        U64,
        default=U64(900_000),
        doc="Part of the old bond that survives an epoch, in millionths.",
        shown="bonds_moving_avg",
        admin=Admin(
            26,
            told("BondsMovingAverageSet", 24, U64),
            owner="BondsMovingAverage",
            owner_bounds=Bounds(high=975_000, error=BondsMovingAverageMaxReached),
        ),
    )
    bonds_penalty = Parameter(
        U16,
        default=U16(65_535),
        doc="How far bonds follow the clipped weights instead of the set ones.",
        admin=Admin(60, told("BondsPenaltySet", 25, U16), owner="BondsPenalty"),
    )
    bonds_reset_on = Parameter(
        bool,
        default=False,
        doc="Whether a neuron's metadata may reset the bonds to it.",
        shown="bonds_reset_enabled",
        admin=Admin(
            70,
            told("BondsResetOnSet", 26, bool),
            told("BondsResetToggled", 2, bool, field="enabled"),
            argument="enabled",
            call="sudo_set_bonds_reset_enabled",
            owner="BondsResetEnabled",
        ),
    )
    liquid_alpha_on = Parameter(
        bool,
        default=False,
        doc="Whether the speed of bonds depends on how a weight compares with consensus.",
        hasher=Blake2_128Concat,
        shown="liquid_alpha_enabled",
        admin=Admin(
            50, argument="enabled", call="sudo_set_liquid_alpha_enabled", owner="LiquidAlphaEnabled"
        ),
    )
    yuma3_on = Parameter(
        bool,
        default=False,
        doc="Whether bonds are kept per validator without stake (Yuma 3).",
        hasher=Blake2_128Concat,
        admin=Admin(
            69,
            notice=told("Yuma3EnableToggled", 1, bool, field="enabled"),
            argument="enabled",
            call="sudo_set_yuma3_enabled",
            owner="Yuma3Enabled",
        ),
    )
    alpha_values = Parameter[tuple[U16, U16]](
        tuple[U16, U16],
        default=(U16(45_875), U16(58_982)),
        doc="Slowest and fastest bond speed of liquid alpha.",
    )
    alpha_sigmoid_steepness = Parameter(
        I16,
        default=I16(1000),
        doc="Steepness of liquid alpha, in hundredths.",
        admin=Admin(
            68,
            told("AlphaSigmoidSteepnessSet", 17, I16),
            argument="steepness",
            owner="AlphaSigmoidSteepness",
            owner_bounds=Bounds(low=0, error=NegativeSigmoidSteepness),
        ),
    )
    activity_cutoff_factor_milli = Parameter(
        U32,
        default=U32(13_889),
        doc="Tempos after which a silent validator counts as inactive, in thousandths.",
        shown="activity_cutoff_factor",
        # The client SDK's call; the chain read above has `set_activity_cutoff_factor` instead.
        admin=Admin(
            97,
            told("ActivityCutoffFactorMilliSet", 130, U32, field="factor_milli"),
            argument="factor_milli",
            call="sudo_set_activity_cutoff_factor",
            owner="ActivityCutoffFactorMilli",
            bounds=Bounds(
                MIN_ACTIVITY_CUTOFF_MILLI,
                MAX_ACTIVITY_CUTOFF_MILLI,
                ActivityCutoffFactorMilliOutOfBounds,
            ),
        ),
    )
    activity_cutoff = Parameter(
        U16, default=U16(5000), doc="Former fixed cutoff in blocks; shown, not used."
    )
    subnet_epoch_consensus = Parameter[EpochConsensus](
        EpochConsensus, default=Yuma(), doc="Rule that turns weights into pay."
    )
    max_allowed_validators = Parameter(
        U16,
        default=U16(128),
        doc="Neurons with the most stake that may weigh others.",
        shown="max_validators",
        admin=Admin(25, told("MaxAllowedValidatorsSet", 27, U16)),
    )

    # Weights
    min_allowed_weights = Parameter(
        U16,
        default=U16(1024),
        doc="Neurons a validator must weigh, or all if there are fewer.",
        shown="min_allowed_weights",
        admin=Admin(14, told("MinAllowedWeightSet", 19, U16), owner="MinAllowedWeights"),
    )
    max_weights_limit = Parameter(
        U16,
        default=U16(65_535),
        doc="Largest share one neuron may get in a row of weights.",
        shown="max_weights_limit",
    )
    weights_set_rate_limit = Parameter(
        U64,
        default=U64(100),
        doc="Blocks between two settings of a validator's weights.",
        shown="weights_rate_limit",
        admin=Admin(7, told("WeightsSetRateLimitSet", 22, U64), frozen=False),
    )
    weights_version_key = Parameter(
        U64,
        default=U64(0),
        doc="Least version a validator must state; 0 accepts all.",
        shown="weights_version",
        admin=Admin(6, told("WeightsVersionKeySet", 32, U64), owner=VERSION_KEY),
    )
    commit_reveal_weights_enabled = Parameter(
        bool,
        default=True,
        doc="Whether weights are committed first and revealed later.",
        shown="commit_reveal_weights_enabled",
        admin=Admin(
            49,
            told("CommitRevealEnabled", 101, bool),
            argument="enabled",
            owner="CommitRevealEnabled",
        ),
    )
    reveal_period_epochs = Parameter(
        U64,
        default=U64(1),
        doc="Epochs between committing and revealing weights.",
        hasher=Twox64Concat,
        shown="commit_reveal_period",
        admin=Admin(
            57,
            told("CommitRevealPeriodsSet", 100, U64),
            argument="interval",
            call="sudo_set_commit_reveal_weights_interval",
            owner="WeightCommitInterval",
            bounds=Bounds(1, 100, RevealPeriodTooSmall, RevealPeriodTooLarge),
        ),
    )

    # Slots and registration
    max_allowed_uids = Parameter(
        U16,
        default=U16(MAX_UIDS),
        doc="Slots for neurons.",
        admin=Admin(
            15,
            told("MaxAllowedUidsSet", 9, U16),
            owner="MaxAllowedUids",
            bounds=Bounds(high=MAX_UIDS, error=MaxAllowedUidsGreaterThanDefaultMaxAllowedUids),
        ),
    )
    min_allowed_uids = Parameter(
        U16,
        default=U16(64),
        doc="Fewest slots an owner may leave.",
        admin=Admin(79, told("MinAllowedUidsSet", 111, U16)),
    )
    immunity_period = Parameter(
        U16,
        default=U16(4096),
        doc="Blocks during which a new neuron is not replaced first.",
        shown="immunity_period",
        admin=Admin(13, told("ImmunityPeriodSet", 23, U16), owner="ImmunityPeriod"),
    )
    min_non_immune_uids = Parameter(
        U16,
        default=U16(10),
        doc="Neurons without immunity below which immune ones are replaced.",
        admin=Admin(84, told("MinNonImmuneUidsSet", 113, U16), argument="min", frozen=False),
    )
    immune_owner_uids_limit = Parameter(
        U16,
        default=U16(1),
        doc="Neurons of the owner that are never replaced.",
        admin=Admin(
            72,
            argument="immune_neurons",
            call="sudo_set_owner_immune_neuron_limit",
            owner="ImmuneNeuronLimit",
            bounds=Bounds(1, 10, errors.InvalidValue),
        ),
    )
    network_registration_allowed = Parameter(
        bool,
        default=True,
        doc="Whether neurons may register.",
        shown="registration_allowed",
        admin=Admin(
            19,
            told("RegistrationAllowed", 50, bool),
            argument="registration_allowed",
            # On the chain read above only root may set it. The client SDK lets owners do so, who must leave a way to
            # register, and there is no other here: who could close it would choose block by block who gets in.
            owner=UNLIMITED,
            owner_bounds=Bounds(low=True, error=InvalidValue),
            frozen=False,
        ),
    )
    network_pow_registration_allowed = Parameter(
        bool, default=True, doc="Whether proof of work registers neurons; shown, not used."
    )
    max_registrations_per_block = Parameter(
        U16,
        default=U16(1),
        doc="Registrations on the root network per block.",
        shown="max_regs_per_block",
        admin=Admin(27, told("MaxRegistrationsPerBlockSet", 14, U16)),
    )
    target_registrations_per_interval = Parameter(
        U16,
        default=U16(2),
        doc="A third of the registrations on the root network per epoch.",
        shown="target_regs_per_interval",
        admin=Admin(21, told("RegistrationPerIntervalSet", 13, U16)),
    )
    min_burn = Parameter(
        Tao,
        default=Tao(500_000),
        doc="Least price of a slot, in rao.",
        shown="min_burn",
        admin=Admin(22, told("MinBurnSet", 38, Tao), owner="MinBurn", bounds=Bounds(high=TAO - 1)),
    )
    max_burn = Parameter(
        Tao,
        default=Tao(100 * TAO),
        doc="Highest price of a slot, in rao.",
        shown="max_burn",
        admin=Admin(
            23, told("MaxBurnSet", 37, Tao), owner="MaxBurn", bounds=Bounds(low=TAO // 10 + 1)
        ),
    )
    burn_half_life = Parameter(
        U16,
        default=U16(360),
        doc="Blocks in which the price of a slot halves.",
        shown="burn_half_life",
        admin=Admin(
            89,
            notice=told("BurnHalfLifeSet", 3, U16, field="burn_half_life"),
            owner="BurnHalfLife",
            bounds=Bounds(1, 36_100, InvalidValue),
            not_on_root=True,
        ),
    )
    burn_increase_mult = Parameter(
        U64F64,
        default=U64F64(0x1_428F_5C28_F5C2_9000),  # 1.26, as the nearest 53-bit number
        doc="Factor by which a registration raises the price of a slot.",
        shown="burn_increase_mult",
        admin=Admin(
            90,
            notice=told("BurnIncreaseMultSet", 4, U64F64, field="burn_increase_mult"),
            owner="BurnIncreaseMult",
            bounds=Bounds(1 << 64, 3 << 64, InvalidValue),
            not_on_root=True,
        ),
    )
    difficulty = Parameter(
        U64,
        default=U64(10_000_000),
        doc="Former difficulty of proof of work; shown, not used.",
        admin=Admin(24, told("DifficultySet", 11, U64)),
    )
    min_difficulty = Parameter(
        U64,
        default=U64(10_000_000),
        doc="Former least difficulty; shown, not used.",
        admin=Admin(4, told("MinDifficultySet", 33, U64)),
    )
    max_difficulty = Parameter(
        U64,
        default=U64((2**64 - 1) // 4),
        doc="Former highest difficulty; shown, not used.",
        admin=Admin(5, told("MaxDifficultySet", 34, U64), owner="MaxDifficulty"),
    )
    adjustment_interval = Parameter(
        U16,
        default=U16(100),
        doc="Former interval of price adjustments; shown, not used.",
        admin=Admin(8, told("AdjustmentIntervalSet", 12, U16), frozen=False),
    )
    adjustment_alpha = Parameter(
        U64,
        default=U64(0),
        doc="Former smoothing of price adjustments; shown, not used.",
        admin=Admin(9, told("AdjustmentAlphaSet", 55, U64), owner="AdjustmentAlpha"),
    )

    # Serving, trading, owner
    serving_rate_limit = Parameter(
        U64,
        default=U64(50),
        doc="Blocks between two announcements of a neuron's endpoint.",
        shown="serving_rate_limit",
        admin=Admin(3, told("ServingRateLimitSet", 35, U64), owner="ServingRateLimit"),
    )
    subtoken_enabled = Parameter(
        bool,
        default=False,
        doc="Whether the subnet has been started: its alpha trades and emission flows.",
        shown="subnet_is_active",
        admin=Admin(66),
    )
    transfer_toggle = Parameter(
        bool,
        default=True,
        doc="Whether stake may change its owner.",
        shown="transfers_enabled",
        admin=Admin(
            61,
            told("TransferToggle", 93, bool),
            argument="toggle",
            call="sudo_set_toggle_transfer",
            owner="TransferEnabled",
        ),
    )
    subnet_emission_enabled = Parameter(
        bool,
        default=True,
        doc="Whether the pool gets its share of the block emission.",
        admin=Admin(
            94,
            notice=told("SubnetEmissionEnabledSet", 5, bool, field="enabled"),
            argument="enabled",
            frozen=False,
            not_on_root=True,
        ),
    )
    owner_cut_enabled = Parameter(
        bool,
        default=True,
        doc="Whether the owner gets a cut of the alpha emission.",
        shown="owner_cut_enabled",
        admin=Admin(92, argument="enabled", owner=UNLIMITED, not_on_root=True),
    )
    owner_cut_auto_lock_enabled = Parameter(
        bool,
        default=False,
        doc="Whether the owner's cut is locked as it comes; shown, not used.",
        shown="owner_cut_auto_lock_enabled",
    )
    min_childkey_take_per_subnet = Parameter(
        U16,
        default=U16(0),
        doc="Least take of children on the subnet.",
        shown="min_childkey_take",
        admin=Admin(
            93,
            told("MinChildKeyTakePerSubnetSet", 46, U16),
            argument="take",
            owner="MinChildkeyTake",
        ),
    )
    mechanism_count_current = Parameter(
        U8, default=U8(1), doc="Mechanisms the subnet runs side by side.", hasher=Twox64Concat
    )
    collateral_lock_share = Parameter(
        U16, default=U16(0), doc="Share of a slot's price kept as collateral; not used."
    )
    collateral_drain_ratio = Parameter(
        U64F64, default=U64F64(1 << 64), doc="Speed at which collateral returns; not used."
    )

    events = (TempoSet, *events_of(vars()))

    def remove_subnet(self, netuid: NetUid) -> None:
        """Forget what a subnet chose."""
        for row, _ in self.spec.storage:
            del self.handles[row.attribute][netuid]

    def activity_cutoff_blocks(self, netuid: NetUid) -> int:
        """Blocks after which a silent validator is inactive, rounded down, at least 1."""
        factor = self.activity_cutoff_factor_milli[netuid]
        return max(1, factor * self.tempo[netuid] // 1000)


class NetworkParameters(Pallet, name="SubtensorModule"):
    """What root chooses for the whole network."""

    tx_rate_limit = GlobalParameter(
        U64,
        default=U64(1000),
        doc="Blocks between two limited transactions of one key; 0 for no limit.",
        admin=Admin(2, told("TxRateLimitSet", 40, U64, of_subnet=False)),
    )
    tx_delegate_take_rate_limit = GlobalParameter(
        U64,
        default=U64(216_000),
        doc="Blocks between two changes of a delegate's take; 0 for no limit.",
        admin=Admin(
            45,
            told("TxDelegateTakeRateLimitSet", 41, U64, of_subnet=False),
            argument="tx_rate_limit",
        ),
    )
    network_rate_limit = GlobalParameter(
        U64,
        default=U64(7200),
        doc="Blocks between two creations of subnets.",
        admin=Admin(
            29, told("NetworkRateLimitSet", 58, U64, of_subnet=False), argument="rate_limit"
        ),
    )
    network_immunity_period = GlobalParameter(
        U64,
        default=U64(1_296_000),
        doc="Blocks during which a new subnet is not replaced.",
        admin=Admin(
            35,
            told("NetworkImmunityPeriodSet", 59, U64, of_subnet=False),
            argument="immunity_period",
        ),
    )
    network_min_lock_cost = GlobalParameter(
        Tao,
        default=Tao(1000 * TAO),
        doc="Least price of a subnet, in rao.",
        admin=Admin(
            36, told("NetworkMinLockCostSet", 61, Tao, of_subnet=False), argument="lock_cost"
        ),
    )
    network_lock_reduction_interval = GlobalParameter(
        U64,
        default=U64(14 * 7200),
        doc="Blocks in which the price of a subnet falls by its last one.",
        admin=Admin(
            38,
            told("NetworkLockCostReductionIntervalSet", 63, U64, of_subnet=False),
            argument="interval",
            call="sudo_set_lock_reduction_interval",
        ),
    )
    subnet_limit = GlobalParameter(
        U16,
        default=U16(128),
        doc="Subnets there may be, besides the root.",
        admin=Admin(37, told("SubnetLimitSet", 62, U16, of_subnet=False), argument="max_subnets"),
    )
    start_call_delay = GlobalParameter(
        U64,
        default=U64(0),
        doc="Blocks before a new subnet may be started.",
        admin=Admin(85, told("StartCallDelaySet", 60, U64, of_subnet=False), argument="delay"),
    )
    stake_threshold = GlobalParameter(
        U64,
        default=U64(0),
        doc="Least stake weight, in rao, to set weights and to count in an epoch.",
        admin=Admin(42, told("StakeThresholdSet", 54, U64, of_subnet=False), argument="min_stake"),
    )
    nominator_min_required_stake = GlobalParameter(
        U64,
        default=U64(0),
        doc="Stake of a nominator below which the rest is returned, in millionths of `InitialMinStake`.",
        admin=Admin(43, argument="min_stake"),
    )
    admin_freeze_window = GlobalParameter(
        U16,
        default=U16(10),
        doc="Blocks before an epoch in which parameters are frozen.",
        admin=Admin(74, told("AdminFreezeWindowSet", 43, U16, of_subnet=False), argument="window"),
    )
    owner_hyperparam_rate_limit = GlobalParameter(
        U16,
        default=U16(2),
        doc="Epochs between two changes of a parameter by an owner.",
        admin=Admin(
            75,
            told("OwnerHyperparamRateLimitSet", 44, U16, of_subnet=False),
            argument="epochs",
            call="sudo_set_owner_hparam_rate_limit",
        ),
    )
    subnet_owner_cut = GlobalParameter(
        U16,
        default=U16(11_796),
        doc="Owners' share of their subnets' alpha emission.",
        admin=Admin(28, told("SubnetOwnerCutSet", 57, U16, of_subnet=False)),
    )
    max_delegate_take = GlobalParameter(
        U16, default=U16(11_796), doc="Largest share a delegate may take of its nominators' pay."
    )
    min_delegate_take = GlobalParameter(
        U16,
        default=U16(0),
        doc="Least share a delegate may take of its nominators' pay.",
        admin=Admin(46, told("MinDelegateTakeSet", 68, U16, of_subnet=False), argument="take"),
    )
    max_childkey_take = GlobalParameter(U16, default=U16(11_796), doc="Largest take of children.")
    min_childkey_take = GlobalParameter(U16, default=U16(0), doc="Least take of children.")
    tao_weight = GlobalParameter(
        U64,
        default=U64(971_718_665_099_567_868),
        doc="What a root TAO counts against an alpha, as a share of 2^64 - 1.",
    )
    commit_reveal_weights_version = GlobalParameter(
        U16,
        default=U16(4),
        doc="Version of commit-reveal that clients must use.",
        admin=Admin(
            71,
            told("CommitRevealVersionSet", 106, U16, of_subnet=False),
            argument="version",
            call="sudo_set_commit_reveal_version",
        ),
    )
    weights_version_key_rate_limit = GlobalParameter(
        U64, default=U64(5), doc="Epochs between two changes of `WeightsVersionKey` by an owner."
    )
    root_stake_unlock_interval = GlobalParameter(
        U64, default=U64(0), doc="Blocks for which new root stake is held; not used."
    )
    network_registration_start_block = GlobalParameter(
        U64, default=U64(0), doc="Block before which no subnet may be created."
    )
    max_mechanism_count = GlobalParameter(
        U8, default=U8(2), doc="Mechanisms a subnet may run side by side."
    )

    events = events_of(vars())
