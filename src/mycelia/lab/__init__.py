"""The lab: a subnet under the real rules, in one process and in seconds.

What is tried here is what runs later: the same miner server, sampler, weights and runtime. Only
blocks come when they are wanted, and calls need no signature.
"""
