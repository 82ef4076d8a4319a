"""An ask in which all miners find the same fault is the consumer's to mend; no miner is to blame."""

import pytest

from mycelia.gateway.errors import ApiError
from mycelia.wire import Refused
from tests.unit.gateway.test_dispatch import DOWN, World

LONG = Refused(400, "context_length_exceeded", "It needs 9 tokens.", "Shorten it.")
OTHER = Refused(400, "invalid_request", "No.", "")


async def test_an_ask_that_all_refuse_for_one_reason_is_refused_with_it_and_hurts_nobody():
    world = World(a=[LONG], b=[LONG], c=[LONG])
    with pytest.raises(ApiError, match="It needs 9 tokens") as refused:
        await world.streamed()
    assert (refused.value.status, refused.value.code) == (400, "context_length_exceeded")
    assert refused.value.retry_after_s is None
    assert [world.router.health(name).failures for name in "abc"] == [0, 0, 0]
    assert world.is_idle()


async def test_nobody_is_blamed_by_what_another_answers_since_that_may_be_nonsense():
    world = World(a=[LONG], b=["yes", "."])
    assert await world.streamed() == ("b", "yes.")
    assert [world.router.health(name).failures for name in "ab"] == [0, 0]


@pytest.mark.parametrize("other", [DOWN, OTHER])
async def test_where_they_do_not_agree_nobody_is_believed(other):
    world = World(a=[LONG], b=[other])
    with pytest.raises(ApiError) as refused:
        await world.streamed()
    assert (refused.value.status, refused.value.code) == (503, "no_miner")
