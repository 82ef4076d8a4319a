"""Blocks, the border to engines, and the history that is read back and replayed."""

from mycelia.chain.chain import (
    Budget,
    Chain,
    Draft,
    Proposal,
    copy_genesis,
    open_chain,
    replay,
    verify_signature,
)
from mycelia.chain.header import Block, Header, extrinsics_root
from mycelia.chain.history import History
from mycelia.chain.past_epoch import CannotExplain, PastEpoch, past_epoch

__all__ = [
    "Block",
    "Budget",
    "CannotExplain",
    "Chain",
    "Draft",
    "Header",
    "History",
    "PastEpoch",
    "Proposal",
    "copy_genesis",
    "extrinsics_root",
    "open_chain",
    "past_epoch",
    "replay",
    "verify_signature",
]
