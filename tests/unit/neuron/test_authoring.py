import pytest

from mycelia.neuron.authoring import SubnetFileError, load_subnet

GOOD = '''
from mycelia.neuron import Challenge, Limits, Reply, Request, Subnet

class Echo(Subnet):
    """Says it again."""
    name = "echo"

    class Ask(Request):
        text: str

    class Answer(Reply):
        text: str

    async def challenge(self, rng):
        return Challenge(self.Ask(text=str(rng.random())))

    async def score(self, ask, answer, truth, meta):
        return float(answer.text == ask.text)

@Echo.cheat
async def mute(ask: Echo.Ask) -> Echo.Answer:
    """Says nothing."""
    return Echo.Answer(text="")

@Echo.miner
async def run(ask: Echo.Ask) -> Echo.Answer:
    return Echo.Answer(text=ask.text)

async def not_a_miner(ask): ...
'''


def written(tmp_path, text):
    path = tmp_path / "echo.py"
    path.write_text(text)
    return path


async def test_a_file_gives_the_class_its_miners_and_its_cheats(tmp_path):
    spec = load_subnet(written(tmp_path, GOOD))
    assert spec.subnet.__name__ == "Echo"
    assert [(v.name, v.honest) for v in spec.miners.values()] == [("run", True), ("mute", False)]
    assert spec.miners["mute"].about == "Says nothing."
    answer = await spec.miners["run"].make(None)(spec.subnet.Ask(text="hm"))
    assert answer.text == "hm"


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda text: text.replace("text: str", "text str", 1), "subnet_file_fails", "line 9"),
        (lambda text: text + "\n1 / 0\n", "subnet_file_fails", "ZeroDivisionError"),
        (lambda text: text.replace("@Echo.miner\n", ""), "no_miner", "@Echo.miner"),
        (lambda text: text.replace("(Subnet)", "(Subnet, kind=1)"), "subnet_file_fails", "line 4"),
        (lambda text: text.replace('    name = "echo"\n', ""), "name_missing", 'name = "echo"'),
        (lambda text: text.replace('"echo"', '"my echo"'), "bad_name", "'my echo'"),
        (lambda text: text + ")", "subnet_file_fails", "unmatched ')'."),
        (lambda text: text.replace("class Ask(", "class Question("), "message_missing", "Ask"),
        (lambda _: "print", "not_one_subnet", "0 subclasses"),
        (lambda text: text + "\nclass Twice(Echo): ...\n", "not_one_subnet", "of Echo, Twice to"),
        (lambda text: text.replace("def score", "def scores"), "score_missing", "ask, answer"),
        (lambda text: text.replace("async def score", "def score"), "score_missing", "async def"),
        (lambda text: text.replace("def challenge", "def ask"), "challenge_missing", "self, rng"),
        (lambda text: "import sys\nsys.exit(0)\n" + text, "subnet_file_fails", "SystemExit: 0"),
        (lambda text: "import no_such\n" + text, "subnet_file_fails", "must be installed"),
        (
            lambda text: text.replace('"echo"', '"echo"\n    limits = Limits(deadline_s=0)'),
            "bad_limits",
            "deadline_s",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, spoil, code, said):
    text = spoil(GOOD)
    if code == "message_missing":
        text = text.replace("Echo.Ask", "Echo.Question")
    with pytest.raises(SubnetFileError) as refused:
        load_subnet(written(tmp_path, text))
    assert refused.value.code == code
    assert said in f"{refused.value.message} {refused.value.remedy}"


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(SubnetFileError) as refused:
        load_subnet(tmp_path / "none.py")
    assert refused.value.code == "no_subnet_file"
    assert "mycelia subnet new" in refused.value.remedy
