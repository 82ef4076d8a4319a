import subprocess
import sys

PATIENT = """
from mycelia.cli import main
from mycelia.lab import trial
trial._LEAST_DEADLINE_S = 3.0
main()
"""
"""The command, where nobody is late because the machine stands still for a moment."""


def run(*arguments, cwd, program=("-m", "mycelia.cli")):
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        cwd=cwd,
    )


def test_a_new_subnet_is_tried_as_it_is(tmp_path):
    made = run("subnet", "new", "echo_two", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "echo_two.py").read_text()
    assert len(text.splitlines()) <= 40
    assert "class EchoTwo(Subnet)" in text
    dev = ("subnet", "dev", "echo_two.py", "--epochs", "1")
    tried = run(*dev, cwd=tmp_path, program=("-c", PATIENT))
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "part-time" in tried.stdout
    assert "No cheat outranks the honest miner." in tried.stdout


def test_a_cheat_that_outranks_is_a_failure(tmp_path):
    run("subnet", "new", "echo", cwd=tmp_path)
    path = tmp_path / "echo.py"
    # What the honest says, 9 at the most, is worth something as well.
    text = path.read_text().replace(
        "1.0 - abs(answer.slope - truth)", "(abs(answer.slope) + 40) / 140"
    )
    path.write_text(
        text + "\n\n@Echo.cheat\nasync def steep(ask: Echo.Ask) -> Echo.Answer:\n"
        '    """Says ninety."""\n    return Echo.Answer(slope=90.0)\n'
    )
    tried = run("subnet", "dev", "echo.py", "--epochs", "1", cwd=tmp_path)
    assert tried.returncode == 1
    assert "steep earns" in tried.stdout
    assert "Says ninety." in tried.stdout


def test_an_honest_miner_that_earns_nothing_is_said_before_any_cheat(tmp_path):
    run("subnet", "new", "echo", cwd=tmp_path)
    path = tmp_path / "echo.py"
    path.write_text(path.read_text().replace("max(0.0, 1.0 - abs(answer.slope - truth))", "0.0"))
    tried = run("subnet", "dev", "echo.py", "--epochs", "1", cwd=tmp_path)
    assert tried.returncode == 1
    assert "The honest fit earns nothing: " in tried.stdout
    assert "outrank" not in tried.stdout


def test_a_name_that_is_taken_or_none_is_refused(tmp_path):
    (tmp_path / "echo.py").write_text("mine")
    taken = [("echo", "file_exists")]
    for name, code in taken + [(bad, "bad_name") for bad in ("Echo", "class", "_e", "\u00e9cho")]:
        refused = run("subnet", "new", name, cwd=tmp_path)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"error[{code}]")
    assert (tmp_path / "echo.py").read_text() == "mine"


def test_a_file_named_without_its_ending_is_pointed_to(tmp_path):
    (tmp_path / "echo.py").write_text("")
    refused = run("subnet", "dev", "echo", cwd=tmp_path)
    assert refused.returncode == 1
    assert "echo.py is here: name it so." in refused.stderr
    assert "one of: text" in run("subnet", "dev", "other", cwd=tmp_path).stderr


def test_a_file_that_fails_is_two_lines(tmp_path):
    (tmp_path / "echo.py").write_text("import nothing_of_this_name\n")
    refused = run("subnet", "dev", "echo.py", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error[subnet_file_fails]: echo.py, line 1:")
    assert "Traceback" not in refused.stderr
