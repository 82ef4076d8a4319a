"""What can be wrong with a store, each with what to do about it."""

from __future__ import annotations

from pathlib import Path

from mycelia.primitives.errors import AppError


class StoreError(AppError):
    """A store cannot be opened, read or written."""


class StoreMissing(StoreError):
    """No store stands at the path."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "store_missing",
            f"There is no store at {path}.",
            "Start the node that owns it first, or check the path.",
        )


class StoreForeign(StoreError):
    """The folder holds data of another program."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "store_foreign",
            f"{path} holds a database that mycelia did not write.",
            "Give the node a folder of its own.",
        )


class StoreNewer(StoreError):
    """A later release wrote the store."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            "store_newer",
            f"The store at {path} has format {found}; this release knows formats up to {known}.",
            "Install the release that wrote it, or start with an empty folder.",
        )


class StoreCorrupt(StoreError):
    """The bytes on disk are not what was written."""

    def __init__(self, path: Path, finding: str) -> None:
        super().__init__(
            "store_corrupt",
            f"The store at {path} is damaged: {finding}.",
            "Restore the folder from a copy, or remove it and start afresh; check the disk.",
        )


class StoreLocked(StoreError):
    """Another writer has the store open."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(
            "store_locked",
            f"The store at {path} is in use by {holder}.",
            "Stop that process, or give this node a folder of its own.",
        )


class StoreUnwritable(StoreError):
    """The folder cannot be made, read or written."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            "store_unwritable",
            f"The store at {path} cannot be used: {cause}.",
            "Choose a folder that this user may write.",
        )


class StoreFull(StoreError):
    """The disk took no more; the block was not committed, the state is the one before it."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            "store_full",
            f"The store at {path} cannot grow: {cause}.",
            "Free space on that disk, or check it if there is some, and start the node again; "
            "nothing committed is lost.",
        )


class StoreFailed(StoreError):
    """The storage library refused; the cause is chained."""

    def __init__(self, path: Path, cause: str) -> None:
        super().__init__(
            "store_failed",
            f"The store at {path} failed: {cause}.",
            "Start the node again; if it persists, restore the folder from a copy.",
        )


class UnknownHeight(StoreError):
    """No block of this height is committed."""

    def __init__(self, height: int, head: int) -> None:
        super().__init__(
            "unknown_height",
            f"Height {height} is not committed; the newest is {head}.",
            "Ask for a height up to the newest.",
        )


class StateDiscarded(StoreError):
    """The state of an old height was thrown away, as configured."""

    def __init__(self, height: int, oldest: int) -> None:
        super().__init__(
            "state_discarded",
            f"State already discarded for height {height}; the oldest kept is {oldest}.",
            "Ask a node that runs with --archive.",
        )
