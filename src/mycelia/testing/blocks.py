"""Chains with blocks and signed extrinsics, in memory, for tests of what stands above the runtime."""

from __future__ import annotations

from mycelia.chain import Chain, open_chain
from mycelia.primitives import RAO_PER_TAO, Tao
from mycelia.runtime import GenesisConfig, Rules
from mycelia.state import MemoryStore, Store
from mycelia.testing.oracle import Person, compose

ALICE, BOB, DAVE = Person("//Alice"), Person("//Bob"), Person("//Dave")
RICH = Tao(1_000_000 * RAO_PER_TAO)
SLOT_MS = 1_000


def new_chain(store: Store | None = None) -> Chain:
    """A chain at genesis where Alice and Bob are rich."""
    genesis = GenesisConfig(balances={ALICE.account: RICH, BOB.account: RICH}, sudo=ALICE.account)
    return open_chain(store or MemoryStore(), genesis, Rules(slot_ms=SLOT_MS))


def transfer(
    chain: Chain, who: Person, nonce: int, *, rao: int = RAO_PER_TAO, tip: int = 0, **era: object
) -> bytes:
    """A signed transfer to Dave."""
    call = compose("Balances", "transfer_allow_death", dest=DAVE.address, value=rao)
    return who.sign(call, nonce=nonce, genesis_hash=chain.genesis_hash, tip=tip, **era)  # type: ignore[arg-type]


def grow(chain: Chain, *extrinsics: bytes, blocks: int = 1) -> None:
    """Commit blocks a slot apart; the first holds the extrinsics."""
    for _ in range(blocks):
        proposal = chain.prepare(extrinsics, chain.now_ms() + SLOT_MS)
        chain.finalize(proposal)
        chain.commit()
        extrinsics = ()
