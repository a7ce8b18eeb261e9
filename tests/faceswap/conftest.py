"""Fixtures of the face-swap tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faceswap.drawn import make_faceset


@pytest.fixture(scope="session")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Face sets of two drawn people."""
    folder = tmp_path_factory.mktemp("sets")
    first = make_faceset(folder / "a", (220, 180, 150), 40, seed=1)
    return first, make_faceset(folder / "b", (140, 100, 80), 40, seed=2)
