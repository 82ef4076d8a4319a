"""Models on this machine: where their files are, how they are evaluated, how others check it."""

from mycelia.models.cards import describe
from mycelia.models.catalog import CATALOG
from mycelia.models.store import ModelStore

__all__ = ["CATALOG", "ModelStore", "describe"]
