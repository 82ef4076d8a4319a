"""A chain in this process: the real runtime over a state in memory, with blocks on demand.

Calls are dispatched by the runtime without a transaction around them, so they cost no fee and no
signature; every rule of the call itself holds.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from mycelia.crypto import ss58_decode, ss58_encode
from mycelia.frame import ROOT, Origin
from mycelia.frame.dispatch import Failed, Failure, Module
from mycelia.neuron.chain import CallFailed, Metagraph, Neuron
from mycelia.primitives import RAO_PER_TAO, AccountId, NetUid, Tao
from mycelia.runtime import GenesisConfig, Runtime
from mycelia.runtime.compose import COMPOSITION
from mycelia.state import MemoryStore, Overlay

NETUID = NetUid(1)
_OWNER = AccountId(b"lab owner".ljust(32, b"\0"))
_OWNER_HOTKEY = AccountId(b"lab owner's hotkey".ljust(32, b"\0"))
_BANK = AccountId(b"lab bank".ljust(32, b"\0"))
_RICH = Tao(10_000_000 * RAO_PER_TAO)
_BLOCK_MS = 12_000
_U16 = 65_535


class LabChain:
    """One subnet, started and without rate limits. A block is always open."""

    def __init__(
        self,
        name: str = "lab",
        *,
        tempo_blocks: int = 4,
        slots: int | None = None,
        immunity_blocks: int | None = None,
    ) -> None:
        """With `slots` the subnet is full at so many neurons, its owner's included."""
        self._name = name
        self._runtime = Runtime(Overlay(MemoryStore().head()))
        self._runtime.genesis(GenesisConfig(balances={_OWNER: _RICH, _BANK: _RICH}, sudo=_OWNER))
        self.height = 0
        self._open()
        self.call(_OWNER, "register_network", hotkey=_OWNER_HOTKEY)
        self.call(_OWNER, "start_call", netuid=NETUID)
        self.admin("sudo_set_admin_freeze_window", window=0)
        self.admin("sudo_set_commit_reveal_weights_enabled", netuid=NETUID, enabled=False)
        self.admin("sudo_set_weights_set_rate_limit", netuid=NETUID, weights_set_rate_limit=0)
        self.admin("sudo_set_serving_rate_limit", netuid=NETUID, serving_rate_limit=0)
        self.admin("sudo_set_tempo", netuid=NETUID, tempo=tempo_blocks)
        if slots is not None:
            self.admin("sudo_set_min_allowed_uids", netuid=NETUID, min_allowed_uids=0)
            self.admin("sudo_set_max_allowed_uids", netuid=NETUID, max_allowed_uids=slots)
            self.admin("sudo_set_min_non_immune_uids", netuid=NETUID, min=0)
        if immunity_blocks is not None:
            self.admin("sudo_set_immunity_period", netuid=NETUID, immunity_period=immunity_blocks)

    def register(self, hotkey: str, *, stake_tao: int = 0) -> int:
        """Give a hotkey a slot, paid by the lab; its uid. On a full subnet somebody loses theirs."""
        account = _account(hotkey)
        self.call(_BANK, "burned_register", netuid=NETUID, hotkey=account)
        if stake_tao:
            stake = Tao(stake_tao * RAO_PER_TAO)
            self.call(_BANK, "add_stake", hotkey=account, netuid=NETUID, amount_staked=stake)
        return next(n.uid for n in self.graph().neurons if n.hotkey == hotkey)

    def serve(self, hotkey: str, host: str, port: int) -> None:
        """Publish where a hotkey serves."""
        address = int(ipaddress.IPv4Address(host))
        rest = {"version": 1, "ip_type": 4, "protocol": 4, "placeholder1": 0, "placeholder2": 0}
        self.call(_account(hotkey), "serve_axon", netuid=NETUID, ip=address, port=port, **rest)

    def set_weights(self, hotkey: str, weights: Mapping[int, float]) -> None:
        """Set the weights of a hotkey, scaled so that the greatest is the greatest there is."""
        greatest = max(weights.values(), default=0.0) or 1.0
        self.call(
            _account(hotkey),
            "set_weights",
            netuid=NETUID,
            dests=tuple(weights),
            weights=tuple(round(weight / greatest * _U16) for weight in weights.values()),
            version_key=0,
        )

    def run_epoch(self) -> None:
        """Seal blocks up to and including the one in which the subnet's next epoch runs."""
        before = self.graph().last_step
        while self.graph().last_step == before:
            self.seal()

    def seal(self) -> None:
        """Close the open block and open the next."""
        self._runtime.end()
        self._open()

    def graph(self) -> Metagraph:
        """The subnet as it is now, as neurons see it."""
        found: Any = self._runtime.pallets.subnet_views.get_metagraph(NETUID)
        return Metagraph(
            netuid=NETUID,
            name=self._name,
            height=self.height,
            tempo_blocks=int(found.tempo),
            last_step=int(found.last_step),
            tao_emission_rao=int(found.tao_in_emission),
            alpha_emission_rao=int(found.alpha_out_emission),
            alpha_price=1.0,
            neurons=tuple(_neuron(found, uid) for uid in range(found.num_uids)),
        )

    def port(self, hotkey: str) -> LabPort:
        """The chain as the process of one hotkey sees it."""
        return LabPort(self, hotkey)

    def call(self, who: AccountId, name: str, /, **arguments: Any) -> None:
        """Have an account make a call. Raises CallFailed with the rule's error."""
        self._dispatched("SubtensorModule", name, Origin(who), arguments)

    def admin(self, name: str, /, **arguments: Any) -> None:
        """Change a hyperparameter as root. Raises CallFailed."""
        self._dispatched("AdminUtils", name, ROOT, arguments)

    def _dispatched(
        self, pallet: str, name: str, origin: Origin, arguments: Mapping[str, Any]
    ) -> None:
        call = COMPOSITION.call_scale.build(pallet, name, **arguments)
        outcome = self._runtime.dispatch(call, origin)
        if isinstance(outcome, Failed):
            raise CallFailed("call_failed", f"{name} failed: {_why(outcome.error)}", "")

    def _open(self) -> None:
        self.height += 1
        self._runtime.begin(self.height, bytes(32))
        self._runtime.apply(self._runtime.decode(self._runtime.inherent(self.height * _BLOCK_MS)))


class LabPort:
    """A `ChainPort` for one hotkey."""

    def __init__(self, chain: LabChain, hotkey: str) -> None:
        self._chain = chain
        self._hotkey = hotkey

    async def metagraph(self, netuid: int) -> Metagraph:
        """The subnet now; there is only one."""
        del netuid
        return self._chain.graph()

    async def set_weights(self, netuid: int, weights: Mapping[int, float]) -> None:
        """Set the hotkey's weights. Raises CallFailed."""
        del netuid
        self._chain.set_weights(self._hotkey, weights)

    async def serve_axon(self, netuid: int, host: str, port: int) -> None:
        """Publish where the hotkey serves. Raises CallFailed."""
        del netuid
        self._chain.serve(self._hotkey, host, port)


def _account(hotkey: str) -> AccountId:
    return AccountId(ss58_decode(hotkey))


def _why(failure: Failure) -> str:
    """A failure in its rule's own words."""
    if isinstance(failure, Module):
        at = failure.error
        (group,) = (group for group in COMPOSITION.groups if group.index == at.index)
        for error in group.errors:
            if error.index == at.error[0]:
                return f"{error.wire_name}. {error.__doc__ or ''}".strip()
    return f"{failure}."


def _neuron(found: Any, uid: int) -> Neuron:
    axon = found.axons[uid]
    return Neuron(
        uid=uid,
        hotkey=ss58_encode(found.hotkeys[uid]),
        coldkey=ss58_encode(found.coldkeys[uid]),
        registered_at=int(found.block_at_registration[uid]),
        permit=bool(found.validator_permit[uid]),
        stake_rao=int(found.total_stake[uid]),
        incentive=found.incentives[uid] / _U16,
        dividends=found.dividends[uid] / _U16,
        emission_rao=int(found.emission[uid]),
        host=str(ipaddress.IPv4Address(int(axon.ip))) if axon.port else None,
        port=int(axon.port),
    )
