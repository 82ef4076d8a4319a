"""Runs `mycelia up` as a person would, and looks for what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mycelia.models.store import FOLDER_VARIABLE, default_folder

PYTHON = (sys.executable, "-m", "mycelia.cli")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Up:
    """One network folder; `start` and `wait`, or `run` for both."""

    folder: Path
    home: Path
    rpc_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    models: Path = field(default_factory=default_folder)
    process: subprocess.Popen[str] | None = None

    def start(self, *flags: str) -> None:
        self.home.mkdir(exist_ok=True)
        command = [
            *(*PYTHON, "up", "--headless", "--dir", str(self.folder)),
            *("--rpc-port", str(self.rpc_port), "--gateway-port", str(self.gateway_port)),
            *flags,
        ]
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("BTCLI", "BITTENSOR"))
        }
        environment |= {"HOME": str(self.home), FOLDER_VARIABLE: str(self.models)}
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self, limit_s: float) -> tuple[int, str]:
        """Exit status and output."""
        assert self.process is not None
        try:
            output, _ = self.process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            output, _ = self.process.communicate(timeout=15)
            raise AssertionError(f"not done after {limit_s} s:\n{output}\n{self.tails()}") from None
        return self.process.returncode, output

    def run(self, *flags: str, limit_s: float = 150.0) -> tuple[int, str]:
        self.start(*flags)
        return self.wait(limit_s)

    def interrupt(self) -> tuple[int, float]:
        """Ctrl-C; exit status and how long it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        return self.process.returncode, time.monotonic() - began

    def until(self, condition, limit_s: float = 90.0) -> None:
        ends = time.monotonic() + limit_s
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, self.process.communicate()[0]
            assert time.monotonic() < ends, self.tails()
            time.sleep(0.2)

    def events(self, process: str = "up") -> list[dict]:
        path = self.folder / "logs" / f"{process}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def happened(self, event: str, process: str = "up", **fields) -> list[dict]:
        return [
            found
            for found in self.events(process)
            if found["event"] == event and fields.items() <= found.items()
        ]

    def pid(self, process: str) -> int:
        return int(self.happened("process_started", name=process)[-1]["pid"])

    def left_running(self) -> list[str]:
        """Command lines of processes that belong to this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, UnicodeDecodeError):
                continue
            if str(self.folder) in command or f"{self.rpc_port}" in command:
                found.append(command)
        return found

    def tails(self) -> str:
        """Ends of all logs, for a failure's message."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text().splitlines()[-8:])
            for path in sorted((self.folder / "logs").glob("*"))
        )
