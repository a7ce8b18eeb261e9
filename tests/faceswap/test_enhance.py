"""The slot for a network of the user's own that enlarges or restores created faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from faceswap.convert import Helpers, swapped
from faceswap.enhance import open_enhancer
from shared.errors import WeightsError
from tests.faceswap.test_convert import model, options, scene

Shape = Sequence[int | str]
FREE: Shape = ("N", 3, "H", "W")


def network(path: Path, takes: Shape, gives: Shape, grow: float, channels: int = 3) -> Path:
    """A network that enlarges pictures `grow` times, and gives the first `channels` of them."""
    nodes = [
        helper.make_node("Resize", ["seen", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Slice", ["large", "from", "to", "axis"], ["made"]),
    ]
    constants = [
        helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, grow, grow]),
        *(
            helper.make_tensor(name, TensorProto.INT64, [1], [value])
            for name, value in (("from", 0), ("to", channels), ("axis", 1))
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "enlarge",
        [helper.make_tensor_value_info("seen", TensorProto.FLOAT, takes)],
        [helper.make_tensor_value_info("made", TensorProto.FLOAT, gives)],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    save(made, path)
    return path


def pictures(count: int, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).random((count, side, side, 3), dtype=np.float32)


def test_pictures_come_back_as_large_as_the_network_makes_them(tmp_path: Path) -> None:
    enhance = open_enhancer(network(tmp_path / "twice.onnx", FREE, FREE, 2.0))
    seen = pictures(3, 16)
    made = enhance(seen)
    assert made.shape == (3, 32, 32, 3)
    assert np.array_equal(made[:, ::2, ::2], seen)


def test_a_network_that_takes_one_picture_of_one_size_is_fed_so(tmp_path: Path) -> None:
    enhance = open_enhancer(network(tmp_path / "fixed.onnx", (1, 3, 24, 24), (1, 3, 48, 48), 2.0))
    assert enhance(pictures(3, 16)).shape == (3, 48, 48, 3)


def test_an_enlarged_face_lies_where_it_lay(tmp_path: Path) -> None:
    enhance = open_enhancer(network(tmp_path / "twice.onnx", FREE, FREE, 2.0))
    plainly = replace(options(colour=0.0), sharpen=0.0, grain=0.0, occluders=0.0)
    laid = [next(swapped(iter([scene(0, (0,))]), model()[0], plainly, Helpers(enhance=one))) for one in (None, enhance)]
    plain, large = (edit.patches[0] for _, edit in laid)
    assert plain.box == large.box
    assert np.abs(plain.mask - large.mask).mean() < 0.01
    assert np.abs(plain.picture - large.picture)[plain.mask > 0.5].mean() < 0.02


@pytest.mark.parametrize(
    ("takes", "gives", "channels", "said"),
    [
        (("N", 1, "H", "W"), ("N", 1, "H", "W"), 1, "takes tensor"),
        (FREE, ("N", 2, "H", "W"), 2, "gives"),
    ],
)
def test_a_network_for_something_else_is_refused(
    tmp_path: Path, takes: Shape, gives: Shape, channels: int, said: str
) -> None:
    path = network(tmp_path / "other.onnx", takes, gives, 2.0, channels)
    with pytest.raises(WeightsError, match=said):
        open_enhancer(path)(pictures(1, 16))


def test_a_file_that_is_missing_or_no_network_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        open_enhancer(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network", encoding="utf-8")
    with pytest.raises(WeightsError, match="damaged or no ONNX"):
        open_enhancer(tmp_path / "text.onnx")
