"""Sampling that anybody can repeat: the next token follows from logits, seed and position alone.

The caller of a model chooses a seed. Token `t` at position `i` then gets the Gumbel noise
`g(seed, i, t)`, and the sampler takes the token with the greatest `logit / temperature + g`. That
draws from the model's own distribution (the Gumbel-max identity), yet a validator with the same
weights arrives at the same token; and how far a returned token falls short of the winner says how
unlikely it is that the declared model returned it.

Noise is a hash of its coordinates, not the stream of a random generator: it can be had for one
token without drawing the others, and does not depend on a library's version.

Terms: *shortfall* - how many logits a token is below the winner; 0 for the winner itself.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

NOISE_SPAN = 26.0
"""Greatest minus least noise: uniforms have 32 bits, so noise lies within -3.13 and 22.88."""


def noise(seed: int, position: int, tokens: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Gumbel noise of `tokens` at one position.

    A keyed BLAKE2b of seed and position starts a SplitMix64 sequence that is indexed by token id.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014), fig. 16.
    """
    coordinates = seed.to_bytes(8, "little") + position.to_bytes(8, "little")
    digest = hashlib.blake2b(coordinates, digest_size=8, person=b"mycelia.noise").digest()
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is what is meant
        x = np.uint64(int.from_bytes(digest, "little")) + (tokens + np.uint64(1)) * _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
        x ^= x >> np.uint64(31)
    uniform = ((x >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32
    return -np.log(-np.log(uniform))


def chosen_token(logits: Logits, seed: int, position: int, temperature: float) -> int:
    """Return the token that the sampler takes; the most likely one at temperature 0."""
    return _winner(logits, seed, position, temperature)[0]


def shortfall(logits: Logits, token: int, seed: int, position: int, temperature: float) -> float:
    """How many logits `token` is below the winner at this position; 0.0 for the winner."""
    winner, height = _winner(logits, seed, position, temperature)
    if token == winner:
        return 0.0
    if temperature == 0.0:
        return float(height - logits[token])
    own = float(logits[token]) / temperature
    own += float(noise(seed, position, np.array([token], dtype=np.uint64))[0])
    return max(0.0, (height - own) * temperature)


def _winner(logits: Logits, seed: int, position: int, temperature: float) -> tuple[int, float]:
    """Find the winning token and its noisy, scaled logit.

    Only tokens within the span of the noise below the top can win, so only they get noise.
    """
    top = float(logits.max())
    if temperature == 0.0:
        return int(logits.argmax()), top
    candidates = np.flatnonzero(logits >= np.float32(top - NOISE_SPAN * temperature - 1e-3))
    heights = logits[candidates].astype(np.float64) / temperature
    heights += noise(seed, position, candidates.astype(np.uint64))
    best = int(heights.argmax())
    return int(candidates[best]), float(heights[best])
