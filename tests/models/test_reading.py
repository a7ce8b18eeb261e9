"""Reading pictures at places: the form for export against torch's own operation."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from models.reading import gathered, read_at


@pytest.mark.parametrize("shared_picture", [False, True])
def test_gathering_reads_what_torch_reads_also_outside_the_picture(shared_picture: bool) -> None:
    random = torch.Generator().manual_seed(1)
    pictures = torch.rand(1 if shared_picture else 3, 2, 9, 14, generator=random)
    places = torch.rand(3, 7, 5, 2, generator=random) * 2.6 - 1.3
    places[0, 0, 0] = torch.tensor([1.0, 1.0])
    places[0, 0, 1] = torch.tensor([-1.0, 1.0])
    wanted = functional.grid_sample(pictures.expand(3, -1, -1, -1), places, padding_mode="border", align_corners=False)
    assert gathered(pictures, places).shape == (3, 2, 7, 5)
    torch.testing.assert_close(gathered(pictures, places), wanted, atol=2e-6, rtol=0)
    assert torch.equal(read_at(pictures, places), wanted)
