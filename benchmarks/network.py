"""A chain in this process with a subnet on it, for benchmarks: made by signed calls, as people make it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mycelia.chain import Chain, open_chain
from mycelia.frame.dispatch import Failed
from mycelia.pallets.system.pallet import ExtrinsicFailed
from mycelia.primitives import Tao
from mycelia.runtime import GenesisConfig, Rules
from mycelia.state import MemoryStore, Store
from mycelia.testing.oracle import Person, compose

TAO = 10**9
OPERATOR = Person("//Alice")
RICH = Tao(10**6 * TAO)
SLOT_MS = 1_000
NETUID = 1
STAKE_RAO = 100 * TAO
LEAST_SLOTS = 64
REGISTRATIONS_PER_BLOCK = 32


@dataclass
class Network:
    """A chain, and a queue of calls for its next block."""

    chain: Chain
    waiting: list[bytes] = field(default_factory=list)
    nonces: dict[str, int] = field(default_factory=dict)

    def call(self, who: Person, pallet: str, name: str, /, **params: Any) -> None:
        """Sign a call for the next block."""
        nonce = self.nonces.get(who.uri, 0)
        self.nonces[who.uri] = nonce + 1
        call = compose(pallet, name, **params)
        self.waiting.append(who.sign(call, nonce=nonce, genesis_hash=self.chain.genesis_hash))

    def admin(self, name: str, /, **params: Any) -> None:
        """Set a parameter as the operator, in the next block."""
        call = compose("AdminUtils", f"sudo_set_{name}", **params)
        self.call(OPERATOR, "Sudo", "sudo", call=call)

    def seal(self, blocks: int = 1) -> None:
        """Commit blocks a slot apart; the first holds what waits, and all of it must succeed."""
        for _ in range(blocks):
            taken, self.waiting = self.waiting, []
            proposal = self.chain.prepare(taken, self.chain.now_ms() + SLOT_MS)
            if len(proposal.extrinsics) != len(taken) + 1:
                raise RuntimeError(f"{len(taken)} calls waited, {proposal.extrinsics} got in.")
            told = self.chain.runtime.state.told
            if failed := [entry.event for entry in told if _is_failure(entry.event)]:
                raise RuntimeError(f"A call failed: {failed[0]}")
            self.chain.finalize(proposal)
            self.chain.commit()


def _is_failure(event: Any) -> bool:
    """Whether an event says that a call, or one made as root, failed."""
    outcome = getattr(event, "sudo_result", None)
    return isinstance(event, ExtrinsicFailed) or isinstance(outcome, Failed)


def empty_network(store: Store | None = None) -> Network:
    """A chain at genesis, where the operator is rich."""
    genesis = GenesisConfig(balances={OPERATOR.account: Tao(1000 * RICH)}, sudo=OPERATOR.account)
    return Network(open_chain(store or MemoryStore(), genesis, Rules(slot_ms=SLOT_MS)))


def subnet_network(
    store: Store | None = None, *, validators: int = 2, miners: int = 4, tempo_blocks: int = 360
) -> Network:
    """A started subnet of which one epoch has run: validators are staked, permitted, and weigh all miners.

    The owner's hotkey is the first validator.
    """
    network = empty_network(store)
    neurons = [Person(f"//neuron/{number}") for number in range(validators + miners)]
    _found(network, neurons[0], tempo_blocks, slots=len(neurons))
    _register(network, neurons[1:])
    for person in neurons[:validators]:
        network.call(
            OPERATOR,
            "SubtensorModule",
            "add_stake",
            hotkey=person.address,
            netuid=NETUID,
            amount_staked=STAKE_RAO,
        )
    network.seal(tempo_blocks)  # the first epoch gives permits
    uids = list(range(validators, len(neurons)))
    for number, person in enumerate(neurons[:validators]):
        weights = [(1 + 7919 * number + 104_729 * uid) % 65_536 for uid in uids]
        network.call(
            person,
            "SubtensorModule",
            "set_weights",
            netuid=NETUID,
            dests=uids,
            weights=weights,
            version_key=0,
        )
    network.seal()
    return network


def _found(network: Network, hotkey: Person, tempo_blocks: int, slots: int) -> None:
    """Create and start the subnet, with plain weights and a steady price of slots."""
    network.admin("admin_freeze_window", window=0)
    network.call(OPERATOR, "SubtensorModule", "register_network", hotkey=hotkey.address)
    network.seal()
    network.call(OPERATOR, "SubtensorModule", "start_call", netuid=NETUID)
    for name, params in (
        ("commit_reveal_weights_enabled", {"enabled": False}),
        ("weights_set_rate_limit", {"weights_set_rate_limit": 0}),
        ("burn_increase_mult", {"burn_increase_mult": {"bits": 1 << 64}}),
        ("max_allowed_uids", {"max_allowed_uids": max(slots, LEAST_SLOTS)}),
        ("tempo", {"tempo": tempo_blocks}),
    ):
        network.admin(name, netuid=NETUID, **params)
    network.seal()


def _register(network: Network, people: list[Person]) -> None:
    for at in range(0, len(people), REGISTRATIONS_PER_BLOCK):
        for person in people[at : at + REGISTRATIONS_PER_BLOCK]:
            network.call(
                OPERATOR, "SubtensorModule", "burned_register", netuid=NETUID, hotkey=person.address
            )
        network.seal()
