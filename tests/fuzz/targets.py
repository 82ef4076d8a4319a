"""What is fuzzed: the SCALE decoder, extrinsics up to their execution, and the RPC's messages.

A target has one method that takes a source of chance and raises when something is not as it must be.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any, Final

import orjson

from benchmarks.network import subnet_network
from mycelia.codec import DecodeError, scale
from mycelia.codec.scale import Scale, put_compact
from mycelia.primitives import InvalidTransaction, NetUid
from mycelia.rpc.dispatch import Dispatcher
from mycelia.rpc.errors import INTERNAL_ERROR
from mycelia.rpc.registry import METHODS
from mycelia.rpc.session import Session
from mycelia.runtime.absent import AbsentCall
from mycelia.runtime.compose import COMPOSITION
from mycelia.runtime.executor import metadata
from mycelia.runtime.rules import Rules
from mycelia.testing.blocks import ALICE, SLOT_MS, new_chain, transfer
from mycelia.testing.oracle import Person, compose
from mycelia.testing.rpc import rpc_node
from tests.fuzz.bytes import PEOPLE, damaged, grown, netuid, noise


class Scales:
    """Every type of the runtime decodes bytes to a value that encodes to the same bytes, or refuses them."""

    def __init__(self) -> None:
        kept = metadata(Rules())._registry._kept
        self._scales: list[Scale[Any]] = [kind for kind in kept if _has_bytes(kind)]
        self._call = COMPOSITION.call_scale

    def case(self, rng: random.Random) -> None:
        kind = self._call if rng.random() < 0.2 else rng.choice(self._scales)
        data = grown(kind, rng) if rng.random() < 0.9 else noise(rng)
        if rng.random() < 0.7:
            data = damaged(data, rng)
        try:
            value = kind.decode(data)
        except DecodeError:
            return
        again = kind.encode(value)
        assert again == data, f"{described(kind)}: {data.hex()} encodes otherwise"


def described(kind: Scale[Any], depth: int = 0) -> str:
    """A type in a few words."""
    shape = kind.shape()
    name = "::".join(shape.path[-1:]) or shape.primitive or shape.kind
    inner = [] if depth > 3 else [described(item, depth + 1) for item in shape.items]
    return f"{name}<{', '.join(inner)}>" if inner else name


def _has_bytes(kind: Scale[Any]) -> bool:
    """Whether values have this type: some of the registry only describe, and an event log drops its topics."""
    if "EventRecord" in described(kind):
        return False
    try:
        kind.encode(kind.decode(grown(kind, random.Random(0))))
    except (DecodeError, ValueError):
        return True
    except (NotImplementedError, AttributeError, TypeError):
        return False
    return True


class Extrinsics:
    """Whatever arrives is refused as an invalid transaction, or executed; the laws hold after every block."""

    PER_BLOCK: Final = 24
    BLOCKS: Final = 40
    """After which the chain starts again: the operator may have given away all its powers."""

    def __init__(self) -> None:
        # A subnet that earns, with short epochs: most calls find something to work on.
        self._chain = subnet_network(validators=2, miners=3, tempo_blocks=12).chain
        for who in PEOPLE[:-1]:
            self._fund(Person(who))
        self._start = self._chain.height
        self._keys = [
            (group.index, spec.index)
            for group in COMPOSITION.groups
            for spec in group.calls
            if not isinstance(spec, AbsentCall)
        ]
        self._draft: Any = None
        self._people = [Person(uri) for uri in PEOPLE]

    def case(self, rng: random.Random) -> None:
        chain = self._chain
        who = rng.choice(self._people)
        call = self._call(rng) if rng.random() < 0.8 else grown(COMPOSITION.call_scale, rng)
        if rng.random() < 0.2:  # as root, by the operator
            who, call = ALICE, bytes((12, 0)) + call
        raw = unsigned(who, chain.next_nonce(who.account), call, rng)
        if rng.random() < 0.3:
            raw = damaged(raw, rng)
        self._submit(raw if rng.random() < 0.98 else noise(rng))

    def _call(self, rng: random.Random) -> bytes:
        """A call that this chain has rules for."""
        key = rng.choice(self._keys)
        parts = []
        for name, codec in COMPOSITION.call_scale._arguments(key):
            is_netuid = name in ("netuid", "origin_netuid", "destination_netuid")
            parts.append(netuid(rng) if is_netuid and codec is scale(NetUid) else grown(codec, rng))
        return bytes(key) + b"".join(parts)

    def _fund(self, who: Person) -> None:
        chain = self._chain
        call = compose("Balances", "transfer_keep_alive", dest=who.address, value=10**13)
        raw = ALICE.sign(
            call, nonce=chain.next_nonce(ALICE.account), genesis_hash=chain.genesis_hash
        )
        chain.finalize(chain.prepare([raw], chain.now_ms() + SLOT_MS))
        chain.commit()

    def _submit(self, raw: bytes) -> None:
        chain = self._chain
        if self._draft is None or len(self._draft) > self.PER_BLOCK:
            self._seal()
        try:
            xt = chain.runtime.decode(raw)
            if xt.signer is not None:
                chain.vouch(xt, chain.height + 1)  # the signature is not what is tested
            chain.runtime.check(xt, chain.height + 1)
            self._draft.add(xt)
        except InvalidTransaction:
            return

    def _seal(self) -> None:
        chain = self._chain
        if self._draft is not None:
            for part in chain.runtime.pallets.parts:
                for law in part.spec.invariants:
                    law(part)
            chain.finalize(self._draft.finish())
            chain.commit()
        if chain.height - self._start > self.BLOCKS:
            chain.rewind(self._start)
        self._draft = chain.draft(max(1, chain.now_ms()) + SLOT_MS)


def unsigned(who: Person, nonce: int, call: bytes, rng: random.Random) -> bytes:
    """A well-formed extrinsic around a call, with noise for a signature."""
    body = bytearray(b"\x84\0" + who.account + b"\1" + rng.randbytes(64) + b"\0")
    put_compact(nonce, body)
    put_compact(rng.choice((0, 0, 0, 7, 10**9)), body)
    body += b"\0" + call
    raw = bytearray()
    put_compact(len(body), raw)
    return bytes(raw + body)


class RpcMessages:
    """Every message gets a reply that is JSON-RPC, or none, and no reply says that the fault is ours."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._start())

    async def _start(self) -> None:
        chain = new_chain()
        self._node, sealer = rpc_node(chain)
        self._dispatcher = Dispatcher(self._node)
        await sealer.seal(3)
        self._extrinsic = transfer(chain, ALICE, 0)
        self._names = sorted(METHODS)
        self._hashes = [self._node.hash_at(height).hex() for height in range(4)]
        self._apis = sorted(self._node.runtime_at(None)._apis)

    def case(self, rng: random.Random) -> None:
        self._loop.run_until_complete(self._ask(rng))

    async def _ask(self, rng: random.Random) -> None:
        session = Session(close=lambda: None) if rng.random() < 0.9 else None
        reply = self._dispatcher.handle(self._message(rng), session)
        raw = await reply if isinstance(reply, asyncio.Future) else reply
        if session is not None:
            session.end()
        if raw is None:
            return
        answers = json.loads(raw)
        for answer in answers if isinstance(answers, list) else [answers]:
            assert answer["jsonrpc"] == "2.0"
            assert ("result" in answer) != ("error" in answer)
            error = answer.get("error", {})
            assert error.get("code") != INTERNAL_ERROR, error

    def _message(self, rng: random.Random) -> bytes:
        kind = rng.random()
        if kind < 0.05:
            return noise(rng)
        if kind < 0.1:
            return b"[" * rng.randrange(1, 2_000) + b"]" * rng.randrange(2_000)
        many = rng.random() < 0.1
        requests = [self._request(rng) for _ in range(rng.randrange(1, 5) if many else 1)]
        message = orjson.dumps(requests if many else requests[0])
        return damaged(message, rng) if rng.random() < 0.1 else message

    def _request(self, rng: random.Random) -> Any:
        name = rng.choice(self._names)
        if rng.random() < 0.4:
            name = rng.choice(("state_call", "state_getStorage", "state_getKeysPaged"))
        params: Any = [self._value(rng, name) for _ in range(rng.randrange(5))]
        if name == "state_call" and rng.random() < 0.8:
            params = [rng.choice(self._apis), self._hex(rng, 64), *params[:1]]
        if rng.random() < 0.1:
            params = {rng.choice(("key", "keys", "block", "x")): self._value(rng, name)}
        id_ = rng.choice((1, "a", None, -1, 1.5, 2**60))
        request = {"jsonrpc": "2.0", "id": id_, "method": name, "params": params}
        if rng.random() < 0.05:
            request[rng.choice((*request, "extra"))] = self._value(rng, name)
        return request

    def _value(self, rng: random.Random, name: str, depth: int = 0) -> Any:
        match rng.randrange(12):
            case 0 | 1:
                return "0x" + rng.choice(self._hashes)
            case 2 | 3:
                return self._hex(rng, 256)
            case 4:
                # What orders blocks is kept small: the hours it may take are the asker's.
                top = 5 if name.startswith("mycelia") else 2**40
                return rng.choice((0, 1, 2, 3, rng.randrange(top), -1))
            case 5:
                return rng.choice((None, True, False, 0.5, "", "0x", "0xzz", "5Grwva", "TAO"))
            case 6:
                return ALICE.address
            case 7:
                raw = self._extrinsic
                return "0x" + (damaged(raw, rng) if rng.random() < 0.7 else raw).hex()
            case 8 if depth < 3:
                return [self._value(rng, name, depth + 1) for _ in range(rng.randrange(4))]
            case 9 if depth < 3:
                return {"a": self._value(rng, name, depth + 1)}
            case 10:
                return "0x26aa394eea5630e07c48ae0c9558cef7"[: rng.choice((2, 34, 33))]
            case _:
                return rng.choice(self._names)

    @staticmethod
    def _hex(rng: random.Random, most: int) -> str:
        return rng.choice(("0x", "")) + rng.randbytes(rng.randrange(most)).hex()


TARGETS: Final = {"scale": Scales, "extrinsics": Extrinsics, "rpc": RpcMessages}
