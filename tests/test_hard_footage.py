"""Every file of the hard footage through `extract` and `render --speech`: what comes out, and how it ends.

The table says for each file the frames a reader gives, those with a face (counted by eye on contact sheets, +-5%), and
the exit code where it is not 0, with the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shared.cli import root
from shared.media.reader import open_clip

pytestmark = [pytest.mark.footage, pytest.mark.usefixtures("weights")]
CONSENT = "Test on footage whose use for tests is permitted."
TOLERANCE = 0.05
NO_FACE = 3


@dataclass(frozen=True)
class Hard:
    """What a file must give."""

    name: str
    frames: int
    with_face: int
    code: int = 0
    why: str = ""


HARD = (
    Hard("clips/crowd_small_faces_1080p.mp4", 105, 105),
    Hard("clips/damaged_mpeg1_sgib8n.mpg", 75, 75),
    Hard("clips/nasa_multi_av_streams.mp4", 390, 0, NO_FACE, "a rocket, no face in it"),
    Hard("clips/no_face.mp4", 95, 0, NO_FACE, "no face in it"),
    Hard("clips/painting_henry8_5fps_noaudio.mp4", 91, 91),
    Hard("clips/portrait_hevc_1080x1920.mp4", 250, 250),
    Hard("clips/single_face_2s.mp4", 72, 72),
    Hard("clips/vfr_asian_m_700.mp4", 135, 135),
    Hard("clips/vfr_face_then_noface_hevc.mov", 169, 72),
    Hard("clips/wh_1080p_foreign_dub_female.mp4", 140, 140),
    Hard("derived/audio_late_200ms.mp4", 75, 75),
    Hard("derived/face_leaves_frame.mp4", 75, 36),
    Hard("derived/interlaced_25i.mpg", 75, 75),
    Hard("derived/low_light_noise.mp4", 75, 75),
    Hard("derived/mjpeg_pcm8k.avi", 75, 75),
    Hard("derived/mouth_occluded_1s_to_2s.mp4", 75, 75),
    Hard("derived/no_audio_track.mp4", 75, 75),
    Hard("derived/ntsc_29.97.mp4", 90, 90),
    Hard("derived/odd_size_yuv444.mp4", 75, 75),
    Hard("derived/one_frame.mp4", 1, 1),
    Hard("derived/rotated_displaymatrix.mp4", 75, 75),
    Hard("derived/rotated_no_metadata.mp4", 75, 75),
    Hard("derived/silent_audio.mp4", 75, 75),
    Hard("derived/truncated.mp4", 38, 38),
    Hard("derived/two_people_right_speaks.mp4", 75, 75),
    Hard("derived/vfr_dropped.mp4", 56, 56),
    Hard("derived/vp9_opus.webm", 75, 75),
    Hard("grid_s1_sessionB/bbbs5s.mp4", 75, 75),
    Hard("grid_s1_sessionB/bgbozp.mp4", 75, 75),
    Hard("grid_s1_sessionB/brim1a.mp4", 75, 75),
    Hard("grid_s1_sessionB/bwbn5a.mp4", 75, 75),
    Hard("grid_s1_sessionB/bwitzp.mp4", 75, 75),
    Hard("grid_s1_sessionB/lbak2p.mp4", 75, 75),
    Hard("grid_s1_sessionB/lbbe1s.mp4", 75, 75),
    Hard("grid_s1_sessionB/lbbrzp.mp4", 75, 75),
    Hard("grid_s1_sessionB/lbiq3a.mp4", 75, 75),
    Hard("grid_s1_sessionB/lgbgzp.mp4", 75, 75),
    Hard("grid_s1_sessionB/lgbm5a.mp4", 75, 75),
    Hard("grid_s1_sessionB/lray6p.mp4", 75, 75),
)


@pytest.fixture(scope="module")
def voice(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice of six sentences, trained briefly: these tests look at robustness, not at the mouth."""
    clips = sorted((footage / "train" / "grid_s1" / "hq").glob("*.mp4"))[:6]
    out = tmp_path_factory.mktemp("hard") / "voice"
    result = run("learn", *map(str, clips), "-o", str(out), "--updates", "200")
    assert result.exit_code == 0, result.stderr
    return out


def run(*arguments: str) -> Result:
    """Call the command line in this process."""
    return CliRunner().invoke(root, [*arguments, "--json"])


def check_end(result: Result, hard: Hard) -> dict[str, Any] | None:
    """Exit code and message as the table says; the JSON of a success."""
    assert result.exit_code == hard.code, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    if hard.code:
        assert result.stderr.strip().splitlines()[-1].startswith("error: ")
        assert Path(hard.name).name in result.stderr
        return None
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def near(count: int, expected: int) -> bool:
    """Within the table's tolerance, at least one frame."""
    return abs(count - expected) <= max(1, TOLERANCE * expected)


@pytest.mark.parametrize("hard", HARD, ids=lambda hard: hard.name)
def test_extract_finds_the_faces_that_are_there(hard: Hard, footage: Path, tmp_path: Path) -> None:
    arguments = ("extract", str(footage / "hard" / hard.name), "-o", str(tmp_path / "faces"), "--person", "all")
    result = run(*arguments, "--every", "5")  # all frames are analysed and counted, each fifth is judged and cut
    made = check_end(result, hard)
    if made is not None:
        assert near(made["frames_with_face"], hard.with_face), made
        assert (tmp_path / "faces" / "contact_sheet.png").is_file()


@pytest.mark.parametrize("hard", HARD, ids=lambda hard: hard.name)
def test_render_gives_back_every_frame_at_its_time(hard: Hard, footage: Path, tmp_path: Path, voice: Path) -> None:
    clip = footage / "hard" / hard.name
    out = tmp_path / f"out{'.mp4' if clip.suffix == '.mpg' else clip.suffix}"
    speech = footage / "hard" / "derived" / "lrwp9a_f_clean.flac"
    spoken = ("--speech", str(speech), "--voice", str(voice), "--retime", "off")  # exact against the clip's own frames
    options = (*spoken, "--consent", CONSENT, "--preset", "ultrafast")
    made = check_end(run("render", str(clip), *options, "-o", str(out)), hard)
    if made is None:
        assert not out.exists()
        return
    assert made["counts"]["frames"] == hard.frames
    assert near(made["counts"]["with_face"], hard.with_face) or "crowd" in hard.name or "two_people" in hard.name
    with open_clip(clip) as before, open_clip(out) as after:
        times = [(frame.time_s, frame.time_base) for frame in before.frames()]
        got = [frame.time_s for frame in after.frames()]
        assert after.info.size == before.info.size
        assert (after.info.quarter_turns, after.info.mirrored) == (before.info.quarter_turns, before.info.mirrored)
        assert after.info.has_audio
    first = times[0][0] - got[0]
    assert len(got) == len(times)
    assert all(abs(old - new - first) <= base for (old, base), new in zip(times, got, strict=True))
