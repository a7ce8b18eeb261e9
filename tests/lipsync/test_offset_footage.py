"""A real clip whose mouth leads its sound is found by comparison with the speaker's other clip."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipsync.index import ClipMouths, gather
from lipsync.offset import aligned
from shared.store.artefact import cache_folder


def after(clip: ClipMouths, start_s: float) -> ClipMouths:
    rows = np.flatnonzero(clip.times_s >= start_s)
    return replace(
        clip,
        indices=clip.indices[rows],
        times_s=clip.times_s[rows],
        faces=tuple(clip.faces[row] for row in rows),
        inside=clip.inside[rows],
        sharpness=clip.sharpness[rows],
    )


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_the_clip_whose_mouth_leads_by_240_ms_is_put_right_within_20(footage: Path) -> None:
    folder = footage / "train/obama_pd"
    known, off = gather(
        [folder / "oval2010_256_resynced.mp4", folder / "oval2010_450_orig.mp4"], cache_folder(), "largest", Counter()
    )
    # The first 20 s of the one are the speech of the other.
    clips = [after(known, 20.0), off]
    moved, found = aligned(clips, "auto")
    assert {one.clips[0]: one.lag is None for one in found} == {0: True, 1: False}
    assert moved[1].times_s[0] - off.times_s[0] == pytest.approx(0.24, abs=0.02)
    np.testing.assert_array_equal(moved[0].times_s, clips[0].times_s)
