"""Serving: where neurons can be reached."""
