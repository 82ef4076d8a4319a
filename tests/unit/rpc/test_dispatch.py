"""The envelope: ids, batches, errors, and that nothing a client sends gets further than its reply."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mycelia.rpc.dispatch import BATCH_REQUESTS, Dispatcher
from mycelia.rpc.registry import METHODS
from mycelia.testing.rpc import rpc_node


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher(rpc_node()[0])


def ask(dispatcher: Dispatcher, message: Any) -> Any:
    raw = message if isinstance(message, bytes) else orjson.dumps(message)
    reply = dispatcher.handle(raw, None)
    assert isinstance(reply, bytes)
    return orjson.loads(reply)


@pytest.mark.parametrize("id_", [1, 0, -3, "ab12", "", None, 1.5])
def test_the_id_comes_back_with_its_type(dispatcher: Dispatcher, id_: Any) -> None:
    reply = ask(dispatcher, {"jsonrpc": "2.0", "id": id_, "method": "system_name", "params": []})
    assert reply == {"jsonrpc": "2.0", "id": id_, "result": "mycelia"}
    assert type(reply["id"]) is type(id_)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"nonsense",
        b'{"id":1',
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":NaN}',
    ],
)
def test_garbage_is_a_parse_error(dispatcher: Dispatcher, garbage: bytes) -> None:
    reply = ask(dispatcher, garbage)
    assert (reply["id"], reply["error"]["code"]) == (None, -32700)


@pytest.mark.parametrize(
    ("message", "code", "id_"),
    [
        (5, -32600, None),
        ("x", -32600, None),
        ([], -32600, None),
        ({}, -32600, None),
        ({"id": True, "method": "system_name"}, -32600, None),
        ({"id": {}, "method": "system_name"}, -32600, None),
        ({"id": 3}, -32601, 3),
        ({"id": 3, "method": 5}, -32601, 3),
        ({"id": 3, "method": "nope"}, -32601, 3),
        ({"id": 3, "method": "chain_getHeader", "params": ["0x00"]}, -32602, 3),
        ({"id": 3, "method": "chain_getHeader", "params": "x"}, -32602, 3),
        ({"id": 3, "method": "chain_subscribeNewHeads"}, -32601, 3),
    ],
)
def test_what_is_no_request_says_why(
    dispatcher: Dispatcher, message: Any, code: int, id_: Any
) -> None:
    reply = ask(dispatcher, message)
    assert (reply["error"]["code"], reply["id"]) == (code, id_)


def test_a_notification_gets_no_reply(dispatcher: Dispatcher) -> None:
    assert dispatcher.handle(b'{"method":"system_name"}', None) is None
    assert dispatcher.handle(b'{"method":"nope"}', None) is None
    assert dispatcher.handle(b'[{"method":"system_name"}]', None) is None


def test_a_batch_answers_each_and_mixes_good_with_bad(dispatcher: Dispatcher) -> None:
    reply = ask(
        dispatcher,
        [{"id": 1, "method": "system_name"}, 7, {"id": "b", "method": "nope"}, {"method": "x"}],
    )
    assert [item["id"] for item in reply] == [1, None, "b"]
    assert reply[0]["result"] == "mycelia"


def test_a_batch_is_bounded(dispatcher: Dispatcher) -> None:
    reply = ask(dispatcher, [{"id": 1, "method": "system_name"}] * (BATCH_REQUESTS + 1))
    assert reply["error"]["code"] == -32600


def test_the_rest_of_a_batch_that_takes_too_long_is_refused(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 1.0, *[9.0] * 3])
    monkeypatch.setattr("mycelia.rpc.dispatch.monotonic", lambda: next(times))
    named = {"id": 1, "method": "system_name"}
    first, *rest = ask(dispatcher, [named, named | {"id": 2}, 7, {"method": "system_name"}])
    assert first["result"] == "mycelia"
    assert [(late["id"], late["error"]["code"]) for late in rest] == [(2, -32000), (None, -32600)]


async def test_a_batch_waits_for_its_slowest(dispatcher: Dispatcher) -> None:
    message = [{"id": 1, "method": "mycelia_stats"}, {"id": 2, "method": "system_name"}]
    reply = dispatcher.handle(orjson.dumps(message), None)
    assert isinstance(reply, asyncio.Future)
    first, second = orjson.loads(await reply)
    assert first["result"]["sealer"]["height"] == 0
    assert second["result"] == "mycelia"


def test_a_fault_of_ours_is_an_internal_error_without_details(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dispatcher._node, "info", None)
    reply = ask(dispatcher, {"id": 1, "method": "system_chain"})
    assert reply["error"]["code"] == -32603
    assert "NoneType" not in str(reply)
    assert "rpc_failed" in caplog.text


def test_a_result_that_is_no_json_is_a_fault_of_ours(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = replace(METHODS["system_chain"], call=lambda _node: 2**64)
    monkeypatch.setitem(METHODS, "system_chain", endless)
    reply = ask(dispatcher, {"id": 1, "method": "system_chain"})
    assert reply["error"]["code"] == -32603


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(
    name=st.sampled_from(sorted(METHODS)),
    params=st.lists(json_values, max_size=5) | st.dictionaries(st.text(), json_values, max_size=3),
)
def test_no_parameters_break_a_method(name: str, params: Any) -> None:
    """Whatever the parameters, the reply is a result or an error that is not our fault."""

    async def run() -> Any:
        dispatcher = Dispatcher(rpc_node()[0])
        request = {"id": 1, "method": name, "params": params}
        reply = dispatcher.handle(orjson.dumps(request), None)
        return orjson.loads(reply if isinstance(reply, bytes) else await reply)  # type: ignore[misc]

    reply = asyncio.run(run())
    assert "result" in reply or reply["error"]["code"] != -32603, reply


@given(st.binary(max_size=200))
def test_no_bytes_break_the_dispatcher(raw: bytes) -> None:
    reply = Dispatcher(SHARED).handle(raw, None)
    assert reply is None or isinstance(reply, bytes | asyncio.Future)


SHARED = rpc_node()[0]
