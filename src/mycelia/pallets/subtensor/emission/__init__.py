"""Emission: `kernel` says what is minted and how it is split, `pallet` mints and pays."""
