"""Pytest fixtures for whoever builds on mycelia: `pytest_plugins = ["mycelia.testing.plugin"]` in a `conftest.py`.

`dev_chain` is a fresh `mycelia.testing.devchain.DevChain` for each test, `dev_node` a fresh node for clients.
What they need is imported when a test first asks for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from mycelia.testing.devchain import DevChain, DevNode


@pytest.fixture
def dev_chain() -> DevChain:
    """A chain of this test's own at the development network's genesis."""
    from mycelia.testing.devchain import DevChain  # noqa: PLC0415 - see the module's docstring

    return DevChain()


@pytest_asyncio.fixture
async def dev_node() -> AsyncIterator[DevNode]:
    """A node of this test's own, in its process, sealing 20 blocks a second."""
    from mycelia.testing.devchain import dev_node as make  # noqa: PLC0415 - see the module's docstring

    async with make() as node:
        yield node
