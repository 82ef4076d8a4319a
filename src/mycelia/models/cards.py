"""Cards of models: of those in the catalogue, and of files that an adapter loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from mycelia.models.catalog import CATALOG
from mycelia.models.face import Card
from mycelia.models.installed import NotFromWheel, pinned, wheel_digest
from mycelia.models.store import ModelStore
from mycelia.primitives.errors import AppError


class NotRun(AppError):
    """A file in the catalogue that nothing runs, such as a vocabulary."""

    def __init__(self, name: str) -> None:
        super().__init__("model_not_run", f"{name} is no model.", "Name the model it belongs to.")


def describe(models: ModelStore, name: str) -> Card:
    """Make the whole card of a model in the catalogue, as this program runs it by default.

    The model is not loaded. `describe(...).claim()` is what a miner's manifest says of it.

    Raises:
        NotRun: it is no model.
        NotFromWheel: the build of its runtime cannot be told.
        UnknownModel, ModelMissing, ModelCorrupt: as `ModelStore.path`.
    """
    digest = models.digest(name)
    entry = CATALOG[name]
    running = entry.running
    if running is None:
        raise NotRun(name)
    return Card(
        name=name,
        runtime=pinned(running.package),
        sha256=digest,
        quantisation=running.quantisation,
        runtime_sha256=wheel_digest(running.package),
        schedule=running.schedule,
        context=running.context,
        licence=entry.licence,
    )


def card_of(
    path: Path,
    package: str,
    quantisation: Callable[[], str | None],
    schedule: str | None = None,
    context: int = 0,
) -> Callable[[], Card]:
    """Make the card of a file of weights that a package runs, when it is asked for."""

    def card() -> Card:
        return Card(
            name=path.stem,
            runtime=pinned(package),
            sha256=digest_of(path),
            quantisation=quantisation(),
            runtime_sha256=_build_of(package),
            schedule=schedule,
            context=context,
        )

    return card


def _build_of(package: str) -> str | None:
    """Digest of an installed wheel; None for a package that somebody built in place."""
    try:
        return wheel_digest(package)
    except NotFromWheel:
        return None


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
