"""Who decides what block comes next. `solo` decides alone, in the process that holds the chain."""

from mycelia.engine.clock import Clock, wall_clock_ms
from mycelia.engine.shield import ShieldKeys
from mycelia.engine.solo import Sealing, Solo, SoloConfig
from mycelia.engine.warp import Warp

__all__ = ["Clock", "Sealing", "ShieldKeys", "Solo", "SoloConfig", "Warp", "wall_clock_ms"]
