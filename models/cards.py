"""What a net costs: its parameters, and the products of a face, counted on its layers without running them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.autoencoder import as_module, build
from models.nets import AutoencoderConfig


@dataclass(frozen=True, slots=True)
class Card:
    """Figures of a net that do not depend on the machine.

    Attributes
    ----------
    parameters : of the encoder and of both people's parts.
    encode_macs, decode_macs : multiplications with an addition for one face; a training step costs three times as
        much for each face.
    """

    parameters: int
    encode_macs: int
    decode_macs: int


def card_of(config: AutoencoderConfig) -> Card:
    """Count."""
    with torch.device("meta"), torch.no_grad():
        net = build(config)
        with FlopCounterMode(display=False) as encoding:
            code = net.encode(torch.empty(1, 3, config.input_px, config.input_px))
        with FlopCounterMode(display=False) as decoding:
            net.decode(code, 0)
    count = sum(value.numel() for value in as_module(net).parameters())
    return Card(count, encoding.get_total_flops() // 2, decoding.get_total_flops() // 2)
