"""The cards: counted by hand for one net, and as the document has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.cards import card_of
from models.nets import NETS, config_of

DOCUMENT = Path(__file__).parents[2] / "models" / "CARDS.md"


def test_the_classic_net_costs_what_its_layers_say() -> None:
    card = card_of(config_of("classic"))
    encoder = ((3, 128, 32), (128, 256, 16), (256, 512, 8), (512, 1024, 4))
    decoder = ((512, 1024, 8), (256, 512, 16), (128, 256, 32))
    dense = 2 * 16384 * 1024
    encode = sum(25 * a * b * side**2 for a, b, side in encoder) + dense + 9 * 1024 * 2048 * 16
    decode = sum(9 * a * b * side**2 for a, b, side in decoder) + 25 * 64 * 3 * 64**2
    assert (card.encode_macs, card.decode_macs) == (encode, decode)
    weights = sum(25 * a * b + b for a, b, _ in encoder) + dense + 1024 + 16384 + 9 * 1024 * 2048 + 2048
    weights += 2 * (sum(9 * a * b + b for a, b, _ in decoder) + 25 * 64 * 3 + 3)
    assert card.parameters == weights


@pytest.mark.parametrize("name", list(NETS))
def test_the_document_says_what_a_net_has(name: str) -> None:
    card = card_of(config_of(name))
    found = re.search(rf"^\| {name} \|(.*)\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{name} is missing: run benchmarks/net_cards.py -o models/CARDS.md"
    cells = [cell.strip() for cell in found.group(1).split("|")]
    assert cells[1:3] == [str(config_of(name).input_px), str(config_of(name).output_px)]
    written = [float(cell) for cell in cells[3:6]]
    wanted = [card.parameters / 1e6, card.encode_macs / 1e9, card.decode_macs / 1e9]
    assert written == pytest.approx(wanted, abs=0.006)
