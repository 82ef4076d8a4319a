"""Translation by a program of its own: what it says, and what happens when it misbehaves."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from mycelia.gateway import translation
from mycelia.gateway.errors import ApiError
from mycelia.gateway.translation import PROGRAM, Apertium

PAIRS = frozenset({"eng-loud", "eng-stuck", "eng-flood", "eng-failing", "eng-deaf"})
# Stands for the program: a chain of processes, too.
PROGRAM_TEXT = """#!/bin/sh
if [ "$1" = -l ]; then printf '  eng-loud\\n  eng-stuck\\n'; exit 0; fi
case "$2" in
    eng-loud) cat | tr a-z A-Z ;;
    eng-stuck) cat > /dev/null; sleep 61.37 | cat ;;
    eng-flood) yes | head -c 10000000 ;;
    eng-failing) exit 3 ;;
    eng-deaf) exec echo said ;;
esac
"""


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / PROGRAM
    path.write_text(PROGRAM_TEXT)
    path.chmod(0o755)
    return str(path)


async def test_it_says_what_the_program_says(program):
    said = await Apertium(program, PAIRS).translate("só much\0 depends", "eng-loud")
    assert said == "Só MUCH  DEPENDS"


@pytest.mark.parametrize(
    ("pair", "status", "words"),
    [
        ("eng-stuck", 504, "did not answer within 0.3 s"),
        ("eng-flood", 503, "wrote more than"),
        ("eng-failing", 503, "ended with status 3"),
    ],
)
async def test_a_program_that_fails_is_named_and_ended(program, pair, status, words):
    started_s = time.monotonic()
    with pytest.raises(ApiError) as failed:
        await Apertium(program, PAIRS, call_s=0.3 if pair == "eng-stuck" else 60.0).translate(
            "x", pair
        )
    assert (failed.value.status, failed.value.code) == (status, "translation_failed")
    assert words in failed.value.message
    assert failed.value.remedy
    assert time.monotonic() - started_s < 40.0
    await _until(lambda: not _processes(program))


async def test_a_program_that_does_not_listen_is_read_all_the_same(program):
    assert await Apertium(program, PAIRS).translate("x" * 16_000, "eng-deaf") == "said"


async def test_a_consumer_that_leaves_ends_the_program(program):
    task = asyncio.create_task(Apertium(program, PAIRS).translate("x", "eng-stuck"))
    await _until(lambda: _processes(program))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: not _processes(program))


@pytest.mark.parametrize(
    ("text", "pair", "code"),
    [("x" * 16_001, "eng-loud", "text_too_long"), ("x", "eng-none", "unsupported_parameter")],
)
async def test_what_it_does_not_take_is_not_tried(text, pair, code):
    with pytest.raises(ApiError) as refused:
        await Apertium("/nowhere", PAIRS).translate(text, pair)
    assert (refused.value.code, bool(refused.value.remedy)) == (code, True)


async def test_a_program_that_is_gone_is_named():
    with pytest.raises(ApiError) as failed:
        await Apertium("/nowhere", PAIRS).translate("x", "eng-loud")
    assert "could not be started" in failed.value.message


def test_it_joins_only_where_it_is_installed(program, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(program).parent) + os.pathsep + os.defpath)
    found = Apertium.found()
    assert found is not None
    assert found.pairs == {"eng-loud", "eng-stuck"}
    monkeypatch.setenv("PATH", str(Path(program).parent / "none"))
    assert Apertium.found() is None


def test_a_program_that_lists_nothing_in_time_is_not_there(program, monkeypatch):
    Path(program).write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(translation, "_LIST_S", 0.1)
    monkeypatch.setenv("PATH", str(Path(program).parent) + os.pathsep + os.defpath)
    assert Apertium.found() is None


@pytest.mark.skipif(
    shutil.which(PROGRAM) is None,
    reason="apertium is not installed: apt install apertium apertium-eng-spa",
)
async def test_the_real_program_translates():
    found = Apertium.found()
    if found is None or "eng-spa" not in found.pairs:
        pytest.skip("apertium has no pair eng-spa: apt install apertium-eng-spa")
    text = await found.translate("The network pays its miners.", "eng-spa")
    assert text.startswith("La red paga")
    assert text == await found.translate("The network pays its miners.", "eng-spa")


async def _until(condition) -> None:
    """Wait for a state of processes: they tell nobody that they began, or have obeyed a kill."""
    async with asyncio.timeout(30.0):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def _processes(program: str) -> list[int]:
    """Processes that run the program, or a part of its chain, and are not yet gone."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
            state = path.with_name("stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if (program.encode() in words or b"61.37" in words) and state != "Z":
            found.append(int(path.parent.name))
    return found
