"""Why commits, reveals and batches of weights fail. Names and indexes are the chain's.

Source: subtensor@14bc6f9 `macros/errors.rs`; the last one is in the newest clients' catalogue.
"""

from __future__ import annotations

from mycelia.frame import Error


class NoWeightsCommitFound(Error, index=51):
    """The hotkey has no commit here that waits for its reveal. Commit first."""


class InvalidRevealCommitHashNotMatch(Error, index=52):
    """No waiting commit has this hash. Reveal exactly what was committed, salt and version included."""


class CommitRevealDisabled(Error, index=54):
    """The subnet takes weights openly. Use `set_weights`."""


class TooManyUnrevealedCommits(Error, index=77):
    """The hotkey has ten unrevealed commits. Reveal some, or wait until they expire."""


class ExpiredWeightCommit(Error, index=78):
    """The epoch in which this commit could be revealed is over. Commit again."""


class RevealTooEarly(Error, index=79):
    """The commit is revealed `RevealPeriodEpochs` epochs after its own. Wait."""


class InputLengthsUnequal(Error, index=80):
    """The lists of a batch differ in length. Give one entry of each per item."""


class CommittingWeightsTooFast(Error, index=81):
    """The last commit is less than `WeightsSetRateLimit` blocks ago. Wait."""


class IncorrectCommitRevealVersion(Error, index=111):
    """The commit is of another version than `CommitRevealWeightsVersion`. Update the client."""


class InvalidRevealRound(Error, index=112):
    """The beacon has had this round already, so anybody could open the commit. Choose a later one."""


class CommitPayloadTooLarge(Error, index=173):
    """The ciphertext has more than 5000 bytes. Weigh fewer neurons."""
