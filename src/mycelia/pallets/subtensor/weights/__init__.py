"""Weights: what validators think of miners."""
