"""SubtensorModule, split by subject. Parts are listed low to high: a part knows only those above it in the list."""
