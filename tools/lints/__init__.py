"""The tree's own rules, one file each, run by `python -m tools.lints`.

A lint is a module with `check(tree) -> Iterator[Finding]`. Each finding names the place and the remedy.
What import-linter, ruff or mypy can say is not said again here.
"""
