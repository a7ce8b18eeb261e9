from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shared.errors import ConsentError
from shared.provenance.consent import read_consent


def test_a_sentence_is_kept_digested_and_dated() -> None:
    consent = read_consent("I, Ada, agree to this swap.")
    assert consent.text == "I, Ada, agree to this swap."
    assert consent.sha256 == hashlib.sha256(consent.text.encode()).hexdigest()
    assert consent.when.endswith("+00:00")
    assert consent.who == ""


def test_a_file_gives_its_text_its_digest_and_who_signed(tmp_path: Path) -> None:
    path = tmp_path / "consent.txt"
    path.write_bytes("I agree.\r\nName: Zoë Example \r\n".encode())
    for given in (path, str(path)):
        consent = read_consent(given)
        assert consent.text.startswith("I agree.")
        assert consent.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert consent.who == "Zoë Example"


def test_without_a_statement_the_way_out_is_named() -> None:
    with pytest.raises(ConsentError, match="give --consent with a sentence"):
        read_consent(None)


def test_a_blank_statement_is_none(tmp_path: Path) -> None:
    (tmp_path / "blank.txt").write_text(" \n\t")
    for given in ("  ", tmp_path / "blank.txt"):
        with pytest.raises(ConsentError, match="statement is empty"):
            read_consent(given)


def test_a_mistyped_file_is_not_taken_for_a_statement(tmp_path: Path) -> None:
    for given in (str(tmp_path / "none"), "consent.txt", tmp_path / "none"):
        with pytest.raises(ConsentError, match="no such file"):
            read_consent(given)


def test_a_single_word_is_no_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConsentError, match="consent: a single word is no statement, and no such file is here"):
        read_consent("consent")
    Path("consent").write_text("I agree")
    assert read_consent("consent").text == "I agree"


def test_a_picture_is_not_a_statement(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConsentError, match="not UTF-8 text"):
        read_consent(tmp_path / "scan")
    (tmp_path / "film").write_bytes(b"a" * 1_000_001)
    with pytest.raises(ConsentError, match="too large"):
        read_consent(tmp_path / "film")
