"""What can be chosen when a voice is learned and when a clip is re-synced; light, so that the commands can show it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.errors import UsageError

if TYPE_CHECKING:
    from shared.face.detect import FinderName
    from shared.render.job import PersonChoice

RecipeName: TypeAlias = Literal["default", "paper"]
OffsetChoice: TypeAlias = Literal["auto", "off"] | float
LARGEST_OFFSET_MS = 10_000.0


def parse_offset(text: str) -> OffsetChoice:
    """Read ``--offset``.

    Raises
    ------
    UsageError
        It is no word and no number of milliseconds up to `LARGEST_OFFSET_MS`.
    """
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    try:
        late_ms = float(text)
    except ValueError:
        late_ms = math.nan
    if not abs(late_ms) <= LARGEST_OFFSET_MS:
        raise UsageError(
            f"--offset {text}: say auto, off, or milliseconds between -{LARGEST_OFFSET_MS:g} and {LARGEST_OFFSET_MS:g}"
        )
    return late_ms


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """How a voice is learned."""

    person: PersonChoice = "largest"
    """Whose mouth."""
    finder: FinderName = "mesh"
    """Who finds the faces: ``mesh``, or ``fan``, the face-alignment package."""
    recipe: RecipeName = "default"
    """Which network learns the mouth from the sound: ``paper`` is that of Synthesizing Obama, constant by constant."""
    updates: int | None = None
    """Optimiser steps of the network, >= 1; None for the recipe's own. The best validation checkpoint is kept."""
    offset: OffsetChoice = "auto"
    """By how many milliseconds the sound comes after the mouth in all of the footage; ``auto`` compares the clips with
    each other and corrects those that are surely off, ``off`` takes all as they are."""
    most_frames: int = 30_000
    """Frames kept as textures; of more footage evenly spread ones. >= 1."""
    largest_yaw_deg: float = 30.0
    """Frames that look further aside than this give no texture, degrees."""
    largest_pitch_deg: float = 25.0
    least_sharpness: float = 0.4
    """Frames less sharp than this share of the footage's median give no texture, [0, 1]."""
    patience: int = 0
    """End the training after so many updates without a better held-out error; 0 for never."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a mouth is re-synced."""

    voice: Path
    """Folder made by ``lipswap learn``."""
    speech: Path | None
    """Any file with sound; it starts with the clip's first picture. None where something else moves the mouth."""
    driver: Path | None = None
    """A video whose largest face moves the mouth, instead of the speech; it starts with the clip's first picture."""
    mouth: Path | None = None
    """A table of the mouth curve (`lipsync.curve`) that is laid over what the speech asks for."""
    blend_ms: float = 80.0
    """A row of that table counts this far around its time, milliseconds, >= 10."""
    opening: float = 1.0
    """How far the mouth opens beyond its opening at rest, against what the speech asks for, >= 0; 1 leaves it."""
    rest: bool = True
    """Close the mouth where voice activity hears no speech (the network alone opens it by luck)."""
    close: bool = True
    """Shut lips that the network leaves a little open, as often as the speaker shuts them."""
    smooth_ms: float = 15.0
    """Standard deviation of the Gaussian over predicted shapes, milliseconds, >= 0; 0 leaves them as they are."""
    candidates: int = 50
    """Frames of the footage behind each texture (the paper's n), >= 1; small pools use fewer."""
    pose_weight: float = 0.1
    """How much a degree of head turn counts against a centimetre of lip distance when candidates are chosen, >= 0;
    0 is the paper's choice by shape alone."""
    steadiness: float | None = None
    """What counts for more, [0, 1]: 0 takes the nearest mouth for each frame by itself, sharpest, but it flickers; 1
    keeps to footage that moves evenly and lays many takes over one another, steadiest and softest. None is 0.5, and for
    a voice of the paper's recipe the paper's median of all candidates."""
    sharpen: bool = True
    """Bring the detail that the median loses back to the footage's own level."""
    teeth: float = 1.0
    """How far teeth get detail of the speaker's teeth proxies and, with `sharpen`, the footage's sharpness, [0, 1]; 0
    leaves them as the median has them."""
    match_colour: float = 1.0
    """How far the texture's colour is moved to the clip's own lower face, [0, 1]."""
    feather: float = 0.22
    """Width of the mask's soft edge, in distances between the outer eye corners, > 0."""
