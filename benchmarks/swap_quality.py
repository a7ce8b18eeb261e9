"""How good a trained face swap is: who is seen, whether mouth, eyes and head follow, how it lies in the frame.

    python benchmarks/swap_quality.py MODEL CLIP... --faces-source FACES --faces-target FACES [--plot PNG]
        [--set expression=1.2]...

CLIPs show the target person and were not trained on. Rows: the real frames; the decoder alone, before any warp; the
finished frames before encoding; and two controls that any swap must beat, the source's mean face warped to the
target's landmarks, and the source's nearest picture. With `dlib` and `face_recognition_models` installed, identity is
told by a second embedding that no loss and no selection has seen.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import report
from swap_controls import SIDE_PX, Source, nearest, source_of, view_picture, warped

from faceswap.convert import Helpers, open_stage, told_faces
from faceswap.model import LOG, SwapModel, open_model
from faceswap.options import SwapOptions
from faceswap.preview import curve
from faceswap.rows import PICTURES, identity_of, usable
from faceswap.view import look_at
from shared.demo.portraits import frame_of
from shared.face.analyse import analyse, pick_tracks
from shared.face.detect import FaceFinder, make_finder
from shared.face.identity import Embedder, cosine, unit
from shared.face.mesh import MeshFinder, MeshOptions
from shared.media.reader import open_clip
from shared.metrics.mouth import gap_share
from shared.metrics.picture import flicker, seam_gradient_ratio, sharpness_ratio
from shared.picture.composite import changed_support, composite
from shared.picture.image import read_image, write_png
from shared.picture.mask import erode, hull_mask
from shared.picture.planes import cut, warp
from shared.picture.warp import resize, to_float, to_uint8, transform
from shared.store.artefact import cache_folder
from shared.types import Face, Floats, Frame, Matrix, Patch, Scene

EYES = ((33, 133, 159, 145, 468), (362, 263, 386, 374, 473))
"""Mesh points of either eye: corners in the picture's order, lids, iris."""
CONTROLS = ("mean_face_warped", "nearest_picture")


@dataclass
class Row:
    """What is gathered of one way of making the frames."""

    motions: list[list[float]] = field(default_factory=list)
    """Mouth gap, eye opening, iris offset x and y, yaw, pitch."""
    embeddings: list[Floats] = field(default_factory=list)
    second: list[Floats] = field(default_factory=list)


class Judge:
    """Finds the face in a picture where it must be, and measures it."""

    def __init__(self, second: Callable[[np.ndarray, Floats], Floats] | None) -> None:
        self._finder: FaceFinder = make_finder("mesh")
        self._embedder = Embedder()
        self._second = second
        self.rows: dict[str, Row] = defaultdict(Row)

    def add(self, name: str, frame: Frame, near: Face) -> None:
        """Measure the face of `frame` near `near`; NaN where it is not found."""
        face = self._finder.follow(frame, [near])[0]
        row = self.rows[name]
        if face is None or face.mesh is None:
            row.motions.append([np.nan] * 6)
            return
        row.motions.append(motion(face))
        row.embeddings.append(self._embedder.embed(frame, face))
        if self._second is not None:
            x0, y0, x1, y1 = (int(value) for value in face.box)
            room = (x1 - x0) // 2
            box = (x0 - room, y0 - room, x1 + room, y1 + room)
            row.second.append(self._second(cut(frame, box), face.landmarks - np.array(box[:2], np.float32)))


def mesh_of(face: Face) -> Floats:
    """The mesh of a face that the mesh finder found."""
    if face.mesh is None:
        raise ValueError("these figures need faces with a mesh")
    return face.mesh


def motion(face: Face) -> list[float]:
    """Mouth gap, eye opening, iris offset across and down (shares), yaw and pitch in degrees."""
    mesh = mesh_of(face)
    openings, across, down = [], [], []
    for first, last, upper, lower, iris in EYES:
        corners = mesh[[first, last], :2].astype(np.float64)
        axis = corners[1] - corners[0]
        width = float(np.linalg.norm(axis))
        axis /= width
        normal = np.array([-axis[1], axis[0]])
        openings.append(float(np.linalg.norm(mesh[upper, :2] - mesh[lower, :2])) / width)
        away = mesh[iris, :2] - corners.mean(axis=0)
        across.append(float(away @ axis) / width)
        down.append(float(away @ normal) / width)
    gap = float(gap_share(face.landmarks[np.newaxis])[0])
    return [gap, *(float(np.mean(values)) for values in (openings, across, down)), *face.pose_deg[:2]]


def second_embedder() -> Callable[[np.ndarray, Floats], Floats] | None:
    """The ResNet of dlib (King 2017), where it is installed."""
    try:
        dlib, weights = (importlib.import_module(name) for name in ("dlib", "face_recognition_models"))
    except ImportError:
        return None
    net = dlib.face_recognition_model_v1(weights.face_recognition_model_location())

    def embed(picture: np.ndarray, points: Floats) -> Floats:
        low, high = points.min(axis=0), points.max(axis=0)
        around = dlib.rectangle(*(int(v) for v in (*low, *high)))
        shape = dlib.full_object_detection(around, [dlib.point(int(x), int(y)) for x, y in np.rint(points)])
        return np.asarray(net.compute_face_descriptor(np.ascontiguousarray(picture), shape), dtype=np.float32)

    return embed


def in_view(face: Face, view_from_frame: Matrix) -> Face:
    """The same face in view pixels: where the finder should look."""
    mesh = mesh_of(face)
    flat = transform(view_from_frame, mesh[:, :2])
    scale = float(np.sqrt(abs(np.linalg.det(view_from_frame[:2, :2]))))
    mesh = np.concatenate([flat, mesh[:, 2:] * np.float32(scale)], axis=1)
    box = (*flat.min(axis=0).tolist(), *flat.max(axis=0).tolist())
    return replace(face, mesh=mesh, landmarks=transform(view_from_frame, face.landmarks), box=box)


@dataclass
class Laid:
    """How the face lies in the frames of one clip."""

    real: list[Floats] = field(default_factory=list)
    made: list[Floats] = field(default_factory=list)
    masks: list[Floats] = field(default_factory=list)
    seams: list[float] = field(default_factory=list)
    details: list[float] = field(default_factory=list)
    outside: int = 0
    """Largest sample difference outside the mask."""


def judge_clip(clip: Path, model: SwapModel, judge: Judge, source: Source, options: SwapOptions) -> Laid:
    """Measure all rows over one clip."""
    laid = Laid()
    with closing(analyse(clip, cache_folder())) as faces, open_clip(clip) as reader, open_clip(clip) as again:
        tracks = pick_tracks(faces, "largest")
        stage = open_stage(options, faces, "auto")

        def scenes(frames: Iterator[Frame]) -> Iterator[Scene]:
            for frame in frames:
                yield faces.scene(frame, tracks)

        helpers = Helpers(MeshFinder(MeshOptions(threads=1)), clip=faces)
        alone = drawn_alone(scenes(again.frames()), model, options, helpers)
        for (scene, edit), pictures in zip(stage(scenes(reader.frames())), alone, strict=True):
            if not scene.faces or not edit.patches:
                continue
            face = scene.faces[0]
            finished = composite(scene.frame, edit.patches)
            _lay_figures(laid, scene.frame, finished, edit.patches, face)
            judge.add("real", scene.frame, face)
            judge.add("finished", finished, face)
            _views(scene.frame, face, pictures[0], judge, source)
    return laid


def drawn_alone(scenes: Iterator[Scene], model: SwapModel, options: SwapOptions, helpers: Helpers) -> Iterator[Floats]:
    """What the decoder draws of the faces of each scene, told what it is told in a swap, before any warp."""
    person = 0 if options.swap_direction else 1
    for item in told_faces(scenes, model, options, helpers):
        if item.reading is None:
            yield np.zeros((0, model.view_px, model.view_px, 3), dtype=np.float32)
        else:
            yield model.draw(item.answer or item.reading, {person: options.expression})[0][0]


def _views(frame: Frame, face: Face, made: Floats, judge: Judge, source: Source) -> None:
    """The decoder alone and the controls, in the view."""
    here = look_at(frame, face, SIDE_PX)
    near = in_view(face, here.view_from_frame)
    pictures = {
        "decoder": resize(np.ascontiguousarray(made), (SIDE_PX, SIDE_PX)),
        CONTROLS[0]: warped(source.mean_view, source.mean_points, near.landmarks),
        CONTROLS[1]: view_picture(source.pictures[nearest(source.points, near.landmarks)]),
    }
    for name, picture in pictures.items():
        judge.add(name, frame_of(to_uint8(picture)), near)


def _lay_figures(laid: Laid, frame: Frame, finished: Frame, patches: Sequence[Patch], face: Face) -> None:
    here = look_at(frame, face, SIDE_PX)
    size = (SIDE_PX, SIDE_PX)
    hull = hull_mask(transform(here.view_from_frame, face.landmarks), size)
    laid.real.append(here.picture)
    laid.made.append(to_float(warp(finished, here.view_from_frame, size)))
    laid.masks.append(erode(hull, 4.0))
    laid.details.append(sharpness_ratio(laid.made[-1], here.picture, laid.masks[-1]))
    for plane, other, inside in zip(finished.planes, frame.planes, changed_support(frame, patches), strict=True):
        apart = np.abs(plane.astype(np.int32) - other.astype(np.int32))[~inside]
        laid.outside = max(laid.outside, int(apart.max(initial=0)))
    box, mask = patches[0].box, patches[0].mask
    laid.seams.append(seam_gradient_ratio(cut(finished, box), cut(frame, box), mask))


def correlations(row: Row, real: Row) -> dict[str, float]:
    """How mouth, eyes and head follow the real ones."""
    made, wanted = np.array(row.motions), np.array(real.motions)
    seen = np.isfinite(made).all(axis=1) & np.isfinite(wanted).all(axis=1)
    found: dict[str, float] = {"frames": int(seen.sum())}
    names = ("mouth_aperture_r", "eye_aperture_r", "iris_across_r", "iris_down_r", "yaw_r", "pitch_r")
    for column, name in enumerate(names):
        pair = made[seen, column], wanted[seen, column]
        found[name] = round(float(np.corrcoef(*pair)[0, 1]), 3) if min(v.std() for v in pair) > 0 else 0.0
    # An offset is a place: its correlation is that of both of its coordinates together.
    apart, asked = (one[seen, 2:4] - one[seen, 2:4].mean(axis=0) for one in (made, wanted))
    found["iris_r"] = round(float((apart * asked).sum() / max(np.sqrt((apart**2).sum() * (asked**2).sum()), 1e-9)), 3)
    found["mouth_std_ratio"] = round(float(made[seen, 0].std() / max(wanted[seen, 0].std(), 1e-9)), 3)
    found["eye_std_ratio"] = round(float(made[seen, 1].std() / max(wanted[seen, 1].std(), 1e-9)), 3)
    found["pose_error_deg"] = round(float(np.abs(made[seen, 4:] - wanted[seen, 4:]).mean()), 2)
    return found


def identities(row: Row, centroids: tuple[Floats, Floats], others: tuple[Floats, Floats] | None) -> dict[str, float]:
    """Mean cosine to source and target; distances of the second embedding where there is one."""
    names = ("source", "target")
    found = {
        f"sface_to_{name}": round(float(np.mean([cosine(one, centre) for one in row.embeddings])), 3)
        for name, centre in zip(names, centroids, strict=True)
    }
    if others is not None:
        for name, centre in zip(names, others, strict=True):
            apart = [float(np.linalg.norm(one - centre)) for one in row.second]
            found[f"dlib_distance_to_{name}"] = round(float(np.mean(apart)), 3)
    return found


def second_centroids(judge: Judge, folders: Sequence[Path]) -> tuple[Floats, Floats] | None:
    """Mean second embedding of each set's pictures."""
    if judge._second is None:
        return None
    means = []
    for folder in folders:
        rows = usable(folder)[::20]
        found = [judge._second(read_image(folder / PICTURES / row.name), row.landmarks) for row in rows]
        means.append(np.mean(found, axis=0))
    return means[0], means[1]


def log_of(model: Path) -> list[dict[str, Any]]:
    """The log of a model, or of the one that a snapshot or checkpoint belongs to."""
    folder = model.parent.parent if model.is_file() else model
    return [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]


def curve_of(model: Path) -> list[dict[str, Any]]:
    """Held-out figures over time, from the model's log."""
    wanted = ("seconds", "step", "psnr_a_db", "psnr_b_db", "ssim_a", "ssim_b")
    return [{name: line[name] for name in wanted if name in line} for line in log_of(model)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--faces-source", type=Path, required=True, help="Set of the person laid on.")
    parser.add_argument("--faces-target", type=Path, required=True, help="Set of the person in the clips.")
    parser.add_argument("--swap-direction", action="store_true")
    parser.add_argument("--plot", type=Path, help="Where to draw the held-out figures over time.")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=NUMBER", help="Another number in SwapOptions."
    )
    chosen = parser.parse_args()
    model, judge = open_model(chosen.model), Judge(second_embedder())
    numbers: dict[str, Any] = {name: float(value) for name, value in (one.split("=") for one in chosen.set)}
    options = replace(SwapOptions(model=chosen.model, swap_direction=chosen.swap_direction), **numbers)
    if chosen.plot is not None:
        write_png(chosen.plot, curve(log_of(chosen.model)))
    source = source_of(chosen.faces_source)
    laid = [judge_clip(clip, model, judge, source, options) for clip in chosen.clips]
    folders = (chosen.faces_source, chosen.faces_target)
    centroids = tuple(unit(np.array(identity_of(folder), dtype=np.float32)) for folder in folders)
    others = second_centroids(judge, folders)
    flickers = [flicker(one.made, one.masks[0]) / max(flicker(one.real, one.masks[0]), 1e-9) for one in laid]
    report(
        {
            "model": chosen.model.name,
            "clips": len(chosen.clips),
            "rows": {
                name: {
                    **correlations(row, judge.rows["real"]),
                    **identities(row, (centroids[0], centroids[1]), others),
                }
                for name, row in judge.rows.items()
            },
            "flicker_ratio": round(float(np.mean(flickers)), 3),
            "seam_gradient_ratio": round(float(np.mean([seam for one in laid for seam in one.seams])), 3),
            "detail_ratio": round(float(np.mean([detail for one in laid for detail in one.details])), 3),
            "largest_difference_outside": max(one.outside for one in laid),
            "curve": curve_of(chosen.model),
        }
    )


if __name__ == "__main__":
    main()
