"""Whether a clip is retimed to its speech, and how: the lip-sync engine plans, named as a string as in `stage`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.face.analyse import ClipFaces
from shared.render.job import RenderJob
from shared.render.stage import load
from shared.render.timeline import Timeline

PLAN: Final = "lipsync.pace:plan"
BYSTANDER: Final = 0.05
"""Share of the clip's frames up to which somebody else in it, or something taken for a face, is nobody who speaks."""


def timeline_of(
    job: RenderJob, faces: ClipFaces, tracks: frozenset[int], say: Callable[[str], None]
) -> Timeline | None:
    """The frames that the output shows; None where it shows the clip's own, in order.

    Parameters
    ----------
    tracks : of the person whom the job changes.
    say : told in one line what was decided, where there was anything to decide.
    """
    if not job.may_be_retimed:
        return None
    if job.retime == "auto" and (others := _others(faces, tracks)):
        say(f"the clip keeps its own frames: {others} (--retime on retimes it all the same)")
        return None
    timeline: Timeline = load(PLAN)(faces, tracks, job.speech)
    count = len(timeline.jumps)
    say(
        f"the clip is retimed to the speech: {len(timeline)} frames out of its {faces.counts.frames}, "
        f"{count} jump{'s' * (count != 1)} (--retime off keeps its own frames)"
    )
    return timeline


def _others(faces: ClipFaces, tracks: frozenset[int]) -> str:
    """Who might speak beside the one person who is changed; empty where nobody does."""
    seen: dict[int, int] = {}
    for track in faces.tracks:
        seen[track.person] = seen.get(track.person, 0) + track.frames
    changed = {track.person for track in faces.tracks if track.number in tracks}
    if len(changed) > 1:
        return f"{len(changed)} people are changed"
    around = sum(count > BYSTANDER * faces.counts.frames for person, count in seen.items() if person not in changed)
    return f"{around} more {'people are' if around > 1 else 'person is'} in it, who may speak" if around else ""
