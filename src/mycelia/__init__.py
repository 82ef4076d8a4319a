"""A decentralized machine-learning network: a chain declared once, and the people who use it."""

__version__ = "0.1.0"
