"""Chain values as JSON shows them."""

from __future__ import annotations

from typing import Any

from mycelia.chain import Block, Header


def to_hex(raw: bytes) -> str:
    """Bytes as 0x-hex."""
    return "0x" + raw.hex()


def header_json(header: Header) -> dict[str, Any]:
    """A header as clients read it: the number as 0x-hex without leading zeros."""
    return {
        "parentHash": to_hex(header.parent_hash),
        "number": hex(header.number),
        "stateRoot": to_hex(header.state_root),
        "extrinsicsRoot": to_hex(header.extrinsics_root),
        "digest": {"logs": [to_hex(item) for item in header.log_bytes()]},
    }


def block_json(block: Block) -> dict[str, Any]:
    """A block as clients read it; there are no justifications."""
    return {
        "block": {
            "header": header_json(block.header),
            "extrinsics": [to_hex(raw) for raw in block.extrinsics],
        },
        "justifications": None,
    }
