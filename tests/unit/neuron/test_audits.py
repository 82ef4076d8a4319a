"""The tray between a gateway and a validator."""

import pytest

from mycelia.neuron.audits import MOST, Audit, Tray, TrayError


def audit(netuid=1, text="hello"):
    return Audit(
        netuid=netuid,
        hotkey="5Miner",
        claim="ab",
        latency_ms=5.0,
        first_byte_ms=1.0,
        ask={"text": text},
        answer={"text": "world"},
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ledger.audits"


def test_each_answer_is_taken_once_by_its_subnet_and_the_oldest_first(folder):
    tray = Tray(folder)
    for netuid, text in [(1, "a"), (2, "b"), (1, "c"), (11, "d")]:
        assert tray.put(audit(netuid, text))
    # Another process has a tray of its own over the same folder.
    assert [Tray(folder).take(1) for _ in range(3)] == [audit(1, "a"), audit(1, "c"), None]
    assert Tray(folder).take(2) == audit(2, "b")


def test_a_full_tray_takes_no_more_until_something_is_taken_out(folder):
    tray = Tray(folder)
    assert [tray.put(audit()) for _ in range(MOST + 1)] == [True] * MOST + [False]
    # Nobody may judge those; another subnet's have room all the same.
    assert tray.put(audit(netuid=2))
    tray.take(1)
    assert tray.put(audit())


def test_a_tray_is_tidied_where_nobody_lays_in_or_takes(folder):
    tray = Tray(folder)
    (folder / "1-1-left.json").write_text(audit().model_dump_json())
    tray.put(audit())
    (folder / "2-1-left.json").write_text(audit().model_dump_json())
    tray.tidy()
    assert tray.take(1) == audit()
    assert not list(folder.iterdir())


def test_what_nobody_judged_in_time_is_thrown_away(folder):
    tray = Tray(folder)
    for number in range(MOST):
        (folder / f"{number}-1-left.json").write_text(audit().model_dump_json())
    assert tray.put(audit(text="new"))
    assert len(list(folder.iterdir())) == 1
    assert tray.take(1) == audit(text="new")


def test_what_is_half_written_or_of_another_version_is_not_taken(folder):
    tray = Tray(folder)
    tray.put(audit(text="whole"))
    now_ns = next(folder.iterdir()).name.partition("-")[0]
    (folder / f"{int(now_ns) - 2}-1-half").write_text("{")
    (folder / f"{int(now_ns) - 1}-1-other.json").write_text('{"netuid": 1}')
    assert tray.take(1) == audit(text="whole")
    assert tray.take(1) is None


def test_consumers_words_are_for_the_owners_eyes(folder):
    Tray(folder).put(audit())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert next(folder.iterdir()).stat().st_mode & 0o777 == 0o600


def test_an_answer_beyond_all_bounds_is_left_alone(folder):
    tray = Tray(folder)
    assert not tray.put(audit(text="x" * (1 << 20)))
    assert not list(folder.iterdir())


def test_a_file_in_the_trays_place_is_named(folder):
    folder.write_text("something else")
    with pytest.raises(TrayError) as refused:
        Tray(folder)
    assert str(folder) in refused.value.message
