"""What tests of the SDK share: a node of their own, and the unmodified client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import bittensor as bt
import pytest

from mycelia.testing.live import LiveNode


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNode]:
    with LiveNode(tmp_path_factory.mktemp("node")) as live:
        yield live


@pytest.fixture
async def client(
    node: LiveNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[bt.Client]:
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path))
    async with bt.Client(node.url) as client:
        yield client
