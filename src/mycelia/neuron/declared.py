"""What a miner says that it runs, made into a manifest.

A subnet declares a model, or a miner its own, by a name of the catalogue or by a card; see
`Subnet.declared` and `Subnet.miner`. A miner for which neither does serves without a claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from mycelia.models import describe
from mycelia.models.face import Card
from mycelia.neuron.manifest import ClaimError, Manifest

if TYPE_CHECKING:
    from mycelia.models import ModelStore
    from mycelia.neuron.subnet import Subnet, Variant

Declared = str | Card
"""Name of a model in the catalogue; or a card, such as `replace(net.describe(), licence="MIT")`."""

_BUILD = {"runtime", "runtime_digest"}


def manifest_of(
    subnet: type[Subnet], variant: Variant, models: ModelStore, hotkey: str, price_rao: int = 0
) -> Manifest | None:
    """Make the manifest of one kind of miner; None if neither it nor its subnet names a model.

    The price is asked for a million units of work.

    Raises AppError when the model is not on this machine, or too little is known of it.
    """
    declared = variant.model or subnet.declared
    if declared is None:
        return None
    claim = _card(declared, models).claim()
    about = {
        "miner": hotkey,
        "subnet": subnet.name,
        "version": subnet.version,
        "price_rao": price_rao,
    }
    try:
        return Manifest.model_validate(claim | about)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        raise ClaimError(
            "card_unfit",
            f"A manifest cannot say {problem['loc'][0]} {problem['input']!r}: {problem['msg']}.",
            "Change the card with `dataclasses.replace`; words have no spaces.",
        ) from None


def is_declared(declared: Declared, models: ModelStore, manifest: Manifest) -> bool:
    """Whether a manifest claims the declared model, weights and schedule, on whatever build."""
    ours = _card(declared, models).claim()
    theirs = manifest.model_dump()
    return all(theirs[name] == said for name, said in ours.items() if name not in _BUILD)


def _card(declared: Declared, models: ModelStore) -> Card:
    return describe(models, declared) if isinstance(declared, str) else declared
