"""Who says what, when: sentences spoken, aligned, and laid one after the other on a clip's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.demo import words
from shared.demo.align import Phone, align
from shared.demo.cast import FIRST_VOICE, SECOND_VOICE
from shared.demo.voice import Speaker, joined, speak
from shared.types import Sound

PAUSE_S: Final = 0.4
"""Rest before, between and behind sentences."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound and the phones in it, on one clock."""

    text: str
    sound: Sound
    phones: tuple[Phone, ...]

    def times_of(self, *names: str) -> list[float]:
        """Middle of each phone of the given names, seconds."""
        return [(phone.start_s + phone.end_s) / 2 for phone in self.phones if phone.name in names]


@dataclass(frozen=True, slots=True)
class Script:
    """All that is said in the demo."""

    first: Speech
    """The first actor's footage."""
    second: Speech
    """The second actor's footage."""
    target: Speech
    """What the first actor says in the clip to be changed."""
    new: Speech
    """What he is made to say."""


def make_script(
    first: Sequence[str] = words.FIRST_SPEECH, second: Sequence[str] = words.SECOND_SPEECH, seed: int = 0
) -> Script:
    """Speak and align everything; each voice is aligned as a whole, since its aligner learns from all of it.

    Raises
    ------
    InstallError : the synthesiser is not there.
    """
    texts = (*first, words.TARGET_SPEECH, words.NEW_SPEECH)
    sounds, phones = _spoken(texts, FIRST_VOICE)
    count = len(first)
    other_sounds, other_phones = _spoken(second, SECOND_VOICE)
    return Script(
        first=_laid(texts[:count], sounds[:count], phones[:count], seed),
        second=_laid(second, other_sounds, other_phones, seed + 1),
        target=_laid(texts[count : count + 1], sounds[count : count + 1], phones[count : count + 1], seed + 2),
        new=_laid(texts[count + 1 :], sounds[count + 1 :], phones[count + 1 :], seed + 3),
    )


def _spoken(texts: Sequence[str], speaker: Speaker) -> tuple[list[Sound], list[list[Phone]]]:
    sounds = [speak(text, speaker) for text in texts]
    return sounds, align(sounds, [words.words_of(text) for text in texts])


def _laid(texts: Sequence[str], sounds: Sequence[Sound], phones: Sequence[Sequence[Phone]], seed: int) -> Speech:
    whole, starts = joined(list(sounds), PAUSE_S, seed=seed)
    laid = tuple(
        Phone(phone.name, phone.start_s + start_s, phone.end_s + start_s)
        for start_s, sentence in zip(starts, phones, strict=True)
        for phone in sentence
    )
    return Speech(" ".join(texts), whole, laid)
