"""Runs `mycelia up` as a person would, and looks for what it leaves behind."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mycelia.models.store import FOLDER_VARIABLE, default_folder
from mycelia.testing.ports import free_port

PYTHON = (sys.executable, "-m", "mycelia.cli")


def is_hindered() -> bool:
    """Whether this machine is slow, or kept busy by others, and so holds no promise made of a time."""
    is_busy = os.getloadavg()[2] > (os.cpu_count() or 1)  # of a quarter of an hour
    began = time.monotonic()
    hashlib.pbkdf2_hmac("sha256", b"probe", b"", 300_000)
    return is_busy or time.monotonic() - began > 0.2  # a tenth of a second with a core of one's own


@dataclass
class Up:
    """One network folder; `start` and `wait`, or `run` for both."""

    folder: Path
    home: Path
    rpc_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    models: Path = field(default_factory=default_folder)
    process: subprocess.Popen[str] | None = None
    was_hindered: bool = False
    """Whether the machine was slow or busy when the network started."""

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
        self.was_hindered = is_hindered()
        # A file takes any amount of output, and what was said is known while the process runs.
        with self.output_path.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output_path(self) -> Path:
        """Beside the home: a test may fill the disk of the network, and look into the home."""
        return self.home.with_name(f"{self.home.name}.out")

    def printed(self) -> str:
        """All that the last start has printed so far."""
        return self.output_path.read_text(errors="replace")

    def wait(self, limit_s: float) -> tuple[int, str]:
        """Exit status and output."""
        assert self.process is not None
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.interrupt()
            raise AssertionError(f"not done after {limit_s} s:\n{self.story()}") from None
        return self.process.returncode, self.printed()

    def run(self, *flags: str, limit_s: float = 600.0) -> tuple[int, str]:
        self.start(*flags)
        return self.wait(limit_s)

    def interrupt(self) -> int:
        """Ctrl-C; the exit status. It takes less than five seconds, unless the machine is hindered."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        took_s = time.monotonic() - began
        assert took_s < 5.0 or self.was_hindered or is_hindered(), took_s
        return self.process.returncode

    def end(self) -> None:
        """Leave nothing running, whatever a test came to."""
        if self.process is not None and self.process.poll() is None:
            self.interrupt()

    def runs(self) -> None:
        """Demand that it has not ended."""
        assert self.process is not None
        status = self.process.poll()
        assert status is None, f"`up` ended with {status}:\n{self.story()}"

    def until(self, condition, limit_s: float = 300.0) -> None:
        """Wait; the limit is for what never comes, not for what a busy machine delays."""
        ends = time.monotonic() + limit_s
        while not condition():
            self.runs()
            assert time.monotonic() < ends, f"not within {limit_s} s:\n{self.story()}"
            time.sleep(0.2)

    def events(self, process: str = "up") -> list[dict]:
        path = self.folder / "logs" / f"{process}.jsonl"
        if not path.exists():
            return []
        lines = path.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the rest is under way

    def happened(self, event: str, process: str = "up", **fields) -> list[dict]:
        return [
            found
            for found in self.events(process)
            if found["event"] == event and fields.items() <= found.items()
        ]

    def pid(self, process: str) -> int:
        return int(self.happened("process_started", name=process)[-1]["pid"])

    def left_running(self) -> list[str]:
        """Command lines of processes that belong to this folder, by their words or environment."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(self.folder) in command + (entry / "environ").read_bytes():
                    found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def story(self) -> str:
        """What was printed last and the ends of all logs, for a failure's message."""
        return "\n".join(
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-12:])
            for path in (self.output_path, *sorted((self.folder / "logs").glob("*")))
        )
