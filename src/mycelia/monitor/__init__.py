"""What a process shows to whoever watches over it: `/metrics` for Prometheus, and `/health`.

It listens on loopback only and answers nothing else; nothing secret is shown. Health is 200 with
what the process does, or 503 with what keeps it from its work. Both sides use it.
"""

from mycelia.monitor.metric import Labels, Metric
from mycelia.monitor.port import Health, Monitor

__all__ = ["Health", "Labels", "Metric", "Monitor"]
