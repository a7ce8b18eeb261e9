"""What every figure needs beside it: the machine and its load."""

from __future__ import annotations

import json
import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Cores, load average over one minute, system and Python version."""
    return {
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def report(figures: dict[str, Any]) -> None:
    """Print `figures` with the machine as one JSON object."""
    print(json.dumps({**figures, "machine": machine()}, indent=2))
