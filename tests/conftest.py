"""Fixtures shared by all tests, and the rule that footage which is at hand must be used."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from shared.render.terminal import OWN_LOGGERS
from shared.store.weights import check_weights, weights_folder

ROOT = Path(__file__).resolve().parent.parent
FOOTAGE = Path(os.environ.get("LIPSWAP_FOOTAGE", ROOT.parent / "shared" / "data"))


def pytest_configure() -> None:
    """Hear Ctrl-C although a shell that starts tests in the background has it ignored: some tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
def weights(own_cache: Path) -> None:  # noqa: ARG001 - the cache must be in place first
    """The face weights, already in the user's cache; skips where `lipswap weights fetch` has not been run."""
    missing = [
        state.weight.file_name for state in check_weights() if state.weight.kind == "weights" and state.state != "ok"
    ]
    if missing:
        pytest.skip(f"not in the cache: {', '.join(missing)}; run `lipswap weights fetch`")


@pytest.fixture(autouse=True)
def own_log_levels() -> Iterator[None]:
    """A command run with ``-q`` must not silence the tests after it."""
    loggers = [logging.getLogger(name) for name in OWN_LOGGERS]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this run alone, so that nothing made before can hide a fault; only the weights are the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    user = weights_folder()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIPSWAP_CACHE", str(folder))
        patch.setenv("LIPSWAP_DATA", str(folder / "handwork"))  # what is made for several tests
        if user.is_dir():
            (folder / "weights").symlink_to(user, target_is_directory=True)
        yield folder


@pytest.fixture(autouse=True)
def own_handwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Corrections of this test alone: they stay with what a clip holds, and many tests copy the same clip."""
    monkeypatch.setenv("LIPSWAP_DATA", str(tmp_path.with_name(f"{tmp_path.name}-handwork")))


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
