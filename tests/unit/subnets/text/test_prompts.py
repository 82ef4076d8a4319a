"""Conversations are varied, well formed and repeatable."""

import hashlib
import random
from collections.abc import Callable

import pytest

from mycelia.subnets.text.calibrate import asks
from mycelia.subnets.text.messages import Ask
from mycelia.subnets.text.prompts import brief, open_ended
from mycelia.subnets.text.subnet import challenge_ask

Compose = Callable[[random.Random], list[dict[str, str]]]


@pytest.mark.parametrize(("compose", "most"), [(open_ended, 1_800), (brief, 1_500)])
def test_conversations_seldom_repeat(compose: Compose, most: int) -> None:
    seen = {str(compose(random.Random(seed))) for seed in range(2_000)}
    assert len(seen) > most


def test_the_same_seed_makes_the_same_challenge() -> None:
    assert challenge_ask(random.Random(5)) == challenge_ask(random.Random(5))


def test_turns_alternate_and_nothing_is_left_to_fill_in() -> None:
    for seed in range(500):
        turns = (brief if seed % 2 else open_ended)(random.Random(seed))
        roles = [turn["role"] for turn in turns]
        assert roles[-1] == "user"
        spoken = [role for role in roles if role != "system"]
        assert spoken == ["user", "assistant"] * (len(spoken) // 2) + ["user"]
        assert roles.count("system") <= 1
        assert not any("{" in turn["content"] for turn in turns)


def test_most_challenges_leave_out_what_consumers_leave_out() -> None:
    rng = random.Random(1)
    asks = [challenge_ask(rng) for _ in range(400)]
    usual = Ask.model_validate({"messages": [{"role": "user", "content": "Hello"}]})
    for name in ("max_tokens", "temperature"):
        values = [getattr(ask, name) for ask in asks]
        assert 0.3 < values.count(getattr(usual, name)) / len(values) < 0.7
        assert len(set(values)) >= 6
    chosen = [ask.seed for ask in asks if ask.seed < 10_000]
    assert 0.03 < len(chosen) / len(asks) < 0.15
    assert len({ask.seed for ask in asks}) == len(asks) - len(chosen) + len(set(chosen))


def test_recorded_calibrations_go_on_meaning_the_same_asks() -> None:
    text = "".join(ask.model_dump_json() for ask in asks(1_000, seed=1))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "bfee1d9a0a8a9a0e6308a629b3a7aee2d5125f6f4af385daf2b64a5e4e916ad9"


def test_a_request_without_a_seed_gets_a_fresh_one() -> None:
    turns = [{"role": "user", "content": "Hello"}]
    one, two = (Ask.model_validate({"messages": turns}) for _ in range(2))
    assert one.seed != two.seed
