"""Commit-reveal: validators say what they think before anybody can copy it, and show it later."""
