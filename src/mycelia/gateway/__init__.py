"""The consumer's door to the network: OpenAI's forms, and each subnet's own.

Start reading at `app` (what there is), then `dispatch` (who answers, and what if not).
"""

from mycelia.gateway.app import Gateway
from mycelia.gateway.directory import ChainDirectory, Directory, Route
from mycelia.gateway.dispatch import Dispatcher
from mycelia.gateway.keys import Keys
from mycelia.gateway.metering import Meter
from mycelia.gateway.metrics import Metrics
from mycelia.gateway.process import GatewayConfig, GatewayProcess
from mycelia.gateway.routing import Router

__all__ = [
    "ChainDirectory",
    "Directory",
    "Dispatcher",
    "Gateway",
    "GatewayConfig",
    "GatewayProcess",
    "Keys",
    "Meter",
    "Metrics",
    "Route",
    "Router",
]
