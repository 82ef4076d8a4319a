"""Writes `docs/absent.md`: what clients may name and this network has no rules for.

Run `python -m tools.absent_page > docs/absent.md` after a change of the table; a test compares.
"""

from collections.abc import Iterable, Iterator

from mycelia.runtime.absent import ABSENT, ABSENT_APIS, Absent

HEAD = """\
# What has no rules here

Official clients look everything up by name, and a name that is missing breaks them. So our metadata names all that
they know, with the real indexes, and this page lists what of it has no rules. It is written by
`python -m tools.absent_page` from the tables in `src/mycelia/runtime/absent`.

- A **call** listed here fails with `Network.NotProvided`, alone and inside other calls. Its fee is paid, nothing else
  changes.
- A **storage item** listed here is empty and reads as its default.
- An **event** or **error** listed here never occurs.
- A **runtime API method** listed here answers that there is nothing: no baskets, no locks.

Not published at all, since no client asks for them by name: the runtime APIs by which a Substrate node talks to its
runtime (`BlockBuilder`, `BabeApi`, `GrandpaApi`, `SessionKeys` and the like), and those of Ethereum and of contracts.
"""


def page() -> str:
    """The page as text."""
    return "\n".join([HEAD, *(line for row in ordered() for line in section(row)), *apis()]) + "\n"


def ordered() -> list[Absent]:
    """The pallets by index."""
    return sorted(ABSENT, key=lambda row: row.index)


def section(row: Absent) -> Iterator[str]:
    """What one pallet lists."""
    yield f"## {row.pallet} ({row.index})"
    yield ""
    if row.doc:
        yield f"Nothing of this pallet has rules. {row.doc}"
        yield ""
    for kind, names in (
        ("Calls", [call.name for call in row.calls]),
        ("Storage", [spec.name for spec in row.storage]),
        ("Events", [event.name for event in row.events]),
        ("Errors", [error.name for error in row.errors]),
        ("Constants", [constant.entry for constant in row.constants]),
    ):
        if names:
            yield f"- {kind}: {quoted(names)}"
    yield ""


def apis() -> Iterator[str]:
    """The runtime API methods."""
    yield "## Runtime APIs"
    yield ""
    for api in dict.fromkeys(row.api for row in ABSENT_APIS):
        names = [row.name for row in ABSENT_APIS if row.api == api]
        yield f"- {api}: {quoted(names)}"


def quoted(names: Iterable[str]) -> str:
    """Names as code."""
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    print(page(), end="")
