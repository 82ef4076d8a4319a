"""What does not get to wait: calls that would fail in the next block, where clients expect to hear so at once.

Most of them are free, so whoever repeats one would fill blocks for nothing. Each is tried on the state as it is, one
block later, and undone; of those that create subnets only the rate limit, for to try them may be to dissolve another
subnet. Clients know the refusal by a number; `bittensor.error_map` has the same list. Only the pool
asks: in a block the call itself decides, so what came in before its state changed may still fail there.

Source: subtensor@14bc6f9 `pallets/subtensor/src/{extensions,guards}`, `runtime/src/{sudo_wrapper,check_mortality}.rs`.
Differs: takes are not tried here; clients of the 10.x line expect those errors from blocks.
"""

from __future__ import annotations

from typing import Final

from mycelia.frame import Call, Origin
from mycelia.pallets.shield.pallet import ciphertext_in
from mycelia.pallets.subtensor.commits import errors as commits
from mycelia.pallets.subtensor.errors import (
    HotKeyNotRegisteredInNetwork,
    HotKeyNotRegisteredInSubNet,
    InvalidIpAddress,
    InvalidPort,
    NetworkTxRateLimitExceeded,
    NotEnoughStakeToSetWeights,
    ServingRateLimitExceeded,
    SettingWeightsTooFast,
)
from mycelia.primitives import AccountId, BlockNumber, DispatchError, InvalidTransaction
from mycelia.runtime.compose import Pallets
from mycelia.runtime.extrinsic import Extrinsic

SHIELDED_ERA_BLOCKS: Final = 8
"""A secret extrinsic's outer one lives no longer: the key it is for is gone then."""

_WEIGHTS: Final[dict[type[DispatchError], int]] = {
    NotEnoughStakeToSetWeights: 1,
    SettingWeightsTooFast: 6,
    commits.CommittingWeightsTooFast: 6,
    commits.InvalidRevealRound: 15,
    commits.NoWeightsCommitFound: 16,
    commits.RevealTooEarly: 17,
    commits.InputLengthsUnequal: 18,
    HotKeyNotRegisteredInSubNet: 19,
}
_SERVING: Final[dict[type[DispatchError], int]] = {
    HotKeyNotRegisteredInNetwork: 10,
    InvalidIpAddress: 11,
    ServingRateLimitExceeded: 12,
    InvalidPort: 13,
}
_CREATING: Final = ("register_network", "register_network_with_identity")
_TRIED: Final[dict[str, dict[type[DispatchError], int]]] = {
    **{name: {NetworkTxRateLimitExceeded: 6} for name in _CREATING},
    **dict.fromkeys(("serve_axon", "serve_axon_tls", "serve_prometheus"), _SERVING),
    **dict.fromkeys(
        (
            "set_weights",
            "set_mechanism_weights",
            "commit_weights",
            "commit_mechanism_weights",
            "commit_timelocked_weights",
            "commit_timelocked_mechanism_weights",
            "commit_crv3_mechanism_weights",
            "reveal_weights",
            "reveal_mechanism_weights",
            "batch_reveal_weights",
        ),
        _WEIGHTS,
    ),
}
"""By call of SubtensorModule: the errors that keep it out, and the number clients know each by."""


class BadSigner(InvalidTransaction):
    """Only the operator's key may sign this. Sign with it, or make the call itself."""

    def __init__(self) -> None:
        super().__init__("Invalid signing address")


class LivesTooLong(InvalidTransaction):
    """A secret extrinsic lives for 8 blocks at most. Sign it with such an era."""

    def __init__(self) -> None:
        super().__init__("Transaction is outdated")


class WouldFail(InvalidTransaction):
    """The call would fail in the next block. The number says why; see `_TRIED`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Custom error: {number}", custom=number)


def admit(pallets: Pallets, xt: Extrinsic, signer: AccountId) -> None:
    """Refuse an extrinsic that has no chance in the next block; nothing is changed.

    Raises:
        BadSigner: a call of Sudo by another than the operator.
        LivesTooLong: a secret extrinsic that would outlive the key it is for.
        WouldFail: a call that would fail, with the number clients know.
    """
    call = xt.call
    if call.pallet == "Sudo" and signer != pallets.sudo.key:
        raise BadSigner
    if ciphertext_in(call) is not None and not 0 < xt.era.period <= SHIELDED_ERA_BLOCKS:
        raise LivesTooLong
    if call.pallet == "SubtensorModule" and call.spec.name in _TRIED:
        _try(pallets, call, signer)


def _try(pallets: Pallets, call: Call, signer: AccountId) -> None:
    system = pallets.system
    try:
        with system.state.read_only():
            system.number = BlockNumber(system.number + 1)
            if call.spec.name in _CREATING:
                pallets.creation.check_rate()
            else:
                call.spec.function(pallets.owner_of(call.spec), Origin(signer), **call.args)
    except DispatchError as cause:
        number = _TRIED[call.spec.name].get(type(cause))
        if number is not None:
            raise WouldFail(number) from cause
