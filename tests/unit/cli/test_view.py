import io
import json
import subprocess
from dataclasses import replace

import pytest
from rich.console import Console

from mycelia.cli.up import view
from mycelia.cli.up.plan import Folder, Options, Plan
from mycelia.cli.up.watch import Row, Snapshot, SubnetState


def row(name, role, **kwargs):
    fields = {
        "uid": 1,
        "running": True,
        "score": 0.9,
        "incentive": 0.5,
        "dividends": 0.0,
        "earned_rao": 1_234_567_890,
        "requests": 7,
    }
    return Row(name, role, **(fields | kwargs))


TEXT = SubnetState(
    "text", 2, 20, 13, 10**9, 5 * 10**8, 0.25, 3,
    (row("text-full", "honest"), row("text-canned", "cheat", incentive=0.0, running=False)),
)  # fmt: skip
SNAPSHOT = Snapshot(1234, 21_000_000 * 10**9 + 1, (TEXT,))


def shown(renderable, width=150):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def plan(folder, chat_model):
    return Plan(Options(folder, gateway_port=8081), (), Folder(folder), chat_model)


def test_picture_shows_what_a_person_came_for(tmp_path):
    text = shown(view.picture(SNAPSHOT, plan(tmp_path, "some-model")))
    for word in (
        "1,234",
        "21,000,000.000",
        "text-full",
        "netuid 2",
        "1.000 alpha + 0.500 TAO",
        "0.900",
        "0.5000",
        "1.234",
        "restarting",
        "13 of 20",
        "http://127.0.0.1:8081/v1/chat/completions",
        "some-model",
    ):
        assert word in text


WIDE = SubnetState(
    "analysis", 3, 360, 213, 10**9, 5 * 10**8, 12.5526, 1_006,
    (
        row("text-requantised", "cheat", uid=250, earned_rao=12_345_678 * 10**9, requests=123_456),
        row("validator-1", "validator", dividends=0.6912, requests=None),
    ),
)  # fmt: skip


@pytest.mark.parametrize("width", [80, 100, 112, 120])
def test_nothing_but_a_note_is_cut_on_a_terminal_of_usual_width(tmp_path, width):
    picture = view.picture(replace(SNAPSHOT, subnets=(WIDE,)), plan(tmp_path, "some-model"))
    text = shown(picture, width)
    assert "…" not in text
    headings = ["neuron", "uid", "score", "incentive", "dividends", "earned", "asked"]
    assert headings in [line.split() for line in text.splitlines()]
    for whole in (
        "analysis   netuid 3   next epoch in 213 of 360 blocks\n",
        "emission 1.000 alpha + 0.500 TAO per block   alpha at 12.5526 TAO\n",
        "12,345,678.000",
        "123,456",
        "0.6912",
    ):
        assert whole in "\n".join(line.rstrip() for line in text.splitlines())


def test_the_request_is_shown_once_it_can_be_answered(tmp_path):
    for is_offered in (True, False):
        snapshot = replace(SNAPSHOT, is_offered=is_offered)
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(view.picture(snapshot, plan(tmp_path, "some-model")))
        assert ("curl" in console.export_text()) == is_offered


@pytest.mark.parametrize("show", [view.curl_line, view.curl_lines])
def test_the_request_can_be_pasted(tmp_path, show):
    script = "curl() { printf '%s\\0' \"$@\"; }\n" + show(plan(tmp_path, "some-model"))
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    flag, url, header, kind, data, body = said.removesuffix("\0").split("\0")
    assert (flag, header, data) == ("-N", "-H", "-d")
    assert url == "http://127.0.0.1:8081/v1/chat/completions"
    assert kind == "content-type: application/json"
    assert json.loads(body)["model"] == "some-model"


def test_lines_are_printed_once_per_paid_epoch():
    assert list(view.lines(SNAPSHOT, SNAPSHOT)) == []
    (line,) = view.lines(replace(SNAPSHOT, subnets=(replace(TEXT, paid_epochs=2),)), SNAPSHOT)
    assert "paid epoch 3" in line
    assert "text-full 0.500" in line
    assert list(view.lines(None, replace(SNAPSHOT, subnets=(replace(TEXT, paid_epochs=0),)))) == []


def test_without_a_chat_model_the_ready_line_lists_models(tmp_path):
    assert view.curl_line(plan(tmp_path, None)) == "curl http://127.0.0.1:8081/v1/models"


def test_amounts_are_cut_not_rounded():
    assert view.amount(1_999_999_999) == "1.999"
    assert view.amount(-1_500_000_000) == "-1.500"
    assert view.amount(0) == "0.000"


def test_paid_epochs_are_those_of_the_slowest_subnet():
    both = Snapshot(1, 0, (TEXT, replace(TEXT, name="vision", paid_epochs=1)))
    assert both.paid_epochs == 1
