"""A chain in a test's own process: people, calls, blocks; laws checked after every block.

Dispatch is strict: a call that fails with an error, or tells an event, which its declaration does not name is a failed
test. Extrinsics run the real path (composed, signed and encoded by the client's codec, decoded by ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mycelia.frame import Error
from mycelia.frame.state import Told
from mycelia.primitives import Tao
from mycelia.runtime import GenesisConfig, Runtime
from mycelia.runtime.compose import COMPOSITION
from mycelia.state import MemoryStore, Overlay
from mycelia.testing.oracle import Person, compose

GENESIS_HASH = b"\x01" * 32
DEFAULT_BALANCE = Tao(1_000_000 * 10**9)


@dataclass(frozen=True)
class Result:
    """How an extrinsic ended: the name of its error, if it failed, and what it told."""

    error: str | None
    told: tuple[Told, ...]

    @property
    def succeeded(self) -> bool:
        return self.error is None

    def events(self, name: str) -> list[Any]:
        """The events of one name, such as `StakeAdded`."""
        return [told.event for told in self.told if type(told.event).wire_name == name]


class World:
    """A runtime over an in-memory state, with a block always open."""

    def __init__(self, balances: Mapping[str, int] | None = None, **genesis: Any) -> None:
        """`balances` in rao by key URI, `//Alice` being the operator; further genesis fields by name."""
        people = balances if balances is not None else {}
        endowed = {Person(uri).account: Tao(rao) for uri, rao in people.items()}
        endowed.setdefault(Person("//Alice").account, DEFAULT_BALANCE)
        self.overlay = Overlay(MemoryStore().head())
        self.runtime = Runtime(self.overlay)
        self.runtime.genesis(
            GenesisConfig(balances=endowed, sudo=Person("//Alice").account, **genesis)
        )
        self.height = 0
        self._open()

    @property
    def pallets(self) -> Any:
        return self.runtime.pallets

    def _open(self) -> None:
        self.height += 1
        self.runtime.begin(self.height, bytes(32))
        self.runtime.apply(self.runtime.decode(self.runtime.inherent(self.height * 1_000)))

    def seal(self, blocks: int = 1) -> None:
        """Close the open block and open the next, `blocks` times; laws hold after each."""
        for _ in range(blocks):
            self.runtime.end()
            self.check_laws()
            self._open()

    def check_laws(self) -> None:
        """Assert every invariant of every pallet."""
        for part in self.pallets.parts:
            for law in part.spec.invariants:
                law(part)

    def submit(self, uri: str, pallet: str, call: str, /, **params: Any) -> Result:
        """Sign a call with a key and apply it in the open block."""
        return self.apply(uri, compose(pallet, call, **params))

    def sudo(self, pallet: str, call: str, /, **params: Any) -> Result:
        """Make a call as root, by the operator."""
        result = self.apply(
            "//Alice", compose("Sudo", "sudo", call=compose(pallet, call, **params))
        )
        outcome = result.events("Sudid")[0].sudo_result
        return Result(_name_of(getattr(outcome, "error", None)), result.told)

    def apply(self, uri: str, call: bytes) -> Result:
        """Sign call bytes with a key and apply them in the open block."""
        who = Person(uri)
        nonce = self.runtime.next_nonce(who.account)
        raw = who.sign(call, nonce=nonce, genesis_hash=GENESIS_HASH)
        xt = self.runtime.decode(raw)
        self.runtime.verify(xt, GENESIS_HASH, GENESIS_HASH)
        before = len(self.runtime.state.told)
        self.runtime.apply(xt)
        told = tuple(self.runtime.state.told[before:])
        error = _name_of(getattr(told[-1].event, "dispatch_error", None))
        self._strict(xt.call, error, told)
        return Result(error, told)

    def _strict(self, call: Any, error: str | None, told: tuple[Told, ...]) -> None:
        spec = call.spec
        declared = {kind.wire_name for kind in spec.fails}
        own = {
            kind.wire_name
            for group in COMPOSITION.groups
            if group.name == call.pallet
            for kind in group.errors
        }
        if error in own:
            assert error in declared, f"{call} failed with {error}, which `fails` does not name."
        events = {kind.wire_name for kind in spec.emits}
        fee = 1 if spec.pays else 0  # the withdrawal of the fee is told before the call
        for entry in told[fee:-1]:  # the last tells how it ended
            if entry.pallet == call.pallet:
                name = type(entry.event).wire_name
                assert name in events, f"{call} told {name}, which `emits` does not name."


def _name_of(failure: Any) -> str | None:
    """The name of a dispatch error as events carry it."""
    if failure is None:
        return None
    module = getattr(failure, "error", None)
    if (
        module is not None
        and hasattr(module, "index")
        and isinstance(getattr(module, "error", None), bytes)
    ):
        group = next(g for g in COMPOSITION.groups if g.index == module.index)
        found: type[Error] = next(e for e in group.errors if e.index == module.error[0])
        return found.wire_name
    return getattr(type(module), "wire_name", "") or type(failure).wire_name
