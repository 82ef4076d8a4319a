import pytest

from mycelia.neuron.chain import Chain
from mycelia.primitives.errors import AppError


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9944", "127.0.0.1:9944", "nonsense"])
def test_an_endpoint_that_is_none_is_refused(endpoint):
    with pytest.raises(AppError, match="is no node's WebSocket") as refused:
        Chain(endpoint)
    assert "ws://HOST:PORT" in refused.value.remedy
    assert Chain("ws://127.0.0.1:9944").endpoint.startswith("ws")
