"""What a JSON-RPC reply reports when there is no result.

Codes and texts follow Substrate, because clients match on them: 1010 to 1016 for the pool, 4003 for what
the state or the runtime refuses. -32004, -32005 and closing with 1008 mean "banned for good" to the SDK
and are used for nothing here.
"""

from __future__ import annotations

from typing import Any, Final

from mycelia.primitives import InvalidTransaction

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
BUSY: Final = -32000
CLIENT_ERROR: Final = 4003
BAD_FORMAT: Final = 1001


class RpcError(Exception):
    """An error with the code, message and data that JSON-RPC carries."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_json(self) -> dict[str, Any]:
        """The `error` member of a reply."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid_params(reason: str) -> RpcError:
    """The parameters are not what the method takes."""
    return RpcError(INVALID_PARAMS, "Invalid params", reason)


def pool_refusal(cause: InvalidTransaction) -> RpcError:
    """What clients expect to read when an extrinsic may not wait; `data` is always text."""
    data = cause.detail if cause.custom is None else f"Custom error: {cause.custom}"
    return RpcError(cause.code, cause.message, data)


def unknown_block(hash_: bytes) -> RpcError:
    """No block of this chain has the hash."""
    return RpcError(
        CLIENT_ERROR,
        f"Client error: UnknownBlock: Header was not found in the database: 0x{hash_.hex()}",
    )


def state_discarded(hash_: bytes) -> RpcError:
    """The state after the block is no longer kept."""
    return RpcError(
        CLIENT_ERROR,
        "Client error: Api called for an unknown Block: "
        f"State already discarded for 0x{hash_.hex()}",
    )


def execution_failed(reason: str) -> RpcError:
    """The runtime could not run a call."""
    return RpcError(CLIENT_ERROR, f"Client error: Execution failed: {reason}")


def api_not_found(name: str) -> RpcError:
    """The runtime has no such API method."""
    return execution_failed(f"Other: Exported method {name} is not found")
