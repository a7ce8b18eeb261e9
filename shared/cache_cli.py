"""The command ``cache``: what earlier runs left to be used again, how much of it, and away with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shared.render.terminal import Terminal, standard_options

if TYPE_CHECKING:  # they bring numpy, which a help text can do without
    from shared.store.cache import Entry
    from shared.types import JsonObject

ALL = "all"
CHOICES = ("faces", "model", "voice", "partial", ALL)


@click.command(epilog="Example: lipswap cache --clear faces")
@click.option("--clear", type=click.Choice(CHOICES), help="Remove all of this kind that no other run holds.")
@standard_options
def cache(clear: str | None, terminal: Terminal) -> None:
    """Say what the cache folder holds, by kind, or remove it.

    Everything in it but the weights is made again when it is needed. It keeps to 20 GB by itself (LIPSWAP_CACHE_GB says
    another number): what was used least lately goes when something new is made.
    """
    from shared.store.artefact import cache_folder
    from shared.store.cache import discard, entries, limit_bytes

    folder, limit = cache_folder(), limit_bytes()
    chosen = [entry for entry in entries(folder) if clear in (ALL, entry.kind)]
    gone = [entry for entry in chosen if discard(entry)]
    for entry in chosen:
        if entry not in gone:
            terminal.warn(f"{entry.path}: another run holds it, or it cannot be removed; it stays")
    left = entries(folder)
    freed = sum(entry.size_bytes for entry in gone)
    held = sum(entry.size_bytes for entry in left)
    weights = _bytes_of(folder / "weights")
    kinds = _by_kind(left)
    lines = [f"{folder}: {_size(held)} of at most {_size(limit)}, and weights of {_size(weights)}"]
    if clear is not None:
        lines.insert(0, f"removed {len(gone)} folders, {_size(freed)}")
    lines += [
        f"  {kind['kind']:8} {kind['folders']:5}  {_size(kind['size_bytes']):>9}  used {kind['last_used']:20}  "
        f"{kind['meaning']}"
        for kind in kinds
    ]
    answer: JsonObject = {
        "folder": str(folder),
        "limit_bytes": limit,
        "size_bytes": held,
        "weights_bytes": weights,
        "kinds": kinds,
        "removed_folders": [str(entry.path) for entry in gone],
        "removed_bytes": freed,
    }
    terminal.result(answer, "\n".join(lines))


def _by_kind(found: Sequence[Entry]) -> list[JsonObject]:
    from shared.store.cache import KINDS

    rows: list[JsonObject] = []
    for kind, meaning in KINDS.items():
        these = [entry for entry in found if entry.kind == kind]
        last = max((entry.used_s for entry in these), default=None)
        rows.append(
            {
                "kind": kind,
                "meaning": meaning,
                "folders": len(these),
                "size_bytes": sum(entry.size_bytes for entry in these),
                "last_used": "never" if last is None else datetime.fromtimestamp(last, UTC).isoformat(" ", "minutes"),
            }
        )
    return rows


def _bytes_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
