"""Exit codes and operating-system errors."""

from __future__ import annotations

import errno

import pytest

from shared import errors


def test_each_error_owns_its_exit_code() -> None:
    codes = {kind.__name__: kind.exit_code for kind in errors.LipswapError.__subclasses__()}
    assert codes == {
        "UsageError": 2,
        "NoFaceError": 3,
        "InstallError": 4,
        "WeightsError": 5,
        "MediaError": 6,
        "ArtefactError": 7,
        "ConsentError": 8,
        "LockedError": 9,
        "NoSpaceError": 10,
    }


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, errors.NoSpaceError, "disk is full"),
        (errno.EACCES, errors.MediaError, "no permission"),
        (errno.ENOENT, errors.MediaError, "no such file"),
        (errno.EIO, errors.MediaError, "while writing"),
    ],
)
def test_system_errors_name_the_path_and_fit_one_line(number: int, kind: type[Exception], words: str) -> None:
    made = errors.from_os_error(OSError(number, "text"), "clip.mp4", "writing the clip")
    assert isinstance(made, kind)
    assert "clip.mp4" in str(made)
    assert words in str(made)
    assert "\n" not in str(made)
