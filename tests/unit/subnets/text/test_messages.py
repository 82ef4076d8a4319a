"""What an ask may hold, and how pieces become an answer."""

import pytest
from pydantic import ValidationError

from mycelia.subnets.text.messages import Answer, Ask, Piece

TURN = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": []},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x" * 32_001}]},
        {"max_tokens": 0},
        {"max_tokens": 1_025},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"seed": -1},
        {"seed": 2**63},
        {"surprise": 1},
    ],
)
def test_asks_out_of_bounds_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ask.model_validate({"messages": [TURN], **changes})


def test_pieces_fold_into_the_answer() -> None:
    pieces = [
        Piece(text="Tw", tokens=(5,)),
        Piece(text="o", tokens=(6, 7)),
        Piece(text="", tokens=(2,), finish="stop", prompt_tokens=9),
    ]
    assert Answer.fold(pieces) == Answer(
        text="Two", tokens=(5, 6, 7, 2), finish="stop", prompt_tokens=9
    )


@pytest.mark.parametrize("pieces", [[], [Piece(text="Tw", tokens=(5,))]])
def test_a_stream_that_was_cut_off_is_no_answer(pieces: list[Piece]) -> None:
    with pytest.raises(ValueError, match="before the answer"):
        Answer.fold(pieces)
