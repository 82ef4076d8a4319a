"""Swap: each subnet's pool of TAO and alpha."""
