"""What does not get to wait: calls that would fail in the next block, where clients expect to hear so at once.

Most of them are free, so whoever repeats one would fill blocks for nothing. Each is tried on the state as it is, in
the block to come, and undone; of those that create subnets only the rate limit, for to try them may be to dissolve
another subnet. Clients know the refusal by a number; `bittensor.error_map` has the same list. Only the pool
asks: in a block the call itself decides, so what came in before its state changed may still fail there.

Terms: *part* - a call that the signer asks for itself: the whole call, or each of those that a free batch holds.
*Stranger* - who neither is a hotkey nor owns one: all free calls are theirs to make, so a stranger's would fail. What
others try for nothing is counted; see `chain.free_calls`.

Source: subtensor@14bc6f9 `pallets/subtensor/src/{extensions,guards}`,
`runtime/src/{sudo_wrapper,check_mortality,check_nonce}.rs`.
Differs: takes are not tried here; clients of the 10.x line expect those errors from blocks. Parts of free batches are
tried; there only the whole call is. Strangers' free calls wait for a block there, and get an account without paying.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from mycelia.primitives.errors import CannotPay
from mycelia.runtime.compose import Pallets
from mycelia.runtime.cost import calls_inside, pays, times_of
from mycelia.runtime.extrinsic import INHERENTS, Extrinsic

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
            "batch_set_weights",
            "batch_commit_weights",
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


class OnlyForAuthors(InvalidTransaction):
    """The block's author makes this call, unsigned. Leave it to the author."""

    def __init__(self) -> None:
        super().__init__("Transaction dispatch is mandatory; transactions must not be validated.")


class LivesTooLong(InvalidTransaction):
    """A secret extrinsic lives for 8 blocks at most. Sign it with such an era."""

    def __init__(self) -> None:
        super().__init__("Transaction is outdated")


class WouldFail(InvalidTransaction):
    """The call would fail in the next block. The number says why; see `_TRIED`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Custom error: {number}", custom=number)


def admit(pallets: Pallets, xt: Extrinsic, signer: AccountId, height: int) -> None:
    """Refuse an extrinsic that has no chance in the block of a height, which is to come; nothing is changed.

    Raises:
        BadSigner: a call of Sudo by another than the operator.
        OnlyForAuthors: a call that a block's author makes.
        LivesTooLong: a secret extrinsic that would outlive the key it is for.
        WouldFail: a call that would fail, with the number clients know.
        CannotPay: a stranger's free call.
    """
    call = xt.call
    if ciphertext_in(call) is not None and not 0 < xt.era.period <= SHIELDED_ERA_BLOCKS:
        raise LivesTooLong
    is_free = not pays(call)
    for part in _parts(call) if is_free else (call,):
        if part.pallet == "Sudo" and signer != pallets.sudo.key:
            raise BadSigner
        if str(part) in INHERENTS:
            raise OnlyForAuthors
        if part.pallet == "SubtensorModule" and part.spec.name in _TRIED:
            _try(pallets, part, signer, height)
    if is_free and _is_stranger(pallets, signer):
        raise CannotPay


def count_free(call: Call) -> int:
    """How many calls an extrinsic asks for that nobody pays for, the operator's orders left out.

    One for several subnets, or for several reveals, counts once for each.
    """
    if pays(call):
        return 0
    return sum(times_of(part) for part in _parts(call) if part.pallet != "Sudo")


def _parts(call: Call) -> Iterator[Call]:
    # What is inside a call of Sudo is root's, not the signer's.
    inside = () if call.pallet == "Sudo" else tuple(calls_inside(call))
    if not inside:
        yield call
    for each in inside:
        yield from _parts(each)


def _is_stranger(pallets: Pallets, who: AccountId) -> bool:
    stakes = pallets.stakes
    return who not in stakes.owner and not stakes.owned_hotkeys[who] and who != pallets.sudo.key


def _try(pallets: Pallets, call: Call, signer: AccountId, height: int) -> None:
    system = pallets.system
    try:
        with system.state.read_only():
            system.number = BlockNumber(height)
            if call.spec.name in _CREATING:
                pallets.creation.check_rate()
            else:
                call.spec.function(pallets.owner_of(call.spec), Origin(signer), **call.args)
    except DispatchError as cause:
        number = _TRIED[call.spec.name].get(type(cause))
        if number is not None:
            raise WouldFail(number) from cause
