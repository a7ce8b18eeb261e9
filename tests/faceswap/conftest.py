"""Fixtures of the face-swap tests."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.faceswap.drawn import make_faceset


@pytest.fixture(scope="session")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Face sets of two drawn people."""
    folder = tmp_path_factory.mktemp("sets")
    first = make_faceset(folder / "a", (220, 180, 150), 40, seed=1)
    return first, make_faceset(folder / "b", (140, 100, 80), 40, seed=2)


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    """Processes that begin with everything imported already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
        patch.setenv("OMP_NUM_THREADS", "1")
        made = multiprocessing.get_context("forkserver")
        made.set_forkserver_preload(["tests.faceswap.lives", "torch._dynamo"])
        first = made.Process(target=time.sleep, args=(0,))
        first.start()
        first.join()
    return made
