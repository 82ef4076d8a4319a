"""What has no rules: found by name with the clients' own codec, refused when called, listed in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest
from bittensor._generated import calls as client_calls
from bittensor._generated import constants as client_constants
from bittensor._generated import storage as client_storage
from bittensor._generated.errors import ERRORS

from mycelia.codec import scale
from mycelia.frame import Call
from mycelia.runtime.absent import ABSENT, ABSENT_APIS
from mycelia.runtime.absent.declare import spelled_out
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.composition import Composition
from mycelia.testing.oracle import compose, oracle
from mycelia.testing.world import World
from tools.absent_page import page


def named(module: object) -> list[tuple[str, str]]:
    """(pallet, name) of all that a module of the client's catalogue lists."""
    return [
        (pallet, name)
        for pallet, group in vars(module).items()
        if isinstance(group, type) and group.__module__ == module.__name__
        for name in vars(group)
        if not name.startswith("_") and pallet not in ("Item", "Call")
    ]


@pytest.mark.parametrize("version", [14, 15])
def test_every_storage_item_that_the_client_knows_is_found(version: int) -> None:
    codec = oracle(version)
    names = named(client_storage)
    assert len(names) > 400
    for pallet, name in names:
        assert codec.storage_entry(pallet, name) is not None, (pallet, name)


def test_every_call_that_the_client_knows_has_its_arguments() -> None:
    ours = {
        (group.name, spec.name): [name.rstrip("_") for name, _ in spec.arguments]
        for group in COMPOSITION.groups
        for spec in group.calls
    }
    names = named(client_calls)
    assert len(names) > 300
    for pallet, name in names:
        function = getattr(getattr(client_calls, pallet), name)
        wanted = function.__code__.co_varnames[
            : function.__code__.co_argcount + function.__code__.co_kwonlyargcount
        ]
        assert ours[pallet, name] == [each for each in wanted if each != "self"], (pallet, name)


def test_every_error_has_the_client_s_name_at_its_index() -> None:
    ours = {
        (group.index, index): name
        for group in COMPOSITION.groups
        for index, name in (
            *((error.index, error.wire_name) for error in group.errors),
            *((row.index, row.name) for row in group.absent.errors),
        )
    }
    for at, error in ERRORS.items():
        assert ours[at] == error.name


def test_every_constant_that_the_client_knows_is_found() -> None:
    ours = {(group.name, c.entry) for group in COMPOSITION.groups for c in group.constants}
    unread = {("Contracts", name) for name in ("Schedule", "Environment", "ApiVersion")}
    assert set(named(client_constants)) - ours == unread


def test_types_have_the_same_number_in_both_versions() -> None:
    accounts = [oracle(version).type_id_of("AccountId32") for version in (14, 15)]
    assert accounts[0] == accounts[1]


def test_an_absent_call_fails_and_says_so() -> None:
    world = World()
    before = world.pallets.balances.total_issuance
    result = world.submit("//Alice", "SubtensorModule", "claim_root", subnets=[1])
    assert result.error == "NotProvided"
    assert not result.events("RootClaimed")
    fee = result.events("TransactionFeePaid")[0].actual_fee
    assert world.pallets.balances.total_issuance == before - fee


def test_an_absent_call_fails_inside_another_too() -> None:
    world = World()
    result = world.sudo("System", "set_storage", items=[("0x01", "0x02")])
    assert result.error == "NotProvided"


def test_absent_calls_are_decoded_strictly() -> None:
    raw = compose(
        "Proxy",
        "kill_pure",
        spawner={"Id": "0x" + "11" * 32},
        proxy_type="Any",
        index=1,
        height=2,
        ext_index=3,
    )
    call = COMPOSITION.call_scale.decode(raw)
    assert isinstance(call, Call)
    assert call.args["proxy_type"] == ("Any", ())
    assert COMPOSITION.call_scale.encode(call) == raw


def test_every_default_and_answer_fits_its_type() -> None:
    for row in ABSENT:
        for spec in row.storage:
            if not spec.optional:
                codec = COMPOSITION.codec(spec.value)
                assert codec.encode(codec.decode(codec.encode(spec.default)))
    for view in ABSENT_APIS:
        scale(view.output).encode(view.answer)


def test_an_absent_api_gives_its_answer() -> None:
    world = World()
    hotkey = bytes(32)
    assert world.runtime.call_api("BetaBasketRuntimeApi_get_validator_basket", hotkey) == b"\0"


def test_what_has_rules_may_not_be_listed_as_absent() -> None:
    listed = next(row for row in ABSENT if row.pallet == "Proxy")
    groups = [(group.index, group.parts) for group in COMPOSITION.groups if group.parts]
    with pytest.raises(TypeError, match="declared twice"):
        Composition(groups, [*(r for r in ABSENT if r is not listed), _with_twice(listed)])


def _with_twice(row: object) -> object:
    from dataclasses import replace

    return replace(row, calls=(*row.calls, row.calls[0]))


def test_names_are_spelled_out() -> None:
    assert spelled_out("TooManyCalls") == "Too many calls."
    assert spelled_out("XCMDecodeFailed") == "XCM decode failed."


def test_the_page_is_current() -> None:
    assert Path("docs/absent.md").read_text(encoding="utf-8") == page()
