"""The two recipes from sound to mouth, side by side: what each one hears and which network maps it.

``paper`` is Suwajanakorn et al. 2017, section 4.1, constant by constant; ``default`` is what follows other words,
voices and noise better and needs less footage. Learned from GRID sentences of one man, the recipes as `sync` uses them
on 180 others, put on the clock of their sounds (18 lip points, 3-D similarity fit, canonical oval 512 px high; mean
mouth 6.17 px, the real ones detected again 1.61; the man closes his lips on 98.4% of 243 p, b and m). From 20 clips on
(one minute) the default lays mouths where heads bear them.

=======  ========  =========  ============  ============  =========  ======
recipe   minutes   M-LMD, px  centred, px   r of opening  in speech  closes
=======  ========  =========  ============  ============  =========  ======
paper    0.5       4.46       3.25          .678          .479       64%
default  0.5       3.39       2.29          .890          .838       70%
paper    1         4.21       2.96          .738          .566       46%
default  1         3.04       2.10          .915          .880       84%
paper    3         3.69       2.53          .827          .747       67%
default  3         2.43       1.69          .933          .908       95%
paper    10        3.28       2.14          .889          .855       83%
default  10        2.27       1.59          .942          .930       96%
paper    38        2.99       1.90          .920          .909       90%
default  38        1.95       1.27          .967          .956       99%
=======  ========  =========  ============  ============  =========  ======

With 38 minutes the default network alone comes to 2.43 and 1.46 px, the paper's to 2.85 and 1.85.

Phones, from 3 minutes on 30 sentences, networks alone, before clips were put in sync: without them 3.43 px, 2.45 px,
.849, .834, and in noise at 5 to 15 dB r .75; with them 3.28, 2.32, .864, .842 and .80.

What a live default network loses, which hears 0.14 s ahead and no further (measured before that too): learned from
60 of them, on 30 others, and (r of Obama) the opening of another speaker in two of his clips:

============================  =========  ============  ============  =========  ==========
default network               M-LMD, px  centred, px   r of opening  in speech  r of Obama
============================  =========  ============  ============  =========  ==========
hears to the end              3.28       2.32          .864          .842       .549, .552
live                          3.38       2.42          .858          .841       .515, .498
live, loudness of the stream  3.41       2.44          .857          .838       .513, .491
============================  =========  ============  ============  =========  ==========
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final

import torch

from lipsync.features import LOUDNESS_DBFS, audio_features, band_centres_mel
from lipsync.logmel import log_mel
from lipsync.options import RecipeName
from lipsync.sphinx import load_mixtures
from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from models.ear import Ear, Mixtures
from models.mouthnet import MouthModel, MouthNet, MouthNetConfig
from shared.media.sound import Span, normalise_rms
from shared.types import Floats, JsonObject, Sound

FEATURES: Final[Mapping[RecipeName, Callable[[Sound], Floats]]] = {"paper": audio_features, "default": log_mel}


def hear(recipe: RecipeName, sound: Sound, voiced: Sequence[Span]) -> Floats:
    """Feature rows of 16 kHz sound, its speech (`voiced`, seconds) brought to one loudness first: (T, D) float32."""
    return FEATURES[recipe](normalise_rms(sound, LOUDNESS_DBFS, voiced))


def fresh_model(recipe: RecipeName, outputs: int, phones: bool = True, live: bool = False) -> MouthModel:
    """An untrained network of a recipe; it draws its weights from torch's generator.

    Parameters
    ----------
    phones : whether the default one hears phones too, by an acoustic model that is fetched on first use.
    live : whether the default one can follow a stream; the paper's can in any case.

    Raises
    ------
    WeightsError
        That model cannot be had.
    """
    if recipe == "paper":
        return Audio2Mouth(Audio2MouthConfig(outputs=outputs))
    config = MouthNetConfig(outputs=outputs, phones=phones, live=live)
    return MouthNet(config, _ear(live, load_mixtures()) if phones else None)


def _ear(live: bool, mixtures: Mixtures | None = None) -> Ear:
    """What hears phones in the default recipe's bands; without `mixtures` they are to be restored."""
    return Ear(torch.from_numpy(band_centres_mel()), mixtures, live)


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
            wanted = MouthNetConfig(**sizes)
            ear = _ear(wanted.live) if wanted.phones else None
            return MouthNet(replace(wanted, dilations=tuple(wanted.dilations)), ear)
        case other:
            raise ValueError(f"unknown recipe {other!r}")
