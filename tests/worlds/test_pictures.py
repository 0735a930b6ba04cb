"""Pictures of things: every noun has one, clean at every size, and no two are nearly equal."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from worlds.artwork import BACKGROUNDS, CELL, SCENE, backgrounds, objects, pictures
from worlds.sprites import LEVELS, level, sprite
from worlds.things import Look
from worlds.vocabulary import COLOURS, HAND, HELPERS, OBJECTS, SHAPES

LOOKS = [
    *(Look(shape, colour) for shape in SHAPES for colour in COLOURS),
    *(Look(noun) for noun in (*OBJECTS, *HELPERS)),
    *(Look("box", "", state) for state in ("open", "closed")),
    *(Look("lamp", "", state) for state in ("on", "off")),
    *(Look("sign", colour, str(number)) for colour in ("white", "pink") for number in range(100)),
]


def test_every_noun_of_the_atlas_has_a_picture_that_can_be_seen():
    assert set(pictures()) == {*OBJECTS, HAND}
    for noun, picture in pictures().items():
        assert picture.shape == (CELL, CELL, 4)
        covered = (picture[..., 3] > 128).mean()
        assert 0.12 < covered < 0.95, noun
        rows, columns = np.nonzero(picture[..., 3] > 128)
        assert max(np.ptp(rows), np.ptp(columns)) > 0.75 * CELL, noun


def test_no_icon_is_listed_twice():
    assert len(set(objects().values())) == len(objects())


def test_no_two_pictures_are_nearly_equal_even_mirrored():
    small = np.stack([sprite(Look(noun))[2] for noun in OBJECTS]) * 255
    for number, one in enumerate(small):
        rest = np.delete(small, number, axis=0)
        for other in (rest, rest[:, :, ::-1]):
            apart = np.abs(other - one).mean((1, 2, 3))
            assert apart.min() > 6, (OBJECTS[number], float(apart.min()))


def test_every_number_on_a_sign_is_a_picture_of_its_own():
    small = np.stack([sprite(Look("sign", "white", str(number)))[1] for number in range(100)])
    for number in range(100):
        apart = np.abs(np.delete(small, number, axis=0) - small[number])
        assert ((apart.max(-1) > 0.4).sum((1, 2))).min() > 10, number


@pytest.mark.parametrize(
    "looks", [LOOKS[:96], LOOKS[96:260], LOOKS[260:]], ids=("shapes", "objects", "signs")
)
def test_colours_are_multiplied_by_their_cover_and_levels_agree(looks):
    for look in looks:
        levels = sprite(look)
        assert [picture.shape for picture in levels] == [(side, side, 4) for side in LEVELS]
        for picture in levels:
            assert picture.min() >= 0
            assert picture.max() <= 1
            assert (picture[..., :3] <= picture[..., 3:] + 1e-6).all(), look
            assert picture.mean((0, 1)) == pytest.approx(levels[0].mean((0, 1)), abs=1e-3)
        assert levels[0][..., 3].mean() > 0.1, look


def test_a_sprite_is_transparent_at_its_edge_so_that_nothing_is_cut():
    for look in LOOKS:
        if look.noun in OBJECTS or look.noun == HAND:
            continue  # drawn up to the edge of their cell
        cover = sprite(look)[0][..., 3]
        edge = np.concatenate([cover[0], cover[-1], cover[:, 0], cover[:, -1]])
        assert edge.max() == 0, look


def test_the_level_is_the_smallest_that_is_not_enlarged():
    assert [level(d) for d in (1, 14, 14.1, 28, 56, 57, 112, 500)] == [3, 3, 2, 2, 1, 0, 0, 0]


def test_backgrounds_are_squares_with_something_on_them():
    plates = backgrounds()
    assert plates.shape[1:] == (SCENE, SCENE, 3)
    assert len(plates) >= 10
    assert plates.std((1, 2)).mean(-1).min() > 2
    assert np.array_equal(plates[0], cv2.imread(str(BACKGROUNDS))[:SCENE, :, ::-1])
