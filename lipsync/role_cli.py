"""The option ``--role``, which the commands that learn share."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")


def role_option(command: Callable[P, R]) -> Callable[P, R]:
    """Add ``--role``, passed as texts for `lipsync.options.parse_role`."""
    return click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="PATTERN=ROLES",
        help="What clips serve as, of sound,shapes,textures (as in --role 'b-roll/*=shapes,textures'), instead of what "
        "is found out; may be given again, the last that fits a clip counts.",
    )(command)
