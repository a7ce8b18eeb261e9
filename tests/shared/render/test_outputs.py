"""Numbered pictures and layers out of a render: what is in them, signed, and never half there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from shared.cli import root
from shared.errors import ArtefactError, MediaError, NoSpaceError, UsageError
from shared.media.layers import matrices_path
from shared.media.numbered import CONTENTS
from shared.media.reader import ClipReader, open_clip
from shared.picture.planes import cut
from shared.picture.warp import to_float
from shared.provenance.folder import verify_folder
from shared.provenance.verify import verify
from shared.render import outputs, stage
from shared.render.job import RenderJob, StageRequest
from shared.render.once import render
from shared.render.report import report_path
from shared.types import Edit, Floats, Frame, Picture, Scene, Stage
from tests.shared.render.made import FRAMES, SIZE, MadeFaces, PaintOptions, face, make_artefact, paint


@pytest.fixture
def pictures(job: RenderJob) -> RenderJob:
    return replace(job, output=job.output.parent / "frames" / "%04d.png")


def frames_of(path: Path) -> list[Picture]:
    with open_clip(path) as reader:
        return [cut(frame, (0, 0, SIZE[1], SIZE[0])) for frame in reader.frames()]


def pictures_of(folder: Path) -> list[Picture]:
    stored = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted(folder.glob("*.png"))]
    return [np.asarray(one)[..., [2, 1, 0, 3][: one.shape[2]]] for one in stored if one is not None]  # type: ignore[misc]


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_pictures_are_the_frames_of_the_same_render_as_a_clip(job: RenderJob, pictures: RenderJob) -> None:
    render(job)
    report = render(pictures)
    folder = pictures.output.parent
    for seen, wanted in zip(pictures_of(folder), frames_of(job.output), strict=True):
        assert np.array_equal(seen, wanted)
    assert report.counts["changed"] == 16
    assert report.signature == folder / "contents.c2pa"
    assert verify_folder(folder).state == "trusted"
    assert report_path(pictures.output) == folder.with_name("frames.report.json")
    assert json.loads(report_path(pictures.output).read_text())["output_bytes"] > 1000
    assert hidden(folder.parent) == []


def test_equal_pictures_are_left_and_others_are_not_overwritten_unasked(pictures: RenderJob) -> None:
    folder = pictures.output.parent
    render(pictures)
    assert render(pictures).reused
    (folder / "0003.png").unlink()
    assert not render(pictures).reused
    assert verify_folder(folder).state == "trusted"
    other = replace(pictures, seed=1)
    with pytest.raises(ArtefactError, match="seed differ"):
        render(other)
    assert not render(replace(other, force=True)).reused
    (folder / "diary.txt").write_text("dear")
    (folder / CONTENTS).unlink()
    with pytest.raises(UsageError, match=r"holds 0001\.png"):
        render(replace(pictures, force=True))


def test_pictures_of_another_name_are_not_those_that_lie_there(pictures: RenderJob) -> None:
    layers = pictures.clip.parent / "layers"
    pictures = replace(pictures, layers=layers / "%04d.png")
    render(pictures)
    for part, other in (
        ("pattern", replace(pictures, output=pictures.output.with_name("shot_%06d.png"))),
        ("layers", replace(pictures, layers=layers / "shot_%06d.png")),
    ):
        with pytest.raises(ArtefactError, match=f"{part} differ"):
            render(other)
        assert not render(replace(other, force=True)).reused
        assert len(list(layers.parent.rglob("shot_*.png"))) == FRAMES
        render(replace(pictures, force=True))


def test_what_a_user_put_among_the_pictures_is_never_deleted(pictures: RenderJob) -> None:
    folder = pictures.output.parent
    render(pictures)
    (folder / ".DS_Store").write_text("left by a file manager")
    assert render(pictures).reused
    (folder / "comp.nk").write_text("two days of work")
    for again in (pictures, replace(pictures, seed=1, force=True)):
        with pytest.raises(UsageError, match=r"holds comp\.nk, which no render wrote"):
            render(again)
    assert (folder / "comp.nk").read_text() == "two days of work"


def test_an_empty_folder_will_do_for_pictures_and_layers(pictures: RenderJob) -> None:
    layers = pictures.clip.parent / "layers"
    both = replace(pictures, layers=layers)
    pictures.output.parent.mkdir()
    layers.mkdir()
    render(both)
    assert render(both).reused
    for emptied in ((layers,), (layers, pictures.output.parent)):
        for path in [path for folder in emptied for path in folder.iterdir()]:
            path.unlink()
        assert not render(both).reused
        assert verify_folder(emptied[-1]).state == "trusted"


def stages_that_stop(monkeypatch: pytest.MonkeyPatch, error: type[BaseException], after: int) -> None:
    def opener(options: object, *_: object) -> Stage:
        def stopping(scenes: Iterator[Scene]) -> Iterator[tuple[Scene, Edit]]:
            for scene, edit in paint(options)(scenes):
                if scene.frame.index == after:
                    raise error
                yield scene, edit

        return stopping

    monkeypatch.setattr(stage, "open_stage", opener)
    monkeypatch.setattr("shared.render.once.open_stage", opener)


@pytest.mark.parametrize("layers", ["layers.mov", "layers"])
def test_an_interrupt_leaves_signed_pictures_and_layers_of_one_length_and_a_failure_none(
    layers: str, pictures: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = pictures.clip.parent
    pictures = replace(pictures, layers=here / layers)
    with monkeypatch.context() as patch:
        stages_that_stop(patch, RuntimeError, 7)
        with pytest.raises(RuntimeError):
            render(pictures)
    assert sorted(path.name for path in here.iterdir()) == ["clip.mp4"]
    stages_that_stop(monkeypatch, KeyboardInterrupt, 7)
    with pytest.raises(KeyboardInterrupt):
        render(pictures)
    count = len(pictures_of(pictures.output.parent))
    assert 1 <= count <= 7
    if layers == "layers":
        assert len(pictures_of(here / layers)) == count
        assert verify_folder(here / layers).state == "trusted"
    else:
        assert len(rgba_of(here / layers)) == count
        assert verify(here / layers).state == "trusted"
    assert verify_folder(pictures.output.parent).state == "trusted"
    assert hidden(here) == []


def rgba_of(path: Path) -> list[Floats]:
    """RGBA of a ProRes clip, by FFmpeg's own conversion."""
    with av.open(str(path)) as container:
        return [to_float(frame.to_ndarray(format="rgba64le").astype(np.uint16)) for frame in container.decode(video=0)]


def over(layer: Floats, below: Picture) -> Floats:
    alpha = layer[..., 3:]
    return np.asarray(layer[..., :3] * alpha + to_float(below) * (1 - alpha), dtype=np.float32)


@pytest.mark.parametrize("layers", ["layers.mov", "layers"])
def test_layers_of_both_engines_over_the_clip_are_the_rendered_frames_after_one_decode(
    layers: str, job: RenderJob, made_faces: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(made_faces)
    made_faces(MadeFaces({index: (face(0), face(1, (60, 40, 110, 90))) for index in range(4, FRAMES)}))
    decodes: list[int] = []
    really = ClipReader.frames

    def counted(self: ClipReader) -> Iterator[Frame]:
        decodes.append(1)
        return really(self)

    both = (StageRequest("sync", PaintOptions(0.2)), StageRequest("swap", PaintOptions(0.9)))
    job = replace(job, stages=both, layers=job.clip.parent / layers, person="all")
    with monkeypatch.context() as patch:
        patch.setattr(ClipReader, "frames", counted)
        report = render(job)
    assert len(decodes) == 1
    assert report.layers == job.layers
    written = job.outputs[1]
    found = rgba_of(written) if layers == "layers.mov" else [to_float(one) for one in pictures_of(written)]
    below, rendered = frames_of(job.clip), frames_of(job.output)
    for layer, clip, wanted in zip(found, below, rendered, strict=True):
        difference = np.abs(over(layer, clip) - to_float(wanted))
        inner = layer[..., 3] > 0.99
        assert float(difference.mean()) < 0.01
        assert not inner.any() or float(np.median(difference[inner])) < 0.02
    assert not found[0][..., 3].any()
    assert float(found[-1][..., 3].max()) > 0.99


def test_matrices_lie_beside_a_clip_of_layers_and_are_in_its_signature(job: RenderJob) -> None:
    job = replace(job, layers=job.clip.parent / "layers.mov")
    render(job)
    lines = [json.loads(line) for line in matrices_path(job.outputs[1]).read_text().splitlines()]
    assert len(lines) == FRAMES + 1
    assert [len(line["patches"]) for line in lines[1:]] == [1] * 8 + [0] * 4 + [1] * 8
    assert len(lines[1]["faces"][0]["landmarks"]) == 68
    found = verify(job.outputs[1])
    assert found.state == "trusted"
    said = next(each["data"] for each in found.manifest["assertions"] if each["label"] == "org.lipswap.render")
    assert len(said["matrices_sha256"]) == 64


def test_pictures_that_cannot_be_signed_stay_hidden_and_leave_the_earlier_ones(
    pictures: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(pictures)
    before = (pictures.output.parent / CONTENTS).read_bytes()

    def full(*_: object) -> Path:
        raise NoSpaceError("frames: no room to sign it")

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "sign_folder", full)
        with pytest.raises(NoSpaceError, match=r"the output itself is whole, unsigned, in .*\.frames\.unsigned"):
            render(replace(pictures, seed=1, force=True))
    assert (pictures.output.parent / CONTENTS).read_bytes() == before
    assert verify_folder(pictures.output.parent).state == "trusted"
    assert hidden(pictures.clip.parent) == [".frames.unsigned"]
    render(replace(pictures, seed=1, force=True))
    assert hidden(pictures.clip.parent) == []


def test_layers_that_are_gone_are_made_again_and_strangers_are_left_alone(job: RenderJob) -> None:
    layers = job.clip.parent / "layers.mov"
    layers.write_bytes(b"somebody else's")
    job = replace(job, layers=layers)
    with pytest.raises(ArtefactError, match="exists and is not ours"):
        render(job)
    layers.unlink()
    render(job)
    assert render(job).reused
    layers.unlink()
    assert not render(job).reused
    assert layers.is_file()
    with pytest.raises(ArtefactError, match="layers differ"):
        render(replace(job, layers=None))


def test_doors(job: RenderJob, pictures: RenderJob) -> None:
    for wrong, error, said in (
        (replace(job, output=job.output.with_suffix(".png")), UsageError, r"or be FOLDER/%06d\.png"),
        (replace(pictures, output=Path("gone/frames/%d.png")), MediaError, "no such folder for the output"),
        (replace(job, layers=job.output), UsageError, "layers are written as"),
        (replace(job, layers=job.clip.parent / "gone" / "layers.mov"), MediaError, "no such folder for the layers"),
        (replace(pictures, layers=pictures.output.parent), UsageError, "would lie in one another"),
        (replace(job, layers=job.clip.parent), UsageError, "holds"),
    ):
        with pytest.raises(error, match=said):
            render(wrong)


def test_the_command_writes_both_and_verify_reads_a_folder(job: RenderJob, tmp_path: Path) -> None:
    frames, layers = tmp_path / "frames", tmp_path / "layers"
    model = make_artefact(tmp_path / "model")
    call = ["render", str(job.clip), "--model", str(model), "-o", str(frames / "%06d.png"), "--layers", str(layers)]
    result = CliRunner().invoke(root, [*call, "--consent", "I agree"])
    assert result.exit_code == 0, result.stderr
    assert f"  layers   {layers}" in result.stdout
    assert "note     an image sequence holds no sound" in result.stdout
    for folder in (frames, layers):
        checked = CliRunner().invoke(root, ["verify", str(folder)])
        assert checked.exit_code == 0, checked.stderr
        assert "consent     I agree" in checked.stdout
    (layers / "000004.png").write_bytes((layers / "000001.png").read_bytes() + b"x")
    changed = CliRunner().invoke(root, ["verify", str(layers)])
    assert changed.exit_code == 6
    assert "000004.png was changed" in changed.stdout
