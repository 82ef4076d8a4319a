"""Brings a chain to the state the plan asks for: subnets, neurons, stakes; all through the SDK.

Every step looks first at what is there, so a start that was interrupted is continued by the next.
Calls of different accounts go out together, since each would otherwise cost a block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import bittensor
from bittensor import calls

from mycelia.cli.up.plan import SUDO, VALIDATORS, Plan, Record, SubnetPlan
from mycelia.neuron.chain import CallFailed, Chain
from mycelia.neuron.events import EventLog
from mycelia.neuron.wallets import make_wallet
from mycelia.primitives.errors import AppError

RAO = 10**9
FIRST_TEMPO_BLOCKS = 5
"""Until the first paid epoch: validators get their permits, and miners their first pay, sooner."""
STAKES_TAO = (300, 250, 200)
"""Of the validators: any two of them are a majority, and no one is."""
_OWNER_TAO = 100_000
_SUDO_TAO = 10_000_000
_VALIDATOR_TAO = 10_000
_MINER_TAO = 1_000

Wallets = Mapping[str, bittensor.Wallet]


def made_wallets(plan: Plan, seed: str | None) -> Wallets:
    """Every wallet of the plan, made where missing."""
    return {name: make_wallet(plan.folder.wallets, name, seed) for name in plan.wallets}


def endowments(plan: Plan) -> dict[str, int]:
    """What each wallet starts with, TAO by name. The operator's is the bank for later ones."""
    grants = {SUDO: _SUDO_TAO}
    grants |= {subnet.owner: _OWNER_TAO for subnet in plan.subnets}
    grants |= dict.fromkeys(VALIDATORS, _VALIDATOR_TAO)
    grants |= {miner.name: _MINER_TAO for miner in plan.miners}
    return grants


@dataclass
class Bootstrap:
    """One run of the set-up. `record` grows as steps complete and is saved at each."""

    plan: Plan
    wallets: Wallets
    chain: Chain
    record: Record
    log: EventLog
    tell: Callable[[str], None]
    """Shows a person what is going on."""

    async def create(self) -> None:
        """Create the subnets of the plan that are missing, so that each has a netuid.

        Raises CallFailed when the chain refuses a step, ChainAway when the node goes.
        """
        missing = [s for s in self.plan.subnets if s.name not in self.record.netuids]
        await self._fund()
        if missing:
            self.tell("creating subnets")
            await asyncio.gather(self._open_rules(), *(self._create(subnet) for subnet in missing))

    async def set_up(self) -> None:
        """Complete every subnet: rules, neurons, stakes. Raises as `create` does."""
        await asyncio.gather(*(self._set_up(subnet) for subnet in self.plan.subnets))

    async def set_tempo(self, tempo_blocks: int) -> None:
        """Give every subnet this tempo, where it has another."""
        for subnet in self.plan.subnets:
            netuid = self.record.netuids[subnet.name]
            if (await self.chain.metagraph(netuid)).tempo_blocks != tempo_blocks:
                await self._sudo(calls.AdminUtils.sudo_set_tempo(netuid, tempo_blocks))
                self.log.emit("tempo", subnet=subnet.name, tempo_blocks=tempo_blocks)

    async def _fund(self) -> None:
        """Endow wallets that were not part of the network when its chain began."""
        grants = endowments(self.plan)
        addresses = {name: self.wallets[name].coldkey.ss58_address for name in grants}
        accounts = await self.chain.ask(
            lambda client: client.query_batch(
                ("System", "Account"), [[address] for address in addresses.values()]
            )
        )
        poor = [
            name
            for name, account in zip(addresses, accounts, strict=True)
            if int(account["data"]["free"]) == 0
        ]
        await asyncio.gather(
            *(
                self.chain.execute(
                    bittensor.Transfer(dest_ss58=addresses[name], amount_tao=grants[name]),
                    self.wallets[SUDO],
                )
                for name in poor
            )
        )

    async def _open_rules(self) -> None:
        """Lift the limits that make sense among strangers only."""
        await asyncio.gather(
            self._sudo(calls.AdminUtils.sudo_set_network_rate_limit(0)),
            self._sudo(calls.AdminUtils.sudo_set_admin_freeze_window(0)),
            self._sudo(calls.AdminUtils.sudo_set_start_call_delay(0)),
        )

    async def _create(self, subnet: SubnetPlan) -> None:
        wallet = self.wallets[subnet.owner]
        result = await self.chain.execute(bittensor.RegisterSubnet(), wallet)
        try:
            netuid = int(result.data["netuid"])
        except KeyError as error:
            raise AppError(
                "subnet_unconfirmed",
                f"The chain took the registration of {subnet.name} but named no netuid.",
                "Start again with --fresh.",
            ) from error
        self._note(self.record.with_netuid(subnet.name, netuid))
        self.log.emit("subnet_created", subnet=subnet.name, netuid=netuid)

    async def _set_up(self, subnet: SubnetPlan) -> None:
        netuid = self.record.netuids[subnet.name]
        first = subnet.name not in self.record.ready
        if first:
            self.tell(f"setting up {subnet.name}")
            await asyncio.gather(
                self._rule(netuid), self._start(netuid, subnet), self._register(netuid, subnet)
            )
        else:
            await self._register(netuid, subnet)
        await self._stake(netuid)
        if first:
            self._note(self.record.with_ready(subnet.name))
            self.log.emit("subnet_ready", subnet=subnet.name, netuid=netuid)

    async def _rule(self, netuid: int) -> None:
        """Hyperparameters for a network whose epochs are seconds, not hours, apart."""
        admin = calls.AdminUtils
        await asyncio.gather(
            self._sudo(admin.sudo_set_commit_reveal_weights_enabled(netuid, enabled=False)),
            self._sudo(admin.sudo_set_weights_set_rate_limit(netuid, 0)),
            self._sudo(admin.sudo_set_serving_rate_limit(netuid, 0)),
            self._sudo(admin.sudo_set_subnet_emission_enabled(netuid, enabled=True)),
            self._sudo(admin.sudo_set_tempo(netuid, FIRST_TEMPO_BLOCKS)),
        )

    async def _start(self, netuid: int, subnet: SubnetPlan) -> None:
        started = await self.chain.ask(
            lambda client: client.query(("SubtensorModule", "FirstEmissionBlockNumber"), [netuid])
        )
        if started is None:
            await self.chain.execute(bittensor.StartCall(netuid=netuid), self.wallets[subnet.owner])

    async def _register(self, netuid: int, subnet: SubnetPlan) -> None:
        """Register who is missing. Each pays from its own coldkey, so one block can take all."""
        graph = await self.chain.metagraph(netuid)
        names = (*VALIDATORS, *(miner.name for miner in subnet.miners))
        await asyncio.gather(
            *(
                # Not the SDK's intent, which goes through MevShield: nothing here is secret.
                self.chain.submit_call(
                    calls.SubtensorModule.burned_register(
                        netuid, self.wallets[name].hotkey.ss58_address
                    ),
                    self.wallets[name],
                )
                for name in names
                if graph.neuron(self.wallets[name].hotkey.ss58_address) is None
            )
        )

    async def _stake(self, netuid: int) -> None:
        graph = await self.chain.metagraph(netuid)
        stakes: list[Awaitable[Any]] = []
        for name, amount_tao in zip(VALIDATORS, STAKES_TAO, strict=True):
            hotkey = self.wallets[name].hotkey.ss58_address
            neuron = graph.neuron(hotkey)
            if neuron is None or neuron.stake_rao == 0:
                intent = bittensor.AddStake(
                    hotkey_ss58=hotkey,
                    netuid=netuid,
                    amount_tao=amount_tao,
                    # Many buy at once here, so the price moves; nobody is being exploited.
                    slippage_protection=False,
                )
                stakes.append(self.chain.execute(intent, self.wallets[name]))
        await asyncio.gather(*stakes)

    async def _sudo(self, call: Any) -> None:
        inner = await self.chain.ask(lambda client: client.compose(call))  # type: ignore[no-untyped-call]
        await self.chain.submit_call(calls.Sudo.sudo(call=inner), self.wallets[SUDO])

    def _note(self, record: Record) -> None:
        self.record = record
        self.plan.folder.save(record)


async def node_answers(chain: Chain, limit_s: float) -> int:
    """Height of the chain once it answers. Raises the last ChainAway after `limit_s` seconds."""
    async with asyncio.timeout(limit_s):
        while True:
            try:
                return await chain.height()
            except (AppError, CallFailed):
                await asyncio.sleep(0.1)
