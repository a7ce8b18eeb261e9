from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from shared.errors import MediaError
from shared.picture import image


def rgb(seed: int, *size: int) -> image.Rgb:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_a_png_comes_back_sample_for_sample(tmp_path: Path) -> None:
    picture = rgb(0, 17, 23)
    image.write_png(tmp_path / "new" / "a.png", picture)
    np.testing.assert_array_equal(image.read_image(tmp_path / "new" / "a.png"), picture)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_red_stays_red_in_the_file_itself() -> None:
    encoded = image.encode_png(np.array([[[255, 7, 0]]], dtype=np.uint8))
    start = encoded.index(b"IDAT")
    row = zlib.decompress(encoded[start + 4 : start + 4 + int.from_bytes(encoded[start - 4 : start], "big")])
    assert list(row[1:]) == [255, 7, 0]  # after the filter's byte; a single pixel has no neighbour to differ from


def test_a_missing_file_and_a_text_file_are_media_errors(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        image.read_image(tmp_path / "none.png")
    for content in (b"", b"not a picture"):
        (tmp_path / "text.png").write_bytes(content)
        with pytest.raises(MediaError, match="not a readable picture"):
            image.read_image(tmp_path / "text.png")


def test_a_place_that_cannot_be_written_is_a_media_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="writing a picture"):
        image.write_png(tmp_path / "file" / "a.png", rgb(1, 4, 4))


def test_floats_are_not_coded() -> None:
    with pytest.raises(ValueError, match="uint8"):
        image.encode_png(np.zeros((4, 4, 3), dtype=np.float32))  # type: ignore[arg-type]  # the mistake under test


def test_a_sheet_has_its_cells_in_reading_order() -> None:
    pictures = [np.full((10, 20, 3), value, dtype=np.uint8) for value in (50, 100, 150)]
    sheet = image.contact_sheet(pictures, columns=2, cell=(20, 20), gap_px=4)
    assert sheet.shape == (44, 44, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((10, 10), (10, 34), (34, 10), (34, 34))] == [50, 100, 150, 32]
    assert sheet[0, 10, 0] == 32
    assert image.contact_sheet([], columns=3, cell=(5, 6)).shape == (5, 6, 3)
