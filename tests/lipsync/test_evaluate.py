"""The evaluation as a whole, on a made speaker; its report; and on real footage."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from lipsync import evaluate as module
from lipsync.evaluate import Evaluation, evaluate
from lipsync.evaluate_options import RECIPES, EvaluateOptions
from lipsync.evaluate_plots import curves, intervals, scatter
from lipsync.evaluate_report import as_json, write_report
from lipsync.evaluate_table import other_cells, rendered_cells, shape_cells, summary, text_of
from lipsync.gauge import HeldClip
from lipsync.index import ClipMouths
from lipsync.mouth import FreeFace
from lipsync.options import RecipeName, RoleRule, VoiceOptions, parse_role
from lipsync.picture_figures import PICTURES
from lipsync.recipes import FEATURES
from lipsync.rendered import ClipPictures
from lipsync.voice import Voice
from shared.cli import root
from shared.errors import UsageError
from shared.face.pose import FacePose
from shared.metrics.interval import Interval
from shared.metrics.lag import LagOptions, measure_lag
from shared.picture.image import read_image
from shared.types import Floats, Sound

RATE, CLIPS, SECONDS = 16_000, 14, 3.0


def openings(seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    steps = np.arange(0, SECONDS + 0.2, 0.16)
    curve = np.interp(np.arange(75) / 25.0, steps, rng.uniform(0.0, 1.4, len(steps)))
    curve[:8] = curve[-8:] = 0.05
    return curve.astype(np.float32)


def heard(seed: int) -> Sound:
    """Noise as loud as the mouth is open."""
    rng = np.random.default_rng(seed)
    loud = np.interp(np.arange(int(SECONDS * RATE)) / RATE, np.arange(75) / 25.0, openings(seed))
    return Sound((0.1 * loud * rng.standard_normal(len(loud))).astype(np.float32), RATE)


@pytest.fixture
def speaker(
    monkeypatch: pytest.MonkeyPatch,
    voice: Voice,
    points_of: Callable[[float], Floats],
    free_from: Callable[..., FreeFace],
    posed: Callable[..., FacePose],
) -> list[dict[str, object]]:
    """Stands in for footage and learning; what was asked to be learned comes back."""
    learned: list[dict[str, object]] = []

    def gather(paths: list[Path], *_: object, recipe: RecipeName = "default") -> list[ClipMouths]:
        found = []
        for path in paths:
            seed = int(path.stem)
            faces = tuple(free_from(points_of(float(one)), posed()) for one in openings(seed))
            found.append(
                ClipMouths(
                    path=path,
                    indices=np.arange(75),
                    times_s=np.arange(75) / 25.0,
                    faces=faces,
                    inside=np.ones(75, dtype=bool),
                    sharpness=np.ones(75, dtype=np.float32),
                    features=FEATURES[recipe](heard(seed)),
                    voiced=((0.5, 2.5),),
                )
            )
        return found

    def learn(
        paths: list[Path], folder: Path, options: VoiceOptions, **given: object
    ) -> tuple[dict[str, object], bool]:
        learned.append({"paths": paths, "folder": folder, "options": options, **given})
        return {"held_out_error_mm": 1.0}, False

    def again(clip: HeldClip, *_: object) -> Floats:
        lips = clip.lips + np.random.default_rng(1).normal(0, 0.02, clip.lips.shape).astype(np.float32)
        lips[3] = np.nan
        return np.asarray(lips, dtype=np.float32)

    monkeypatch.setattr(module, "gather", gather)
    monkeypatch.setattr(module, "learn_voice", learn)
    monkeypatch.setattr(module, "open_voice", lambda folder: replace(voice, folder=folder))
    monkeypatch.setattr(module, "detected_again", again)
    monkeypatch.setattr("lipsync.rows.measure_lag", partial(measure_lag, options=LagOptions(rounds=20)))
    for name in ("lipsync.evaluate.load_sound", "lipsync.baselines.load_sound", "lipsync.index.load_sound"):
        monkeypatch.setattr(name, lambda path, *_: heard(int(path.stem)))
    return learned


FOOTAGE = [Path(f"{number}.mp4") for number in range(CLIPS)]


@pytest.fixture
def found(speaker: list[dict[str, object]], tmp_path: Path) -> Evaluation:  # noqa: ARG001 - it stands in
    align = tmp_path / "align.tsv"
    lines = [f"{clip}\t{start}\t{start + 0.3}\tbee" for clip in range(CLIPS) for start in (0.7, 1.3, 1.9)]
    align.write_text("\n".join(["clip\tstart_s\tend_s\tword", *lines]) + "\n")
    return evaluate(FOOTAGE, tmp_path, EvaluateOptions(align=align, hold_out=10))


@pytest.mark.usefixtures("weights")
def test_no_held_out_clip_is_learned_from(speaker: list[dict[str, object]], tmp_path: Path) -> None:
    seen: list[str] = []
    more = tmp_path / "more"
    more.mkdir()
    for number in (90, 91):
        (more / f"{number}.mp4").touch()
    (more / "notes.txt").touch()
    options = EvaluateOptions(hold_out=5, updates=7, also=more, seed=3)
    made = evaluate([*FOOTAGE, FOOTAGE[0]], tmp_path, options, force=True, tell=seen.append)
    held = {clip.path.name for clip in made.clips}
    assert len(held) == 5
    assert held <= {path.name for path in FOOTAGE}
    assert [one["folder"] for one in speaker] == [tmp_path / "voices" / recipe for recipe in RECIPES]
    for one in speaker:
        paths, chosen = one["paths"], one["options"]
        assert isinstance(paths, list)
        assert isinstance(chosen, VoiceOptions)
        assert len(paths) == len(FOOTAGE) - 5 + 2  # the clip that was given twice counts once
        assert {path.name for path in paths} == {path.name for path in FOOTAGE} - held | {"90.mp4", "91.mp4"}
        assert (chosen.updates, chosen.seed, one["force"]) == (7, 3, True)
    assert any("measuring on 5" in line for line in seen)


@pytest.mark.usefixtures("weights")
def test_only_the_beginning_of_a_clip_is_learned_whose_end_is_held_out(
    speaker: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written: list[tuple[Path, float]] = []

    def write(clip: Path, cut_s: float, folder: Path) -> Path:
        written.append((clip, cut_s))
        return folder / clip.name

    monkeypatch.setattr(module, "write_before", write)
    made = evaluate(FOOTAGE[:3], tmp_path, EvaluateOptions(hold_out_s=1.0))
    assert [cut for _, cut in written] == pytest.approx([1.96] * 3)
    assert speaker[0]["paths"] == [tmp_path / "beginnings" / path.name for path in FOOTAGE[:3]]
    assert [clip.path for clip in made.clips] == FOOTAGE[:3]
    assert all(float(clip.times_s[0]) >= 1.96 for clip in made.clips)
    assert made.names_learned == tuple(path.name for path in FOOTAGE[:3])
    with pytest.raises(UsageError, match="either whole clips"):
        evaluate(FOOTAGE, tmp_path, EvaluateOptions(hold_out=2, hold_out_s=1.0))


@pytest.mark.usefixtures("weights")
def test_a_clip_keeps_its_roles_when_its_end_is_held_out_and_none_without_sound_is_held_out(
    speaker: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "write_before", lambda clip, _, folder: folder / clip.name)
    monkeypatch.setattr("lipsync.roles.probe", lambda _: SimpleNamespace(has_audio=True))
    rules = (parse_role("1.mp4=sound,textures"), parse_role("2.mp4=shapes"))
    made = evaluate(FOOTAGE[:3], tmp_path, EvaluateOptions(hold_out_s=1.0, roles=rules))
    assert [clip.path for clip in made.clips] == FOOTAGE[:2]
    chosen = speaker[0]["options"]
    assert isinstance(chosen, VoiceOptions)
    begun = RoleRule(str(tmp_path / "beginnings" / "1.mp4"), rules[0].roles)
    assert chosen.roles == (begun, RoleRule("2.mp4", rules[1].roles))


@pytest.mark.usefixtures("weights")
def test_less_footage_is_learned_from_too_and_drawn(speaker: list[dict[str, object]], tmp_path: Path) -> None:
    options = EvaluateOptions(hold_out=4, minutes=(0.1, 0.3), recipes=("default",))
    made = evaluate(FOOTAGE, tmp_path, options)
    assert [len(list(one["paths"])) for one in speaker] == [10, 2, 6]  # type: ignore[call-overload]
    assert speaker[1]["folder"] == tmp_path / "voices-0.1-minutes" / "default"
    assert [row.name for row in made.rows][-3:] == ["default", "default, 0.1 min", "default, 0.3 min"]
    assert made.last.name == "default"
    assert made.last.minutes == pytest.approx(0.5)
    write_report(tmp_path, made, options)
    page = (tmp_path / "report.html").read_text()
    assert "By minutes of footage" in page
    for part in page.split("<svg")[1:]:
        ET.fromstring("<svg" + part[: part.index("</svg>") + 6])


@pytest.mark.usefixtures("weights")
def test_words_are_kept_out_of_learning(speaker: list[dict[str, object]], tmp_path: Path) -> None:
    align = tmp_path / "align.tsv"
    lines = [f"{clip}\t0.7\t1.4\t{'Blue' if clip % 2 else 'red'}" for clip in range(CLIPS - 1)]
    align.write_text("\n".join(["clip\tstart_s\tend_s\tword", *lines]) + "\n")
    made = evaluate(FOOTAGE, tmp_path, EvaluateOptions(align=align, leave_out=("blue",), hold_out=3))
    paths = speaker[0]["paths"]
    assert isinstance(paths, list)
    assert sorted(int(path.stem) for path in paths) == [0, 2, 4, 6, 8, 10, 12]  # of 13 no word is known
    assert all(int(clip.path.stem) % 2 for clip in made.clips)
    assert len(made.clips) == 3
    assert len(made.names_barred) == 4
    figures = made.row("ridge").figures
    assert np.isfinite(figures["aperture_unheard_r"].mean)
    assert all(int(clip.unheard.sum()) == 18 for clip in made.clips)
    for options, said in (
        (EvaluateOptions(leave_out=("blue",)), "no clip has the word 'blue'"),
        (EvaluateOptions(align=align, leave_out=("blue",), hold_out_s=1.0), "either whole clips"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate(FOOTAGE, tmp_path, options)


@pytest.mark.usefixtures("weights", "speaker")
def test_other_speakers_are_heard_and_their_openings_compared(tmp_path: Path) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    for number in (70, 71, 72):
        (folder / f"{number}.mp4").touch()
    made = evaluate(FOOTAGE[:6], tmp_path, EvaluateOptions(hold_out=2, others=folder))
    assert [row.name for row in made.others] == ["ridge", *RECIPES]
    assert [one.clip.path.name for one in made.others[0].judged] == ["70.mp4", "71.mp4", "72.mp4"]
    assert made.others[0].figures["aperture_r"].mean > 0.6  # the made speakers differ in nothing but what they say
    answer = write_report(tmp_path, made, EvaluateOptions())
    assert [row["row"] for row in answer["others"]] == ["ridge", *RECIPES]
    assert "Other speakers" in (tmp_path / "report.html").read_text()
    assert len(text_of(other_cells(made)).splitlines()) == 4


@pytest.mark.usefixtures("weights")
def test_each_row_is_where_it_must_be(found: Evaluation) -> None:
    names = [row.name for row in found.rows]
    assert names[:5] == ["real", "detected again", "mean mouth", "ridge", "retrieval oracle"]
    assert names[5:] == [f"{recipe}{part}" for recipe in RECIPES for part in (", net alone", "")]
    px = {name: found.row(name).figures["m_lmd_px"].mean for name in names}
    r = {name: found.row(name).figures["aperture_r"].mean for name in names}
    assert px["real"] == 0.0
    assert 0.0 < px["detected again"] < px["ridge"] < px["mean mouth"]
    assert px["retrieval oracle"] < px["ridge"]
    assert r["real"] == pytest.approx(1.0)
    assert r["ridge"] > 0.6
    assert np.isnan(r["mean mouth"])
    assert found.row("real").figures["closure_share"].count == 10
    assert found.row("mean mouth").lag is None
    ridge = found.row("ridge")
    assert ridge.figures["m_lmd_px"].low < px["ridge"] < ridge.figures["m_lmd_px"].high
    assert ridge.against["m_lmd_px"].mean == pytest.approx(px["ridge"] - px["paper"])
    assert found.row("paper").against == {}
    assert set(ridge.leaks) == {"zeros", "room", "pink"}
    assert found.row("mean mouth").leaks["zeros"] > 0.7  # open on average, so open in silence


@pytest.mark.usefixtures("weights")
def test_the_report_holds_each_row_with_its_intervals_and_plots(found: Evaluation, tmp_path: Path) -> None:
    answer = write_report(tmp_path, found, EvaluateOptions())
    stored = json.loads((tmp_path / "evaluation.json").read_text())
    assert stored == json.loads(json.dumps(answer))
    assert [row["row"] for row in stored["rows"]] == [row.name for row in found.rows]
    assert stored["interval"] == {"share": 0.95, "unit": "clip", "units": 10}
    assert stored["held_out"]["closures"] == 30
    assert stored["rows"][3]["less_baseline"]["m_lmd_px"]["high"] is not None
    told = {row["row"]: row for row in stored["rows"]}
    px = {name: row["m_lmd_px"]["value"] for name, row in told.items()}
    assert told["ridge"]["m_lmd_ratio"] == pytest.approx(px["ridge"] / px["paper"], abs=1e-3)
    assert told["detected again"]["m_lmd_gap_closed_share"] == pytest.approx(1.0)
    assert told["ridge"]["m_lmd_gap_closed_share"] == pytest.approx(
        (px["paper"] - px["ridge"]) / (px["paper"] - px["detected again"]), abs=1e-3
    )
    assert "m_lmd_ratio" not in told["paper"]
    page = (tmp_path / "report.html").read_text()
    assert "of its distance to the noise gone" in page
    assert "<script" not in page
    assert all(f"<td>{row.name}</td>" in page for row in found.rows)
    drawn = [part[: part.index("</svg>") + 6] for part in page.split("<svg")[1:]]
    assert len(drawn) == 2 + 1 + 3
    assert "By minutes of footage" not in page
    for part in drawn:
        ET.fromstring("<svg" + part)
    lines = text_of(shape_cells(found)).splitlines()
    assert len(lines) == 1 + len(found.rows)
    assert "M-LMD px" in lines[0]
    assert "open - closed" not in lines[0]  # nothing is known of vowels
    assert "10 clips that no recipe has seen" in summary(found)


@pytest.mark.usefixtures("weights", "speaker")
def test_one_recipe_of_few_clips_has_blocks_for_units_and_needs_no_baseline(tmp_path: Path) -> None:
    made = evaluate(FOOTAGE[:4], tmp_path, EvaluateOptions(hold_out=1, recipes=("default",)))
    answer = as_json(made, EvaluateOptions())
    assert answer["interval"]["unit"] == "block of 3 s"
    assert all(row.against == {} for row in made.rows)
    write_report(tmp_path, made, EvaluateOptions())
    assert "Less the row of" not in (tmp_path / "report.html").read_text()


@pytest.mark.usefixtures("weights", "speaker")
def test_some_held_out_clips_are_rendered_and_their_strips_lie_beside_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Painter:
        rows = ("real", "retrieval oracle", *RECIPES)

        def __init__(self, voices: dict[str, Voice], curves: Path, *_: object) -> None:
            assert list(voices) == list(RECIPES)
            assert curves.parent == tmp_path

        def render(self, row: str, clip: HeldClip) -> ClipPictures:
            shade = 50 * self.rows.index(row)
            picture = np.full((150, 150, 3), shade, dtype=np.uint8)
            sums = {} if row == "real" else {one.key: np.full(4, 1.0 + shade) for one in PICTURES}
            return ClipPictures(sums, clip.lips + np.float32(shade / 500), (picture,) * 10, shade // 150)

    monkeypatch.setattr(module, "Renderer", Painter)
    options = EvaluateOptions(hold_out=4, render=2)
    made = evaluate(FOOTAGE, tmp_path, options)
    assert made.rendered is not None
    names = [clip.path.name for clip in made.rendered.clips]
    assert len(names) == 2
    assert set(names) <= {clip.path.name for clip in made.clips}
    answer = write_report(tmp_path, made, options)
    told = {row["row"]: row for row in answer["rendered"]["rows"]}
    assert answer["rendered"]["names"] == names
    assert told["default"]["largest_difference_outside"] == 1
    assert told["default"]["m_lmd_px"]["value"] > told["paper"]["m_lmd_px"]["value"] > told["real"]["m_lmd_px"]["value"]
    assert told["default"]["less_baseline"]["m_lmd_px"]["value"] > 0
    assert "psnr_mouth_db" not in told["real"]
    page = (tmp_path / "report.html").read_text()
    for name in names:
        strip = f"pictures/{Path(name).stem}.png"
        assert f'src="{strip}"' in page
        assert read_image(tmp_path / strip).shape == (606, 1518, 3)
    assert "PSNR mouth" in text_of(rendered_cells(made.rendered)).splitlines()[0]


@pytest.mark.usefixtures("speaker")
def test_what_cannot_be_evaluated_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for options, said in (
        (EvaluateOptions(also=tmp_path / "gone"), "is no folder"),
        (EvaluateOptions(also=empty), "holds no clips"),
        (EvaluateOptions(recipes=()), "at least one recipe"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate(FOOTAGE, tmp_path, options)
    with pytest.raises(UsageError, match="cannot be held out"):
        evaluate(FOOTAGE[:1], tmp_path, EvaluateOptions())


def test_plots_are_drawn_of_what_is_known() -> None:
    nan = float("nan")
    drawn = intervals([("a & b", Interval(2.0, 1.5, 2.5, 9)), ("c", Interval(nan, nan, nan, 0))], "px")
    assert "a &amp; b" in drawn
    assert drawn.count("<circle") == 1
    assert intervals([("c", Interval(nan, nan, nan, 0))], "px") == ""
    gaps = np.array([0.0, 0.02, nan, 0.05, 0.01])
    shaded = np.array([False, True, True, False, False])
    drawn = curves(np.arange(5) / 25.0, [("real", gaps)], shaded)
    assert drawn.count("<polyline") == 2
    assert drawn.count("<rect") == 1
    assert scatter(np.array([nan]), np.array([1.0]), ("a", "b")) == ""
    assert scatter(np.array([1.0, nan]), np.array([1.0, 2.0]), ("a", "b")).count("<circle") == 1


def test_a_folder_without_footage_and_a_recipe_without_a_name_are_usage(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(root, ["evaluate", "-o", str(tmp_path)]).exit_code == 2
    assert runner.invoke(root, ["evaluate", "a.mp4", "-o", str(tmp_path), "--recipe", "best"]).exit_code == 2
    assert runner.invoke(root, ["evaluate", str(tmp_path / "gone.mp4"), "-o", str(tmp_path / "e")]).exit_code == 6


@pytest.mark.footage
@pytest.mark.usefixtures("weights")
def test_eight_real_sentences_are_split_learned_and_measured(footage: Path, tmp_path: Path) -> None:
    clips = sorted((footage / "train/grid_s1/hq").glob("*.mp4"))[:80:10]
    align = footage / "train/grid_s1/align.tsv"
    folder = tmp_path / "evaluation"
    call = ["evaluate", *map(str, clips), "-o", str(folder), "--hold-out", "2", "--align", str(align)]
    result = CliRunner().invoke(root, [*call, "--updates", "60", "--recipe", "paper", "--render", "1", "--json", "-q"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    rows = {row["row"]: row for row in answer["rows"]}
    px = {name: row["m_lmd_px"]["value"] for name, row in rows.items()}
    assert answer["held_out"]["frames"] == 150
    assert 0.2 < px["detected again"] < px["ridge"] < 1.5 * px["mean mouth"]
    assert px["retrieval oracle"] < px["ridge"]
    assert rows["real"]["aperture_r"]["value"] == 1.0
    assert (folder / "report.html").is_file()
    drawn = {row["row"]: row for row in answer["rendered"]["rows"]}
    assert set(drawn) == {"real", "retrieval oracle", "paper"}
    oracle = drawn["retrieval oracle"]
    assert oracle["largest_difference_outside"] == 0
    assert oracle["psnr_mouth_db"]["value"] > 28.0
    assert oracle["aperture_r"]["value"] > 0.8  # the mouth that was asked for is seen in the picture
    assert (folder / "pictures" / f"{Path(answer['rendered']['names'][0]).stem}.png").is_file()
