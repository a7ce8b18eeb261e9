"""Who is in a face set: people over the tracks of all clips, whom of them the set is of, and whose each face is.

Tracks are grouped into people by their identities. Where two people share a shot a track may slip from one to the
other, so there each face is compared with all of them by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from faceswap.footage import identities_in
from faceswap.options import ExtractOptions
from faceswap.rows import FaceRow
from faceswap.survey import Survey
from shared.errors import NoFaceError, UsageError
from shared.face.identity import THRESHOLD, people_of, unit
from shared.store.faces import StoredTrack
from shared.types import Floats

CLEAR: Final = 0.08
"""How much nearer, as a cosine, a face must be to one person than to the next for itself to tell whose it is."""
UNLIKE: Final = 0.2
"""Cosine below which two faces of one track are not the same person's: of one person they stay above 0.4."""
AHEAD_DEG: Final = 35.0
FEWEST: Final = 3
"""Fewer faces are an accident (a blur, a hand), not a person."""
GROUPS: Final = 10_000
"""Numbers kept free for the people of one track that slipped."""
Track = tuple[int, int]
"""Number of the clip and of the track in it."""


@dataclass(frozen=True, slots=True)
class People:
    """The people of all clips, the most seen first."""

    of: dict[Track, int]
    """Person of each track."""
    identities: Floats
    """(P, 128) of length one."""
    wanted: frozenset[int]
    """Who the set is of."""
    refused: frozenset[int] = frozenset()
    """Who is as in the pictures of those not wanted."""
    references: Floats | None = None
    """(N, 128) of the pictures of whom the set is of."""
    unwanted: Floats | None = None
    """(N, 128) of the pictures of those not wanted."""


def tell_apart(surveys: Sequence[Survey], options: ExtractOptions, known: Floats | None = None) -> People:
    """Group the tracks of all clips into people and choose whom the set is of.

    Parameters
    ----------
    known : (128,) identity of the person of a set that is added to; None for a new set.

    Raises
    ------
    NoFaceError
        If no clip shows a face, or none that of the references.
    UsageError
        If the first clip has no track of the number asked for.
    """
    nodes = _nodes(surveys)
    if not nodes:
        raise NoFaceError(f"{', '.join(one.clip.path for one in surveys)}: no face was found; choose other clips")
    numbers = people_of([node.identity for node in nodes], [node.apart for node in nodes])
    weight = np.bincount(numbers, [node.weight for node in nodes])
    rank = {int(person): place for place, person in enumerate(np.argsort(-weight, kind="stable"))}
    of = {track: rank[number] for node, number in zip(nodes, numbers, strict=True) for track in node.tracks}
    sums = np.zeros((len(weight), 128), dtype=np.float64)
    for node, number in zip(nodes, numbers, strict=True):
        sums[rank[number]] += node.identity * node.weight
    identities = np.stack([unit(one.astype(np.float32)) for one in sums])
    return _choose(surveys, People(of, identities, frozenset()), options, known)


def slipped_tracks(rows: Sequence[FaceRow]) -> frozenset[Track]:
    """Tracks some of whose faces are clearly unlike others of it: they went from one person to another.

    Only faces that look more or less ahead count: from the side one is unlike oneself.
    """
    known: dict[Track, list[Floats]] = {}
    for row in rows:
        if row.embedding is not None and abs(row.yaw_deg) <= AHEAD_DEG and abs(row.pitch_deg) <= AHEAD_DEG:
            known.setdefault((row.clip, row.track), []).append(row.embedding)
    return frozenset(
        track for track, found in known.items() if float((np.stack(found) @ np.stack(found).T).min()) < UNLIKE
    )


def divided(surveys: Sequence[Survey], rows: Sequence[FaceRow]) -> list[Survey]:
    """Surveys in which each track that slipped counts as one track for each person in it.

    The faces of such a track belong to nobody by their track, and are told by their own identity.

    Parameters
    ----------
    rows : faces with their identities, all of those of a track that slipped.
    """
    slipped = slipped_tracks(rows) - {(one.clip.number, number) for one in surveys for number in one.mixed}
    out = []
    for one in surveys:
        tracks = [track for track in one.tracks if (one.clip.number, track.number) not in slipped]
        for track in one.tracks:
            if (one.clip.number, track.number) in slipped:
                own = [row for row in rows if (row.clip, row.track) == (one.clip.number, track.number)]
                tracks += _people_in(track, own)
        mixed = one.mixed | {number for clip, number in slipped if clip == one.clip.number}
        out.append(replace(one, tracks=tuple(tracks), mixed=frozenset(mixed)))
    return out


def _people_in(track: StoredTrack, rows: Sequence[FaceRow]) -> list[StoredTrack]:
    """The people that a track that slipped shows, at least one, each as a track with a number of its own below 0."""
    ahead = [row for row in rows if abs(row.yaw_deg) <= AHEAD_DEG and abs(row.pitch_deg) <= AHEAD_DEG]
    known = [(row.frame, row.embedding) for row in ahead if row.embedding is not None]
    groups = people_of([embedding for _, embedding in known], [frozenset()] * len(known))
    share = track.frames / max(1, len(known))
    sizes = np.bincount(groups)
    found = []
    for group, size in enumerate(sizes):
        if size < min(FEWEST, sizes.max()):
            continue
        mine = [one for one, number in zip(known, groups, strict=True) if number == group]
        mean = unit(np.sum([embedding for _, embedding in mine], axis=0))
        number = -1 - group - GROUPS * track.number
        frames = [frame for frame, _ in mine]
        found.append(
            replace(
                track,
                number=number,
                person=number,
                first=min(frames),
                last=max(frames),
                frames=max(1, round(share * len(mine))),
                embedding=mean,
            )
        )
    return found


def whose(row: FaceRow, people: People, mixed: bool) -> FaceRow:
    """Say whose a face is, and drop it where it is somebody else's.

    Parameters
    ----------
    mixed : whether the face shares its shot with somebody else's.
    """
    track_person = people.of.get((row.clip, row.track), -1)
    embedding = row.embedding
    if embedding is None:
        return _settled(row, people, track_person)
    likeness = people.identities @ embedding
    person, mine = track_person, _likeness(embedding, people)
    if mixed and len(likeness) > 1:
        first, second = np.argsort(-likeness)[:2]
        if likeness[first] - likeness[second] >= CLEAR:
            person = int(first)
        elif person not in (first, second):
            person = -1
    row = replace(row, likeness=mine)
    if people.unwanted is not None and row.kept:
        other = float(np.max(people.unwanted @ embedding))
        if other >= THRESHOLD and other > mine:
            return replace(row, kept=False, why="unwanted", person=person)
    return _settled(row, people, person)


def _settled(row: FaceRow, people: People, person: int) -> FaceRow:
    why = row.why or ("" if person in people.wanted else "unwanted" if person in people.refused else "stranger")
    return replace(row, person=person, kept=not why, why=why)


def _likeness(embedding: Floats, people: People) -> float:
    """Cosine to whom the set is of: the nearest of its people or references."""
    wanted = people.identities[sorted(people.wanted)]
    known = wanted if people.references is None else np.concatenate([wanted, people.references])
    return float((known @ embedding).max()) if len(known) else float("nan")


@dataclass(slots=True)
class _Node:
    """One person of one clip, as the clip's own analysis tells them apart."""

    tracks: list[Track]
    identity: Floats
    weight: float
    apart: frozenset[int]
    """Numbers of nodes that are seen at the same time."""


def _nodes(surveys: Sequence[Survey]) -> list[_Node]:
    nodes: list[_Node] = []
    for one in surveys:
        start = len(nodes)
        people = sorted({track.person for track in one.tracks})
        spans = {person: [t for t in one.tracks if t.person == person] for person in people}
        for person in people:
            mine = spans[person]
            identity = unit(np.sum([t.embedding * t.frames for t in mine], axis=0).astype(np.float32))
            seen_with = {
                start + people.index(other)
                for other in people
                if other != person and any(a.first <= b.last and b.first <= a.last for a in mine for b in spans[other])
            }
            weight = sum(t.frames * t.size_px for t in mine)
            tracks = [(one.clip.number, t.number) for t in mine]
            nodes.append(_Node(tracks, identity, weight, frozenset(seen_with)))
    return nodes


def _choose(surveys: Sequence[Survey], people: People, options: ExtractOptions, known: Floats | None) -> People:
    unwanted = identities_in(options.not_person) if options.not_person else None
    refused = frozenset[int]() if unwanted is None else _like(people, unwanted)
    references: Floats | None = None
    person = options.person
    if isinstance(person, Path | tuple):
        references = identities_in((person,) if isinstance(person, Path) else person)
        wanted = _like(people, references)
        if unwanted is not None:  # somebody may be a little like both; the nearer one counts
            nearer = (people.identities @ unwanted.T).max(axis=1) > (people.identities @ references.T).max(axis=1)
            wanted, refused = _less(wanted, refused, nearer), _less(refused, wanted, ~nearer)
        _found(wanted, people, references, "the person of the reference pictures")
    elif person == "all":
        wanted = frozenset(range(len(people.identities))) - refused
    elif isinstance(person, int):
        wanted = frozenset({_track_person(surveys[0], people, person)})
    elif person == "speaker":
        wanted = _speaking(surveys, people)
    elif known is not None:
        wanted = _like(people, known[np.newaxis])
        _found(wanted, people, known[np.newaxis], "the person of the face set")
    else:
        left = sorted(set(range(len(people.identities))) - refused)
        wanted = frozenset(left[:1])
    return replace(people, wanted=wanted - refused, refused=refused, references=references, unwanted=unwanted)


def _less(one: frozenset[int], other: frozenset[int], loses: np.ndarray) -> frozenset[int]:
    return frozenset(person for person in one if person not in other or not loses[person])


def _like(people: People, identities: Floats) -> frozenset[int]:
    best = (people.identities @ identities.T).max(axis=1)
    return frozenset(int(person) for person in np.flatnonzero(best >= THRESHOLD))


def _found(wanted: frozenset[int], people: People, identities: Floats, whom: str) -> None:
    if not wanted:
        best = float((people.identities @ identities.T).max())
        raise NoFaceError(
            f"{whom} is not in the clips (nearest likeness {best:.2f}, {THRESHOLD} needed); "
            "give other pictures or a track number for --person"
        )


def _track_person(first: Survey, people: People, number: int) -> int:
    mine = [track for track in first.tracks if _seen_as(track) == number]
    if not mine:
        known = sorted({_seen_as(track) for track in first.tracks})
        raise UsageError(
            f"{first.clip.path}: no track {number} in it; there are {', '.join(map(str, known[:20])) or 'none'}"
        )
    return people.of[first.clip.number, max(mine, key=lambda track: track.frames).number]


def _seen_as(track: StoredTrack) -> int:
    """Number that the clip's own analysis has for a track, or for the one that slipped and that it is a part of."""
    return track.number if track.number >= 0 else (-1 - track.number) // GROUPS


def _speaking(surveys: Sequence[Survey], people: People) -> frozenset[int]:
    votes: dict[int, float] = {}
    for one in surveys:
        for track in one.tracks:
            if _seen_as(track) in one.speaking:
                person = people.of[one.clip.number, track.number]
                votes[person] = votes.get(person, 0.0) + track.frames
    if not votes:
        raise UsageError("--person speaker needs clips with sound; choose a track number or a reference picture")
    return frozenset({max(votes, key=lambda number: votes[number])})
