import subprocess
import sys


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "mycelia.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
    )


def test_a_new_subnet_is_tried_as_it_is(tmp_path):
    made = run("subnet", "new", "echo_two", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "echo_two.py").read_text()
    assert len(text.splitlines()) <= 40
    assert "class EchoTwo(Subnet)" in text
    tried = run("subnet", "dev", "echo_two.py", "--epochs", "1", cwd=tmp_path)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "part-time" in tried.stdout
    assert "No cheat outranks the honest miner." in tried.stdout


def test_a_cheat_that_outranks_is_a_failure(tmp_path):
    run("subnet", "new", "echo", cwd=tmp_path)
    path = tmp_path / "echo.py"
    text = path.read_text().replace("1.0 - abs(answer.slope - truth)", "abs(answer.slope) / 99")
    path.write_text(
        text + "\n\n@Echo.cheat\nasync def steep(ask: Echo.Ask) -> Echo.Answer:\n"
        '    """Says ninety."""\n    return Echo.Answer(slope=90.0)\n'
    )
    tried = run("subnet", "dev", "echo.py", "--epochs", "1", cwd=tmp_path)
    assert tried.returncode == 1
    assert "steep earns" in tried.stdout
    assert "Says ninety." in tried.stdout


def test_a_name_that_is_taken_or_none_is_refused(tmp_path):
    (tmp_path / "echo.py").write_text("mine")
    for name, code in (("echo", "file_exists"), ("Echo", "bad_name"), ("class", "bad_name")):
        refused = run("subnet", "new", name, cwd=tmp_path)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"error[{code}]")
    assert (tmp_path / "echo.py").read_text() == "mine"


def test_a_file_that_fails_is_two_lines(tmp_path):
    (tmp_path / "echo.py").write_text("import nothing_of_this_name\n")
    refused = run("subnet", "dev", "echo.py", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error[subnet_file_fails]: echo.py, line 1:")
    assert "Traceback" not in refused.stderr
