"""SubtensorModule, split by subject.

`runtime/compose.py` lists the parts low to high: a part knows only those before it.
"""
