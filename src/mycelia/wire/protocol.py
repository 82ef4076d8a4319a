"""The JSON that goes with every error status of the wire."""

from __future__ import annotations

import json
from functools import lru_cache


@lru_cache(maxsize=256)
def error_body(code: str, message: str, remedy: str) -> bytes:
    """Encode an error. Most are the same words each time."""
    return json.dumps({"code": code, "message": message, "remedy": remedy}).encode()
