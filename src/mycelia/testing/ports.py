"""A port for a process that must be told one."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A loopback port that nothing listens on. Who can say 0 instead should: another process may be quicker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
