"""The file that a new subnet starts from: `starter.py`, under another name."""

from __future__ import annotations

from importlib import resources


def starter_text(name: str) -> str:
    """The starter subnet, called `name` instead: a file of at most 40 lines."""
    text = resources.files("mycelia.lab").joinpath("starter.py").read_text(encoding="utf-8")
    return text.replace("Starter", name.title().replace("_", "")).replace("starter", name)
