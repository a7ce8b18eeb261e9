"""One signature for a folder of pictures: it holds for each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import ConsentError
from shared.media.numbered import CONTENTS, NumberedPictures
from shared.provenance.consent import read_consent
from shared.provenance.credentials import Action, prepare
from shared.provenance.folder import sign_folder, verify_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIPSWAP_CONFIG", str(tmp_path / "config"))
    pictures = NumberedPictures(tmp_path / "frames", "%03d.png")
    for number in range(1, 8):
        pictures.add(number, lambda: b"a picture", {"time_s": number / 25})
    pictures.finish({"kind": "image sequence"})
    statement = prepare(read_consent("I agree."), (), (Action("swap", "face swapped"),))
    assert sign_folder(statement, tmp_path / "frames", {"seed": 1}) == tmp_path / "frames" / "contents.c2pa"
    return tmp_path / "frames"


def test_a_signed_folder_is_trusted_and_holds_the_consent(folder: Path) -> None:
    found = verify_folder(folder)
    assert (found.state, found.problems) == ("trusted", ())
    assert found.consent["statement"] == "I agree."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "003.png").write_bytes(b"another"), "003.png was changed"),
        (lambda folder: (folder / "003.png").unlink(), "003.png is missing"),
        (lambda folder: (folder / "999.png").write_bytes(b"more"), "999.png is not in the list"),
    ],
)
def test_a_picture_changed_removed_or_added_is_found(change: Callable[[Path], object], said: str, folder: Path) -> None:
    change(folder)
    found = verify_folder(folder)
    assert found.state == "invalid"
    assert found.problems == (said,)


def test_a_list_changed_with_its_pictures_is_found_too(folder: Path) -> None:
    contents = folder / CONTENTS
    contents.write_text(contents.read_text().replace("image sequence", "real footage"))
    assert verify_folder(folder).state == "invalid"


def test_many_changes_are_counted(folder: Path) -> None:
    for path in folder.glob("*.png"):
        path.unlink()
    problems = verify_folder(folder).problems
    assert len(problems) == 6
    assert problems[-1] == "and 2 more"


def test_a_folder_without_a_list_carries_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match=r"without contents\.json"):
        verify_folder(tmp_path)
