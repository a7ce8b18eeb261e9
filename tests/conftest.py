"""Fixtures shared by all tests, and the rule that footage which is at hand must be used."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from shared.store.weights import check_weights

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE = Path(os.environ.get("LIPSWAP_FOOTAGE", ROOT.parent / "shared" / "data"))


def footage_is_here() -> bool:
    """Whether the real footage lies where it is looked for."""
    return (FOOTAGE / "train").is_dir()


@pytest.fixture(scope="session")
def footage() -> Path:
    """Root of the real footage; skips where there is none."""
    if not footage_is_here():
        pytest.skip(f"no real footage at {FOOTAGE} (set LIPSWAP_FOOTAGE)")
    return FOOTAGE


@pytest.fixture(scope="session")
def weights() -> None:
    """The face weights, already in the user's cache; skips where `lipswap weights fetch` has not been run."""
    missing = [
        state.weight.file_name for state in check_weights() if state.weight.kind == "weights" and state.state != "ok"
    ]
    if missing:
        pytest.skip(f"not in the cache: {', '.join(missing)}; run `lipswap weights fetch`")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped footage test is a failure where the footage is at hand."""
    report = yield
    if report.skipped and item.get_closest_marker("footage") and footage_is_here():
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} needs footage, which is at {FOOTAGE}, and was skipped all the same ({call.excinfo})"
        )
    return report
