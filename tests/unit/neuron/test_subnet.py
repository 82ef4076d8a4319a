import pytest
from pydantic import ValidationError

from mycelia.neuron.subnet import Batch, Delta, Reply, Request, Role, Subnet, role_of


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


class Story(Subnet):
    name = "story"

    class Ask(Request):
        topic: str

    class Answer(Reply):
        text: str
        tokens: tuple[int, ...] = ()
        finish: str | None = None
        seed: int = 0

    class Piece(Delta):
        text: str
        tokens: tuple[int, ...] = ()
        finish: str | None = None


def test_pieces_join_by_the_kind_of_their_fields():
    pieces = [Story.Piece(text="a ", tokens=(1, 2)), Story.Piece(text="b", finish="stop")]
    assert Story.Answer.fold(pieces) == Story.Answer(text="a b", tokens=(1, 2), finish="stop")


def test_no_pieces_are_no_answer():
    with pytest.raises(ValueError, match="no answer"):
        Story.Answer.fold([])


def test_batches_are_for_coroutines():
    with pytest.raises(TypeError, match="cannot take a batch"):

        @Story.miner(batch=4)
        async def run(ask):
            yield ask


def test_marks_say_what_a_function_is_for():
    @Plain.miner
    async def honest(ask): ...

    @Plain.miner(batch=8, window_ms=2.0)
    async def many(asks): ...

    @Plain.cheat
    async def cheat(ask): ...

    async def other(ask): ...

    assert role_of(honest) == Role(Plain, honest=True)
    assert role_of(many) == Role(Plain, honest=True, batch=Batch(8, 2.0))
    assert role_of(cheat) == Role(Plain, honest=False)
    assert role_of(other) is None
