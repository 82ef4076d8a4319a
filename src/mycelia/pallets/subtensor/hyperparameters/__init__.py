"""Hyperparameters: one table for storage, admin calls and views."""
