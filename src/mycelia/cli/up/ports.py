"""Ports and the folder, claimed before anything starts, so that a conflict costs nothing."""

from __future__ import annotations

import fcntl
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mycelia.primitives.errors import AppError

_FIRST = 18_100
_LAST = 20_000


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def demand_free(host: str, port: int, flag: str, what: str) -> None:
    """Raise AppError naming the flag to use if a port is taken."""
    if not is_free(host, port):
        raise AppError(
            "port_in_use",
            f"Port {port}, for the {what}, is in use.",
            f"Stop the program that uses it, or choose another port with {flag}.",
        )


def assigned(
    host: str, names: Iterable[str], held: Mapping[str, int], folder: Path
) -> dict[str, int]:
    """A free port per name, keeping those held before where they are still free.

    Each folder has a place of its own to begin looking at: some of the ports are not listened on
    until seconds later, and another network that starts meanwhile would take the same ones.
    """
    ports: dict[str, int] = {}
    taken = set(held.values())
    begin = _FIRST + zlib.crc32(bytes(folder.resolve())) % (_LAST - _FIRST)
    around = (*range(begin, _LAST), *range(_FIRST, begin))
    candidates = iter(port for port in around if port not in taken)
    for name in names:
        if name in held and is_free(host, held[name]):
            ports[name] = held[name]
            continue
        try:
            ports[name] = next(port for port in candidates if is_free(host, port))
        except StopIteration:
            raise AppError(
                "no_free_port",
                f"No port between {_FIRST} and {_LAST} is free on {host}.",
                "Stop programs that listen there.",
            ) from None
    return ports


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process. Raises AppError if another process holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AppError(
                "folder_in_use",
                f"Another `mycelia up` runs on {folder}.",
                "Stop it, or choose another folder with --dir.",
            ) from error
        yield
