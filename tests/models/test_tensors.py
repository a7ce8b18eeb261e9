"""The door between numpy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.tensors import floats, nchw, nhwc, pick_device, pick_precision, unit
from shared.errors import UsageError


def test_pictures_come_back_as_they_went() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    tensor = nchw(pictures)
    assert tensor.shape == (2, 3, 5, 7)
    assert tensor.dtype == torch.uint8
    assert np.array_equal(np.rint(nhwc(unit(tensor)) * 255).astype(np.uint8), pictures)


def test_masks_get_one_channel() -> None:
    assert nchw(np.zeros((2, 5, 7), dtype=np.uint8)).shape == (2, 1, 5, 7)


def test_values_beyond_the_range_are_cut_off() -> None:
    assert nhwc(torch.tensor([[[[-0.5, 1.5]]]])).ravel().tolist() == [0.0, 1.0]


def test_wrong_pictures_are_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="uint8"):
        nchw(np.zeros((2, 5, 7, 3), dtype=np.float32))


def test_floats_keep_their_values() -> None:
    values = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(floats(values).numpy(), values)


def test_unknown_devices_and_precisions_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown"):
        pick_device("tpu")
    with pytest.raises(UsageError, match="unknown"):
        pick_precision(torch.device("cpu"), "float16")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="--device cpu"):
            pick_device("cuda")


def test_the_measure_of_precision_leaves_the_random_state_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    pick_precision(torch.device("cpu"))
    assert torch.equal(torch.rand(3), expected)


def test_an_asked_for_precision_is_taken() -> None:
    precision = pick_precision(torch.device("cpu"), "bfloat16")
    with precision.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == torch.bfloat16
