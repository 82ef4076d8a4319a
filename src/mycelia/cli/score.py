"""`mycelia score`: what validators' ledgers say of one miner, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mycelia.neuron.book import weigh
from mycelia.neuron.ledger import Ledger
from mycelia.neuron.statement import Statement, statement
from mycelia.primitives.errors import AppError


def statements(hotkey: str, ledgers: list[Path]) -> Iterator[tuple[str, str, Statement]]:
    """Validator, subnet and statement, for every ledger and subnet that knows the hotkey."""
    from mycelia.subnets import REGISTRY

    for path in ledgers:
        if not path.is_file():
            raise AppError("no_ledger", f"There is no ledger {path}.", "Name one with --ledger.")
        with closing(Ledger(path)) as ledger:
            for subnet in ledger.subnets():
                spec = REGISTRY.get(subnet)
                rule = spec.subnet.weigh if spec else weigh
                if found := statement(ledger.samples(subnet), hotkey, rule):
                    yield path.stem, subnet, found


def hotkey_of(miner: str, folder: Path) -> str:
    """A miner's hotkey, given itself or the name of a wallet of a network's folder."""
    path = folder / "wallets" / miner / "hotkeys" / "default"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["ss58Address"])
    except FileNotFoundError:
        return miner
    except (OSError, ValueError, KeyError) as error:
        raise AppError("wallet_unusable", f"{path}: {error}.", "Name the hotkey itself.") from error


def lines(validator: str, subnet: str, said: Statement) -> Iterator[str]:
    """A statement in words."""
    standing = said.standing
    known = "" if said.is_known else ", not yet known: sampled in every round"
    yield f"{validator} on {subnet}, uid {said.miner.uid}:"
    yield (
        f"  quality {standing.quality:.3f}, rank {said.rank} of {said.miners},"
        f" {said.share:.1%} of the weights"
    )
    yield (
        f"  {standing.samples} samples ({standing.failures} failed{known}),"
        f" {standing.latency_ms:.0f} ms on average"
    )
    counts = ", ".join(f"{count} {reason}" for reason, count in said.outcomes.items())
    yield f"  of the last {said.recent}: {counts}"
    if said.checks:
        checks = sorted(said.checks.items(), key=lambda check: check[1])
        yield "  checks: " + ", ".join(f"{name} {value:.3f}" for name, value in checks)
    for change in said.changes:
        yield f"  {change.what}: {change.share:.1%} of the weights"
