"""The fast renderer draws what the exact one draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.renderer import Renderer, Scene
from worlds.catalog import MOODS, open_world
from worlds.painter import Painter, Stamp, stamps
from worlds.scenery import KINDS, Scenery
from worlds.things import Look, Thing, Track
from worlds.vocabulary import OBJECTS, SIGN

SIGN_27 = Look(SIGN, "white", "27")  # differs from its mirror image and from itself turned
MEAN, FINE = 1.0, 12.0  # levels: of a whole picture, and of all but a thousandth of its values


class Plain(Scenery):
    """One grey everywhere and always."""

    def __init__(self, noise: float = 0.0, light: float = 1.0) -> None:
        super().__init__(1, (1.0, 0.0, 0.0, 0.0))
        self.noise, self._light = noise, light

    def corners(self, t):
        return np.full((2, 2, 3), 100, np.float32)

    def light(self, t):
        return self._light


def moments():
    """Fifty worlds of all moods, each with a time."""
    names = sorted(MOODS)
    return [(open_world(names[n % len(names)], seed=n), 4.0 + 3.3 * n) for n in range(50)]


def stamp(look=SIGN_27, x=48.0, y=48.0, radius=20.0, angle=0.0, mirrored=False):
    return Stamp(look, x, y, radius, angle, mirrored, (1.0, 1.0, 1.0))


def drawn(scenes, size=(96, 96), **kwargs):
    return Renderer().draw(scenes, size, **kwargs).numpy()


def assert_same(first, second):
    """Equal but for a rare value on the edge between two levels."""
    apart = np.abs(first.astype(np.int64) - second)
    assert apart.max() <= 1
    assert apart.mean() < 1e-3


def differences(first, second):
    """Mean and 99.9th percentile of the absolute difference of each pair of pictures."""
    apart = np.abs(first.astype(np.int64) - second).reshape(len(first), -1)
    return apart.mean(1), np.percentile(apart, 99.9, axis=1)


def compare(device, size):
    """Both renderers on all `moments`, and the fast one's pictures shifted by a pixel."""
    worlds = moments()
    exact = np.stack(
        [
            Painter(world.painter.scenery, clean=True).paint(world.things(t), t, size)
            for world, t in worlds
        ]
    )
    scenes = [Scene.of(world, t, size) for world, t in worlds]
    assert {scene.scenery.kind for scene in scenes} == set(KINDS)
    assert sum(len(scene.stamps) for scene in scenes) > 50
    fast = Renderer(device).draw(scenes, size).cpu().numpy()
    mean, fine = differences(fast, exact)
    assert mean.max() < MEAN
    assert fine.max() < FINE
    _, shifted = differences(np.roll(fast, 1, axis=2), exact)
    filled = [number for number, scene in enumerate(scenes) if scene.stamps]
    assert shifted[filled].min() > FINE


@pytest.mark.parametrize("size", [(96, 96), (192, 192), (90, 140)])
def test_both_renderers_agree_and_a_shift_by_a_pixel_is_noticed(size):
    compare("cpu", size)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("size", [(96, 96), (192, 192)])
def test_both_renderers_agree_on_cuda(size):
    compare("cuda", size)


def test_both_renderers_agree_on_any_angle_size_and_place_over_the_edge():
    rng = np.random.default_rng(7)
    looks = [SIGN_27, *(Look(noun) for noun in sorted(OBJECTS)[:3])]
    exact, scenes = [], []
    for number, radius in enumerate(np.geomspace(0.02, 0.7, 24)):
        track = Track(
            (0.0,),
            (float(rng.uniform(-0.1, 1.1)),),
            (float(rng.uniform(-0.1, 1.1)),),
            (float(radius),),
            (float(rng.uniform(-7, 7)),),
        )
        look = looks[number % len(looks)]
        thing = Thing(float(number), 99.0, track, ((0.0, look),), mirrored=number % 3 == 0)
        scenery = open_world("objects", seed=number).painter.scenery
        exact.append(Painter(scenery, clean=True).paint([thing], 30.0, (96, 96)))
        scenes.append(Scene(scenery, stamps([thing], 30.0, (96, 96)), 30.0))
    mean, fine = differences(drawn(scenes), np.stack(exact))
    assert mean.max() < MEAN
    assert fine.max() < FINE


def test_a_later_stamp_covers_an_earlier_one():
    red, blue = (stamp(Look("square", colour)) for colour in ("red", "blue"))
    scenes = [Scene(Plain(), order, 0.0) for order in ([red, blue], [blue, red], [red], [])]
    covered, other, alone, nothing = drawn(scenes)
    assert covered[48, 48, 2] > covered[48, 48, 0]
    assert np.array_equal(other[48, 48], alone[48, 48])
    assert other[48, 48, 0] > other[48, 48, 2]
    assert (nothing == 100).all()


def test_a_mirrored_stamp_is_the_mirror_image():
    plain, mirrored = drawn(
        [Scene(Plain(), [stamp(x=40.0)], 0.0), Scene(Plain(), [stamp(x=56.0, mirrored=True)], 0.0)]
    )
    assert differences(mirrored[None, :, ::-1], plain[None])[1] <= 1
    assert differences(mirrored[None], plain[None])[1] > FINE
    assert differences(np.roll(mirrored, -16, axis=1)[None], plain[None])[1] > FINE


def test_a_turned_stamp_is_turned_clockwise():
    upright, turned = drawn(
        [Scene(Plain(), [stamp()], 0.0), Scene(Plain(), [stamp(angle=math.pi / 2)], 0.0)]
    )
    assert differences(np.rot90(upright, -1)[None], turned[None])[1] <= 1
    assert differences(np.rot90(upright, 1)[None], turned[None])[1] > FINE


def test_gain_and_light_multiply_colours():
    whole = stamp(Look("square", "white"))
    dim = Stamp(whole.look, 48.0, 48.0, 20.0, 0.0, False, (0.5, 0.25, 1.0))
    bright, dimmed = drawn([Scene(Plain(), [one], 0.0) for one in (whole, dim)])
    wanted = bright[48, 48] * np.array([0.5, 0.25, 1.0])
    assert np.abs(dimmed[48, 48] - wanted).max() <= 1
    assert (drawn([Scene(Plain(light=0.5), [], 0.0)]) == 50).all()


@pytest.mark.parametrize("size", [(96, 96), (512, 512)])  # one pass; more pictures than fit in one
def test_a_batch_of_one_equals_a_batch_of_many(size):
    scenes = [Scene.of(world, t, size) for world, t in moments()[:12]]
    renderer = Renderer()
    renderer.draw(scenes, size)  # so that all sprites have their place in the atlas
    many = renderer.draw(scenes, size)
    for number in (0, 3, 7, 11):
        assert torch.equal(renderer.draw([scenes[number]], size)[0], many[number])
        assert_same(drawn([scenes[number]], size)[0], many[number].numpy())


def test_pictures_keep_their_order_and_an_empty_batch_has_none():
    scenes = [Scene.of(world, t, (96, 96)) for world, t in moments()[:12]]
    assert_same(drawn(scenes[::-1])[::-1], drawn(scenes))
    assert drawn([]).shape == (0, 96, 96, 3)


def test_a_renderer_that_must_forget_sprites_draws_the_same():
    scenes = [Scene.of(world, t, (96, 96)) for world, t in moments()[:20]]
    forgetful = Renderer(looks=2)
    one_by_one = [forgetful.draw([scene], (96, 96))[0].numpy() for scene in (*scenes, *scenes)]
    assert_same(np.stack(one_by_one), np.concatenate([drawn(scenes)] * 2))


@pytest.mark.parametrize("asked", [1.0, 3.0, 6.0])
def test_noise_has_the_spread_asked_for_and_follows_from_its_generator(asked):
    scenes = [Scene(Plain(asked), [], 0.0)] * 2
    first, second = drawn(scenes, (192, 192), noise=torch.Generator().manual_seed(5))
    rounding = 1 / 12  # what whole levels add to the variance
    assert math.sqrt(first.var() - rounding) == pytest.approx(asked, rel=0.05)
    assert first.mean() == pytest.approx(100, abs=0.1)
    together = np.corrcoef(np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3)], 1).T)
    assert np.abs(together - np.eye(6)).max() < 0.03
    again = drawn(scenes, (192, 192), noise=torch.Generator().manual_seed(5))
    assert np.array_equal(again[1], second)


def test_noise_is_as_strong_as_the_exact_renderers():
    size = (192, 192)
    for world, t in moments()[:6]:
        scenery = world.painter.scenery
        assert scenery.grain(t, size).std() == pytest.approx(scenery.noise, rel=0.05)
