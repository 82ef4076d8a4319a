"""Random walks through the chain's calls: steps that Hypothesis can draw and shrink, and how a ledger takes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from mycelia.primitives import InvalidTransaction
from mycelia.testing.oracle import Person, compose
from tests.properties.ledger import Ledger

TAO = 10**9
COLDKEYS = tuple(f"//{name}" for name in ("Alice", "Bob", "Charlie", "Dave"))
HOTKEYS = tuple(f"{uri}/hot{n}" for uri in COLDKEYS for n in (1, 2))
STRANGERS = ("//Nobody", "//Poor")
BALANCES = {
    "//Alice": 10**6 * TAO,
    "//Bob": 10**5 * TAO,
    "//Charlie": 10**5 * TAO,
    "//Dave": 3_000 * TAO,
    "//Poor": 700_000,
}


@dataclass(frozen=True)
class Seal:
    """Commit blocks."""

    blocks: int


@dataclass(frozen=True)
class Restart:
    """Stop and start the node."""


@dataclass(frozen=True)
class Say:
    """A signed call."""

    uri: str
    pallet: str
    call: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Sudo:
    """A parameter set as root."""

    call: str
    params: dict[str, Any]


Step = Seal | Restart | Say | Sudo


def take(ledger: Ledger, step: Step) -> None:
    """Do one step. Calls may fail; what must hold, the ledger checks."""
    match step:
        case Seal(blocks):
            ledger.seal(blocks)
        case Restart():
            ledger.restart()
        case Say(uri, pallet, call, params):
            with suppress(InvalidTransaction):  # who can't pay gets into no block
                ledger.apply(uri, compose(pallet, call, **params))
        case Sudo(call, params):
            with suppress(InvalidTransaction):
                ledger.sudo("AdminUtils", call, **params)


def walk(steps: Sequence[Step]) -> Ledger:
    """A ledger after these steps, the last block committed."""
    ledger = Ledger(BALANCES)
    for step in steps:
        take(ledger, step)
    ledger.seal()
    return ledger


# --- what steps there are ---

coldkey = st.sampled_from(COLDKEYS)
hotkey = st.sampled_from(HOTKEYS)
anyone = st.sampled_from(COLDKEYS + HOTKEYS + STRANGERS)
subnet = st.sampled_from((1, 1, 1, 2, 2, 2, 0, 3))
money = st.sampled_from((0, 1, 499, 500, 10**6, TAO, 50 * TAO, 2_999 * TAO, 10**5 * TAO, 2**63))
u16 = st.integers(0, 65_535)


def address(uri: str) -> str:
    return Person(uri).address


def said(who: st.SearchStrategy[str], call: str, **params: st.SearchStrategy[Any]) -> Any:
    """A call of SubtensorModule."""
    return st.builds(
        lambda uri, chosen: Say(uri, "SubtensorModule", call, chosen),
        who,
        st.fixed_dictionaries(params),
    )


def said_of_hotkey(call: str, **params: st.SearchStrategy[Any]) -> Any:
    """A call of SubtensorModule about a hotkey: mostly the signer's own."""
    return st.builds(
        lambda uri, key, chosen: Say(
            uri, "SubtensorModule", call, {"hotkey": address(key or f"{uri}/hot1"), **chosen}
        ),
        coldkey,
        st.sampled_from((None, None, None, *HOTKEYS)),
        st.fixed_dictionaries(params),
    )


def transfers() -> Any:
    dest = anyone.map(address)
    plain = st.fixed_dictionaries({"dest": dest, "value": money})
    whole = st.fixed_dictionaries({"dest": dest, "keep_alive": st.booleans()})
    return st.one_of(
        st.builds(
            lambda uri, name, params: Say(uri, "Balances", name, params),
            anyone,
            st.sampled_from(("transfer_allow_death", "transfer_keep_alive")),
            plain,
        ),
        st.builds(lambda uri, p: Say(uri, "Balances", "transfer_all", p), hotkey, whole),
    )


def weights() -> Any:
    row = st.lists(st.tuples(st.integers(0, 6), u16), max_size=5)
    return st.builds(weighed, hotkey, subnet, st.sampled_from((None, None, 0, 1, 1, 2)), row)


def weighed(uri: str, netuid: int, mecid: int | None, row: Sequence[tuple[int, int]]) -> Say:
    """The weights a hotkey sets on a subnet, or in one of its mechanisms."""
    params = {
        "netuid": netuid,
        "dests": [uid for uid, _ in row],
        "weights": [weight for _, weight in row],
        "version_key": 0,
    }
    if mecid is None:
        return module(uri, "set_weights", **params)
    return module(uri, "set_mechanism_weights", mecid=mecid, **params)


def endpoints() -> Any:
    return said(
        hotkey,
        "serve_axon",
        netuid=subnet,
        version=st.just(1),
        ip=st.sampled_from((0, 0x7F000001, 0x08080808)),
        port=st.sampled_from((0, 8091)),
        ip_type=st.sampled_from((4, 5)),
        protocol=st.just(4),
        placeholder1=st.just(0),
        placeholder2=st.just(0),
    )


def staking() -> Any:
    limit = st.sampled_from((0, 10**8, TAO, 2**62))
    return st.one_of(
        said_of_hotkey("add_stake", netuid=subnet, amount_staked=money),
        said_of_hotkey("remove_stake", netuid=subnet, amount_unstaked=money),
        said_of_hotkey(
            "add_stake_limit",
            netuid=subnet,
            amount_staked=money,
            limit_price=limit,
            allow_partial=st.booleans(),
        ),
        said_of_hotkey("remove_stake_full_limit", netuid=subnet, limit_price=st.none() | limit),
        said_of_hotkey("unstake_all"),
        said_of_hotkey("unstake_all_alpha"),
    )


def neurons() -> Any:
    return st.one_of(
        said_of_hotkey("register_network"),
        said(coldkey, "start_call", netuid=subnet),
        said_of_hotkey("burned_register", netuid=subnet),
        said_of_hotkey("burned_register", netuid=subnet),
        said_of_hotkey("root_register"),
        said_of_hotkey("decrease_take", take=u16),
    )


def parameters() -> Any:
    """Settings, made as root or by somebody who may not."""
    choices = st.one_of(
        st.tuples(
            st.just("sudo_set_tempo"),
            st.fixed_dictionaries({"netuid": subnet, "tempo": st.sampled_from((0, 1, 2, 5))}),
        ),
        st.tuples(
            st.just("sudo_set_max_allowed_validators"),
            st.fixed_dictionaries(
                {"netuid": subnet, "max_allowed_validators": st.sampled_from((1, 2, 64))}
            ),
        ),
        st.tuples(
            st.just("sudo_set_subnet_owner_cut"),
            st.fixed_dictionaries({"subnet_owner_cut": u16}),
        ),
        st.tuples(
            st.just("sudo_set_commit_reveal_weights_enabled"),
            st.fixed_dictionaries({"netuid": subnet, "enabled": st.just(False)}),
        ),
        st.tuples(
            st.just("sudo_set_weights_set_rate_limit"),
            st.fixed_dictionaries({"netuid": subnet, "weights_set_rate_limit": st.just(0)}),
        ),
        st.tuples(
            st.just("sudo_set_kappa"), st.fixed_dictionaries({"netuid": subnet, "kappa": u16})
        ),
        st.tuples(
            st.just("sudo_set_mechanism_count"),
            st.fixed_dictionaries(
                {"netuid": subnet, "mechanism_count": st.sampled_from((0, 1, 2, 2, 3))}
            ),
        ),
        st.tuples(
            st.just("sudo_set_mechanism_emission_split"),
            st.fixed_dictionaries(
                {
                    "netuid": subnet,
                    "maybe_split": st.none() | u16.map(lambda share: (share, 65_535 - share)),
                }
            ),
        ),
    )
    return st.one_of(
        choices.map(lambda chosen: Sudo(*chosen)),
        choices.map(lambda chosen: Sudo(*chosen)),
        st.builds(lambda uri, c: Say(uri, "AdminUtils", c[0], c[1]), coldkey, choices),
    )


STEP: st.SearchStrategy[Step] = st.one_of(
    transfers(),
    neurons(),
    staking(),
    staking(),
    weights(),
    endpoints(),
    parameters(),
    st.integers(1, 4).map(Seal),
    st.just(Restart()),
)


def module(uri: str, call: str, **params: Any) -> Say:
    return Say(uri, "SubtensorModule", call, params)


def running() -> tuple[Step, ...]:
    """Steps to two subnets that earn, with a validator, miners and weights: random ones alone seldom get there.

    The first has one mechanism, the second two.
    """
    steps: list[Step] = [
        Sudo("sudo_set_admin_freeze_window", {"window": 0}),
        Sudo("sudo_set_network_rate_limit", {"rate_limit": 0}),
    ]
    for netuid, owner, validator, miner in (
        (1, "//Alice", "//Bob", "//Charlie"),
        (2, "//Bob", "//Alice", "//Charlie"),
    ):
        staked = {"hotkey": address(f"{validator}/hot1"), "netuid": netuid}
        steps += [
            module(owner, "register_network", hotkey=address(f"{owner}/hot{netuid}")),
            module(owner, "start_call", netuid=netuid),
            Sudo("sudo_set_commit_reveal_weights_enabled", {"netuid": netuid, "enabled": False}),
            Sudo(
                "sudo_set_weights_set_rate_limit", {"netuid": netuid, "weights_set_rate_limit": 0}
            ),
            Sudo("sudo_set_tempo", {"netuid": netuid, "tempo": 3 + netuid}),
            Sudo("sudo_set_max_allowed_uids", {"netuid": netuid, "max_allowed_uids": 128}),
            Sudo("sudo_set_mechanism_count", {"netuid": netuid, "mechanism_count": netuid}),
            *(
                module(uri, "burned_register", netuid=netuid, hotkey=address(f"{uri}/hot1"))
                for uri in (validator, miner)
            ),
            module(validator, "add_stake", amount_staked=100 * TAO, **staked),
            Seal(6),
            *(
                weighed(f"{validator}/hot1", netuid, mecid, [(2, 9)])
                for mecid in (None, *range(1, netuid))
            ),
        ]
    return (*steps, Seal(6))


RUNNING = running()
