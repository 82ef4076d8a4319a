"""Who decides what block comes next. `solo` decides alone, in the process that holds the chain."""

from mycelia.engine.solo import Sealing, Solo, SoloConfig

__all__ = ["Sealing", "Solo", "SoloConfig"]
