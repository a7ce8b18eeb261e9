"""Convolutions over small maps with many weights, as one product of matrices.

A convolution of 4x4 pixels with 10 million weights has little to slide over: libraries spend their time packing the
weights, and the gradient of the weights runs at a fifth of the processor's speed. Written as a product of patches and
weights (Chellapilla, Puri, Simard: "High performance convolutional neural networks for document processing", 2006) it
is two to three times faster on a CPU, forward and backward. Weights lie in memory as (outputs, H, W, inputs), which is
what channels-last is, so that nothing of them is copied.
"""

from __future__ import annotations

import itertools
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST_WEIGHTS_A_PIXEL: Final = 1 << 18
"""Weights for each pixel of the result from which a product is faster, measured in float32 and bfloat16."""


class Convolution(nn.Conv2d):
    """A convolution that trains as a product where its map is small for its weights; elsewhere it is torch's own."""

    def forward(self, values: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H', W')."""
        if not (values.device.type == "cpu" and torch.is_grad_enabled() and self._small(values)):
            return super().forward(values)
        weight, bias = self.weight, cast(Tensor, self.bias)
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            values, weight, bias = values.to(kind), weight.to(kind), bias.to(kind)
        # torch leaves the type of this one function open
        made = _Product.apply(values, weight, self.stride[0], int(self.padding[0]))  # type: ignore[no-untyped-call]
        return cast(Tensor, made) + bias.view(1, -1, 1, 1)

    def _small(self, values: Tensor) -> bool:
        side = (values.shape[-1] + 2 * int(self.padding[0]) - self.kernel_size[0]) // self.stride[0] + 1
        square = values.shape[-1] == values.shape[-2]
        return square and self.bias is not None and self.weight.numel() >= LEAST_WEIGHTS_A_PIXEL * side * side


class _Product(torch.autograd.Function):
    """Patches times weights, with the gradients of both."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:  # noqa: ANN401 - torch's
        outputs, _, kernel, _ = weight.shape
        patches, side = _patches(values, kernel, stride, padding)
        flat = weight.permute(0, 2, 3, 1).reshape(outputs, -1)
        ctx.save_for_backward(patches, flat)
        ctx.shape, ctx.layout = values.shape, (kernel, stride, padding)
        made = times(patches, flat.T)
        return made.view(len(values), side, side, outputs).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, Tensor, None, None]:  # noqa: ANN401 - torch's
        patches, flat = ctx.saved_tensors
        kernel, stride, padding = ctx.layout
        gradient = given[0].permute(0, 2, 3, 1).reshape(-1, len(flat))
        of_weight = times(gradient.T, patches).view(len(flat), kernel, kernel, -1).permute(0, 3, 1, 2)
        of_values = None
        if ctx.needs_input_grad[0]:
            of_values = _unpatched(times(gradient, flat), ctx.shape, kernel, stride, padding)
        return of_values, of_weight, None, None


def times(first: Tensor, second: Tensor) -> Tensor:
    """(A, B) times (B, C), by oneDNN in float32 too where torch has it: MKL is half as fast on some processors."""
    if first.dtype is torch.float32 and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(first, second.T, None, "none", [], ""))
    return first @ second


def _patches(values: Tensor, kernel: int, stride: int, padding: int) -> tuple[Tensor, int]:
    """(N * H' * W', kernel * kernel * C) what lies under the kernel at each place, and H' = W'."""
    count, filters, height, _ = values.shape
    side = (height + 2 * padding - kernel) // stride + 1
    padded = functional.pad(values.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding)).contiguous()
    image, row, column, _ = padded.stride()
    size = (count, side, side, kernel, kernel, filters)
    seen = padded.as_strided(size, (image, row * stride, column * stride, row, column, 1))
    return seen.reshape(count * side * side, -1), side


def _unpatched(patches: Tensor, shape: torch.Size, kernel: int, stride: int, padding: int) -> Tensor:
    """Each value of `_patches` added up where it came from: the transpose of reading."""
    count, filters, height, width = shape
    side = (height + 2 * padding - kernel) // stride + 1
    six = patches.view(count, side, side, kernel, kernel, filters)
    padded = patches.new_zeros(count, height + 2 * padding, width + 2 * padding, filters)
    reach = stride * side
    for row, column in itertools.product(range(kernel), repeat=2):
        padded[:, row : row + reach : stride, column : column + reach : stride] += six[:, :, :, row, column]
    return padded[:, padding : padding + height, padding : padding + width].permute(0, 3, 1, 2)
