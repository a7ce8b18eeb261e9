"""What a training leaves for people to see: its log, curves, previews, and its figures in TensorBoard."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceswap.heldout import Look, Shown
from faceswap.model import CURVE, LOG, PREVIEW, TIMELAPSE
from faceswap.preview import curve, labelled, sheet
from faceswap.timelapse import film, numbered
from faceswap.trainer import Course
from shared.errors import InstallError, from_os_error
from shared.picture.image import write_png
from shared.store.artefact import write_atomically
from shared.types import JsonObject

BOARD = "tensorboard"


class Record:
    """The log of a training and the pictures that go with it, in the model's folder."""

    def __init__(self, model: Path, tensorboard: bool = False) -> None:
        self._model = model
        self._open = _writer() if tensorboard else None
        self._board: Any = None
        self.lines: list[JsonObject] = []
        for folder in (model, model / TIMELAPSE):
            for left in folder.glob(".*.partial"):  # by a run that was killed
                left.unlink(missing_ok=True)

    def go_back(self, step: int) -> None:
        """Read the log and let go of what lies after `step`, and of a line that a killed run left half written."""
        path = self._model / LOG
        written = path.read_bytes() if path.is_file() else b""
        self.lines = [line for line in map(_parsed, written.splitlines()) if line and line["step"] <= step]
        content = "".join(json.dumps(line) + "\n" for line in self.lines).encode()
        if content != written:
            write_atomically(path, content)
        if self._open is not None:
            self._board = self._open(str(self._model / BOARD), purge_step=step + 1)

    def add(self, line: JsonObject, look: Look) -> None:
        """Append one line to the log, and draw curves and preview anew."""
        again = bool(self.lines) and self.lines[-1]["step"] >= line["step"]
        if again:
            self.go_back(line["step"] - 1)
        self.lines.append(line)
        self._append(json.dumps(line) + "\n")
        write_png(self._model / CURVE, curve(self.lines))
        picture = sheet(look.shown.faces, look.shown.rebuilt, look.shown.swapped)
        write_png(self._model / PREVIEW, labelled(picture, f"step {line['step']}: as filmed, rebuilt, swapped"))
        if self._board is not None:
            for name, value in line.items():
                if name not in ("step", "eta_s") and isinstance(value, int | float):
                    self._board.add_scalar(name, value, line["step"])
            self._board.flush()

    def show(self, shown: Shown, step: int) -> None:
        """Keep a numbered preview for the time-lapse."""
        picture = labelled(sheet(shown.faces, shown.rebuilt, shown.swapped), f"step {step}")
        write_png(numbered(self._model / TIMELAPSE, step), picture)

    def finish(self, step: int) -> None:
        """Make the film of the previews up to `step`."""
        folder = self._model / TIMELAPSE
        pictures = [path for path in sorted(folder.glob("step-*.png")) if path <= numbered(folder, step)]
        if pictures:
            film(pictures, folder.with_suffix(".mp4"))
        if self._board is not None:
            self._board.close()

    def _append(self, text: str) -> None:
        """Append, and come back when it is on the disk."""
        path = self._model / LOG
        try:
            with path.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise from_os_error(error, path, "writing the log") from error


def _parsed(line: bytes) -> JsonObject:
    """A line of the log; empty where it was cut off."""
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) and "step" in parsed else {}


def _writer() -> Callable[..., Any]:
    """What writes TensorBoard's event files.

    Raises
    ------
    InstallError
        If the package is not there.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise InstallError(
            f"--tensorboard needs the package tensorboard ({error}): pip install 'lipswap[tensorboard]', or go without"
        ) from error
    return SummaryWriter


def stage_in_words(stage: Course) -> str:
    """What is new in a part of the schedule, for the terminal."""
    warp = "pictures are warped" if stage.warped else "pictures are no longer warped"
    return f"{warp}, and a discriminator judges them" if stage.judged else warp


def memory_in_words(step: int, batch: int, parts: int) -> str:
    """What becomes of a batch when memory has run out, for the terminal."""
    return (
        f"memory ran out at step {step}: each batch of {batch} is now computed in {parts} parts whose gradients are "
        "added up; the curve stays that of the whole batch"
    )


def in_words(line: JsonObject) -> str:
    """A line of the log for the terminal."""
    left = int(line["eta_s"])
    seen = [
        f"identity {line[f'identity_to_source_{p}']:+.2f} to source, {line[f'identity_to_target_{p}']:+.2f} to target"
        for p in "ab"
        if f"identity_to_source_{p}" in line
    ]
    who = "".join(f"; {name} {words}" for name, words in zip(("A as B", "B as A"), seen, strict=False))
    return (
        f"step {line['step']}: loss {line['loss_a']:.4f} {line['loss_b']:.4f}, held-out PSNR "
        f"{line['psnr_a_db']:.2f} {line['psnr_b_db']:.2f} dB (mean face {line['mean_face_a_db']:.2f} "
        f"{line['mean_face_b_db']:.2f}), SSIM {line['ssim_a']:.3f} {line['ssim_b']:.3f}{who}; "
        f"{line['examples_per_s']:.0f} EG/s, ETA {left // 60}:{left % 60:02d}"
    )
