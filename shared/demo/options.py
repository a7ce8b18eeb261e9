"""What may be chosen in the demo; light, so that the command can show the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of `shared.demo.run.run_demo`."""

    train_minutes: float = 5.0
    """Longest training of the swap net, minutes, > 0."""
    device: str = "auto"
    """``auto``, ``cpu`` or ``cuda``."""
    seed: int = 0
    force: bool = False
    """Film, learn and train again although it was done before."""
