"""The house-style sketch, run: from declarations follow storage, dispatch data and rollback."""

from __future__ import annotations

import pytest

from mycelia.codec import U64, Compact
from mycelia.frame import (
    Blake2_128Concat,
    Call,
    Constant,
    DoubleMap,
    Error,
    Event,
    Identity,
    Map,
    OptionalValue,
    Origin,
    Pallet,
    State,
    Twox64Concat,
    Value,
    Weight,
    call,
    ensure,
)
from mycelia.frame.dispatch import BadOrigin
from mycelia.primitives import AccountId, BlockNumber, NetUid, Tao
from mycelia.state import MemoryStore, Overlay

ANN = AccountId(b"a" * 32)
BEN = AccountId(b"b" * 32)
FREE = Weight(U64(0))


class Dripped(Event, index=0):
    """An account was served."""

    who: AccountId
    amount: Tao


class TooSoon(Error, index=0):
    """Served already. Wait."""


class Faucet(Pallet, name="Faucet"):
    """Pays one drip per account."""

    events = (Dripped,)
    errors = (TooSoon,)

    period = Constant(BlockNumber, BlockNumber(7), doc="Blocks between two drips.")
    drip = Value(Tao, default=Tao(10), doc="Amount of one drip.")
    owner = OptionalValue(AccountId, doc="Who may change it.")
    served = Map(AccountId, Tao, hasher=Blake2_128Concat, default=Tao(0), doc="Sum per account.")
    grid = DoubleMap(
        NetUid, NetUid, Tao, hashers=(Identity, Twox64Concat), default=Tao(0), doc="A grid."
    )

    @call(index=3, weight=FREE, emits=(Dripped,), fails=(TooSoon,))
    def request(self, origin: Origin, times: Compact[U64]) -> None:
        """Send drips to the caller. Signed."""
        who = origin.signed()
        self.served[who] = Tao(self.served[who] + self.drip * times)
        self.deposit(Dripped(who, self.drip))
        ensure(times < 5, TooSoon)


@pytest.fixture
def faucet() -> Faucet:
    return Faucet(State(Overlay(MemoryStore().head())))


def test_storage_reads_defaults_and_what_was_written(faucet: Faucet) -> None:
    assert (faucet.drip, faucet.owner, faucet.served[ANN]) == (10, None, 0)
    faucet.drip, faucet.owner, faucet.served[ANN] = Tao(3), BEN, Tao(9)
    assert (faucet.drip, faucet.owner, faucet.served[ANN]) == (3, BEN, 9)
    faucet.owner = None
    del faucet.served[ANN]
    assert faucet.owner is None
    assert ANN not in faucet.served


def test_maps_iterate_in_raw_key_order_and_below_a_first_key(faucet: Faucet) -> None:
    for first, second in ((2, 1), (1, 300), (1, 2)):
        faucet.grid[NetUid(first), NetUid(second)] = Tao(first * second)
    assert sorted(faucet.grid.keys()) == [(1, 2), (1, 300), (2, 1)]
    assert sorted(faucet.grid.under(NetUid(1))) == [(2, 2), (300, 300)]
    faucet.grid.clear(NetUid(1))
    assert faucet.grid.items() == [((2, 1), 2)]


def test_a_call_is_data_with_its_arguments(faucet: Faucet) -> None:
    spec = faucet.spec.calls[0]
    assert (spec.name, spec.index, spec.emits, spec.fails) == ("request", 3, (Dripped,), (TooSoon,))
    assert [name for name, _ in spec.arguments] == ["times"]
    assert spec.docs == ("Send drips to the caller. Signed.",)
    assert str(Call("Faucet", spec, {"times": 1})) == "Faucet.request"


def test_a_failed_transaction_leaves_no_trace(faucet: Faucet) -> None:
    faucet.request(Origin(ANN), U64(2))
    with pytest.raises(TooSoon), faucet.state.transaction():
        faucet.request(Origin(ANN), U64(5))
    assert faucet.served[ANN] == 20
    assert [told.event for told in faucet.state.told] == [Dripped(ANN, Tao(10))]


def test_undeclared_attributes_and_constants_are_refused(faucet: Faucet) -> None:
    with pytest.raises(AttributeError, match="no declared storage"):
        faucet.dirp = 1
    with pytest.raises(AttributeError, match="constant"):
        faucet.period = BlockNumber(1)
    with pytest.raises(AttributeError, match="map"):
        faucet.served = {}


def test_origins_say_who_calls(faucet: Faucet) -> None:
    with pytest.raises(BadOrigin):
        faucet.request(Origin(), U64(1))
    with pytest.raises(BadOrigin):
        Origin(ANN).root()
    with pytest.raises(BadOrigin):
        Origin(ANN).none()


def test_two_calls_with_one_index_are_refused() -> None:
    with pytest.raises(TypeError, match="two calls share an index"):

        class Twice(Pallet, name="Twice"):
            @call(index=1, weight=FREE)
            def one(self, origin: Origin) -> None: ...

            @call(index=1, weight=FREE)
            def two(self, origin: Origin) -> None: ...
