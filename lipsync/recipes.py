"""The two recipes from sound to mouth, side by side: what each one hears and which network maps it.

``paper`` is Suwajanakorn et al. 2017, section 4.1, constant by constant; ``default`` is what does better here. Learned
from 100 GRID sentences (5 minutes of one man), the networks alone on 50 others (18 lip points, 3-D similarity fit,
canonical oval 512 px high; mean mouth 6.20 px):

========  =========  ============  ============  =========  =================  =============
recipe    M-LMD, px  centred, px   r of opening  in speech  open in room tone  in pink noise
========  =========  ============  ============  =========  =================  =============
paper     3.64       2.62          .836          .775       63%                100%
default   3.14       2.17          .887          .837       0%                 0%
========  =========  ============  ============  =========  =================  =============
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from lipsync.features import LOUDNESS_DBFS, audio_features
from lipsync.logmel import log_mel
from lipsync.options import RecipeName
from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from models.mouthnet import MouthModel, MouthNet, MouthNetConfig
from shared.media.sound import Span, normalise_rms
from shared.types import Floats, JsonObject, Sound

FEATURES: Final[Mapping[RecipeName, Callable[[Sound], Floats]]] = {"paper": audio_features, "default": log_mel}


def hear(recipe: RecipeName, sound: Sound, voiced: Sequence[Span]) -> Floats:
    """Feature rows of 16 kHz sound, its speech (`voiced`, seconds) brought to one loudness first: (T, D) float32."""
    return FEATURES[recipe](normalise_rms(sound, LOUDNESS_DBFS, voiced))


def fresh_model(recipe: RecipeName, outputs: int) -> MouthModel:
    """An untrained network of a recipe; it draws its weights from torch's generator."""
    if recipe == "paper":
        return Audio2Mouth(Audio2MouthConfig(outputs=outputs))
    return MouthNet(MouthNetConfig(outputs=outputs))


def recipe_of(model: MouthModel) -> RecipeName:
    """Which recipe's features a network hears."""
    return "paper" if isinstance(model, Audio2Mouth) else "default"


def config_of(model: MouthModel) -> JsonObject:
    """What `model_from` makes the same network of."""
    return {"recipe": recipe_of(model), **asdict(model.config)}


def model_from(config: JsonObject) -> MouthModel:
    """The network of a stored config; one that names no recipe is older than the second, and the paper's.

    Raises
    ------
    TypeError, ValueError
        The config is of another version.
    """
    sizes = {name: value for name, value in config.items() if name != "recipe"}
    match config.get("recipe", "paper"):
        case "paper":
            return Audio2Mouth(Audio2MouthConfig(**sizes))
        case "default":
            return MouthNet(MouthNetConfig(**sizes))
        case other:
            raise ValueError(f"unknown recipe {other!r}")
