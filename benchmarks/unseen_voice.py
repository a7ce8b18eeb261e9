"""How a voice's mouths follow another person's sound of a sentence that the speaker says himself too.

    python benchmarks/unseen_voice.py VOICE SPEECH... --text "lay red with p nine again" --takes FOLDER --align TABLE

The takes that share most words with the text, each at its place in the sentence, are aligned phone by phone (with
pocketsphinx), and so is the first speech; the others are that recording under noise. What the voice makes of each is
compared with the opening of the speaker's own mouth in his takes, phone on phone. Beside it stands how well the voice
follows the speaker's own sound of some takes, compared with the others in the same way.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from machine import report
from numpy.typing import NDArray

from lipsync.alignment import read_marks
from lipsync.features import SAMPLE_RATE_HZ
from lipsync.index import ClipMouths, gather
from lipsync.mouth import aperture_cm
from lipsync.options import SyncOptions
from lipsync.predict import predict_track
from lipsync.voice import Voice, open_voice
from shared.clock import resample_track
from shared.media.sound import load_sound
from shared.store.artefact import cache_folder
from shared.types import Floats, Sound

STEP_S = 0.01
"""Openings are compared so often, in the first one's time."""
Aligned: TypeAlias = list[tuple[str, tuple[str, ...], NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as somebody said it.

    Attributes
    ----------
    words : each with its phones and their ends, (P + 1,) seconds.
    made_cm, real_cm : (T,) at `times_s`, openings of a mouth made to it, and of the real one where it was seen.
    """

    words: Aligned
    times_s: NDArray[np.float64]
    made_cm: Floats
    real_cm: Floats | None


def aligned(sound: Sound, text: str) -> Aligned | None:
    """Words with their phones and the ends of these, of 16 kHz sound; None where they do not fit."""
    from pocketsphinx import Decoder  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - an extra

    decoder = Decoder(samprate=SAMPLE_RATE_HZ, bestpath=False, loglevel="FATAL")  # one that has aligned crashes
    raw = (np.clip(sound.samples, -1, 1) * 32767).astype(np.int16).tobytes()
    decoder.set_align_text(text)
    _hear(decoder, raw)
    if decoder.hyp() is None:
        return None
    decoder.set_alignment()
    _hear(decoder, raw)  # after which it has no hypothesis to be asked for
    found = []
    alignment = decoder.get_alignment()  # its entries live as long as it does, and each until the next
    for word in alignment:
        name, phones = word.name, [(phone.name, phone.start, phone.start + phone.duration) for phone in word]
        if not name.startswith("<"):
            ends = np.array([start for _, start, _ in phones] + [phones[-1][2]]) * STEP_S
            found.append((name.split("(")[0], tuple(phone for phone, _, _ in phones), ends))
    return found


def _hear(decoder: Any, raw: bytes) -> None:  # noqa: ANN401 - pocketsphinx has no types
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()


def said(voice: Voice, sound: Sound, words: Aligned, seen: ClipMouths | None = None) -> Said:
    """A sentence with the mouth that the voice makes of it."""
    track = predict_track(voice, sound, SyncOptions(voice=voice.folder, speech=voice.folder))
    made = aperture_cm(voice.basis.lips(track.shapes))
    if seen is None:
        return Said(words, track.times_s, made, None)
    real = resample_track(aperture_cm(seen.lips)[:, np.newaxis], seen.times_s, track.times_s)[:, 0]
    return Said(words, track.times_s, made, np.asarray(real, dtype=np.float32))


def pairs(one: Said, other: Said) -> list[tuple[Floats, Floats]]:
    """What is made to the first, and the real mouth of the other, phone on phone, in words that both say there."""
    if other.real_cm is None:
        raise ValueError("the mouth of the other was not seen")
    found = []
    for (word, phones, mine), (other_word, other_phones, theirs) in zip(one.words, other.words, strict=False):
        if (word, phones) == (other_word, other_phones):
            at_s = np.arange(mine[0], mine[-1], STEP_S)
            there_s = np.interp(at_s, mine, theirs)
            made, real = np.interp(at_s, one.times_s, one.made_cm), np.interp(there_s, other.times_s, other.real_cm)
            found.append((made.astype(np.float32), real.astype(np.float32)))
    return found


def likeness(one: Said, others: Sequence[Said]) -> float:
    """Correlation of the openings over all takes."""
    every = [pair for other in others for pair in pairs(one, other)]
    if not every:
        return float("nan")
    made, real = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return float(np.corrcoef(made, real)[0, 1])


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", type=Path)
    parser.add_argument("speech", type=Path, nargs="+")
    parser.add_argument("--text", required=True)
    parser.add_argument("--takes", type=Path, action="append", required=True, help="folder of the speaker's clips")
    parser.add_argument("--align", type=Path, required=True, help="their words and times (TSV)")
    parser.add_argument("--count", type=int, default=8, help="takes compared with")
    options = parser.parse_args()
    voice, wanted = open_voice(options.voice), options.text.lower().split()
    places = {path.stem: path for folder in options.takes for path in sorted(folder.glob("*.mp4"))}
    spoken = {
        clip: [word for _, _, word in marks.words if word not in ("sil", "sp")]
        for clip, marks in read_marks(options.align).items()
        if clip in places
    }
    shared = Counter({clip: sum(a == b for a, b in zip(words, wanted, strict=False)) for clip, words in spoken.items()})
    takes: dict[str, Said] = {}
    for clip, _ in shared.most_common(3 * options.count):
        if len(takes) == options.count:
            break
        path = places[clip]
        sound = load_sound(path, SAMPLE_RATE_HZ)
        words = aligned(sound, " ".join(spoken[clip]))
        if words is not None:
            (seen,) = gather([path], cache_folder(), "largest", Counter(), recipe="paper")
            takes[clip] = said(voice, sound, words, seen)
    if len(takes) < 2 or not min(shared[clip] for clip in takes):
        parser.error("hardly a take of the speaker shares words with the text; name another text or other takes")
    own = [likeness(take, [other for other in takes.values() if other is not take]) for take in takes.values()]
    figures = {"own_voice_r": round(float(np.nanmean(own)), 3)}
    words = aligned(load_sound(options.speech[0], SAMPLE_RATE_HZ), options.text.lower())
    if words is None:
        parser.error(f"{options.speech[0]}: its phones are not found by the text; name the clean recording first")
    for path in options.speech:
        one = said(voice, load_sound(path, SAMPLE_RATE_HZ), words)
        figures[f"{path.stem}_r"] = round(likeness(one, list(takes.values())), 3)
    report({"takes": {clip: shared[clip] for clip in takes}, **figures})


if __name__ == "__main__":
    main()
