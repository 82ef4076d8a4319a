"""AdminUtils: the calls that set parameters."""
