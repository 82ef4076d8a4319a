"""What `up` shows to whoever watches over a whole network: its processes, its pay, and where theirs is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mycelia.cli.up.plan import GATEWAY, HOST, NODE, VALIDATORS, Plan
from mycelia.cli.up.supervisor import Child
from mycelia.cli.up.watch import Snapshot
from mycelia.monitor import Health, Metric
from mycelia.neuron.events import read_status

_NEEDED = frozenset({NODE, GATEWAY, *VALIDATORS})
"""Without any of these a network does not do its work; it can do without a miner."""


def metrics(children: Mapping[str, Child], snapshot: Snapshot | None) -> Iterable[Metric]:
    """Every measure; those of the chain from the last look that it answered."""
    running = {name: float(child.pid is not None) for name, child in children.items()}
    restarts = {name: float(child.restarts) for name, child in children.items()}
    yield Metric.by("process", "mycelia_process_running", "1 while it runs.", running)
    yield Metric.by("process", "mycelia_process_restarts_total", "Times it ended.", restarts)
    if snapshot is None:
        return
    yield Metric.one("mycelia_chain_height", "Newest block seen.", snapshot.height)
    yield Metric.one("mycelia_issuance_tao", "TAO issued.", snapshot.issuance_rao / 10**9)
    paid = {subnet.name: float(subnet.paid_epochs) for subnet in snapshot.subnets}
    about = "Epochs that paid a miner since `up` began."
    yield Metric.by("subnet", "mycelia_paid_epochs_total", about, paid)
    yield Metric(
        "mycelia_incentive",
        "Share of the last epoch's pay of miners.",
        {
            (("subnet", subnet.name), ("miner", row.name), ("role", row.role)): row.incentive
            for subnet in snapshot.subnets
            for row in subnet.rows
            if row.role in {"honest", "cheat"}
        },
    )


def health(children: Mapping[str, Child], snapshot: Snapshot | None, trouble: str | None) -> Health:
    """Well once it has paid and while all that is needed runs."""
    down = sorted(name for name in _NEEDED if name not in children or children[name].pid is None)
    if down:
        return Health(is_well=False, state=f"not running: {', '.join(down)}")
    if trouble:
        return Health(is_well=False, state=trouble)
    if snapshot is None or not snapshot.paid_epochs:
        return Health(is_well=False, state="no paid epoch yet")
    return Health(is_well=True, state=f"{snapshot.paid_epochs} paid epochs")


def targets(plan: Plan, ports: Mapping[str, int]) -> list[dict[str, object]]:
    """Where each process shows its metrics, in the form of Prometheus' HTTP discovery."""
    found = {GATEWAY: plan.options.gateway_port}
    if NODE in ports:
        found[NODE] = ports[NODE]
    for name in (*VALIDATORS, *(miner.name for miner in plan.miners)):
        status = read_status(plan.folder.status(name)) or {}
        if status.get("monitor_port"):
            found[name] = int(status["monitor_port"])
    return [
        {"targets": [f"{HOST}:{port}"], "labels": {"process": name}}
        for name, port in sorted(found.items())
    ]
