"""Print who is seen in a clip, when, and how the head is turned: python list_faces.py CLIP."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from shared.face.analyse import AnalyseOptions, analyse


def main() -> None:
    """Analyse the clip named on the command line and print one line a second for each face."""
    with tempfile.TemporaryDirectory() as cache:
        clip = analyse(Path(sys.argv[1]), Path(cache), AnalyseOptions())
        shown = -1.0
        for _, time_s, faces in clip.iter():
            if time_s < shown + 1.0:
                continue
            shown = time_s
            for face in faces:
                yaw, pitch, roll = face.pose_deg
                print(f"{time_s:7.2f} s  track {face.track}  yaw {yaw:+.0f}  pitch {pitch:+.0f}  roll {roll:+.0f} deg")
        clip.close()


if __name__ == "__main__":
    main()
