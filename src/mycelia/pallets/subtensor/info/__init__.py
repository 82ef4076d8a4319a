"""Info: the chain seen by clients."""
