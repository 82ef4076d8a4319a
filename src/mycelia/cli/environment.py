"""What libraries read from the environment when they are first imported."""

from __future__ import annotations

LEAN = {
    # One thread each: many processes share the machine, and models are sampled one at a time.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
    # Its wheel reports usage to its vendor otherwise, and keeps an identity in the home.
    "ORT_DISABLE_TELEMETRY": "1",
}
"""Keeps them small, and silent to their makers."""
