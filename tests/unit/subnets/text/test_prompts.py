"""Conversations are varied, well formed and repeatable."""

import random

from mycelia.subnets.text.messages import Ask
from mycelia.subnets.text.prompts import conversation
from mycelia.subnets.text.subnet import challenge_ask


def test_conversations_hardly_ever_repeat() -> None:
    seen = {str(conversation(random.Random(seed))) for seed in range(2_000)}
    assert len(seen) > 1_980


def test_the_same_seed_makes_the_same_challenge() -> None:
    assert challenge_ask(random.Random(5)) == challenge_ask(random.Random(5))


def test_turns_alternate_and_nothing_is_left_to_fill_in() -> None:
    for seed in range(500):
        turns = conversation(random.Random(seed))
        roles = [turn["role"] for turn in turns]
        assert roles[-1] == "user"
        spoken = [role for role in roles if role != "system"]
        assert spoken == ["user", "assistant"] * (len(spoken) // 2) + ["user"]
        assert roles.count("system") <= 1
        assert not any("{" in turn["content"] for turn in turns)


def test_challenges_vary_in_length_and_temperature() -> None:
    rng = random.Random(1)
    asks = [challenge_ask(rng) for _ in range(200)]
    assert len({ask.max_tokens for ask in asks}) >= 4
    assert {ask.temperature for ask in asks} == {0.0, 0.7, 1.0}
    assert len({ask.seed for ask in asks}) == 200


def test_a_request_without_a_seed_gets_a_fresh_one() -> None:
    turns = [{"role": "user", "content": "Hello"}]
    one, two = (Ask.model_validate({"messages": turns}) for _ in range(2))
    assert one.seed != two.seed
