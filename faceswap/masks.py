"""The masks that can be asked for, by name; imports nothing heavy."""

from __future__ import annotations

from shared.errors import UsageError

MASKS = ("hull", "extended", "learned", "person")
"""Jaw line to brows; to the forehead as well; as the net draws it (nets with a mask head); without the background."""


def mask_parts(text: str) -> tuple[str, ...]:
    """The masks that ``--mask`` names, whose intersection is laid.

    Raises
    ------
    UsageError
        There is none of such a name.
    """
    parts = tuple(part.strip() for part in text.split(","))
    if unknown := [part for part in parts if part not in MASKS]:
        raise UsageError(f"--mask {text}: no mask is called {unknown[0] or 'nothing'}; choose of {', '.join(MASKS)}")
    return parts
