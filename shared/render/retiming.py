"""Whether a clip is retimed to its speech, and how: the lip-sync engine plans, named as a string as in `stage`.

`auto` retimes a clip unless something speaks against it (`_against`): other frames, or frames in another order, would
then be noticed, or would not fit what is made beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.face.analyse import ClipFaces
from shared.media.length import CUT_S, sound_length_s
from shared.media.reader import probe
from shared.media.sequence import is_sequence
from shared.progress import Progress, silent
from shared.render.job import RenderJob
from shared.render.stage import load
from shared.render.timeline import Timeline

PLAN: Final = "lipsync.pace:plan"
BYSTANDER: Final = 0.05
"""Share of the clip's frames up to which somebody else in it, or something taken for a face, is nobody who speaks."""
SMALL: Final = 1 / 3
"""Who is smaller than this, against the person who is changed, stands in the background."""
TO_PICTURE_S: Final = 0.5
"""Speech shorter than its clip by no more than this was made to its picture."""


def timeline_of(
    job: RenderJob,
    faces: ClipFaces,
    tracks: frozenset[int],
    told: Callable[[str], None],
    progress: Progress = silent,
) -> Timeline | None:
    """The frames that the output shows; None where it shows the clip's own, in order.

    Parameters
    ----------
    tracks : of the person whom the job changes.
    told : given in one line what was decided and why, where there was anything to decide.
    """
    if not job.may_be_retimed:
        return None
    if job.retime == "auto" and (against := _against(job, faces, tracks)):
        told(f"the clip keeps its own frames: {'; '.join(against)} (--retime on retimes it all the same)")
        return None
    timeline: Timeline = load(PLAN)(faces, tracks, job.speech, progress)
    count = len(timeline.jumps)
    told(
        f"the clip is retimed to the speech: {len(timeline)} frames out of its {faces.counts.frames}, "
        f"{_used(timeline, faces)}, {count} jump{'s' * (count != 1)} (--retime off keeps its own frames)"
    )
    if beside := _frame_by_frame(job):
        told(f"{beside} fit the retimed frames, not the clip's own")
    return timeline


def _against(job: RenderJob, faces: ClipFaces, tracks: frozenset[int]) -> list[str]:
    """All that speaks against retiming a clip by itself."""
    found = []
    if beside := _frame_by_frame(job):
        found.append(f"{beside} are to fit it frame by frame")
    if others := _others(faces, tracks):
        found.append(others)
    if faces.shots > 1:  # an edit is meant as it is, and jumps stay inside a shot
        found.append(f"it has {faces.shots} shots")
    spoken_s, shown_s = 0.0 if job.speech is None else sound_length_s(job.speech), probe(job.clip).duration_s
    if spoken_s and -TO_PICTURE_S <= spoken_s - shown_s <= CUT_S:
        found.append(f"the speech is as long as it is ({spoken_s:.1f} s), as if made to its picture")
    return found


def _frame_by_frame(job: RenderJob) -> str:
    """What is written that lies beside a clip frame by frame; empty where nothing is."""
    layers = ["the layers"] if job.layers is not None else []
    return " and ".join([*layers, *(["the numbered pictures"] if is_sequence(job.output) else [])])


def _others(faces: ClipFaces, tracks: frozenset[int]) -> str:
    """Who might speak beside the one person who is changed; empty where nobody does."""
    frames: dict[int, int] = {}
    sizes: dict[int, float] = {}
    for track in faces.tracks:
        frames[track.person] = frames.get(track.person, 0) + track.frames
        sizes[track.person] = sizes.get(track.person, 0.0) + track.frames * track.size_px
    changed = {track.person for track in faces.tracks if track.number in tracks}
    if len(changed) > 1:
        return f"{len(changed)} people are changed"
    own = [sizes[person] / max(frames[person], 1) for person in changed]
    around = sum(
        count > BYSTANDER * faces.counts.frames and sizes[person] / count >= SMALL * min(own, default=0.0)
        for person, count in frames.items()
        if person not in changed
    )
    return f"{around} more {'people are' if around > 1 else 'person is'} in it, who may speak" if around else ""


def _used(timeline: Timeline, faces: ClipFaces) -> str:
    """From when to when the clip is shown, of how much of it."""
    begin_s, beat_s = faces.time_of(0), float(1 / timeline.rate)
    shown = int(timeline.first.min()), int(max(timeline.first.max(), timeline.second.max()))
    from_s, until_s, all_s = (faces.time_of(index) - begin_s for index in (*shown, faces.counts.frames - 1))
    return f"{_clock(from_s)}-{_clock(until_s + beat_s)} of {_clock(all_s + beat_s)}"


def _clock(seconds: float) -> str:
    minutes, left = divmod(round(seconds, 1), 60)
    return f"{minutes:.0f}:{left:04.1f}"
