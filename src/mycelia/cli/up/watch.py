"""What a running network looks like at one moment, gathered from the chain and the processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mycelia.cli.up.plan import GATEWAY, VALIDATORS, Plan, SubnetPlan
from mycelia.cli.up.supervisor import Supervisor
from mycelia.neuron.chain import Chain, Metagraph, Neuron
from mycelia.neuron.events import read_status


@dataclass(frozen=True)
class Row:
    """One neuron of one subnet. Amounts in rao."""

    name: str
    role: str
    """`honest`, `cheat`, `validator` or `owner`."""
    uid: int | None
    running: bool
    score: float | None
    """Mean of the validators' qualities; None before the first sample."""
    incentive: float
    dividends: float
    earned_rao: int
    """Alpha gained since this neuron was first seen by this process."""
    requests: int | None
    note: str = ""


@dataclass(frozen=True)
class SubnetState:
    """One subnet."""

    name: str
    netuid: int
    tempo_blocks: int
    blocks_to_epoch: int
    alpha_emission_rao: int
    tao_emission_rao: int
    """Per block: what is put into the pool, and what buys alpha from it."""
    alpha_price: float
    paid_epochs: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Snapshot:
    """The network."""

    height: int
    issuance_rao: int
    subnets: tuple[SubnetState, ...]
    restarts: int = 0
    is_offered: bool = True
    """The gateway has attested miners of every subnet to offer."""

    @property
    def paid_epochs(self) -> int:
        """Epochs that paid some miner, in the subnet that has had the fewest."""
        return min((subnet.paid_epochs for subnet in self.subnets), default=0)


@dataclass
class _Epochs:
    """Counts the epochs of one subnet that paid."""

    last_step: int | None = None
    paid: int = 0

    def see(self, graph: Metagraph) -> None:
        """Count an epoch once, if it paid a miner; those before the first look do not count."""
        before, self.last_step = self.last_step, graph.last_step
        if before is not None and graph.last_step > before:
            self.paid += any(neuron.incentive > 0 for neuron in graph.neurons)


@dataclass
class Watch:
    """Looks at the network again and again; remembers what is needed to count."""

    plan: Plan
    chain: Chain
    supervisor: Supervisor
    netuids: Mapping[str, int]
    names: Mapping[str, str]
    """Wallet names by hotkey."""
    _epochs: dict[str, _Epochs] = field(default_factory=dict)
    _first_stake: dict[tuple[str, str], int] = field(default_factory=dict)

    async def look(self) -> Snapshot:
        """The network now. Raises ChainAway while the node does not answer."""
        netuids = [self.netuids[subnet.name] for subnet in self.plan.subnets]
        bought = ("SubtensorModule", "SubnetExcessTao")
        issued, excess, *graphs = await asyncio.gather(
            self.chain.ask(lambda client: client.query(("Balances", "TotalIssuance"))),
            self.chain.ask(
                lambda client: client.query_batch(bought, [[netuid] for netuid in netuids])
            ),
            *(self.chain.metagraph(netuid) for netuid in netuids),
        )
        statuses = {
            name: read_status(self.plan.folder.status(name)) or {}
            for name in (*VALIDATORS, *(miner.name for miner in self.plan.miners))
        }
        states = tuple(
            self._subnet(subnet, graph, int(tao or 0), statuses)
            for subnet, graph, tao in zip(self.plan.subnets, graphs, excess, strict=True)
        )
        return Snapshot(
            height=max((graph.height for graph in graphs), default=0),
            issuance_rao=int(issued or 0),
            subnets=states,
            restarts=sum(child.restarts for child in self.supervisor.children.values()),
            is_offered=(read_status(self.plan.folder.status(GATEWAY)) or {}).get("waiting") == [],
        )

    def _subnet(
        self,
        plan: SubnetPlan,
        graph: Metagraph,
        excess_rao: int,
        statuses: Mapping[str, Mapping[str, Any]],
    ) -> SubnetState:
        epochs = self._epochs.setdefault(plan.name, _Epochs())
        epochs.see(graph)
        roles = {miner.name: "honest" if miner.honest else "cheat" for miner in plan.miners}
        roles |= dict.fromkeys(VALIDATORS, "validator") | {plan.owner: "owner"}
        return SubnetState(
            name=plan.name,
            netuid=graph.netuid,
            tempo_blocks=graph.tempo_blocks,
            blocks_to_epoch=max(0, graph.last_step + graph.tempo_blocks - graph.height),
            alpha_emission_rao=graph.alpha_emission_rao,
            tao_emission_rao=graph.tao_emission_rao + excess_rao,
            alpha_price=graph.alpha_price,
            paid_epochs=epochs.paid,
            rows=tuple(
                self._row(plan, neuron, self.names[neuron.hotkey], roles, statuses)
                for neuron in graph.neurons
                if self.names.get(neuron.hotkey) in roles
            ),
        )

    def _row(
        self,
        plan: SubnetPlan,
        neuron: Neuron,
        name: str,
        roles: Mapping[str, str],
        statuses: Mapping[str, Mapping[str, Any]],
    ) -> Row:
        first = self._first_stake.setdefault((plan.name, neuron.hotkey), neuron.stake_rao)
        judged = [
            found
            for validator in VALIDATORS
            if (found := _judged(statuses[validator], plan.name, neuron)) is not None
        ]
        child = self.supervisor.children.get(name)
        is_miner = roles[name] in {"honest", "cheat"}
        return Row(
            name=name,
            role=roles[name],
            uid=neuron.uid,
            running=roles[name] == "owner" or (child is not None and child.pid is not None),
            score=sum(j["quality"] for j in judged) / len(judged) if judged else None,
            incentive=neuron.incentive,
            dividends=neuron.dividends,
            earned_rao=neuron.stake_rao - first,
            requests=statuses[name].get("requests", 0) if is_miner else None,
            note=next((str(j["reason"]) for j in judged if j.get("reason")), ""),
        )


def _judged(status: Mapping[str, Any], subnet: str, neuron: Neuron) -> Mapping[str, Any] | None:
    """What a validator's status says of a neuron, if it has sampled it."""
    scores = status.get("subnets", {}).get(subnet, {}).get("scores", {})
    found = scores.get(str(neuron.uid))
    if not found or found["hotkey"] != neuron.hotkey or not found["samples"]:
        return None
    return dict(found)
