"""Subnets: which exist, who owns them, what a new one costs."""
