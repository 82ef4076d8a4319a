"""The unmodified 10.x SDK, in an environment of its own, against a live node.

The steps are in `v10`, whose `tour.py` that environment's interpreter runs; here each is one test. `make test-compat`
makes the environment from `requirements/compat-v10.txt`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from mycelia.testing.live import LiveNode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(700)]
TOUR = Path(__file__).with_name("v10") / "tour.py"
STEPS = [
    step
    for part in ("accounts", "subnets", "weights")
    for step in re.findall(
        r"^@step\ndef (\w+)\(",
        TOUR.with_name(f"{part}.py").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]
TOUR_S = 600


@pytest.fixture(scope="module")
def errors(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong by step, empty where nothing did."""
    python = root / os.environ.get("MYCELIA_COMPAT", "build/compat") / "v10/bin/python"
    if not python.exists():
        if "MYCELIA_COMPAT" in os.environ:
            pytest.fail(f"{python} is missing: make test-compat should have put it there")
        pytest.skip("`make test-compat` installs the 10.x SDK and runs this")
    folder = tmp_path_factory.mktemp("node")
    with LiveNode(folder) as node:
        result = subprocess.run(
            [str(python), str(TOUR), node.url],
            capture_output=True,
            text=True,
            timeout=TOUR_S,
            check=False,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
    told = [json.loads(line) for line in result.stdout.splitlines() if line.startswith('{"step"')]
    assert told, result.stderr
    return {line["step"]: line["error"] for line in told}


@pytest.mark.parametrize("step", STEPS)
def test_v10(step: str, errors: dict[str, str]) -> None:
    assert step in errors, "the tour ended before this step"
    assert not errors[step], errors[step]


def test_the_tour_has_all_its_steps() -> None:
    assert len(STEPS) >= 40
