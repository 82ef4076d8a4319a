"""What clients may name and this network has no rules for: declared, so that clients find it, and refused when called.

Both client lines look everything up by name and treat a name that is missing as a fault. So the metadata is the
union of what they know. Storage without rules is empty and reads as its default; a call without rules fails with
`NotProvided`, also inside other calls; a runtime API without rules answers that there is nothing.

Whoever writes the rules of a row deletes it here: a name declared twice is refused when the runtime is put together.
`docs/absent.md` lists the rows.
"""

from mycelia.runtime.absent.declare import (
    Absent,
    AbsentCall,
    AbsentError,
    AbsentEvent,
    AbsentView,
)
from mycelia.runtime.absent.table import ABSENT, ABSENT_APIS

__all__ = [
    "ABSENT",
    "ABSENT_APIS",
    "Absent",
    "AbsentCall",
    "AbsentError",
    "AbsentEvent",
    "AbsentView",
]
