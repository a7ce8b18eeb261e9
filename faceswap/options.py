"""Every option of the face-swap engine, with unit and range; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from models.nets import NetName

CLASSIC_NETS: Final[tuple[NetName, ...]] = ("classic", "classic-lean", "light")
"""They are trained as in 2017, by default."""
BATCHES: Final[dict[NetName, int]] = {"hd256": 8, "hd512": 4}
"""Where 16 faces of each person take too much memory."""
RATES: Final[dict[NetName, float]] = {
    "quick": 2e-3,
    "quick96": 2e-3,
    "light": 5e-5,
    "classic": 5e-5,
    "classic-lean": 5e-5,
    "df128": 1e-3,
    "liae128": 1e-3,
    "hd128": 3e-4,
    "hd256": 3e-4,
    "hd512": 2e-4,
}
"""Learning rate of each net."""

EXPRESSION: Final = 1.4
"""Mouth and lids of GRID's first speaker, made as another man, move .64 and .73 times as far as his own where the
decoder is told what was read, and .9 times with this."""

FaceChoice = Literal["largest", "all", "speaker"] | int | Path | tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """Which faces of clips and pictures go into a face set, and how they are cut."""

    person: FaceChoice = "largest"
    """Who is seen largest and longest, everybody, who speaks, whom a track of the first clip shows (its number), or
    whom pictures show."""
    not_person: tuple[Path, ...] = ()
    """Pictures of people who must not be in the set."""
    finder: Literal["mesh", "fan"] = "mesh"
    """Who finds the faces; fan is the face-alignment package."""
    every: int = 1
    """Take each n-th frame of a clip, >= 1; of a folder of pictures all are taken."""
    most: int = 3000
    """At most this many faces in the set, those that differ most from one another, >= 1."""
    alike: float = 0.1
    """Of faces that differ less than this only the sharpest stays; 1 is a difference that is plainly seen, in pose,
    expression or light; 0 keeps all."""
    centring: Literal["face", "head", "legacy"] = "face"
    """What the pictures show and a net trained on them makes: jaw to brows, the whole head with its hair, or tightly
    brows to mouth."""
    crop_px: int = 256
    """Side of the pictures, in pixels, 64 to 1024."""
    least_size_px: float = 48.0
    """Smaller faces (longer side of their box) are dropped, in pixels of the frame, >= 0."""
    most_size_px: float = 0.0
    """Larger faces are dropped, in pixels of the frame; 0 for no limit."""
    least_sharpness: float = 0.3
    """Blurred faces are dropped: below this share of the clip's median sharpness, 0 to 1."""
    most_yaw_deg: float = 60.0
    """Faces turned further to a side are dropped, in degrees, 0 to 90."""
    most_pitch_deg: float = 45.0
    """Faces turned further up or down are dropped, in degrees, 0 to 90."""
    most_roll_deg: float = 180.0
    """Faces leaning further are dropped, in degrees, 0 to 180; crops are turned upright, so none need be."""
    least_presence: float = 0.5
    """Less certain faces are dropped, 0 to 1."""
    most_misfit: float = 0.12
    """Landmarks that fit no head in their pose are dropped: root mean square distance in eye distances, >= 0."""
    least_inside: float = 0.9
    """Faces cut off by the picture's border are dropped: least share of the landmarks inside, 0 to 1."""
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Where in the picture the middle of a face must lie: left, top, right, bottom as shares of its size."""
    most_crowd: float = 0.05
    """Pictures with somebody else in them are set aside: largest share of the view under other faces, 0 to 1."""
    most_tint: float = 30.0
    """Tinted faces are set aside: distance of the skin's colour from this person's usual one, CIE a*b*; 0 keeps all."""
    least_light: float = 10.0
    """Dark faces are set aside: least mean lightness of the skin, CIE L*, 0 to 100."""
    most_burnt: float = 0.3
    """Faces without drawing in the light or the dark are set aside: largest such share of the skin, 0 to 1."""
    most_covered: float = 7.5
    """Faces with a hand or a thing in front are set aside: how far from this person's usual skin a part of it may be,
    CIE L*a*b*; 0 keeps all."""


@dataclass(frozen=True, slots=True)
class AugmentOptions:
    """How far a training picture is moved before the net sees it."""

    warp_px: float = 5.0
    """Standard deviation of the 5x5 grid points, in pixels of a 256 px crop, >= 0."""
    rotation_deg: float = 10.0
    """Largest turn either way, in degrees."""
    zoom: float = 0.05
    """Largest zoom either way, as a share."""
    shift: float = 0.05
    """Largest shift either way, as a share of the crop's side."""
    flip: float = 0.5
    """Share of pictures that are mirrored, 0 to 1."""
    colour: float = 0.1
    """Largest change of light, tint, contrast and saturation of the net's input, as a share, 0 to 0.5."""
    to_landmarks: float = 0.0
    """Share of pictures that are warped onto the landmarks of a similar face of the other person, not by the grid."""
    nearest: int = 10
    """How many of the other person's faces, the nearest in shape, one is drawn from, >= 1."""
    clahe: float = 0.0
    """Share of pictures whose light is spread evenly over their parts (CLAHE), 0 to 1."""
    occluders: float = 0.0
    """Share of pictures with a hand, a rod or a lump pasted in front of the face, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a model is trained; what changes the curve is part of the model's fingerprint."""

    net: NetName = "quick"
    mask_head: bool = False
    """The net draws a mask too, taught by the hull of the landmarks less what is pasted in front."""
    seed: int = 0
    batch: int = 16
    """Faces of each person in a step, >= 1."""
    learning_rate: float = 2e-3
    beta1: float = 0.9
    beta2: float = 0.99
    warm_up: int = 50
    """Steps over which the learning rate rises, >= 0."""
    settle: int = 2000
    """From this step on the learning rate falls with the inverse root of the step, 0 for never; so a training may end,
    or go on, at any time."""
    absolute: float = 1.0
    """Weight of the absolute error, >= 0."""
    squared: float = 0.0
    """Weight of the squared error, >= 0."""
    dissimilarity: float = 1.0
    """Weight of (1 - SSIM) / 2, >= 0."""
    multiscale: float = 0.0
    """Weight of 1 - MS-SSIM, >= 0."""
    edges: float = 0.0
    """Weight of the error of the differences between neighbouring pixels, >= 0."""
    surroundings: float = 0.1
    """Weight of pixels outside the face's hull, 0 to 1; inside it is 1."""
    priority: float = 3.0
    """Weight of eyes and mouth, >= 1."""
    mask: float = 0.2
    """Weight of the mask's cross entropy, > 0; only with `mask_head`."""
    guide: float = 0.05
    """Weight of the squared error of the pose and expression that a guided net reads off its picture, > 0."""
    adversary: float = 0.0
    """Weight of a discriminator's opinion, 0 for no discriminator."""
    features: float = 1.0
    """Weight of the error of the discriminator's features, as a share of its opinion's, >= 0."""
    adversary_from: int = 4000
    """The discriminator begins after this step, >= 0."""
    warp_until: int = 0
    """After this step pictures are no longer warped, 0 for never."""
    average: float = 0.998
    """Share of the averaged weights kept at each step, 0 (no averaging) to 1; previews and swaps use the average."""
    held_out: float = 0.1
    """Share of each person's faces that is never trained on, 0.02 to 0.5."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    augment: AugmentOptions = field(default_factory=AugmentOptions)


@dataclass(frozen=True, slots=True)
class TrainLimits:
    """When a training looks at itself, saves and ends; none of it changes the curve."""

    minutes: float = 20.0
    """Longest time of this run in minutes, > 0."""
    steps: int = 0
    """Last step, 0 for no limit."""
    look_every: int = 200
    """Steps between two looks at the held-out faces, >= 1."""
    save_every_minutes: float = 3.0
    """Minutes between two checkpoints, > 0."""
    plateau_looks: int = 0
    """Ends when the held-out PSNR has not risen by `plateau_db` in so many looks; 0 for never."""
    plateau_db: float = 0.05
    """In dB, >= 0."""
    snapshot_minutes: int = 0
    """Each time so many more minutes have been trained, over all runs, the weights that swap are kept apart; 0 for
    never."""
    judged: int = 8
    """Swapped held-out faces of each person whose identity a look measures, 0 for none."""
    tensorboard: bool = False
    """The figures go to TensorBoard too, if that is installed."""


def options_for(net: str, seed: int = 0, mask_head: bool = False) -> TrainOptions:
    """Defaults of the named net.

    Raises
    ------
    ValueError
        If there is no such net.
    """
    if net not in RATES:
        raise ValueError(f"expected one of {', '.join(RATES)}, got {net!r}")
    named = TrainOptions(net=net, seed=seed, mask_head=mask_head, learning_rate=RATES[net], batch=BATCHES.get(net, 16))
    # A mask learns to end at hands and things only from pictures that have some in front of the face.
    covered = AugmentOptions(occluders=0.3 if mask_head else 0.0)
    if net in CLASSIC_NETS:
        return replace(
            named,
            augment=covered,
            beta1=0.5,
            beta2=0.999,
            warm_up=0,
            settle=0,
            dissimilarity=0.0,
            surroundings=1.0,
            priority=1.0,
            average=0.0,
        )
    # Faces are cut by their landmarks, so little turning and shifting is left for the net to cope with. The less of the
    # mouth is left in a warped input, the more a decoder goes by what it is told: after 900 steps of quick96 the
    # swapped mouth moves .86 times as far as the target's with 5 px and .71 with 2.5, at 1.1 dB less of held-out PSNR.
    return replace(named, augment=replace(covered, warp_px=4.0, rotation_deg=2.0, zoom=0.01, shift=0.01))


ColourMethod = Literal["lab", "histogram", "mkl", "sliced", "clone", "none"]


@dataclass(frozen=True, slots=True)
class SwapOptions:
    """How a trained model is laid over a clip."""

    model: Path
    """The folder that ``lipswap train`` made."""
    swap_direction: bool = False
    """False: the model's first person becomes the second; True: the second becomes the first."""
    expression: float = EXPRESSION
    """How far the made face moves in what a guided net reads of lips, lids and brows, 0 (not at all) to 2; 1 is as
    read, and decoders follow with less than they are told. How far mouth and lids follow is found out for each clip
    (`faceswap.response`): at the default they open as far as the clip's, at half of it half as far."""
    steady_ms: float = 36.0
    """What the net reads off the face is steadied along its track: standard deviation in milliseconds, 0 to 200; more
    takes flicker out of the skin, and in the end movement out of the face."""
    mask: str = "extended"
    """Names of `faceswap.masks.MASKS` with commas between; the face is laid where all of them have it."""
    occluders: float = 1.0
    """How far hands and things in front of the face stay in front, 0 (they are painted over) to 1."""
    erode: float = 0.0
    """The mask is made smaller by this share of the face's width on all sides, -0.2 to 0.5."""
    erode_top: float = 0.0
    """The same from the forehead alone, beside `erode`; negative: it grows there."""
    erode_bottom: float = 0.0
    """The same from the chin."""
    erode_left: float = 0.0
    """The same from the picture's left side."""
    erode_right: float = 0.0
    """The same from the picture's right side."""
    feather: float = 0.1
    """Width of the mask's soft edge, as a share of the face's width, 0 to 0.5."""
    forehead: float = 0.35
    """How far the mask reaches above the brows, in distances from brow to eye, 0 to 1.5."""
    colour: float = 1.0
    """How far the new face takes the colour of the old one, 0 (not at all) to 1."""
    colour_method: ColourMethod = "lab"
    """Mean and spread in Lab; the distribution of each channel; the best linear map (Monge-Kantorovich); many
    directions (sliced transport); a steadied seamless clone; or none."""
    colour_window_s: float = 1.0
    """Time constant over which colours are steadied, in seconds, > 0; a cut starts afresh."""
    brightness: float = 0.0
    """Added to the new face after its colour is matched, in shares of white, -1 to 1."""
    contrast: float = 1.0
    """Factor about mid grey, 0 to 3."""
    gamma: float = 1.0
    """Tone: above 1 middle tones become lighter, below 1 darker, 0.2 to 5."""
    saturation: float = 1.0
    """Factor of the colours about their grey, 0 to 3."""
    enhance: Path | None = None
    """An ONNX network that enlarges or restores the created face (`faceswap.enhance`); None for none."""
    sharpen: float = 1.0
    """How far the new face is sharpened to match the old one, 0 (not at all) to 1."""
    grain: float = 1.0
    """How far the new face gets the noise of the old one, 0 (not at all) to 1."""
    motion_blur: float = 1.0
    """How far the new face is streaked where the old one is softened by its motion, 0 (not at all) to 1."""
    steer: float = 1.0
    """How far brows, eyes, lips and jaw line are moved to where the replaced face has its own, 0 (not at all) to 1."""
    steer_shape: float = 0.2
    """Share of the lasting difference of the two faces that is moved too, 0 (only movement, gaze and the jaw line are
    followed) to 1 (the new face takes the proportions of the old one, and looks less like its source)."""
    steer_window_s: float = 2.0
    """Time constant that tells lasting differences from movement, in seconds, > 0."""
    own_mouth: float = 1.0
    """How far the clip's own teeth and tongue lie between the created lips, 0 (they are created too) to 1."""
    gap_s: float = 0.2
    """Frames in which a face is lost are filled from those around them where the gap is at most so long, in seconds,
    0 (never) to 2; longer ones pass through."""
    batch: int = 8
    """Faces decoded at once, >= 1."""
