"""All methods, declared on import."""

from mycelia.rpc.methods import author, chain, mycelia, payment, state, system

__all__ = ["author", "chain", "mycelia", "payment", "state", "system"]
