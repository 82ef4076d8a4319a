import json
import os

from mycelia.neuron.events import EventLog, StatusFile, read_status


def test_events_are_lines_that_survive_a_restart(tmp_path):
    path = tmp_path / "logs" / "m.jsonl"
    for number in (1, 2):
        log = EventLog(path, "miner")
        log.emit("served", number=number)
        log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["event"], line["number"], line["process"]) for line in lines] == [
        ("served", 1, "miner"),
        ("served", 2, "miner"),
    ]


def test_a_long_log_keeps_one_older_file(tmp_path, monkeypatch):
    monkeypatch.setattr("mycelia.neuron.events._ROTATE_BYTES", 300)
    path = tmp_path / "m.jsonl"
    log = EventLog(path, "miner")
    for number in range(20):
        log.emit("served", number=number)
    log.close()
    assert path.stat().st_size < 400
    assert (tmp_path / "m.1.jsonl").stat().st_size < 400


def test_status_is_replaced_whole(tmp_path):
    path = tmp_path / "run" / "m.json"
    status = StatusFile(path)
    status.write(requests=1, note="x" * 1000)
    status.write(requests=2)
    state = read_status(path)
    assert state is not None
    assert (state["requests"], "note" in state) == (2, False)


def test_status_that_is_absent_or_damaged_is_none(tmp_path):
    path = tmp_path / "m.json"
    assert read_status(path) is None
    path.write_text('{"requests":')
    assert read_status(path) is None
    path.write_text("[]")
    assert read_status(path) is None


def test_status_survives_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    StatusFile(tmp_path / "file" / "m.json").write(requests=1)


def test_a_full_disk_costs_events_and_nothing_else(tmp_path):
    path = tmp_path / "m.jsonl"
    log = EventLog(path, "miner")
    file = log._file

    class Full:
        room = 10

        def write(self, data):
            if not self.room:
                raise OSError(28, "No space left on device")
            self.room, taken = 0, file.write(data[: self.room])
            return taken

        fileno, tell = file.fileno, file.tell

    log._file = Full()
    log.emit("torn")
    log.emit("lost")
    log._file = file
    log.emit("kept")
    log.close()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["kept"]


def test_events_may_go_to_a_terminal():
    import io

    stream = io.StringIO()
    EventLog(None, "miner", stream).emit("served", number=1)
    assert json.loads(stream.getvalue())["number"] == 1


def test_a_status_that_finds_no_room_still_shows_life(tmp_path):
    path = tmp_path / "m.json"
    StatusFile(path).write(requests=1)
    os.utime(path, (1, 1))
    path.with_suffix(".new").mkdir()  # nothing can be written there
    StatusFile(path).write(requests=2)
    state = read_status(path)
    assert state is not None
    assert state["requests"] == 1
    assert path.stat().st_mtime > 1
