"""The folder of a face-swap model: its manifest, its checkpoints, and the net as conversion and previews need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from faceswap.align import Centring
from faceswap.augment import net_input
from faceswap.guides import Guides, guides_from, moving
from faceswap.trainer import AVERAGE, GUIDES, NET
from models.autoencoder import Code, FaceAutoencoder, as_module, build
from models.checkpoint import BEST, load_checkpoint, newest, read_facts, restore_weights
from models.nets import AutoencoderConfig
from models.tensors import Precision, array, channels_last, floats, nhwc, one_thread, pick_device, pick_precision
from shared.errors import WeightsError
from shared.store.artefact import open_artefact
from shared.types import Floats, JsonObject

KIND: Final = "faceswap-model"
SCHEMA: Final = 1
CHECKPOINTS: Final = "checkpoints"
LOG: Final = "log.jsonl"
PREVIEW: Final = "preview.png"
CURVE: Final = "loss.png"
TIMELAPSE: Final = "timelapse"
"""Folder of numbered previews; their film has the same name with ``.mp4``."""
SNAPSHOTS: Final = "snapshots"
FACES: Final = "faces.json"
"""The faces last trained on, and which of them are held out."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a net reads off N faces.

    Attributes
    ----------
    values : the free part of the code, (N, ...), on the model's device.
    guides : (N, K) float32 pose and expression; None where the net is not guided.
    """

    values: Tensor
    guides: Floats | None

    def of(self, number: int) -> Reading:
        """The reading of one face."""
        some = slice(number, number + 1)
        return Reading(self.values[some], None if self.guides is None else self.guides[some])

    @staticmethod
    def mean(readings: Sequence[Reading], free: Sequence[float], told: Sequence[float]) -> Reading:
        """The weighted mean of readings, with weights for the free part and for the guides."""
        values = sum((weight * one.values.float() for one, weight in zip(readings, free, strict=True)), torch.zeros(()))
        guides = [weight * one.guides for one, weight in zip(readings, told, strict=True) if one.guides is not None]
        return Reading(values, np.sum(guides, axis=0, dtype=np.float32) if guides else None)

    @staticmethod
    def joined(readings: Sequence[Reading]) -> Reading:
        """Several readings as one, in order."""
        guides = [one.guides for one in readings if one.guides is not None]
        values = torch.cat([one.values for one in readings])
        return Reading(values, np.concatenate(guides) if guides else None)


@dataclass(frozen=True, slots=True)
class SwapModel:
    """A trained net, ready to turn faces of one person into the other's."""

    net: FaceAutoencoder
    precision: Precision
    path: Path
    embeddings: tuple[Floats, Floats]
    """(128,) mean identity of each person."""
    centring: Centring = "face"
    """What the views it takes and makes show of the head."""
    guides: Guides | None = None
    """What landmarks say of pose and expression; None where the net is not guided."""

    @property
    def view_px(self) -> int:
        """Side of the views it takes and makes."""
        return self.net.config.output_px

    def swap(self, views: Floats, person: int, expression: float = 1.0) -> tuple[Floats, Floats | None]:
        """Turn views of anybody into faces of one person, 0 or 1; `read` and `draw` say what comes and goes."""
        return self.draw(self.read(views), {person: expression})[0]

    def read(self, views: Floats) -> Reading:
        """Encode views of anybody.

        Parameters
        ----------
        views : (N, view_px, view_px, 3) float32 RGB in [0, 1].
        """
        expected = (self.view_px, self.view_px, 3)
        if views.ndim != 4 or views.shape[1:] != expected:
            raise ValueError(f"expected (N, {', '.join(map(str, expected))}) views, got {views.shape}")
        pictures = floats(np.moveaxis(views, 3, 1), self.precision.device)
        with one_thread(), torch.inference_mode(), self.precision.autocast():
            code = self.net.encode(net_input(pictures, self.net.config.input_px))
        return Reading(code.values, None if code.guides is None else array(code.guides))

    def draw(self, reading: Reading, people: Mapping[int, float]) -> list[tuple[Floats, Floats | None]]:
        """Decode what was read as faces of some people.

        Parameters
        ----------
        people : numbers 0 and 1, each with how far its face moves in the expression told.

        Returns
        -------
        For each of `people` pictures (N, view_px, view_px, 3) float32 in [0, 1], and their masks (N, view_px, view_px)
        float32, 1 = face; None where the net draws no mask.
        """
        told = None if reading.guides is None else floats(reading.guides, self.precision.device)
        code = Code(reading.values, told)
        with one_thread(), torch.inference_mode(), self.precision.autocast():
            made = [self.net.decode(moving(code, far), person) for person, far in people.items()]
        return [(nhwc(one.picture), None if one.mask is None else nhwc(one.mask)[..., 0]) for one in made]


def open_model(path: Path, device: str = "auto") -> SwapModel:
    """Load the best checkpoint of a model, or one of its checkpoints or snapshots, where `path` names that file.

    Raises
    ------
    ArtefactError
        If the folder is no model.
    WeightsError
        If it holds no checkpoint, or a damaged one.
    """
    folder = path.parent.parent if path.is_file() else path
    manifest = open_artefact(folder, KIND, SCHEMA)
    checkpoint = load_checkpoint(path if path.is_file() else best_of(folder))
    try:
        net = build(config_from(checkpoint.facts["config"], folder))
        first, second = (np.asarray(person["embedding"], dtype=np.float32) for person in manifest.details["people"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{folder}: made by another version or damaged ({error!r}); train it again") from error
    module = as_module(net)
    restore_weights(module, checkpoint.part(AVERAGE) or checkpoint.part(NET), folder)
    where = pick_device(device)
    channels_last(module.eval().requires_grad_(False).to(where))
    # On a CPU as it was trained, never by a new measurement: the same clip and model must give the same picture.
    precision = (
        Precision(where, bool(checkpoint.facts.get("bfloat16"))) if where.type == "cpu" else pick_precision(where)
    )
    told = manifest.details.get("centring", "face")
    centring: Centring = "head" if told == "head" else "legacy" if told == "legacy" else "face"
    told_by = checkpoint.part(GUIDES)
    guides = guides_from(told_by, torch.device("cpu")) if net.config.guides and told_by else None
    return SwapModel(net, precision, folder, (first, second), centring, guides)


def best_of(folder: Path) -> Path:
    """Path of the best checkpoint, else the newest, else where the best one would lie."""
    best = folder / CHECKPOINTS / BEST
    return best if best.is_file() else newest(folder / CHECKPOINTS) or best


def facts_of(folder: Path) -> JsonObject:
    """What the newest checkpoint of a model says of its training; empty where there is none yet."""
    path = newest(folder / CHECKPOINTS)
    return read_facts(path) if path is not None else {}


def config_from(stored: JsonObject, path: Path) -> AutoencoderConfig:
    """The net's configuration out of a checkpoint's facts."""
    try:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
        }
        return AutoencoderConfig(**values)
    except TypeError as error:
        raise WeightsError(f"{path}: made by another version ({error}); train it again") from error
