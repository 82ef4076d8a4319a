"""Why calls of SubtensorModule fail. Clients know each by name and index, so neither is ever reused.

Only causes that some call can reach are declared; the gaps belong to calls that do not exist yet.
Source: the error catalogue published with the client SDK 11.3 (indexes and names; texts that its tests
compare literally).
"""

from __future__ import annotations

from mycelia.frame import Error


class RootNetworkDoesNotExist(Error, index=0):
    """There is no root network. Start from a genesis that has one."""


class InvalidIpType(Error, index=1):
    """The ip type is neither 4 nor 6. Name the version of the address."""


class InvalidIpAddress(Error, index=2):
    """The address cannot be reached from outside or does not fit its type. Serve a routable one."""


class InvalidPort(Error, index=3):
    """Port 0 cannot be served. Choose a port."""


class HotKeyNotRegisteredInSubNet(Error, index=4):
    """The hotkey has no neuron on this subnet. Register it first."""


class HotKeyAccountNotExists(Error, index=5):
    """No coldkey has claimed this hotkey. Register or associate it first."""


class HotKeyNotRegisteredInNetwork(Error, index=6):
    """The hotkey has no neuron on the subnet it serves. Register it first."""


class NonAssociatedColdKey(Error, index=7):
    """The hotkey belongs to another coldkey. Sign with its owner, or use a hotkey of your own."""


class NotEnoughStakeToWithdraw(Error, index=9):
    """The stake is smaller than what is to be taken from it. Take at most the whole stake."""


class NotEnoughStakeToSetWeights(Error, index=10):
    """The hotkey's stake weight is below the threshold for setting weights. Add stake."""


class NotEnoughBalanceToStake(Error, index=12):
    """The coldkey's free balance does not cover the amount. Fund it or stake less."""


class NeuronNoValidatorPermit(Error, index=15):
    """Only validators with a permit weigh others. Add stake and wait for the next epoch."""


class WeightVecNotEqualSize(Error, index=16):
    """There must be exactly one weight per uid."""


class DuplicateUids(Error, index=17):
    """A uid is weighed twice. Name each once."""


class UidVecContainInvalidOne(Error, index=18):
    """A weighed uid does not exist on this subnet. Read the metagraph again."""


class WeightVecLengthIsLow(Error, index=19):
    """Fewer neurons are weighed than the subnet asks for. Weigh at least `MinAllowedWeights`."""


class TooManyRegistrationsThisBlock(Error, index=20):
    """This block has as many registrations as it may have. Try again in the next one."""


class HotKeyAlreadyRegisteredInSubNet(Error, index=21):
    """The hotkey has a neuron on this subnet already."""


class MaxWeightExceeded(Error, index=27):
    """One neuron's share of the weights is above `MaxWeightsLimit`. Spread the weights."""


class SettingWeightsTooFast(Error, index=29):
    """The weights were set less than `WeightsSetRateLimit` blocks ago. Wait."""


class IncorrectWeightVersionKey(Error, index=30):
    """The validator runs an older version than the subnet asks for. Update it."""


class ServingRateLimitExceeded(Error, index=31):
    """The endpoint was announced less than `ServingRateLimit` blocks ago. Wait."""


class UidsLengthExceedUidsInSubNet(Error, index=32):
    """More uids are weighed than the subnet has. Read the metagraph again."""


class NetworkTxRateLimitExceeded(Error, index=33):
    """The last subnet was created less than `NetworkRateLimit` blocks ago. Wait."""


class DelegateTxRateLimitExceeded(Error, index=34):
    """The take was changed less than `TxDelegateTakeRateLimit` blocks ago. Wait."""


class SubNetRegistrationDisabled(Error, index=37):
    """Registration is closed. Ask the subnet's owner, or wait for the start block of networks."""


class TooManyRegistrationsThisInterval(Error, index=38):
    """This interval has as many registrations as it may have. Try again in the next one."""


class NotSubnetOwner(Error, index=41):
    """Only the subnet's owner may do this. Sign with its coldkey."""


class RegistrationNotPermittedOnRootSubnet(Error, index=42):
    """The root network has its own way in. Use `root_register`."""


class StakeTooLowForRoot(Error, index=43):
    """The root is full and this hotkey's root stake is not above the lowest member's. Add stake."""


class CanNotSetRootNetworkWeights(Error, index=47):
    """The root network has no weights."""


class NoNeuronIdAvailable(Error, index=48):
    """The subnet is full and nobody in it may be replaced yet. Wait until an immunity period ends."""


class DelegateTakeTooLow(Error, index=49):
    """The new take is below the least, or not in the direction of the call."""


class DelegateTakeTooHigh(Error, index=50):
    """The new take is above `MaxDelegateTake`."""


class CommitRevealEnabled(Error, index=53):
    """The subnet takes weights by commit and reveal. Commit them, or ask the owner to switch it off."""


class LiquidAlphaDisabled(Error, index=55):
    """The speeds of liquid alpha are chosen only where it is on. Switch it on first."""


class AlphaHighTooLow(Error, index=56):
    """The fastest speed is below 1638 of 65535. Choose a faster one."""


class AlphaLowOutOfRange(Error, index=57):
    """The slowest speed is below 1638 of 65535, or above the fastest. Choose one between."""


class TxRateLimitExceeded(Error, index=64):
    """This was changed too recently. Wait for the rate limit to pass."""


class InvalidIdentity(Error, index=73):
    """A field of the identity is longer than allowed. Shorten it."""


class MechanismDoesNotExist(Error, index=74):
    """There is no such mechanism, or subnet. Use one below the subnet's `MechanismCountCurrent`; 0 is always there."""


class SubnetNotExists(Error, index=76):
    """There is no such subnet. List the subnets and choose one."""


class AmountTooLow(Error, index=82):
    """The amount is below the least stake. Use a larger amount, or take the whole stake."""


class InsufficientLiquidity(Error, index=83):
    """The subnet's pool is too small for this amount. Use a smaller one."""


class SlippageTooHigh(Error, index=84):
    """Slippage is too high for the transaction."""


class FirstEmissionBlockNumberAlreadySet(Error, index=88):
    """The subnet has been started already."""


class NeedWaitingMoreBlocksToStarCall(Error, index=89):
    """The subnet is younger than `StartCallDelay` blocks. Wait, then start it."""


class SubtokenDisabled(Error, index=94):
    """The subnet has not been started, so its alpha cannot be traded. Ask the owner to start it."""


class InsufficientTaoBalance(Error, index=98):
    """The coldkey holds no more than the existential deposit, so it can pay nothing. Fund it."""


class AdminActionProhibitedDuringWeightsWindow(Error, index=108):
    """The subnet's epoch is too near to change its parameters. Try again after it."""


class SymbolDoesNotExist(Error, index=109):
    """The symbol is not one of the built-in table."""


class SymbolAlreadyInUse(Error, index=110):
    """Another subnet has this symbol. Choose a free one."""


class RevealPeriodTooLarge(Error, index=113):
    """Weights are revealed after 100 epochs at the latest. Choose a shorter period."""


class RevealPeriodTooSmall(Error, index=114):
    """Weights are revealed after one epoch at the earliest. Choose a longer period."""


class InvalidValue(Error, index=115):
    """The value is not allowed here. See the parameter's documentation."""


class SubnetLimitReached(Error, index=116):
    """There are as many subnets as there may be, and none can make room. Wait."""


class CannotAffordLockCost(Error, index=117):
    """The coldkey's free balance does not cover the price of a subnet. Fund it, or wait for the price to fall."""


class TrimmingWouldExceedMaxImmunePercentage(Error, index=122):
    """At least 80 of 100 of the slots that are left would be immune. Leave more slots, or wait."""


class TooManyUIDsPerMechanism(Error, index=125):
    """Slots times mechanisms would be more than 256. Allow fewer slots first."""


class RegistrationPriceLimitExceeded(Error, index=136):
    """A slot costs more than the limit now. Wait for the price to fall, or accept a higher one."""


class CannotUseSystemAccount(Error, index=141):
    """This account belongs to a subnet and cannot be a hotkey."""


class TempoOutOfBounds(Error, index=144):
    """Owners choose a tempo between 360 and 50400 blocks. Choose one, or ask root."""


class ActivityCutoffFactorMilliOutOfBounds(Error, index=145):
    """The cutoff is between 1 and 50 tempos: 1000 to 50000 thousandths."""


ALL = (
    RootNetworkDoesNotExist,
    InvalidIpType,
    InvalidIpAddress,
    InvalidPort,
    HotKeyNotRegisteredInSubNet,
    HotKeyAccountNotExists,
    HotKeyNotRegisteredInNetwork,
    NonAssociatedColdKey,
    NotEnoughStakeToWithdraw,
    NotEnoughStakeToSetWeights,
    NotEnoughBalanceToStake,
    NeuronNoValidatorPermit,
    WeightVecNotEqualSize,
    DuplicateUids,
    UidVecContainInvalidOne,
    WeightVecLengthIsLow,
    TooManyRegistrationsThisBlock,
    HotKeyAlreadyRegisteredInSubNet,
    MaxWeightExceeded,
    SettingWeightsTooFast,
    IncorrectWeightVersionKey,
    ServingRateLimitExceeded,
    UidsLengthExceedUidsInSubNet,
    NetworkTxRateLimitExceeded,
    DelegateTxRateLimitExceeded,
    SubNetRegistrationDisabled,
    TooManyRegistrationsThisInterval,
    NotSubnetOwner,
    RegistrationNotPermittedOnRootSubnet,
    StakeTooLowForRoot,
    CanNotSetRootNetworkWeights,
    NoNeuronIdAvailable,
    DelegateTakeTooLow,
    DelegateTakeTooHigh,
    CommitRevealEnabled,
    LiquidAlphaDisabled,
    AlphaHighTooLow,
    AlphaLowOutOfRange,
    TxRateLimitExceeded,
    InvalidIdentity,
    MechanismDoesNotExist,
    SubnetNotExists,
    AmountTooLow,
    InsufficientLiquidity,
    SlippageTooHigh,
    FirstEmissionBlockNumberAlreadySet,
    NeedWaitingMoreBlocksToStarCall,
    SubtokenDisabled,
    InsufficientTaoBalance,
    AdminActionProhibitedDuringWeightsWindow,
    SymbolDoesNotExist,
    SymbolAlreadyInUse,
    RevealPeriodTooLarge,
    RevealPeriodTooSmall,
    InvalidValue,
    SubnetLimitReached,
    CannotAffordLockCost,
    TrimmingWouldExceedMaxImmunePercentage,
    TooManyUIDsPerMechanism,
    RegistrationPriceLimitExceeded,
    CannotUseSystemAccount,
    TempoOutOfBounds,
    ActivityCutoffFactorMilliOutOfBounds,
)
"""What SubtensorModule may raise; its lowest part declares them for the others."""
