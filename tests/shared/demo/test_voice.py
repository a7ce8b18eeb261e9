"""Synthesised speech and the times of its phones."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from shared.demo import words
from shared.demo.align import Phone, align
from shared.demo.voice import RATE_HZ, Speaker, joined, speak
from shared.errors import InstallError
from shared.types import Sound

pytest.importorskip("py_nanotts", reason="py-nanotts has no build for this platform")

SPEAKER = Speaker("en-US", pitch=0.8, speed=0.9)
SENTENCES = (*words.FIRST_SPEECH[:5], words.NEW_SPEECH)


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    return [speak(text, SPEAKER) for text in SENTENCES]


@pytest.fixture(scope="module")
def aligned(sounds: list[Sound]) -> list[list[Phone]]:
    return align(sounds, [words.words_of(text) for text in SENTENCES])


def test_speech_is_nearly_the_same_each_time_and_differs_between_voices(sounds: list[Sound]) -> None:
    again = speak(SENTENCES[0], SPEAKER)
    other = speak(SENTENCES[0], Speaker("en-GB"))
    assert again.samples.shape == sounds[0].samples.shape
    assert np.corrcoef(again.samples, sounds[0].samples)[0, 1] > 0.95
    assert other.samples.shape != again.samples.shape
    assert np.abs(again.samples).max() < 0.99


def test_every_word_that_the_actors_say_has_phones() -> None:
    said = (*words.FIRST_SPEECH, *words.SECOND_SPEECH, words.TARGET_SPEECH, words.NEW_SPEECH)
    assert all(words.words_of(text) for text in said)
    with pytest.raises(ValueError, match="no phones are known for xylophone"):
        words.words_of("a xylophone")


def test_phones_follow_one_another_from_start_to_end(sounds: list[Sound], aligned: list[list[Phone]]) -> None:
    for sound, text, phones in zip(sounds, SENTENCES, aligned, strict=True):
        assert [one.name for one in phones if one.name != "SIL"] == [p for word in words.words_of(text) for p in word]
        assert all(a.end_s == pytest.approx(b.start_s) for a, b in itertools.pairwise(phones))
        assert phones[0].start_s == 0.0
        assert phones[-1].end_s == pytest.approx(sound.duration_s, abs=0.02)


def test_hisses_hiss_and_stops_are_quiet_where_they_are_put(sounds: list[Sound], aligned: list[list[Phone]]) -> None:
    bright: dict[str, list[float]] = {}
    loud: dict[str, list[float]] = {}
    for sound, phones in zip(sounds, aligned, strict=True):
        for phone in phones:
            piece = sound.samples[int(phone.start_s * RATE_HZ) : int(phone.end_s * RATE_HZ)]
            power = np.abs(np.fft.rfft(piece)) ** 2
            split = int(3000 / RATE_HZ * piece.size)
            bright.setdefault(phone.name, []).append(power[split:].sum() / (power.sum() + 1e-9))
            loud.setdefault(phone.name, []).append(float(np.sqrt(np.mean(piece**2))))
    assert min(np.mean(bright[name]) for name in ("S", "SH")) > 3 * np.mean(bright["AA"])
    assert np.mean(loud["P"]) < 0.35 * np.mean(loud["AA"])
    assert np.mean(loud["SIL"]) < 0.1 * np.mean(loud["AE"])


def test_phone_times_agree_with_a_trained_aligner(
    sounds: list[Sound], aligned: list[list[Phone]], tmp_path: Path
) -> None:
    pocketsphinx = pytest.importorskip("pocketsphinx", reason="pocketsphinx is not installed")
    dictionary = tmp_path / "words.dict"
    dictionary.write_text("".join(f"{word} {' '.join(phones)}\n" for word, phones in words.PHONES.items()))
    apart: list[float] = []
    for sound, text, phones in zip(sounds, SENTENCES, aligned, strict=True):
        theirs = _sphinx(pocketsphinx, sound, text, dictionary)
        ours = [one for one in phones if one.name != "SIL"]
        if [name for name, _ in theirs] == [one.name for one in ours]:  # it may take another pronunciation
            apart += [one.start_s - start_s for one, (_, start_s) in zip(ours, theirs, strict=True)]
    assert len(apart) > 60
    assert np.mean(np.abs(apart)) < 0.03


def test_sentences_are_joined_with_pauses_at_exact_places(sounds: list[Sound]) -> None:
    whole, starts = joined(sounds[:2], pause_s=0.4)
    assert starts[0] == pytest.approx(0.4)
    assert starts[1] == pytest.approx(0.8 + sounds[0].duration_s)
    begin = round(starts[1] * RATE_HZ)
    assert np.corrcoef(whole.samples[begin : begin + 8000], sounds[1].samples[:8000])[0, 1] > 0.98
    assert 0 < np.abs(whole.samples[: int(0.3 * RATE_HZ)]).max() < 0.01


def test_a_platform_without_the_synthesiser_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py_nanotts", None)
    importlib.invalidate_caches()
    with pytest.raises(InstallError, match="pip install py-nanotts"):
        speak("hello", SPEAKER)


def _sphinx(pocketsphinx: ModuleType, sound: Sound, text: str, dictionary: Path) -> list[tuple[str, float]]:
    decoder = pocketsphinx.Decoder(lm=None, dict=str(dictionary), loglevel="FATAL")
    pcm = (sound.samples * 32767).astype("<i2").tobytes()
    decoder.set_align_text(" ".join(re.findall(r"[a-z']+", text.lower())))
    for last in (False, True):  # words first, then the phones in them
        decoder.start_utt()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        if not last:
            decoder.set_alignment()
    return [
        (phone.name, phone.start / 100) for word in decoder.get_alignment() for phone in word if phone.name != "SIL"
    ]
