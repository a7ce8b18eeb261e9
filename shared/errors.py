"""The errors of the user's world, and the exit code each one owns.

::

    LipswapError              (1 is Python's own: a bug, with a traceback)
    |-- UsageError            2   options that do not go together
    |-- NoFaceError           3   no usable face, no learnable speech
    |-- InstallError          4   broken installation, missing system library
    |-- WeightsError          5   weights or checkpoint missing, damaged, of the wrong kind
    |-- MediaError            6   a file that cannot be read, decoded or written
    |-- ArtefactError         7   a folder made from other inputs or by another version
    |-- ConsentError          8   no consent statement
    |-- LockedError           9   another run holds the same artefact
    `-- NoSpaceError         10   the disk is full

130 is an interrupt (Ctrl-C). Each message is one line: what is wrong, with the path, and the way out.
Mistakes of a caller (shape, dtype) are ``ValueError``, never one of these.
"""

from __future__ import annotations

import errno
from typing import ClassVar

INTERRUPTED = 130


class LipswapError(Exception):
    """Root of the tree; carries the exit code as a class variable."""

    exit_code: ClassVar[int] = 1


class UsageError(LipswapError):
    """Options or inputs that do not go together."""

    exit_code: ClassVar[int] = 2


class NoFaceError(LipswapError):
    """No usable face, or no speech to learn from."""

    exit_code: ClassVar[int] = 3


class InstallError(LipswapError):
    """The installation is incomplete or overwritten."""

    exit_code: ClassVar[int] = 4


class WeightsError(LipswapError):
    """Weights or a checkpoint are missing, damaged, or of the wrong kind."""

    exit_code: ClassVar[int] = 5


class MediaError(LipswapError):
    """A media file cannot be opened, decoded or written."""

    exit_code: ClassVar[int] = 6


class ArtefactError(LipswapError):
    """An artefact was made from other inputs, options or by another version."""

    exit_code: ClassVar[int] = 7


class ConsentError(LipswapError):
    """The consent statement is missing or empty."""

    exit_code: ClassVar[int] = 8


class LockedError(LipswapError):
    """Another run holds the same artefact."""

    exit_code: ClassVar[int] = 9


class NoSpaceError(LipswapError):
    """The disk is full."""

    exit_code: ClassVar[int] = 10


def from_os_error(error: OSError, path: object, doing: str) -> LipswapError:
    """Turn an operating-system error into the error of this tree that the user can act on.

    Parameters
    ----------
    error : the error caught.
    path : the file or folder concerned, named in the message.
    doing : what was being done, as a gerund phrase ("writing the clip").
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(f"{path}: the disk is full while {doing}; free some space and run again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MediaError(f"{path}: no permission while {doing}; choose another place or change the rights")
    if error.errno == errno.ENOENT:
        return MediaError(f"{path}: no such file or folder while {doing}; check the spelling")
    return MediaError(f"{path}: {error.strerror or error} while {doing}")
