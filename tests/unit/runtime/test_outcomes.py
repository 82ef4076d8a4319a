"""Every error and event that a call declares is reached by a test, but for `GAPS`, which nothing may join."""

from __future__ import annotations

from typing import Any, Final

import pytest

from mycelia.frame import CallSpec
from mycelia.runtime.absent.declare import AbsentCall
from mycelia.runtime.compose import COMPOSITION
from tests.unit.conftest import Reached

GAPS: Final[dict[str, str]] = {
    "add_stake": "BalanceWithdrawalError SlippageTooHigh",
    "add_stake_limit": "BalanceWithdrawalError InsufficientLiquidity",
    "burned_register": "BalanceWithdrawalError",
    "decrease_take": "NonAssociatedColdKey",
    "increase_take": "DelegateTakeTooLow HotKeyAccountNotExists",
    "register_limit": "BalanceWithdrawalError",
    "register_network": "BalanceWithdrawalError",
    "register_network_with_identity": "BalanceWithdrawalError",
    "remove_stake": "HotKeyAccountNotExists NotEnoughStakeToWithdraw SlippageTooHigh",
    "remove_stake_full_limit": "HotKeyAccountNotExists NotEnoughStakeToWithdraw",
    "remove_stake_limit": "AmountTooLow HotKeyAccountNotExists InsufficientLiquidity",
    "serve_axon_tls": "ServingRateLimitExceeded",
    "sudo_set_subnet_owner_hotkey": "CannotUseSystemAccount",
    "transfer_all": "DustLost",
    "unstake_all_alpha": "BalanceWithdrawalError HotKeyAccountNotExists",
}
"""By call, how no test makes it end; most share their rules with a call that is tested."""


def declared() -> list[tuple[CallSpec, type[Any]]]:
    """Each call that has rules, with each outcome it declares."""
    return [
        (spec, kind)
        for group in COMPOSITION.groups
        for spec in group.calls
        if not isinstance(spec, AbsentCall)
        for kind in (*spec.fails, *spec.emits)
    ]


def test_every_declared_outcome_was_reached(reached: Reached, *, is_whole_run: bool) -> None:
    if not is_whole_run:
        pytest.skip("looks back on all tests of pallets and runtime: run tests/unit")
    known = {(call, name) for call, names in GAPS.items() for name in names.split()}
    missing = {
        (spec.name, kind.wire_name) for spec, kind in declared() if (spec, kind) not in reached
    }
    assert missing <= known, "write a test in which the call ends so"


def test_gaps_are_declared() -> None:
    named = {(spec.name, kind.wire_name) for spec, kind in declared()}
    assert {(call, name) for call, names in GAPS.items() for name in names.split()} <= named
