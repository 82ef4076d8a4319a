"""A node as a process of its own, for tests that talk to it over a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_S = 60.0
STOP_S = 30.0
ANSWER_S = 60.0


@dataclass
class LiveNode:
    """A node of the development network on a free loopback port. Use it as a context manager.

    `arguments` go to `mycelia node`; what it writes is kept in `folder / "node.log"`.
    """

    folder: Path
    arguments: tuple[str, ...] = ("--dev", "--fast", "--ephemeral")

    def __enter__(self) -> Self:
        self.log = self.folder / "node.log"
        with self.log.open("wb") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", "mycelia.node", "--rpc-port", "0", *self.arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | {"HOME": str(self.folder)},
                start_new_session=True,
            )
        self.port = self._wait_for_port()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            raise

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, method: str, *params: object) -> Any:
        """The result of a JSON-RPC method. Raises AssertionError for an error reply."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        peer = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        try:
            peer.request("POST", "/", body.encode(), {"Content-Type": "application/json"})
            reply = json.load(peer.getresponse())
        finally:
            peer.close()
        if "error" in reply:
            raise AssertionError(reply["error"])
        return reply["result"]

    def to_next_epoch(self, netuid: int) -> None:
        """Seal up to the block in which a subnet's next epoch runs.

        A test whose steps belong to one epoch gives its subnet a long tempo and calls this before them: then neither
        a slow client nor a quick chain puts an epoch between two steps.
        """
        self.ask("mycelia_sealEpoch", netuid)

    def _wait_for_port(self) -> int:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            text = self.log.read_text()
            found = re.search(r"rpc_serving port=(\d+)", text)
            if found and "Imported #1" in text:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self._process.kill()
        raise RuntimeError(f"The node did not start. Its log:\n{self.log.read_text()}")
