"""What every test shares: the root of the checkout and a fixed Hypothesis profile."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine; a slow machine is no failure.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's root."""
    return Path(__file__).resolve().parent.parent
