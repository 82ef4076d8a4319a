"""The rules of the chain, one folder per subject; `runtime/compose.py` puts them together."""
