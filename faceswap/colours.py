"""The colour of a made face: what is measured of both faces, and how the made one takes the other's, then the user's.

Measures of each frame are vectors, which are steadied along the track before they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faceswap.options import SwapOptions
from faceswap.view import Made
from shared.picture.colour import LabStatistics, lab_from_rgb, lab_statistics, rgb_from_lab
from shared.picture.mask import erode
from shared.picture.transfer import (
    LEVELS,
    MEMBRANE_SIDE,
    PASSES,
    match_moments,
    match_quantiles,
    match_slices,
    membrane,
    moments,
    quantiles,
    slices,
)
from shared.picture.warp import gaussian, grey_of, resize
from shared.types import Floats

Doubles = NDArray[np.float64]
LEAST_GROWTH, MOST_GROWTH = 0.4, 2.0
"""Furthest that the spread of L may shrink and grow, that of a dark or flat face being mostly noise; that of a and b
stays within as much of the replaced face's own."""
CAST: Final = (0.0, 1.25)
"""Bounds of the factor by which a and b spread. It is that of their means, so that what is grey in one light is grey in
the other: eyes and teeth of a face lit in orange must not turn to teal when its skin becomes paler. What is redder or
yellower than the skin, lips above all, spreads by no more than the skin gets lighter: pale skin's lips on a dark face
would be pink."""
HALF_MEAN: Final = float(1.0 / np.sqrt(2.0 * np.pi))
"""Mean of the part of a normal distribution over its mean, in standard deviations."""
LEAST_CHROMA: Final = 3.0
"""Where the made face is nearer to grey than this, its mean tells ever less of the factor, which tends to 1."""
LEAST_SEEN: Final = 0.2
"""Where less of a face than this is left by what is in front of it, what was measured before is kept."""
MOST_SAMPLES: Final = 3000
EDGE_SHARE: Final = 0.06
"""Width of the ring on which a clone meets the frame, as a share of the view."""
EDGE_BLUR: Final = 0.02


@dataclass(frozen=True, slots=True)
class Method:
    """One way of taking over colour.

    Attributes
    ----------
    measure : of a made face and the (V, V) weight of its pixels, a vector to be steadied.
    match : the made picture and the steadied vector to the picture in its new colour.
    """

    measure: Callable[[Made, Floats], Doubles]
    match: Callable[[Floats, Doubles], Floats]


def visible(made: Made) -> Floats:
    """(V, V) float32: well inside the face, and nothing in front; all of the inside where next to nothing is left."""
    seen = _seen(made)
    return made.view.inner if is_hidden(made) else seen


def is_hidden(made: Made) -> bool:
    """Whether so much is in front of the face that its figures would be those of something else."""
    return float(_seen(made).sum()) < LEAST_SEEN * float(made.view.inner.sum())


def _seen(made: Made) -> Floats:
    inner = made.view.inner
    return inner if made.front is None else inner * (1 - resize(made.front, (inner.shape[0], inner.shape[1])))


def matched(picture: Floats, steady: Doubles, options: SwapOptions) -> Floats:
    """A made picture in the colour of the replaced face, as far as is asked for, and then as the user wants it."""
    if options.colour > 0 and options.colour_method != "none":
        new = METHODS[options.colour_method].match(picture, steady)
        picture = new if options.colour >= 1 else picture + np.float32(options.colour) * (new - picture)
    return np.clip(_as_wished(picture, options), 0.0, 1.0)


def _as_wished(picture: Floats, options: SwapOptions) -> Floats:
    if options.gamma != 1:
        picture = np.clip(picture, 0.0, 1.0) ** np.float32(1 / options.gamma)
    if options.contrast != 1 or options.brightness != 0:
        picture = (picture - 0.5) * np.float32(options.contrast) + np.float32(0.5 + options.brightness)
    if options.saturation != 1:
        grey = grey_of(np.ascontiguousarray(picture, dtype=np.float32))[..., np.newaxis]
        picture = grey + np.float32(options.saturation) * (picture - grey)
    return picture.astype(np.float32, copy=False)


def _samples(picture: Floats, weight: Floats) -> Floats:
    chosen = picture[weight > 0.5] if (weight > 0.5).any() else picture.reshape(-1, 3)
    return chosen[:: max(1, len(chosen) // MOST_SAMPLES)]


def _nothing(_: Made, __: Floats) -> Doubles:
    return np.zeros(0)


def _as_made(picture: Floats, _: Doubles) -> Floats:
    return picture


def _lab_measure(made: Made, weight: Floats) -> Doubles:
    old, new = lab_statistics(made.view.picture, weight), lab_statistics(made.picture, weight)
    return np.concatenate([old.mean, old.std, new.mean, new.std]).astype(np.float64)


def _lab_match(picture: Floats, steady: Doubles) -> Floats:
    old, new = (LabStatistics(*steady[start : start + 6].astype(np.float32).reshape(2, 3)) for start in (0, 6))
    factor = ((old.mean * new.mean + LEAST_CHROMA**2) / (new.mean**2 + LEAST_CHROMA**2)).clip(*CAST)
    spread = old.std / np.maximum(new.std, 1e-3)
    factor = np.minimum(factor, MOST_GROWTH * spread)  # in a grey clip all becomes grey
    factor[0] = min(float(spread[0]), MOST_GROWTH)
    factor = np.maximum(factor, LEAST_GROWTH)
    beyond = np.minimum(factor, old.mean[0] / max(float(new.mean[0]), 1.0))
    beyond[0] = factor[0]
    away = lab_from_rgb(picture) - new.mean
    # Halves of unlike slope move the mean of what is normally distributed by so much.
    mean = old.mean + HALF_MEAN * (factor - beyond) * new.std
    return rgb_from_lab((np.where(away > 0, beyond, factor) * away + mean).astype(np.float32))


def _histogram_measure(made: Made, weight: Floats) -> Doubles:
    return np.stack([quantiles(_samples(picture, weight)) for picture in (made.picture, made.view.picture)]).ravel()


def _histogram_match(picture: Floats, steady: Doubles) -> Floats:
    own, wanted = steady.reshape(2, LEVELS, 3)
    return match_quantiles(picture, own, wanted)


def _linear_measure(made: Made, weight: Floats) -> Doubles:
    parts = [moments(_samples(picture, weight)) for picture in (made.picture, made.view.picture)]
    return np.concatenate([value.ravel() for pair in parts for value in pair])


def _linear_match(picture: Floats, steady: Doubles) -> Floats:
    own, wanted = ((part[:3], part[3:].reshape(3, 3)) for part in steady.reshape(2, 12))
    return match_moments(picture, own, wanted)


def _sliced_measure(made: Made, weight: Floats) -> Doubles:
    return slices(_samples(made.picture, weight), _samples(made.view.picture, weight)).ravel()


def _sliced_match(picture: Floats, steady: Doubles) -> Floats:
    return match_slices(picture, steady.reshape(PASSES, 2, LEVELS, 3))


def _clone_measure(made: Made, weight: Floats) -> Doubles:
    side = len(weight)
    ring = np.clip(weight - erode(made.view.inner, EDGE_SHARE * side), 0.0, 1.0)
    apart = gaussian(made.view.picture - made.picture, EDGE_BLUR * side)
    return membrane(apart, ring).ravel()


def _clone_match(picture: Floats, steady: Doubles) -> Floats:
    sheet = steady.reshape(MEMBRANE_SIDE, MEMBRANE_SIDE, 3).astype(np.float32)
    return np.asarray(picture + resize(sheet, (picture.shape[0], picture.shape[1])), dtype=np.float32)


METHODS: Final[dict[str, Method]] = {
    "none": Method(_nothing, _as_made),
    "lab": Method(_lab_measure, _lab_match),
    "histogram": Method(_histogram_measure, _histogram_match),
    "mkl": Method(_linear_measure, _linear_match),
    "sliced": Method(_sliced_measure, _sliced_match),
    "clone": Method(_clone_measure, _clone_match),
}
