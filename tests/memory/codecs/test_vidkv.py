"""VidKV: wide channels, the frequency domain, the bits, and what the release gets wrong."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.codecs.bits import unpack
from memory.codecs.transform import Hartley, Spectrum
from memory.codecs.vidkv import VidKV
from memory.codecs.vidkv_published import VidKVPublished
from tests.memory.codecs.data import gaussian, lost, uneven

torch.set_num_threads(1)

both = pytest.mark.parametrize("kind", [VidKV, VidKVPublished])


@settings(max_examples=30)
@given(st.integers(1, 70), st.integers(0, 99))
def test_the_hartley_transform_keeps_lengths_and_angles_and_undoes_itself(n, seed) -> None:
    x, y = gaussian(seed, heads=2, tokens=1, d=n)
    transform = Hartley()
    assert torch.allclose(transform.inverse(transform.forward(x)), x, atol=1e-5)
    inner = (transform.forward(x) * transform.forward(y)).sum()
    assert torch.allclose(inner, (x * y).sum(), atol=1e-4)


def test_the_hartley_transform_is_cosine_plus_sine() -> None:
    angle = 2 * torch.pi * torch.outer(torch.arange(12), torch.arange(12)) / 12
    expected = (angle.cos() + angle.sin()) / 12**0.5
    assert torch.allclose(Hartley().forward(torch.eye(12)), expected, atol=1e-6)


def test_the_published_spectrum_has_two_numbers_where_one_would_do() -> None:
    x = gaussian(0, d=16)
    spectrum = Spectrum().forward(x)
    assert spectrum.shape[-1] == Spectrum().numbers(16) == 32
    assert torch.allclose(Spectrum().inverse(spectrum), x, atol=1e-5)
    assert torch.allclose(spectrum[..., 1:8], spectrum[..., 9:16].flip(-1), atol=1e-4)  # mirrored


@both
def test_the_widest_channels_get_two_bits_over_all_heads_together(kind) -> None:
    keys = gaussian(1, heads=2, tokens=64, d=16)
    keys[0, :, 3] *= 20  # wide in one head only
    keys[:, :, 9] += 100  # far from zero, but no wider
    keys[1, 7, 12] = 30
    codec = kind(share=2 / 16, residual=0)
    wide = unpack(codec.encode_keys(keys).planes["older.wide"], 1, 16)
    assert wide.nonzero().flatten().tolist() == [3, 12]


@both
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_any_share_of_channels_may_be_wide(kind, share) -> None:
    keys = gaussian(2, tokens=64)
    codec = kind(share=share, residual=0)
    decoded = codec.decode_keys(codec.encode_keys(keys))
    assert lost(keys, decoded) < (0.4 if share == 1 else 0.85)


@both
@pytest.mark.parametrize(("tokens", "stay"), [(100, 100), (160, 128), (200, 136), (320, 128)])
def test_the_newest_tokens_and_what_fills_no_group_stay(kind, tokens, stay) -> None:
    x = gaussian(3, tokens=tokens)
    codec = kind()
    for decoded in (
        codec.decode_keys(codec.encode_keys(x)),
        codec.decode_values(codec.encode_values(x)),
    ):
        exact = (decoded == x).all(2).all(0)  # [tokens]
        assert int(exact.sum()) == stay and bool(exact[tokens - stay :].all())


def test_true_bits_of_the_release_are_twice_the_named_ones() -> None:
    codec, x = VidKVPublished(residual=0), gaussian(4, heads=4, tokens=320)
    channels = 1 / (4 * 320)  # one bit per channel says which are wide
    keys, values = codec.encode_keys(x).bits_per_number, codec.encode_values(x).bits_per_number
    assert keys == pytest.approx(3.5 + channels, abs=1e-9)
    assert values == 3.0
    assert (keys + values) / 2 > 2 * (1.5 + 1.58) / 2


def test_true_bits_of_the_correction_are_those_of_its_docstring() -> None:
    codec, x = VidKV(residual=0), gaussian(5, heads=4, tokens=320, d=40)
    channels = 1 / (4 * 320)
    assert codec.encode_keys(x).bits_per_number == pytest.approx(2.25 + channels, abs=1e-9)
    assert codec.encode_values(x).bits_per_number == pytest.approx(2.1, abs=1e-9)


def test_the_release_loses_more_than_its_correction_at_more_bits() -> None:
    keys, values = gaussian(6), uneven(6)
    right, wrong = VidKV(residual=0), VidKVPublished(residual=0)
    pairs = []
    for codec in (right, wrong):
        packed = codec.encode_keys(keys), codec.encode_values(values)
        pairs.append(
            (
                lost(keys, codec.decode_keys(packed[0])),
                lost(values, codec.decode_values(packed[1])),
                packed[0].bits_per_number + packed[1].bits_per_number,
            )
        )
    assert all(better < worse for better, worse in zip(*pairs, strict=True))
    assert pairs[0][1] < 0.5 < 2 < pairs[1][1], "its values come back about one in size"


def test_a_mixture_of_channels_survives_what_one_loud_channel_does_to_signs() -> None:
    keys = gaussian(7, tokens=64)
    keys[:, :, 11] += 8  # no wider than others, so it may get one bit
    codec = VidKV(share=0.25, residual=0)
    decoded = codec.decode_keys(codec.encode_keys(keys))
    assert bool((decoded[:, :, 11].mean(1) > 4).all())


@both
@pytest.mark.parametrize(
    "wrong", [{"share": 1.1}, {"share": -0.1}, {"group": 0}, {"residual": -1}, {"gamma": 1.0}]
)
def test_what_cannot_be_is_refused(kind, wrong) -> None:
    with pytest.raises(ValueError, match="share lies in"):
        kind(**wrong)


@both
def test_gamma_is_the_share_of_the_mean_size_up_to_which_values_are_zero(kind) -> None:
    values = gaussian(8)
    zeros = []
    for gamma in (0.2, 0.5, 0.7, 0.9):
        codec = kind(residual=0, gamma=gamma)
        zeros.append(float((codec.decode_values(codec.encode_values(values)) == 0).float().mean()))
    # A Gaussian number is smaller than gamma sqrt(2 / pi) with probability erf(gamma / sqrt(pi)).
    expected = torch.erf(torch.tensor([0.2, 0.5, 0.7, 0.9]) / torch.pi**0.5)
    assert torch.allclose(torch.tensor(zeros), expected, atol=0.01)


def test_gamma_is_that_of_the_paper_and_that_of_the_release() -> None:
    values = gaussian(9, tokens=192)
    for default, explicit in (
        (VidKV(residual=0), VidKV(residual=0, gamma=0.7)),
        (VidKVPublished(residual=0), VidKVPublished(residual=0, gamma=0.5)),
    ):
        first, second = default.encode_values(values), explicit.encode_values(values)
        assert torch.equal(first.planes["older.codes"], second.planes["older.codes"])
