"""Where the lips must meet, out of tables of words or phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lipsync.alignment import Marks, closures_of_word, read_marks
from shared.errors import MediaError


@pytest.mark.parametrize("word", ["bin", "place", "blue", "by", "b", "P", "please", "be", "me", "maker"])
def test_a_word_that_begins_with_p_b_or_m_closes_at_its_start(word: str) -> None:
    assert closures_of_word(word, 1.0, 1.4) == pytest.approx((1.01,))


@pytest.mark.parametrize("word", ["m", "him", "time", "help", "thumb", "column", "jump", "hope", "up"])
def test_a_word_that_ends_with_one_closes_at_its_end(word: str) -> None:
    assert closures_of_word(word, 1.0, 1.4) == pytest.approx((1.37,))


@pytest.mark.parametrize("word", ["phone", "white", "sil", "again", "number", "apple", "two"])
def test_what_closes_inside_or_not_at_all_gives_nothing(word: str) -> None:
    assert closures_of_word(word, 1.0, 1.4) == ()


def test_both_ends_may_close_and_a_short_word_keeps_them_inside() -> None:
    assert closures_of_word("map", 1.0, 1.4) == pytest.approx((1.01, 1.37))
    assert closures_of_word("b", 1.0, 1.005) == pytest.approx((1.005,))


def test_tables_of_words_and_of_phones_are_read(tmp_path: Path) -> None:
    words, phones = tmp_path / "words.tsv", tmp_path / "phones.tsv"
    words.write_text("clip\tstart_s\tend_s\tword\na\t0.5\t0.7\tblue\na\t0.1\t0.3\tbin\nb\t0\t1\tsil\n")
    found = read_marks(words)
    assert found["a"].closures_s == pytest.approx((0.11, 0.51))
    assert found["a"].words == ((0.1, 0.3, "bin"), (0.5, 0.7, "blue"))
    assert found["b"] == Marks(words=((0.0, 1.0, "sil"),))
    phones.write_text("clip\tphone\tstart_s\tend_s\na\tB\t0.1\t0.2\na\tAE1\t0.2\t0.4\na\tT\t0.4\t0.5\n")
    of_phones = read_marks(phones)["a"]
    assert of_phones.closures_s == pytest.approx((0.15,))
    assert of_phones.open_s == pytest.approx((0.3,))
    assert of_phones.words == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip\tstart_s\tword\na\t0\tb\n", "lacks the column end_s"),
        ("clip\tstart_s\tend_s\nx\t0\t1\n", "lacks the column word"),
        ("clip\tstart_s\tend_s\tword\na\t0.2\t0.1\tblue\n", "line 2 is not"),
        ("clip\tstart_s\tend_s\tword\na\t0.2\tlate\tblue\n", "line 2 is not"),
        ("clip\tstart_s\tend_s\tword\na\t0.2\n", "line 2 is not"),
    ],
)
def test_a_table_that_is_none_says_what_it_lacks(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "align.tsv"
    path.write_text(text)
    with pytest.raises(MediaError, match=said):
        read_marks(path)


def test_bytes_and_missing_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "align.tsv"
    path.write_bytes(b"\xff\xfe\x00clip")
    with pytest.raises(MediaError, match="is no table of text"):
        read_marks(path)
    with pytest.raises(MediaError, match="no such file"):
        read_marks(tmp_path / "gone.tsv")
