"""Staking: who holds how much alpha behind which hotkey, and the pools it is bought from."""
