"""Let a mouth follow a sound as it comes: python live_mouth.py VOICE SOUND, with a VOICE of lipswap learn --live.

The sound is fed in pieces of 20 ms as though it came from a microphone; each line has a time, how far the mouth is open
then, and how much of the sound had come when that was certain.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lipsync.controls import controls_of
from lipsync.live import LiveMouth
from lipsync.voice import open_voice
from shared.media.sound import load_sound

PIECE = 320


def main() -> None:
    """Feed the sound named on the command line and print four mouths a second."""
    voice = open_voice(Path(sys.argv[1]))
    samples = load_sound(Path(sys.argv[2])).samples
    mouth, controls, rows = LiveMouth(voice), controls_of(voice), 0
    for start in range(0, len(samples), PIECE):
        track = mouth.feed(samples[start : start + PIECE])
        heard_s = min(start + PIECE, len(samples)) / 16_000
        for time_s, (opening_mm, _) in zip(track.times_s, controls.measure(track.shapes), strict=True):
            if rows % 25 == 0:
                print(f"{time_s:7.2f} s  {opening_mm:5.1f} mm  {'#' * round(opening_mm)}  (heard {heard_s:.2f} s)")
            rows += 1


if __name__ == "__main__":
    main()
