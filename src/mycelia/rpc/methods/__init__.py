"""All methods, declared on import."""

from mycelia.rpc.methods import author, chain, explain, mycelia, payment, state, system

__all__ = ["author", "chain", "explain", "mycelia", "payment", "state", "system"]
