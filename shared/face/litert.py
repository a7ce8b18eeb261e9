"""Networks of LiteRT with one input, quietly."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from shared.types import Floats


class Net:
    """A LiteRT network with one input; outputs sorted from large to small. Threads may share it."""

    def __init__(self, content: bytes, threads: int) -> None:
        with without_chatter():
            self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._alone = threading.Lock()
        self._input = int(self._interpreter.get_input_details()[0]["index"])
        details = self._interpreter.get_output_details()
        self._outputs = [int(d["index"]) for d in sorted(details, key=lambda d: (-int(np.prod(d["shape"])), d["name"]))]

    def run(self, array: Floats) -> list[Floats]:
        """Copies of the outputs for one input."""
        with self._alone:
            self._interpreter.set_tensor(self._input, array)
            self._interpreter.invoke()
            return [np.asarray(self._interpreter.get_tensor(index), dtype=np.float32) for index in self._outputs]


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Keep LiteRT's note on its delegate, written from C++ whatever the log level, off the user's terminal."""
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed: there is nobody to keep it from
        yield
        return
    sys.stderr.flush()
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
