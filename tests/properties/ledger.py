"""A world on a real chain that keeps books of its own: what every call and every block may do to the money.

The books know nothing of subnets. They follow the events of Balances and what clients read of the block's emission, and
compare with what the state says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from mycelia.chain import Chain, open_chain
from mycelia.frame.state import Told
from mycelia.pallets.balances.pallet import Deposit, DustLost, Withdraw
from mycelia.pallets.subtensor.staking.fees import TransactionFeePaidWithAlpha
from mycelia.primitives import AccountId, InvalidTransaction, Tao
from mycelia.runtime import Extrinsic, GenesisConfig, Rules
from mycelia.state import MemoryStore
from mycelia.testing.oracle import Person
from mycelia.testing.world import Result, World, _name_of

SLOT_MS = 1_000


class Ledger(World):
    """A world whose blocks are committed, with every call and block checked against the books."""

    def __init__(self, balances: dict[str, int]) -> None:
        endowed = {Person(uri).account: Tao(rao) for uri, rao in balances.items()}
        genesis = GenesisConfig(balances=endowed, sudo=Person("//Alice").account)
        self.store = MemoryStore()
        self.roots: list[bytes] = []
        self.minted: list[int] = []
        self.emissions: list[int] = []
        self.outcomes: Counter[tuple[str, str | None]] = Counter()
        self._stand_on(open_chain(self.store, genesis, Rules(slot_ms=SLOT_MS)))
        self._open()

    def restart(self) -> None:
        """Commit the open block and go on as a node that just started on the same store."""
        self._commit()
        self._stand_on(Chain(self.store))
        self._open()

    def seal(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self._commit()
            self._open()

    def apply(self, uri: str, call: bytes) -> Result:
        who = Person(uri)
        nonce = self.runtime.next_nonce(who.account)
        xt = self.runtime.decode(who.sign(call, nonce=nonce, genesis_hash=self.chain.genesis_hash))
        issued, changes = self._issued(), self._changes()
        free, before = self._free(who.account), len(self.runtime.state.told)
        try:
            self._draft.add(xt)
        except InvalidTransaction:
            assert self._changes() == changes, "what got into no block left a trace"
            raise
        told = tuple(self.runtime.state.told[before:])
        error = _name_of(getattr(told[-1].event, "dispatch_error", None))
        self._strict(xt.call, error, told)
        self.outcomes[xt.call.spec.name, error] += 1
        is_gone = not self._free(who.account)
        assert is_gone or self.runtime.next_nonce(who.account) == nonce + 1, "nonces count calls"
        self._check_money(told, issued)
        self._check_fee(xt, told)
        if error is not None and not paid_in_alpha(told):
            self._check_failure(who.account, told, free, changes)
        return Result(error, told)

    # --- the books ---

    def _check_money(self, told: Iterable[Told], issued: int) -> None:
        """A call mints nothing, and what it takes out of circulation it tells."""
        created, destroyed = totals(told)
        assert created == 0, "a call minted"
        assert self._issued() == issued - destroyed, "a call changed the issuance without telling"

    def _check_fee(self, xt: Extrinsic, told: tuple[Told, ...]) -> None:
        """The fee is taken first, whatever happens then."""
        fee = self.pallets.payment.total_fee(xt.call.spec.weight, len(xt.raw))
        if xt.call.spec.pays:
            first = told[0].event
            assert isinstance(first, Withdraw), "a call was not charged"
            if paid_in_alpha(told):  # worth the fee at the price before, so a little less
                assert 0.99 * fee < first.amount <= fee, (
                    "alpha for a fee was sold for another amount"
                )
            else:
                assert first.amount == fee, "a call was not charged its fee"

    def _check_failure(
        self, who: AccountId, told: Iterable[Told], free: int, changes: dict[bytes, Any]
    ) -> None:
        """A failed call has changed its signer's nonce and balance, by the fee, and the issuance."""
        allowed = {
            self.pallets.system.handles["account"].raw_key(who),
            self.pallets.balances.handles["total_issuance"].key,
            self.pallets.issuance.handles["total_issuance"].key,
        }
        after = self._changes()
        touched = {
            key for key in changes.keys() | after.keys() if changes.get(key, 0) != after.get(key, 0)
        }
        assert touched <= allowed, f"a failed call left {[key.hex() for key in touched - allowed]}"
        _, destroyed = totals(told)
        assert self._free(who) == free - destroyed, "a failed call cost more or less than its fee"

    def _check_block(self, issued: int) -> None:
        """A block begins by minting what it says per subnet, at most the block's emission."""
        created, destroyed = totals(self.runtime.state.told)
        said = sum(self.pallets.coinbase.subnet_tao_in_emission.values())
        said += sum(self.pallets.coinbase.subnet_excess_tao.values())
        assert created == said <= self.pallets.coinbase.block_emission, "a block minted too much"
        assert self._issued() == issued + created - destroyed
        self.minted.append(created)
        self.emissions.append(self.pallets.coinbase.block_emission)

    def netuids(self) -> list[int]:
        found: list[int] = self.pallets.subnets.netuids()
        return found

    def _issued(self) -> int:
        """All TAO there is, by both counts."""
        issued: int = self.pallets.balances.total_issuance
        assert issued == self.pallets.issuance.total_issuance, "the two counts of TAO differ"
        return issued

    def _free(self, who: AccountId) -> int:
        free: int = self.pallets.balances.free_balance(who)
        return free

    def _changes(self) -> dict[bytes, Any]:
        changes: dict[bytes, Any] = self.runtime.state.journal.drain()  # type: ignore[attr-defined]
        return changes

    # --- blocks ---

    def _stand_on(self, chain: Chain) -> None:
        self.chain, self.runtime, self.height = chain, chain.runtime, chain.height

    def _open(self) -> None:
        self.height += 1
        issued = self._issued()
        self._draft = self.chain.draft(self.height * SLOT_MS)
        self._check_block(issued)

    def _commit(self) -> None:
        proposal = self._draft.finish()
        self.check_laws()
        self.chain.finalize(proposal)
        block = self.chain.commit()
        self.roots.append(bytes(block.header.state_root))


def paid_in_alpha(told: Iterable[Told]) -> bool:
    """Whether the fee was paid by selling stake; then more than balances has changed."""
    return any(isinstance(entry.event, TransactionFeePaidWithAlpha) for entry in told)


def totals(told: Iterable[Told]) -> tuple[int, int]:
    """Rao put into circulation and taken out of it, as Balances tells it."""
    created = destroyed = 0
    for entry in told:
        match entry.event:
            case Deposit(amount=amount):
                created += amount
            case Withdraw(amount=amount) | DustLost(amount=amount):
                destroyed += amount
    return created, destroyed
