"""Announcing endpoints."""

import pytest

from mycelia.primitives import NetUid

NETUID = NetUid(1)
OWNER = "//Alice_hk1"
IP = 0x01020304


def axon(world, uri=OWNER, **change):
    fields = {
        "netuid": 1,
        "version": 7,
        "ip": IP,
        "port": 8091,
        "ip_type": 4,
        "protocol": 4,
        "placeholder1": 0,
        "placeholder2": 0,
    }
    name = "serve_axon_tls" if "certificate" in change else "serve_axon"
    return world.call(uri, name, **{**fields, **change})


def prometheus(world, uri=OWNER, **change):
    fields = {"netuid": 1, "version": 1, "ip": IP, "port": 9, "ip_type": 4}
    return world.call(uri, "serve_prometheus", **{**fields, **change})


def test_an_endpoint_is_published(world):
    result = axon(world)
    assert result.events("AxonServed")[0].hotkey == world.key(OWNER)
    info = world.pallets.serving.axon_of(NETUID, world.key(OWNER))
    assert (info.ip, info.port, info.version, info.block) == (IP, 8091, 7, world.height)
    assert prometheus(world).events("PrometheusServed")
    assert world.pallets.serving.prometheus_of(NETUID, world.key(OWNER)).port == 9


def test_loopback_may_be_announced(world):
    assert axon(world, ip=0x7F000001).succeeded
    assert axon(world, ip=1, ip_type=6).succeeded


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"uri": "//Bob_hk"}, "HotKeyNotRegisteredInNetwork"),
        ({"ip_type": 5}, "InvalidIpType"),
        ({"ip": 2**32 - 1}, "InvalidIpAddress"),
        ({"ip": 2**128 - 1, "ip_type": 6}, "InvalidIpAddress"),
        ({"port": 0}, "InvalidPort"),
    ],
)
def test_serve_errors(world, change, error):
    assert axon(world, **change).error == error
    assert axon(world, certificate=b"\x01key", **change).error == error
    assert prometheus(world, **change).error == error


def test_metrics_need_an_address(world):
    assert prometheus(world, ip=0).error == "InvalidIpAddress"
    assert prometheus(world, ip=0, ip_type=5).error == "InvalidIpType"
    assert axon(world, ip=0).succeeded


def test_serve_serving_rate_limit_exceeded(world):
    world.admin("serving_rate_limit", netuid=1, serving_rate_limit=3)
    assert axon(world).succeeded
    world.seal(2)
    assert axon(world).error == "ServingRateLimitExceeded"
    assert axon(world, certificate=b"\x01key").error == "ServingRateLimitExceeded"
    assert prometheus(world).succeeded
    assert prometheus(world).error == "ServingRateLimitExceeded"
    world.seal()
    assert axon(world).succeeded


def test_a_certificate_is_kept_when_it_fits(world):
    assert axon(world, certificate=b"\x01" + b"k" * 64).succeeded
    kept = world.pallets.serving.neuron_certificates[NETUID, world.key(OWNER)]
    assert (kept.algorithm, kept.public_key) == (1, b"k" * 64)
    assert axon(world, certificate=b"\x02" * 66).succeeded
    assert world.pallets.serving.neuron_certificates[NETUID, world.key(OWNER)] == kept
