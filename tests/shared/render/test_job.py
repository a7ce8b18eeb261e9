from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import MediaError, UsageError
from shared.provenance.consent import read_consent
from shared.render.job import RenderJob, StageRequest, check_job, check_layers_path, ordered, parse_person


@pytest.fixture
def fit(tmp_path: Path) -> RenderJob:
    (tmp_path / "clip.mp4").write_bytes(b"clip")
    consent = read_consent("I agree")
    return RenderJob(tmp_path / "clip.mp4", tmp_path / "out.mp4", consent, (StageRequest("swap", None),))


def test_a_fit_job_passes(fit: RenderJob) -> None:
    check_job(fit)


def test_the_mouth_is_synced_before_the_face_is_swapped(fit: RenderJob) -> None:
    both = replace(fit, stages=(StageRequest("swap", None), StageRequest("sync", None)))
    assert [stage.engine for stage in ordered(both).stages] == ["sync", "swap"]


def test_the_output_may_not_be_an_input_under_any_name(fit: RenderJob, tmp_path: Path) -> None:
    os.link(fit.clip, tmp_path / "twin.mp4")
    (tmp_path / "link.mp4").symlink_to(fit.clip)
    for output in (fit.clip, tmp_path / "." / "clip.mp4", tmp_path / "twin.mp4", tmp_path / "link.mp4"):
        with pytest.raises(UsageError, match="also an input"):
            check_job(replace(fit, output=output))
    (tmp_path / "speech.mp4").write_bytes(b"speech")
    with pytest.raises(UsageError, match="also an input"):
        check_job(replace(fit, output=tmp_path / "speech.mp4", speech=tmp_path / "speech.mp4"))


def test_layers_and_what_is_read_or_written_may_not_lie_in_one_another(fit: RenderJob, tmp_path: Path) -> None:
    (tmp_path / "comp").mkdir()
    (tmp_path / "model").mkdir()
    for name in ("ada.mov", "speech.mov"):
        (tmp_path / name).write_bytes(b"input")
    os.link(tmp_path / "ada.mov", tmp_path / "twin.mov")
    swap = (StageRequest("swap", SimpleNamespace(model=tmp_path / "model")),)
    fit = replace(fit, inputs=(tmp_path / "ada.mov",), speech=tmp_path / "speech.mov", stages=swap, force=True)
    check_job(replace(fit, layers=tmp_path / "comp"))
    check_job(replace(fit, layers=tmp_path / "comp" / "face.mov"))
    for output, layers in (
        ("comp/out.mp4", "comp"),
        ("comp/out.mp4", "comp/%06d.png"),
        ("comp/%06d.png", "comp/face.mov"),
        ("comp/%06d.png", "comp/layers"),
        ("comp/%06d.png", "comp/%04d.png"),
        ("out.mp4", "ada.mov"),
        ("out.mp4", "twin.mov"),
        ("out.mp4", "speech.mov"),
        ("out.mp4", "model"),
        ("out.mp4", "model/face.mov"),
    ):
        with pytest.raises(UsageError, match="would lie in one another"):
            check_job(replace(fit, output=tmp_path / output, layers=tmp_path / layers))
    with pytest.raises(UsageError, match=r"and .*other\.mov would lie in one another"):
        check_layers_path(replace(fit, layers=tmp_path / "other.mov"), (tmp_path / "other.mov",))


@pytest.mark.parametrize("name", ["%s_%d.png", "100%.png", "%d-%d.png"])
def test_layers_are_numbered_as_pictures_are(fit: RenderJob, tmp_path: Path, name: str) -> None:
    check_job(replace(fit, layers=tmp_path / "layers" / "%06d.png"))
    with pytest.raises(UsageError, match="expected one number in the pictures' name"):
        check_job(replace(fit, layers=tmp_path / "layers" / name))
    with pytest.raises(UsageError, match="name a folder for the pictures"):
        check_job(replace(fit, layers=Path("%06d.png")))


def test_each_unfit_job_is_told_why(fit: RenderJob, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to do"):
        check_job(replace(fit, stages=()))
    with pytest.raises(UsageError, match="each engine runs once"):
        check_job(replace(fit, stages=fit.stages * 2))
    with pytest.raises(UsageError, match=r"must end in one of \.mp4"):
        check_job(replace(fit, output=tmp_path / "out.gif"))
    with pytest.raises(MediaError, match="no such file"):
        check_job(replace(fit, clip=tmp_path / "none.mp4"))
    with pytest.raises(MediaError, match="no such folder for the output"):
        check_job(replace(fit, output=tmp_path / "none" / "out.mp4"))
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_job(replace(fit, output=tmp_path / "folder.mp4"))


def test_a_person_is_a_word_a_number_or_a_picture(tmp_path: Path) -> None:
    (tmp_path / "ada.png").write_bytes(b"")
    assert parse_person("largest") == "largest"
    assert parse_person("12") == 12
    assert parse_person(str(tmp_path / "ada.png")) == tmp_path / "ada.png"
    with pytest.raises(UsageError, match="--person bob: say largest, all, speaker"):
        parse_person("bob")
