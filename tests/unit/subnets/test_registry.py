"""Every built-in subnet is complete: honest miners, cheats, known models, routes."""

import pytest

from mycelia.models import CATALOG
from mycelia.subnets import REGISTRY


@pytest.mark.parametrize("name", REGISTRY)
def test_specs_are_complete(name: str) -> None:
    spec = REGISTRY[name]
    assert spec.subnet.name == name
    assert spec.subnet.path() == f"/{name}/1"
    assert [v.honest for v in spec.miners.values()].count(True) >= 2
    assert [v.honest for v in spec.miners.values()].count(False) >= 1
    assert all(key == variant.name and variant.about for key, variant in spec.miners.items())
    assert set(spec.models) <= set(CATALOG)


def test_text_is_a_chat_model_and_streams() -> None:
    spec = REGISTRY["text"]
    assert spec.openai_model in CATALOG
    assert spec.subnet.Piece is not None
