"""The client's own codec over our metadata: composes, signs and decodes as the SDK does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import bittensor_core

from mycelia.primitives import AccountId
from mycelia.runtime.executor import metadata
from mycelia.runtime.rules import Rules
from mycelia.runtime.version import SPEC_VERSION, TRANSACTION_VERSION


@cache
def oracle(version: int = 15) -> Any:
    """`bittensor_core.Runtime` over our metadata of a version, 14 or 15."""
    published = metadata(Rules())
    blob = published.v15 if version == 15 else published.v14
    return bittensor_core.Runtime(blob, SPEC_VERSION, TRANSACTION_VERSION)


@dataclass(frozen=True)
class Person:
    """A key pair that can sign extrinsics; `uri` such as `//Alice`."""

    uri: str

    @property
    def key(self) -> bittensor_core.Keypair:
        return _keypair(self.uri)

    @property
    def account(self) -> AccountId:
        return AccountId(bytes(self.key.public_key))

    @property
    def address(self) -> str:
        return str(self.key.ss58_address)

    def sign(
        self,
        call: bytes,
        *,
        nonce: int,
        genesis_hash: bytes,
        era: dict[str, int] | str = "00",
        era_hash: bytes | None = None,
        tip: int = 0,
    ) -> bytes:
        """A signed extrinsic around call bytes, as a client makes it. `tip` in rao."""
        codec = oracle()
        terms: dict[str, Any] = {"era": era, "nonce": nonce, "tip": tip, "tip_asset_id": None}
        payload = codec.signature_payload(
            call, genesis_hash=genesis_hash, era_block_hash=era_hash or genesis_hash, **terms
        )
        raw, _ = codec.encode_signed_extrinsic(
            call,
            public_key=bytes(self.key.public_key),
            signature=self.key.sign(payload),
            signature_version=1,
            **terms,
        )
        return bytes(raw)


@cache
def _keypair(uri: str) -> Any:
    return bittensor_core.Keypair.create_from_uri(uri)


def compose(pallet: str, call: str, /, **params: Any) -> bytes:
    """Call bytes as the SDK composes them."""
    return bytes(oracle().compose_call(pallet, call, params))
