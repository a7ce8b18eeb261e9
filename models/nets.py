"""The nets by name, each a set of sizes; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

NetName = Literal["quick", "quick96", "light", "classic", "classic-lean", "df128", "liae128", "hd128", "hd256", "hd512"]

GUIDES: Final = 19
"""Values of pose and expression that guide the nets which are guided: yaw, pitch, five that have names (gaze, mouth,
lids), and twelve of the rest of the expression."""


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Which net, and its sizes; made by `config_of`."""

    name: NetName
    input_px: int
    """Side of the encoder's input."""
    output_px: int
    """Side of the decoders' output."""
    filters: tuple[int, ...]
    """Of the encoder's convolutions, each of stride 2."""
    code: int
    """Values in the latent."""
    base: int
    """Filters of the map that the decoders read."""
    decoder: tuple[int, ...]
    """Filters of the decoder's upscales."""
    residuals: tuple[int, ...]
    """Residual blocks after each upscale."""
    squeeze: int = 0
    """Filters to which the encoder's last map is brought before the dense layers, 0 for as many as it has."""
    classic: bool = False
    """As the nets of 2017 were: 5x5 kernels, torch's own start, an upscale before the decoders, painting at full size.
    Otherwise 3x3 kernels after the first, a standardised input, and painting at half size with a pixel shuffle."""
    split: bool = False
    """One decoder for both people, who differ in half of the code it reads; otherwise a decoder for each."""
    moved: bool = False
    """The decoder moves and repaints a learned picture of its person instead of painting from nothing."""
    mask: bool = False
    """The decoder draws a mask too."""
    guides: int = 0
    """Values of pose and expression that the encoder learns to read off its picture and the decoders are told."""


def config_of(name: str, mask: bool = False) -> AutoencoderConfig:
    """Sizes of the named net, with or without a learned mask."""
    if name not in NETS:
        raise ValueError(f"expected one of {', '.join(NETS)}, got {name!r}")
    return replace(NETS[name](), mask=mask)


def _quick() -> AutoencoderConfig:
    """Shows a face within minutes on two CPU cores: thin layers, and a picture to start from."""
    return AutoencoderConfig(
        "quick", 64, 128, (32, 64, 128, 128), 128, 128, (80, 48, 24), residuals=(0, 0, 1), moved=True, guides=GUIDES
    )


def _quick96() -> AutoencoderConfig:
    """The same for smaller faces."""
    return replace(_quick(), name="quick96", output_px=96)


def _classic() -> AutoencoderConfig:
    """The 64 px net that the first open face-swap programs of 2017 and 2018 share."""
    return AutoencoderConfig(
        "classic", 64, 64, (128, 256, 512, 1024), 1024, 512, (256, 128, 64), residuals=(0, 0, 0), classic=True
    )


def _light() -> AutoencoderConfig:
    """The classic net with half its filters."""
    return replace(_classic(), name="light", filters=(64, 128, 256, 512), code=512, base=256, decoder=(128, 64, 32))


def _classic_lean() -> AutoencoderConfig:
    """The classic net with a quarter of the filters around its dense layers, which hold 41% of its weights."""
    return replace(_classic(), name="classic-lean", code=512, squeeze=256)


def _df128() -> AutoencoderConfig:
    """Two decoders at 128 px."""
    return AutoencoderConfig(
        "df128", 128, 128, (48, 96, 192, 256), 256, 192, (160, 96, 48), (1, 1, 1), squeeze=96, guides=GUIDES
    )


def _liae128() -> AutoencoderConfig:
    """One decoder at 128 px, split codes."""
    return replace(_df128(), name="liae128", split=True, base=128)


def _hd(name: NetName, size_px: int) -> AutoencoderConfig:
    """Deeper and wider, with two residual blocks at each size; another level for each doubling of the picture."""
    levels = size_px.bit_length() - 4
    filters = tuple(min(512, 64 << level) for level in range(levels))
    decoder = tuple(max(32, 320 >> level) for level in range(levels - 1))
    return AutoencoderConfig(
        name, size_px, size_px, filters, 512, 320, decoder, (2,) * len(decoder), squeeze=128, guides=GUIDES
    )


NETS: Final[dict[str, Callable[[], AutoencoderConfig]]] = {
    "quick": _quick,
    "quick96": _quick96,
    "light": _light,
    "classic": _classic,
    "classic-lean": _classic_lean,
    "df128": _df128,
    "liae128": _liae128,
    "hd128": lambda: _hd("hd128", 128),
    "hd256": lambda: _hd("hd256", 256),
    "hd512": lambda: _hd("hd512", 512),
}
"""How each net is made."""
