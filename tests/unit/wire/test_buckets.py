"""Credit is per key, refills over time, and is forgotten when full."""

import pytest

from mycelia.wire.buckets import Buckets, source_of


def test_a_burst_and_then_the_rate():
    buckets = Buckets(per_s=10.0, burst=5.0)
    assert [buckets.take("a", 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert buckets.is_empty("a", 100.0)
    assert 0.0 < buckets.wait_s("a", 100.0) <= 0.1001
    assert buckets.take("a", 100.11)
    assert not buckets.take("a", 100.11)
    assert [buckets.take("a", 200.0) for _ in range(6)] == [True] * 5 + [False]


def test_keys_do_not_share_credit():
    buckets = Buckets(per_s=1.0, burst=1.0)
    assert buckets.take("a", 100.0)
    assert not buckets.take("a", 100.0)
    assert not buckets.is_empty("b", 100.0)
    assert buckets.take("b", 100.0)


def test_memory_is_bounded():
    buckets = Buckets(per_s=1000.0, burst=1000.0)
    for number in range(50_000):
        buckets.take(str(number), 100.0 + number / 10_000)
    assert len(buckets) <= 16_384


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ],
)
def test_a_network_of_64_bits_is_one_source(address, source):
    assert source_of(address) == source
