"""How a face follows another person's video: brows, lids and lips found again on the picture, beside the driver's own.

    python benchmarks/driven.py VOICE CLIP DRIVER

r of the rendered face with the driver, with what the clip's person did, and how often lids are shut where the driver's
are. Brows are told without pose, whose fit takes a part of what all of them do for a nod.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from machine import report

from lipsync.expression import Expression, expression_of
from lipsync.index import ClipMouths, gather
from lipsync.mouth import aperture_cm
from lipsync.options import SyncOptions
from shared.clock import resample_track
from shared.provenance.consent import read_consent
from shared.render.job import RenderJob, StageRequest
from shared.render.once import render
from shared.store.artefact import cache_folder

SHUT, NEARLY_SHUT = 0.3, 0.5
FADE_S = 0.6
"""Left out at the end, where the expression is let go."""


def looked_at(clip: Path) -> tuple[ClipMouths, Expression]:
    """The mouths of a clip, and brows and lids over its time."""
    found = gather([clip], cache_folder(), "largest", Counter())[0]
    whole = [(0.0, float(found.times_s[-1]))]
    return found, expression_of(found.points, found.times_s, whole)


def main() -> None:
    """Render and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voice", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("driver", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.mp4"
        options = SyncOptions(voice=given.voice, speech=None, driver=given.driver)
        consent = read_consent("Benchmark on footage whose use is permitted.")
        render(RenderJob(given.clip, output, consent, (StageRequest("sync", options),)))
        seen = {
            name: looked_at(path) for name, path in (("driver", given.driver), ("clip", given.clip), ("made", output))
        }
    rows = min(len(expression.times_s) for _, expression in seen.values()) - round(100 * FADE_S)
    times = seen["driver"][1].times_s[:rows]
    curves = {}
    for name, (mouths, expression) in seen.items():
        opening = aperture_cm(mouths.lips)[:, np.newaxis].astype(np.float32)
        curves[name] = {
            "brows": expression.brows[:rows, :, 1].mean(axis=1),
            "lids": expression.lids[:rows].mean(axis=1),
            "opening": resample_track(opening, mouths.times_s, times)[:, 0],
        }
    found = {}
    for what in ("brows", "lids", "opening"):
        for other in ("driver", "clip"):
            r = np.corrcoef(curves["made"][what], curves[other][what])[0, 1]
            found[f"{what}_r_with_{other}"] = round(float(r), 3)
    shut = curves["driver"]["lids"] < SHUT
    if shut.any():
        found["shut_where_driver_is_share"] = round(float((curves["made"]["lids"][shut] < NEARLY_SHUT).mean()), 3)
    report({"seconds": round(rows / 100, 1), **found})


if __name__ == "__main__":
    main()
