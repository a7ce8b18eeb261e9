"""Blur against flicker: what `lipswap sync --steadiness` trades, beside the paper's median of all candidates.

    python benchmarks/steadiness.py VOICE [--clips 6] [--plot steadiness.svg]

Some clips of a voice (`lipswap learn`) are made anew from their own mouth shapes and poses, smoothed as `sync` smooths
them, with the mouths of the other clips; the new lower faces, not sharpened, warped onto the landmarks they get, are
compared with the real ones on the textures' plane. A plain copy has sharpness and flicker 1; less of the footage's
noise lowers both. `moved` is the change from frame to frame against the real one's, in the two fifths that move least.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import report
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lipsync.jaw import FOLLOWS, texture_maps
from lipsync.options import SyncOptions
from lipsync.synthesise import MOUTH, LowerFace, Synthesiser
from lipsync.voice import Pool, Voice, open_voice
from models.audio2mouth import Audio2Mouth, Audio2MouthConfig
from shared.face.pose import FacePose, rotation_from_angles
from shared.metrics.picture import flicker_ratio, psnr
from shared.picture.warp import box_around, grey_of, laplacian_variance, piecewise_warp, to_float, transform
from shared.types import Floats, Matrix

SETTINGS: tuple[float | None, ...] = (None, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""None is the paper's choice."""
SMOOTH_FRAMES = 0.4
"""15 ms at 25 frames a second."""
MARGIN_PX = 3
STILLEST = 40.0


def without(voice: Voice, clip: int) -> Voice:
    """The voice without the mouths of a clip."""
    kept = voice.pool.clips != clip
    pool = Pool(**{field.name: getattr(voice.pool, field.name)[kept] for field in fields(Pool)})
    return replace(voice, pool=pool, shapes=voice.shapes[kept])


def made_anew(voice: Voice, clip: int, options: SyncOptions, steadiness: float | None) -> list[Floats]:
    """Lower faces (H, W, 3) for each frame of a clip, from the other clips; for steadiness None as the paper does."""
    rows = np.flatnonzero(voice.pool.clips == clip)
    if steadiness is None:
        voice = replace(voice, net=Audio2Mouth(Audio2MouthConfig()))
    synthesiser = Synthesiser(without(voice, clip), replace(options, steadiness=steadiness))
    shapes = gaussian_filter1d(voice.shapes[rows], SMOOTH_FRAMES, axis=0, mode="nearest")
    found = [
        synthesiser.find(shape, (float(yaw), float(pitch), float(roll)))
        for shape, (yaw, pitch, roll) in zip(shapes, voice.pool.angles_deg[rows], strict=True)
    ]
    follower = synthesiser.follower()
    if follower is not None:
        for one, time_s in zip(found, voice.pool.times_s[rows], strict=True):
            follower.add(one, float(time_s))
        found = follower.decide(len(found))
    made = [synthesiser.make(one, shape) for one, shape in zip(found, shapes, strict=True)]
    return [laid(voice, int(row), lower) for row, lower in zip(rows, made, strict=True)]


def laid(voice: Voice, row: int, lower: LowerFace) -> Floats:
    """The texture warped as it is for a frame of the footage, on the plane of the textures."""
    height, width = voice.plane.size
    centre = np.array([(width - 1) / 2, (height - 1) / 2, 0.0])
    pose = FacePose(voice.plane.px_per_cm, rotation_from_angles(0.0, 0.0, 0.0), centre)
    moved = voice.pool.flat[row] + (lower.points - voice.pool.points[row]) * FOLLOWS[:, np.newaxis]
    frame_from_texture: Matrix = np.asarray(np.linalg.inv(voice.plane.texture_from_frame(pose)), dtype=np.float64)
    landmarks = transform(frame_from_texture, voice.plane.to_texture(moved.astype(np.float32)))
    corner = np.rint(transform(frame_from_texture, np.zeros((1, 2), dtype=np.float32))[0]).astype(int)
    box = (int(corner[0]), int(corner[1]), int(corner[0]) + width, int(corner[1]) + height)
    return piecewise_warp(lower.texture, *texture_maps(voice.plane, pose, lower.flat, landmarks, box))


def compared(made: Sequence[Floats], real: Sequence[Floats], mouth: NDArray[np.float32]) -> dict[str, float]:
    """Sharpness and flicker made / real, and PSNR, around the mouth and on the whole lower face."""
    x0, y0, x1, y1 = box_around(mouth)
    view = (slice(max(y0 - MARGIN_PX, 0), y1 + MARGIN_PX), slice(max(x0 - MARGIN_PX, 0), x1 + MARGIN_PX))
    cut, own = [picture[view] for picture in made], [picture[view] for picture in real]
    detail = [sum(laplacian_variance(np.ascontiguousarray(grey_of(one))) for one in views) for views in (cut, own)]
    moves, real_moves = (np.abs(np.diff(np.array(views), axis=0)).mean(axis=(1, 2, 3)) for views in (cut, own))
    still = real_moves <= np.percentile(real_moves, STILLEST)
    return {
        "sharpness": detail[0] / detail[1],
        "flicker": flicker_ratio(cut, own),
        "flicker_lower_face": flicker_ratio(made, real),
        "moved": float(moves[still].mean() / real_moves[still].mean()),
        "psnr_mouth_db": float(np.mean([psnr(one, other) for one, other in zip(cut, own, strict=True)])),
        "psnr_lower_face_db": float(np.mean([psnr(one, other) for one, other in zip(made, real, strict=True)])),
    }


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """Sharpness across, flicker up, as SVG: the curve over steadiness, and the paper's point."""
    sharp, trembling = ([float(row[name]) for row in rows] for name in ("sharpness", "flicker_lower_face"))
    low, wide, tall = min(sharp) - 0.05, max(sharp) - min(sharp) + 0.1, 1.1 * max(trembling)
    spots = [(60 + 480 * (x - low) / wide, 360 - 330 * y / tall) for x, y in zip(sharp, trembling, strict=True)]
    curve = [spot for spot, row in zip(spots, rows, strict=True) if row["steadiness"] is not None]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
    parts = [f'<polyline points="{line}" fill="none" stroke="#2166ac" stroke-width="1.6"/>']
    for (x, y), row in zip(spots, rows, strict=True):
        name = "paper" if row["steadiness"] is None else f"{row['steadiness']:g}"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{"#b2182b" if name == "paper" else "#2166ac"}"/>')
        parts.append(f'<text x="{x + 7:.1f}" y="{y - 6:.1f}">{name}</text>')
    for value in (share for share in np.arange(0, 1.5, 0.1) if low <= share <= low + wide):
        parts.append(f'<text x="{60 + 480 * (value - low) / wide:.0f}" y="380" text-anchor="middle">{value:.1f}</text>')
    for level in range(int(tall) + 1):
        parts.append(f'<text x="50" y="{364 - 330 * level / tall:.0f}" text-anchor="end">{level}</text>')
    parts.append('<text x="300" y="398" text-anchor="middle">sharpness of the mouth, made / real</text>')
    parts.append('<text x="60" y="16">flicker of the lower face, made / real</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 404" width="580" font-family="sans-serif" '
        f'font-size="12">{"".join(parts)}</svg>'
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voice", type=Path)
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    voice = open_voice(chosen.voice)
    every = np.unique(voice.pool.clips)
    clips = every[np.linspace(0, every.shape[0] - 1, min(chosen.clips, every.shape[0])).round().astype(int)]
    options = SyncOptions(voice=chosen.voice, speech=None, sharpen=False)
    rows: list[dict[str, Any]] = []
    for setting in SETTINGS:
        figures, start = [], time.process_time()
        for clip in clips:
            own = np.flatnonzero(voice.pool.clips == clip)
            real = [to_float(np.asarray(voice.textures[row])) for row in voice.pool.rows[own]]
            mouth = voice.plane.to_texture(voice.pool.flat[own][:, MOUTH].reshape(-1, 2))
            figures.append(compared(made_anew(voice, int(clip), options, setting), real, mouth))
        means = {name: round(float(np.mean([one[name] for one in figures])), 3) for name in figures[0]}
        rows.append({"steadiness": setting, **means, "cpu_s": round(time.process_time() - start, 1)})
    if chosen.plot is not None:
        chosen.plot.write_text(plot(rows))
    report({"clips": [int(clip) for clip in clips], "rows": rows})


if __name__ == "__main__":
    main()
