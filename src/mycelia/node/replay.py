"""Executing recorded blocks again: the same rules on the same extrinsics give the same roots, or name where not."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from mycelia.chain import History, copy_genesis, replay
from mycelia.primitives import AppError, InvalidBlock
from mycelia.state import MemoryStore
from mycelia.state.lmdb import LmdbStore

log = logging.getLogger("mycelia.node")


@dataclass(frozen=True)
class Replayed:
    """What a replay reached."""

    blocks: int
    root: bytes


def replay_folder(base_path: Path) -> Replayed:
    """Execute all blocks of a node's folder in memory and compare every header; the folder is only read.

    Raises:
        AppError: the folder can't be read, or block N gives another header than recorded.
    """
    store = LmdbStore(base_path / "db", readonly=True)
    try:
        source = History(store)
        chain = copy_genesis(source, MemoryStore())
        blocks = replay(source, chain)
        log.info("replayed blocks=%d hash=0x%s", blocks, chain.head_hash.hex())
        return Replayed(blocks, bytes(chain.head.state_root))
    except InvalidBlock as cause:
        raise AppError(
            "replay_differs",
            str(cause),
            "The program or the store changed since; compare versions, or start with --fresh.",
        ) from cause
    finally:
        store.close()
