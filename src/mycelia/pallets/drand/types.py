"""Values of Drand. Paths and field order are the chain's.

Source: subtensor@14bc6f9 `pallets/drand/src/types.rs`; the beacon's constants as drand publishes them.
"""

from __future__ import annotations

from typing import Annotated, Final

from mycelia.codec import U32, U64, BoundedBytes, Bytes32, Enumeration, Record
from mycelia.codec.scale import ByteArray
from mycelia.primitives import BlockNumber

Bytes33 = Annotated[bytes, ByteArray(33)]
Bytes64 = Annotated[bytes, ByteArray(64)]
Bytes65 = Annotated[bytes, ByteArray(65)]


class Metadata(Record, path="pallet_drand::types::Metadata"):
    """The beacon's name among those of its operators."""

    beacon_id: BoundedBytes


class BeaconConfiguration(Record, path="pallet_drand::types::BeaconConfiguration"):
    """Which beacon the chain believes. `period` and `genesis_time` (since 1970) are in seconds.

    Round r is due at genesis_time + (r - 1) * period.
    """

    public_key: BoundedBytes
    period: U32
    genesis_time: U32
    hash: BoundedBytes
    group_hash: BoundedBytes
    scheme_id: BoundedBytes
    metadata: Metadata


class Pulse(Record, path="pallet_drand::types::Pulse"):
    """One round: its number, its signature, and the signature's hash as 32 random bytes."""

    round: U64
    randomness: BoundedBytes
    signature: BoundedBytes


class Signer(Enumeration, path="sp_runtime::MultiSigner"):
    """A public key."""


class Ed25519Key(Signer, index=0, name="Ed25519", tuple_like=True):
    """A key on Curve25519, Edwards form."""

    key: Bytes32


class Sr25519Key(Signer, index=1, name="Sr25519", tuple_like=True):
    """A key on Ristretto."""

    key: Bytes32


class EcdsaKey(Signer, index=2, name="Ecdsa", tuple_like=True):
    """A key on secp256k1."""

    key: Bytes33


class Signature(Enumeration, path="sp_runtime::MultiSignature"):
    """A signature by such a key."""


class Ed25519Signature(Signature, index=0, name="Ed25519", tuple_like=True):
    """By a key on Curve25519."""

    signature: Bytes64


class Sr25519Signature(Signature, index=1, name="Sr25519", tuple_like=True):
    """By a key on Ristretto."""

    signature: Bytes64


class EcdsaSignature(Signature, index=2, name="Ecdsa", tuple_like=True):
    """By a key on secp256k1."""

    signature: Bytes65


class PulsesPayload(Record, path="pallet_drand::types::PulsesPayload"):
    """Pulses and who brings them. Only the pulses count: they prove themselves."""

    block_number: BlockNumber
    pulses: tuple[Pulse, ...]
    public: Signer


class BeaconConfigurationPayload(Record, path="pallet_drand::types::BeaconConfigurationPayload"):
    """A configuration and who brings it. Only the configuration counts."""

    block_number: BlockNumber
    config: BeaconConfiguration
    public: Signer


QUICKNET: Final = BeaconConfiguration(
    public_key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    period=U32(3),
    genesis_time=U32(1_692_803_367),
    hash=bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"),
    group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
    scheme_id=b"bls-unchained-g1-rfc9380",
    metadata=Metadata(b"quicknet"),
)
"""The beacon that the clients seal for: drand's quicknet, a round every 3 seconds."""
