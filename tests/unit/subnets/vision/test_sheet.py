"""A sheet follows from its seed, survives the picture format, and is none of the public data."""

from pathlib import Path

import numpy as np
import pytest

from mycelia.models import ModelStore
from mycelia.models.digits import CELL, Digits
from mycelia.subnets.vision.sheet import (
    HANDS,
    SHAPES,
    Hand,
    cells,
    compose,
    decode_pgm,
    encode_pgm,
)

HAND = HANDS[0]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    store = ModelStore(Path(tmp_path_factory.mktemp("models")))
    store.ensure("digits")
    return Digits.load(store, held_out=True)


def test_a_seed_makes_one_sheet(digits: Digits) -> None:
    one, again, other = (compose(digits, seed * 16, HAND) for seed in (b"a", b"a", b"b"))
    assert np.array_equal(one.pixels, again.pixels)
    assert one.labels == again.labels
    assert one.labels != other.labels
    shapes = {compose(digits, bytes([n]), HAND).pixels.shape for n in range(40)}
    assert shapes == {(down * CELL, right * CELL) for down, right in SHAPES}


def test_no_two_validators_draw_the_same_pictures(digits: Digits) -> None:
    drawn = [{image.tobytes() for image in hand.own(digits).images} for hand in HANDS]
    assert sum(map(len, drawn)) == len(set.union(*drawn))
    assert len({hand.strength for hand in HANDS}) == len(HANDS)


def test_a_wilder_hand_turns_pictures_further(digits: Digits) -> None:
    calm, wild = (compose(digits, b"seed", Hand(0, strength)) for strength in (0.0, 3.0))
    assert calm.labels == wild.labels
    assert not np.array_equal(calm.pixels, wild.pixels)


def test_cells_are_cut_where_the_digits_were_put(digits: Digits) -> None:
    sheet = compose(digits, b"seed", HAND)
    down, right = (side // CELL for side in sheet.pixels.shape)
    cut = cells(sheet.pixels).reshape(down, right, CELL, CELL)
    lower_left = 1.0 - sheet.pixels[-CELL:, :CELL] / 255.0
    assert cut[down - 1, 0] == pytest.approx(lower_left)


def test_pictures_survive_their_file(digits: Digits) -> None:
    pixels = compose(digits, b"seed", HAND).pixels
    assert np.array_equal(decode_pgm(encode_pgm(pixels)), pixels)
    wide = np.zeros((CELL, 3 * CELL), dtype=np.uint8)
    assert decode_pgm(encode_pgm(wide)).shape == wide.shape


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"P6 16 16 255\n" + bytes(256),
        b"P5 16 16 255\n" + bytes(255),
        b"P5 16 16 255\n" + bytes(257),
        b"P5 16 16 65535\n" + bytes(512),
        b"P5 17 16 255\n" + bytes(272),
        b"P5 0 16 255\n",
        b"P5 99999 99999 255\n",
    ],
)
def test_files_that_are_no_such_picture_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"picture|sides|binary"):
        decode_pgm(raw)
