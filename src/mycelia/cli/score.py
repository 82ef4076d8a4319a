"""`mycelia score`: what validators' ledgers say of one miner, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mycelia.neuron.book import AUDITED, weigh
from mycelia.neuron.ledger import Claimed, Ledger
from mycelia.neuron.statement import Statement, statement
from mycelia.primitives.errors import AppError

_WHY_NOT = {
    "answers_differ": "its answers are not those of the model",
    "silent": "it does not answer",
    "claim_uncommitted": "its digest is not on the chain",
    "claim_unknown": "the subnet's validators do not know the model",
    "claim_other": "it shows another claim than it answers under",
}
_OUTCOMES = {AUDITED: "bad answers to consumers"}


@dataclass(frozen=True)
class View:
    """What one validator's ledger says of one miner on one subnet."""

    validator: str
    subnet: str
    said: Statement
    claimed: Claimed | None


def views(hotkey: str, ledgers: list[Path]) -> Iterator[View]:
    """A view for every ledger and subnet that knows the hotkey."""
    from mycelia.subnets import REGISTRY

    for path in ledgers:
        if not path.is_file():
            raise AppError("no_ledger", f"There is no ledger {path}.", "Name one with --ledger.")
        with closing(Ledger(path)) as ledger:
            for subnet in ledger.subnets():
                spec = REGISTRY.get(subnet)
                rule = spec.subnet.weigh if spec else weigh
                samples, base = ledger.samples(subnet), ledger.base(subnet)
                if found := statement(samples, hotkey, rule, base):
                    yield View(path.stem, subnet, found, ledger.claim(subnet, hotkey))


def hotkey_of(miner: str, folder: Path) -> str:
    """A miner's hotkey, given itself or the name of a wallet of a network's folder."""
    path = folder / "wallets" / miner / "hotkeys" / "default"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["ss58Address"])
    except FileNotFoundError:
        return miner
    except (OSError, ValueError, KeyError) as error:
        raise AppError("wallet_unusable", f"{path}: {error}.", "Name the hotkey itself.") from error


def lines(view: View) -> Iterator[str]:
    """A view in words."""
    said = view.said
    standing = said.standing
    known = "" if said.is_known else ", not yet known: sampled in every round"
    yield f"{view.validator} on {view.subnet}, uid {said.miner.uid}:"
    yield (
        f"  quality {standing.quality:.3f}, rank {said.rank} of {said.miners},"
        f" {said.share:.1%} of the weights"
    )
    yield (
        f"  {standing.samples} samples ({standing.failures} failed{known}),"
        f" {standing.latency_ms:.0f} ms on average"
    )
    counts = ", ".join(
        f"{count} {_OUTCOMES.get(reason, reason)}" for reason, count in said.outcomes.items()
    )
    yield f"  of the last {said.recent}: {counts}"
    if said.checks:
        checks = sorted(said.checks.items(), key=lambda check: check[1])
        yield "  checks: " + ", ".join(f"{name} {value:.3f}" for name, value in checks)
    for change in said.changes:
        yield f"  {change.what}: {change.share:.1%} of the weights"
    yield f"  {_claim(view.claimed)}"


def _claim(claimed: Claimed | None) -> str:
    if claimed is None:
        return "no claim seen so far"
    what = f"claims {claimed.about or 'a model'}, manifest {claimed.digest[:16]}"
    now_ms = time.time_ns() // 1_000_000
    until = datetime.fromtimestamp(claimed.until_ms / 1000, UTC).strftime("%H:%M:%S UTC")
    why = _WHY_NOT.get(claimed.state, claimed.state)
    if claimed.state != "attested":
        rest = f"; an earlier word holds until {until}" if claimed.until_ms > now_ms else ""
        return f"{what}: not attested, {why}{rest}"
    return f"{what}: attested {'until' if claimed.until_ms > now_ms else 'last until'} {until}"
