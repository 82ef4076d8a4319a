"""A few seconds of each fuzz target with a fixed seed; ten minutes with `python -m tests.fuzz TARGET`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import orjson
import pytest

from mycelia.codec.scale import put_compact
from mycelia.primitives import InvalidTransaction
from mycelia.rpc.dispatch import Dispatcher
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.extrinsic import decode_extrinsic
from mycelia.testing.blocks import ALICE
from mycelia.testing.rpc import rpc_node
from tests.fuzz.run import Failure, run
from tests.fuzz.targets import TARGETS, Scales

CASES = {"scale": 6_000, "extrinsics": 3_000, "rpc": 3_000}


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_seconds_of(target: str) -> None:
    # A process of its own: memory is measured, and nothing that it breaks stays.
    program = (
        "from tests.fuzz.run import run; "
        f"print(run({target!r}, seed=1, cases={CASES[target]}, seconds=60))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr[-4_000:]
    assert f"{CASES[target]} cases" in result.stdout


def test_a_planted_fault_is_found_and_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Scales, rng) -> None:
        assert rng.randrange(50), "the planted fault"

    monkeypatch.setattr(Scales, "case", broken)
    with pytest.raises(Failure, match="planted") as found:
        run("scale", seed=3, cases=1_000)
    number = int(str(found.value).split("--case ")[1].split()[0])
    with pytest.raises(Failure, match="planted"):
        run("scale", seed=3, first=number, cases=1)


def nested(prefix: bytes, times: int) -> bytes:
    """An extrinsic whose call holds a call that holds a call ..."""
    body = bytearray(b"\x84\0" + ALICE.account + b"\1" + bytes(64) + bytes(4))
    body += prefix * times + b"\0\0\0"
    raw = bytearray()
    put_compact(len(body), raw)
    return bytes(raw + body)


@pytest.mark.parametrize("prefix", [bytes((12, 0)), bytes((11, 0, 4)), bytes((11, 2, 4))])
@pytest.mark.parametrize("times", [64, 100_000])
def test_deep_nesting_is_refused_at_once(prefix: bytes, times: int) -> None:
    started = time.process_time()
    with pytest.raises(InvalidTransaction):
        decode_extrinsic(nested(prefix, times), COMPOSITION.call_scale)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("claim", [b"\xfe\xff\xff\xff", b"\x03\xff\xff\xff\xff"])
def test_a_length_that_promises_too_much_is_refused_before_it_costs_anything(claim: bytes) -> None:
    body = b"\x84\0" + ALICE.account + b"\1" + bytes(64) + bytes(4) + b"\0\0" + claim
    raw = bytearray()
    put_compact(len(body), raw)
    started = time.process_time()
    with pytest.raises(InvalidTransaction):
        decode_extrinsic(bytes(raw) + body, COMPOSITION.call_scale)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "message",
    [
        b"[" * 5_000_000,
        b'{"a":' * 1_000_000,
        b'{"id":1,"method":"state_queryStorageAt","params":[[' + b'"0x",' * 1_000_000 + b'"0x"]]}',
        b'{"id":1,"method":"state_call","params":["Core_version","0x' + b"00" * 5_000_000 + b'"]}',
        orjson.dumps([{"id": n, "method": "rpc_methods"} for n in range(100_000)]),
    ],
    ids=["lists", "objects", "keys", "bytes", "batch"],
)
def test_an_oversized_message_is_answered_soon(message: bytes) -> None:
    async def ask() -> bytes:
        reply = Dispatcher(rpc_node()[0]).handle(message, None)
        assert isinstance(reply, bytes)
        return reply

    rpc_node()
    started = time.process_time()
    assert "error" in orjson.loads(asyncio.run(ask()))
    assert time.process_time() - started < 5
