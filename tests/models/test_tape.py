"""Convolutions on a stream: the same columns, whatever pieces they come in."""

from __future__ import annotations

import pytest
import torch

from models.tape import Conv, Tape, Waiting


@pytest.mark.parametrize("piece", [1, 2, 3, 50])
@pytest.mark.parametrize(("ahead", "stride", "dilation"), [(2, 1, 1), (2, 2, 1), (4, 1, 2), (0, 1, 2), (1, 3, 1)])
def test_pieces_give_what_the_whole_gives(piece: int, ahead: int, stride: int, dilation: int) -> None:
    torch.manual_seed(0)
    conv, tape = Conv(3, 4, 5, ahead, stride, dilation), Tape(4 * dilation - ahead, ahead, stride)
    columns = torch.randn(1, 3, 29)
    parts = [tape.feed(part) for part in torch.split(columns, piece, dim=2)]
    parts.append(tape.feed(columns[..., :0], last=True))
    made = torch.cat([conv.inside(part) for part in parts if part is not None], dim=2)
    torch.testing.assert_close(made, conv(columns))


def test_a_convolution_sees_as_far_as_it_says_and_its_outputs_stand_where_it_says() -> None:
    torch.manual_seed(0)
    conv = Conv(1, 1, 5, ahead=1, stride=2, dilation=3)
    columns = torch.randn(1, 1, 60, requires_grad=True)
    made = conv(columns)
    assert made.shape == (1, 1, 30)
    made[0, 0, 10].backward()
    assert columns.grad is not None
    seen = columns.grad[0, 0].nonzero()[:, 0].tolist()
    assert (seen[0], seen[-1]) == (20 - conv.back, 20 + conv.ahead)


def test_it_is_the_usual_convolution_where_it_hears_both_ways_alike() -> None:
    conv = Conv(3, 4, 5, ahead=4, dilation=2)
    usual = torch.nn.Conv1d(3, 4, 5, padding=4, dilation=2, padding_mode="replicate")
    usual.load_state_dict(conv.state_dict())
    columns = torch.randn(2, 3, 40)
    torch.testing.assert_close(conv(columns), usual(columns))


def test_nothing_fed_is_nothing_certain() -> None:
    tape = Tape(2, 2)
    assert tape.feed(torch.zeros(1, 3, 0)) is None
    assert tape.feed(torch.zeros(1, 3, 0), last=True) is None


def test_what_waits_is_taken_in_order() -> None:
    waiting = Waiting()
    with pytest.raises(ValueError, match="nothing was added"):
        waiting.take(1)
    columns = torch.arange(5.0).reshape(1, 1, 5)
    assert [waiting.add(columns[..., :2]), waiting.add(columns[..., 2:])] == [2, 5]
    assert torch.equal(torch.cat([waiting.take(3), waiting.take(2)], dim=2), columns)
