"""A face between two others of one person, for frames that lie between two of the clip's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shared.types import Face, Floats


def face_between(first: Face, second: Face, share: float) -> Face:
    """The face a `share` of the way from one to another, 0 to 1; all else is the first one's."""
    box = np.array(first.box) + share * (np.array(second.box) - first.box)
    pose = np.array(first.pose_deg) + share * (np.array(second.pose_deg) - first.pose_deg)
    return replace(
        first,
        box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        landmarks=_mixed(first.landmarks, second.landmarks, share),
        mesh=_both(first.mesh, second.mesh, share),
        pose_deg=(float(pose[0]), float(pose[1]), float(pose[2])),
        sharpness=first.sharpness + share * (second.sharpness - first.sharpness),
    )


def _both(first: Floats | None, second: Floats | None, share: float) -> Floats | None:
    return None if first is None or second is None else _mixed(first, second, share)


def _mixed(first: Floats, second: Floats, share: float) -> Floats:
    return np.asarray(first + np.float32(share) * (second - first), dtype=np.float32)
