"""What can be chosen for a render beside its engines' options; light, so that the commands can show it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

RetimeChoice: TypeAlias = Literal["auto", "on", "off"]
RETIME: Final[RetimeChoice] = "auto"
RETIME_CHOICES: Final[tuple[str, ...]] = get_args(RetimeChoice)
