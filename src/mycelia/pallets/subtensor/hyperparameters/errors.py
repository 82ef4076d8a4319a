"""Why calls of AdminUtils fail.

Source: the error catalogue published with the client SDK 11.3.
"""

from __future__ import annotations

from mycelia.frame import Error


class SubnetDoesNotExist(Error, index=0):
    """There is no such subnet. List the subnets and choose one."""


class MaxValidatorsLargerThanMaxUIds(Error, index=1):
    """More validators than slots. Allow at most `MaxAllowedUids`."""


class MaxAllowedUIdsLessThanCurrentUIds(Error, index=2):
    """The subnet has more neurons than that. Trim it first."""


class BondsMovingAverageMaxReached(Error, index=3):
    """An owner may set at most 975000. Ask root for more."""


class NegativeSigmoidSteepness(Error, index=4):
    """Only root may make the steepness negative."""


class ValueNotInBounds(Error, index=5):
    """The value is outside its bounds. See the parameter's documentation."""


class MinAllowedUidsGreaterThanCurrentUids(Error, index=6):
    """The subnet has too few neurons for that floor."""


class MinAllowedUidsGreaterThanMaxAllowedUids(Error, index=7):
    """The floor must be below `MaxAllowedUids`."""


class MaxAllowedUidsLessThanMinAllowedUids(Error, index=8):
    """The number of slots must be at least `MinAllowedUids`."""


class MaxAllowedUidsGreaterThanDefaultMaxAllowedUids(Error, index=9):
    """A subnet has at most 256 slots."""


class InvalidValue(Error, index=10):
    """The value is not allowed here. See the parameter's documentation."""


class NotPermittedOnRootSubnet(Error, index=11):
    """The root network has no such parameter."""


class POWRegistrationDisabled(Error, index=12):
    """Registration by proof of work does not exist. Use `burned_register`."""


ALL = (
    SubnetDoesNotExist,
    MaxValidatorsLargerThanMaxUIds,
    MaxAllowedUIdsLessThanCurrentUIds,
    BondsMovingAverageMaxReached,
    NegativeSigmoidSteepness,
    ValueNotInBounds,
    MinAllowedUidsGreaterThanCurrentUids,
    MinAllowedUidsGreaterThanMaxAllowedUids,
    MaxAllowedUidsLessThanMinAllowedUids,
    MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
    InvalidValue,
    NotPermittedOnRootSubnet,
    POWRegistrationDisabled,
)
