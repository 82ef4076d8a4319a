import pytest
from pydantic import ValidationError

from mycelia.neuron.subnet import Reply, Request, Subnet


class Plain(Subnet):
    name = "plain"
    version = 3

    class Ask(Request):
        text: str

    class Answer(Reply):
        text: str


def test_routes_follow_from_name_and_version():
    assert (Plain.path(), Plain.stream_path()) == ("/plain/3", "/plain/3/stream")


def test_asks_refuse_unknown_fields_and_answers_ignore_them():
    with pytest.raises(ValidationError):
        Plain.Ask.model_validate({"text": "a", "extra": 1})
    assert Plain.Answer.model_validate({"text": "a", "extra": 1}).text == "a"


def test_messages_are_immutable():
    with pytest.raises(ValidationError):
        Plain.Ask(text="a").text = "b"


def test_miner_must_be_async():
    with pytest.raises(TypeError, match="async def"):

        @Plain.miner
        def run(ask):
            return Plain.Answer(text=ask.text)


def test_only_a_subnet_with_pieces_has_streaming_miners():
    with pytest.raises(TypeError, match="no Piece"):

        @Plain.miner
        async def run(ask):
            yield ask


def test_miner_stays_a_plain_function():
    async def run(ask):
        return Plain.Answer(text=ask.text)

    assert Plain.miner(run) is run


def test_answer_without_fold_says_so():
    with pytest.raises(NotImplementedError, match="does not stream"):
        Plain.Answer.fold([])
