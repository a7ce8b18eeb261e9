"""Centring: what the pictures show of a head, honoured from the extraction to the conversion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faceswap.align import FACE_SHARE, STEADY, Centring, crop_from_frame, face_share, view_from_frame
from faceswap.extract import append, extract
from faceswap.faceset import load_faceset
from faceswap.options import ExtractOptions
from faceswap.rows import centring_of, common_centring, read_rows
from faceswap.view import look_at
from shared.errors import UsageError
from shared.picture.warp import invert, scale_of, transform
from tests.faceswap.drawn import draw_face, face_of, face_points, frame_of

POINTS = face_points((160, 130), 100)
HEAD = ExtractOptions(every=5, alike=0, centring="head")


@pytest.mark.parametrize(("centring", "share"), [("face", FACE_SHARE), ("head", 0.64), ("legacy", 1.12)])
def test_a_head_takes_less_of_the_view_and_legacy_more(centring: Centring, share: float) -> None:
    view, usual = view_from_frame(POINTS, 128, centring), view_from_frame(POINTS, 128)
    assert scale_of(view) / scale_of(usual) == pytest.approx(share / FACE_SHARE)
    assert face_share(centring) == share
    eyes = transform(view, POINTS)[36:48].mean(axis=0)
    assert eyes[0] == pytest.approx(63.5, abs=1.5)
    crop = crop_from_frame(POINTS, 256, centring)
    inside = transform(crop @ invert(view), [[0.0, 0.0], [127.0, 127.0]])
    assert inside.mean(axis=0) == pytest.approx([127.5, 127.5], abs=0.1)  # the view lies in the middle of the crop


def test_the_view_of_a_head_holds_the_hair_and_that_of_the_face_does_not() -> None:
    lift = POINTS[17:27].mean(axis=0) - POINTS[36:48].mean(axis=0)
    hair = POINTS[17:27].mean(axis=0) + 2.5 * lift
    frame = frame_of(draw_face((260, 320), POINTS, (210, 160, 130)))
    for centring, holds in (("face", False), ("head", True)):
        view = look_at(frame, face_of(POINTS), 96, "head" if centring == "head" else "face")
        assert bool(transform(view.view_from_frame, hair)[1] > 0) == holds
        assert view.centring == centring


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_a_set_of_heads_is_one_to_the_end(footage: Path, tmp_path: Path) -> None:
    clips = [footage / "train" / "grid_s1" / "hq" / f"{name}.mp4" for name in ("bbaf2n", "bbas3a")]
    for centring in ("head", "face"):
        extract(clips[:1], tmp_path / centring, replace(HEAD, every=3, centring=centring))
    assert centring_of(tmp_path / "head") == common_centring([tmp_path / "head"] * 2) == "head"
    rows = [read_rows(tmp_path / name) for name in ("head", "face")]
    wide = [float(np.ptp(some[0].landmarks[STEADY][:, 0])) for some in rows]
    assert wide[0] / wide[1] == pytest.approx(0.64 / FACE_SHARE, rel=1e-3)
    learned = [load_faceset(tmp_path / name, 96).crops[0, 3].float().mean() / scale for name, scale in
               zip(("head", "face"), ((0.64 / FACE_SHARE) ** 2, 1), strict=True)]  # fmt: skip
    assert learned[0] > 1.3 * learned[1]  # the hair is learned too
    with pytest.raises(UsageError, match="centred differently"):
        common_centring([tmp_path / "head", tmp_path / "face"])
    with pytest.raises(UsageError, match="is centred on the head"):
        append(clips[1:], tmp_path / "head", replace(HEAD, centring="legacy"))
