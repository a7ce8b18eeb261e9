"""The two actors of the demo: nobodies, and the measure that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.demo.nobody import Recipe, blended
from shared.demo.portraits import Portrait, frame_of, largest_face, load_portraits
from shared.demo.reshape import Reshape
from shared.demo.voice import Speaker
from shared.face.detect import FaceFinder
from shared.face.identity import THRESHOLD, Embedder, cosine
from shared.face.landmarks import canonical_face
from shared.picture.image import Rgb
from shared.progress import Progress, silent
from shared.types import Floats

SIZE: Final = (480, 432)
"""(height, width) of the footage, pixels."""
OVERSAMPLING: Final = 1.5
"""Size of an actor's portrait over that of the footage, so that warping it costs no sharpness."""

# Found by a random search that lowered the largest SFace cosine to any one portrait, with a price on each edit. The
# first actor's parts were then chosen by eye, for a head that recalls none of the four.
FIRST: Final = Recipe(
    base="ffhq_00002",
    whole={"ffhq_00004": 0.4, "astronaut": 0.3, "official": 0.3},
    parts={
        "eyes": {"astronaut": 0.5, "official": 0.5},
        "brows": {"official": 0.5, "astronaut": 0.5},
        "nose": {"astronaut": 1.0},
        "mouth": {"ffhq_00004": 0.95, "ffhq_00002": 0.05},
        "jaw": {"official": 0.5, "astronaut": 0.5},
        "forehead": {"official": 0.4, "ffhq_00002": 0.4, "ffhq_00004": 0.2},
    },
    reshape=Reshape(
        jaw=0.026,
        forehead=0.05,
        width=-0.003,
        chin_cm=-0.6,
        tall=0.018,
        eye_gap_cm=-0.084,
        eye_rise_cm=-0.3,
        eye_size=-0.106,
        eye_tilt_cm=-0.18,
        brow_rise_cm=0.3,
        nose_width=-0.143,
        nose_length_cm=-0.289,
        nose_depth_cm=0.231,
        mouth_width=-0.024,
        mouth_rise_cm=0.257,
        lip_height=-0.07,
    ),
    lip_colour=0.55,
    face_width=0.6,
    centre=(0.5, 0.56),
)
SECOND: Final = Recipe(
    base="astronaut",
    whole={"ffhq_00002": 0.25, "ffhq_00004": 0.25, "astronaut": 0.3, "official": 0.2},
    parts={
        "eyes": {"ffhq_00002": 0.33, "official": 0.64},
        "brows": {"official": 0.5, "astronaut": 0.5},
        "nose": {"official": 0.97},
        "mouth": {"ffhq_00002": 0.2, "ffhq_00004": 0.8},
        "jaw": {"ffhq_00002": 0.75, "ffhq_00004": 0.13, "official": 0.12},
        "forehead": {"astronaut": 1.0},
    },
    reshape=Reshape(
        jaw=0.027,
        forehead=-0.044,
        width=0.025,
        chin_cm=-0.26,
        tall=-0.4,
        eye_gap_cm=-0.32,
        eye_rise_cm=0.217,
        eye_size=-0.07,
        eye_tilt_cm=0.067,
        brow_rise_cm=0.3,
        nose_width=-0.17,
        nose_length_cm=0.128,
        nose_depth_cm=0.277,
        mouth_width=0.101,
        mouth_rise_cm=0.194,
        lip_height=0.144,
    ),
    lip_colour=0.85,
    face_width=0.463,
    centre=(0.5, 0.52),
)
FIRST_VOICE: Final = Speaker("en-US", pitch=1.0, speed=0.9)
SECOND_VOICE: Final = Speaker("en-GB", pitch=0.8, speed=0.95)


@dataclass(frozen=True, slots=True)
class Cast:
    """The demo's two faces, and how far they are from everybody they were made of.

    Attributes
    ----------
    likeness : for each actor, SFace cosine to each portrait.
    between : SFace cosine of the two actors.
    """

    first: Portrait
    second: Portrait
    likeness: tuple[Mapping[str, float], Mapping[str, float]]
    between: float

    @property
    def is_nobody(self) -> bool:
        """Whether no portrait, and neither actor in the other, is recognised."""
        return max(self.between, *(max(row.values()) for row in self.likeness)) < THRESHOLD


def make_cast(finder: FaceFinder, embedder: Embedder, progress: Progress = silent) -> Cast:
    """Blend both actors and measure whom they resemble.

    Raises
    ------
    WeightsError : a portrait or a network cannot be fetched.
    """
    portraits = load_portraits(finder, progress)
    canonical = canonical_face()
    size = (round(SIZE[0] * OVERSAMPLING), round(SIZE[1] * OVERSAMPLING))
    known = {name: embedding(one.picture, finder, embedder) for name, one in portraits.items()}
    actors = [blended(portraits, recipe, canonical, size) for recipe in (FIRST, SECOND)]
    own = [embedding(actor.picture, finder, embedder) for actor in actors]
    rows = [{name: round(float(cosine(one, other)), 3) for name, other in known.items()} for one in own]
    return Cast(actors[0], actors[1], (rows[0], rows[1]), round(float(cosine(own[0], own[1])), 3))


def embedding(picture: Rgb, finder: FaceFinder, embedder: Embedder) -> Floats:
    """(128,) identity embedding of the largest face of a picture."""
    return np.asarray(embedder.embed(frame_of(picture), largest_face("portrait", picture, finder)), dtype=np.float32)
