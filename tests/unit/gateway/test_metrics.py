"""The text that Prometheus reads."""

from mycelia.gateway.metrics import Metrics


def test_counts_and_times_are_told():
    metrics = Metrics()
    metrics.request("/v1/models", 200, 0.003)
    metrics.request("/v1/models", 200, 0.3)
    metrics.request("/v1/models", 200, 300.0)
    metrics.attempt("text", "ok")
    metrics.attempt("text", "a code that a miner made up")
    metrics.tokens("m", 3, 4)
    metrics.overhead("/v1/models", 0.0004)
    metrics.first_byte("text", 0.02)
    metrics.refused("busy")
    lines = metrics.text({"text": (2, 1)}).splitlines()
    seconds = "mycelia_gateway_request_seconds"
    for line in (
        'mycelia_gateway_requests_total{path="/v1/models",status="200"} 3',
        f'{seconds}_bucket{{path="/v1/models",le="0.005"}} 1',
        f'{seconds}_bucket{{path="/v1/models",le="0.25"}} 1',
        f'{seconds}_bucket{{path="/v1/models",le="0.5"}} 2',
        f'{seconds}_bucket{{path="/v1/models",le="60.0"}} 2',
        f'{seconds}_bucket{{path="/v1/models",le="+Inf"}} 3',
        f'{seconds}_count{{path="/v1/models"}} 3',
        'mycelia_gateway_attempts_total{subnet="text",outcome="other"} 1',
        'mycelia_gateway_tokens_total{model="m",kind="completion"} 4',
        'mycelia_gateway_overhead_seconds_bucket{path="/v1/models",le="0.0005"} 1',
        'mycelia_gateway_first_byte_seconds_bucket{subnet="text",le="0.025"} 1',
        "mycelia_gateway_late_receipts_total 0",
        'mycelia_gateway_refusals_total{code="busy"} 1',
        'mycelia_gateway_miners{subnet="text",state="offered"} 2',
        'mycelia_gateway_miners{subnet="text",state="withheld"} 1',
        "# TYPE mycelia_gateway_miners gauge",
        "# TYPE mycelia_gateway_refusals_total counter",
    ):
        assert line in lines
    assert metrics.requests == 3
