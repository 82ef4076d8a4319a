"""Who coldkeys say they are."""

from __future__ import annotations

from typing import Final

from mycelia.codec import Bytes
from mycelia.frame import Blake2_128Concat, OptionalMap, Origin, Pallet, State, call, ensure
from mycelia.pallets.subtensor.cost import cost
from mycelia.pallets.subtensor.errors import HotKeyNotRegisteredInNetwork, InvalidIdentity
from mycelia.pallets.subtensor.events import ChainIdentitySet
from mycelia.pallets.subtensor.registration.neurons import Neurons
from mycelia.pallets.subtensor.staking.stakes import Stakes
from mycelia.pallets.subtensor.types import ChainIdentityV2
from mycelia.primitives import AccountId

LIMITS: Final = (256, 256, 256, 1024, 256, 1024, 1024)
"""Most bytes of each field, in order."""


class Identities(Pallet, name="SubtensorModule"):
    """Who coldkeys say they are."""

    identities_v2 = OptionalMap(
        AccountId,
        ChainIdentityV2,
        hasher=Blake2_128Concat,
        doc="What the coldkey says of itself.",
        name="IdentitiesV2",
    )

    neurons: Neurons
    stakes: Stakes

    def __init__(self, state: State, *, neurons: Neurons, stakes: Stakes) -> None:
        super().__init__(state, neurons=neurons, stakes=stakes)

    @call(
        index=68,
        weight=cost(207_000_000, 6_829),
        emits=(ChainIdentitySet,),
        fails=(HotKeyNotRegisteredInNetwork, InvalidIdentity),
    )
    def set_identity(
        self,
        origin: Origin,
        name: Bytes,
        url: Bytes,
        github_repo: Bytes,
        image: Bytes,
        discord: Bytes,
        description: Bytes,
        additional: Bytes,
    ) -> None:
        """Say who the signer is: a coldkey that owns a registered hotkey."""
        coldkey = origin.signed()
        # CHECK
        owned = self.stakes.owned_hotkeys[coldkey]
        ensure(any(self.neurons.netuids_of(key) for key in owned), HotKeyNotRegisteredInNetwork)
        fields = (name, url, github_repo, image, discord, description, additional)
        within = all(len(f) <= most for f, most in zip(fields, LIMITS, strict=True))
        ensure(within, InvalidIdentity)
        # CHANGE
        self.identities_v2[coldkey] = ChainIdentityV2(*fields)
        # TELL
        self.deposit(ChainIdentitySet(coldkey))
