"""Distortion makes new pictures, the same for the same seed, and still the same digit."""

from pathlib import Path

import numpy as np
import pytest

from mycelia.models import ModelStore, digits
from mycelia.models.digits import CELL, DataMissing, Digits, distorted


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    store = ModelStore(tmp_path)
    store.ensure("digits")
    return store


def test_data_are_copied_whole_and_split_without_overlap(store: ModelStore) -> None:
    whole = Digits.load(store)
    parts = [Digits.load(store, held_out=held_out) for held_out in (True, False)]
    assert whole.images.shape == (1_797, 8, 8)
    assert whole.images.max() == 16
    assert np.bincount(whole.labels).min() > 170
    assert [len(part.labels) for part in parts] == [599, 1_198]
    seen = {image.tobytes() for image in parts[1].images}
    assert not any(image.tobytes() in seen for image in parts[0].images)


def test_extraction_does_not_import_scikit_learn(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from mycelia.models import ModelStore; from pathlib import Path;"
        f"ModelStore(Path({str(tmp_path)!r})).ensure('digits');"
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_missing_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DataMissing, match="scikit-learn"):
        ModelStore(tmp_path).ensure("digits")


def test_distortion_repeats_with_its_seed_and_differs_otherwise(store: ModelStore) -> None:
    images = Digits.load(store).images[:5]
    first, again, other = (distorted(images, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first.shape == (5, CELL, CELL)
    assert first.dtype == np.float32
    assert first.min() >= 0.0
    assert first.max() <= 1.0
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 0.05


def test_a_distorted_digit_resembles_its_original_most(store: ModelStore) -> None:
    """Enlarged without distortion, the right digit's mean is nearer than the others' usually."""
    data = Digits.load(store)
    cells = distorted(data.images, np.random.default_rng(3)).reshape(-1, CELL * CELL)
    large = np.kron(data.images / 16.0, np.ones((2, 2))).reshape(-1, CELL * CELL)
    means = np.stack([large[data.labels == digit].mean(axis=0) for digit in range(10)])
    likeness = cells @ means.T - 0.5 * (means**2).sum(axis=1)
    assert (likeness.argmax(axis=1) == data.labels).mean() > 0.4
