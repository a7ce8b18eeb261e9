"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE = Path(os.environ.get("LIPSWAP_FOOTAGE", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def footage() -> Path:
    """Root of the real footage; skips where there is none."""
    if not (FOOTAGE / "train").is_dir():
        pytest.skip(f"no real footage at {FOOTAGE} (set LIPSWAP_FOOTAGE)")
    return FOOTAGE
