"""Signed requests between neurons: who asks, who answers, and a receipt for it.

Start reading at `server` (the order of checks), then `btauth` and `receipt` for what is signed.
"""

from mycelia.wire.client import Outcome, ReplyStream, WireClient
from mycelia.wire.contract import (
    AllowSet,
    Authority,
    Deadline,
    Endpoint,
    Handler,
    Inbound,
    Signer,
    Streaming,
    Unary,
    WireLimits,
)
from mycelia.wire.errors import (
    BadReceipt,
    Malformed,
    Refused,
    Rejection,
    Timeout,
    Unreachable,
    WireError,
)
from mycelia.wire.receipt import Receipt
from mycelia.wire.server import WireServer

__all__ = [
    "AllowSet",
    "Authority",
    "BadReceipt",
    "Deadline",
    "Endpoint",
    "Handler",
    "Inbound",
    "Malformed",
    "Outcome",
    "Receipt",
    "Refused",
    "Rejection",
    "ReplyStream",
    "Signer",
    "Streaming",
    "Timeout",
    "Unary",
    "Unreachable",
    "WireClient",
    "WireError",
    "WireLimits",
    "WireServer",
]
