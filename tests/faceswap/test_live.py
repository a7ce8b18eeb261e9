"""The crop of the live tools: where our view lies in it, and what comes back."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from faceswap.align import view_from_frame
from faceswap.live import (
    COVERAGE,
    FITTED,
    RISE,
    UNIT_FACE,
    LiveCrop,
    LiveFace,
    _mean_landmarks,
    live_crop,
    mean_hull,
)
from models.autoencoder import Code, Decoded
from models.nets import config_of
from models.tensors import array, floats
from shared.picture.warp import invert, resize, similarity, to_float, transform, warp_picture
from shared.types import Floats, Matrix


class Echo(nn.Module):
    """Gives back what it is shown; draws a mask if told to."""

    own = nn.ModuleList()

    def __init__(self, view_px: int, mask: float | None = None) -> None:
        super().__init__()
        self.config = config_of("quick")
        object.__setattr__(self.config, "input_px", view_px)
        object.__setattr__(self.config, "output_px", view_px)
        self._mask = mask

    def encode(self, pictures: Tensor) -> Code:
        return Code(pictures)

    def decode(self, code: Code, person: int) -> Decoded:
        seen = code.values if person else 1.0 - code.values
        return Decoded(seen, None if self._mask is None else torch.full_like(seen[:, :1], self._mask))

    def start_from(self, mean_faces: Tensor) -> None:
        """Nothing to take over."""


def live_cut(landmarks: Floats, side_px: int) -> Matrix:
    """``crop_from_frame`` as the live tool makes it: corners of a square in units, onto (0, 0) ... (S, S)."""
    frame_from_unit = invert(similarity(landmarks[list(FITTED)], UNIT_FACE))
    half, centre = COVERAGE / 2, np.array([0.5, 0.5 - RISE])
    corners = centre + half * np.array([(-1, -1), (1, -1), (1, 1)])
    in_frame = transform(frame_from_unit, corners).astype(np.float32)
    wanted = np.array([(0, 0), (side_px, 0), (side_px, side_px)], dtype=np.float32)
    return np.vstack([cv2.getAffineTransform(in_frame, wanted), (0, 0, 1)])


def soft_frame(seed: int = 0) -> Floats:
    coarse = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    return to_float(np.asarray(cv2.resize(coarse, (480, 480), interpolation=cv2.INTER_CUBIC), dtype=np.uint8))


def turned_mean_face(scale: float = 9.0, degrees: float = 14.0) -> Floats:
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
    return (_mean_landmarks() @ matrix.T + (235.0, 228.0)).astype(np.float32)


def test_the_view_read_out_of_a_live_crop_is_the_view_cut_from_the_frame() -> None:
    frame, points, crop = soft_frame(), turned_mean_face(), live_crop(128)
    in_face = warp_picture(frame, live_cut(points, crop.side_px), (crop.side_px, crop.side_px))
    net = LiveFace(Echo(128), 1, crop)
    view = array(net.rows @ floats(np.moveaxis(in_face, 2, 0)) @ net.columns)
    direct = np.moveaxis(warp_picture(frame, view_from_frame(points, 128), (128, 128)), 2, 0)
    assert float(np.abs(view - direct).max()) < 0.03
    assert float(np.abs(np.roll(view, 2, axis=2) - direct).max()) > 0.1


def test_a_net_that_changes_nothing_gives_the_crop_back() -> None:
    crop = live_crop(128)
    in_face = floats(resize(soft_frame(1), (crop.side_px, crop.side_px)))[None]
    masks, face, celeb = LiveFace(Echo(128), 1, crop)(in_face)
    assert face.shape == in_face.shape
    assert masks.shape == celeb.shape == (1, crop.side_px, crop.side_px, 1)
    assert float((face - in_face).abs().max()) < 0.06
    assert float((face - in_face.roll(1, dims=2)).abs().max()) > 0.08
    top = round(crop.crop_from_view[1, 2]) - 2
    assert torch.equal(face[:, :top], in_face[:, :top])


def test_colours_are_read_and_written_as_blue_green_red() -> None:
    crop = live_crop(64)

    class Reddened(Echo):
        def decode(self, code: Code, person: int) -> Decoded:  # noqa: ARG002
            return Decoded(code.values * torch.tensor([1.0, 0.0, 0.0])[:, None, None])

    grey = torch.full((1, crop.side_px, crop.side_px, 3), 0.5)
    _, face, _ = LiveFace(Reddened(64), 1, crop)(grey)
    middle = face[0, crop.side_px // 2, crop.side_px // 2]
    torch.testing.assert_close(middle, torch.tensor([0.0, 0.0, 0.5]))


def test_the_other_person_is_drawn_by_the_other_decoder() -> None:
    crop = live_crop(64)
    grey = torch.full((1, crop.side_px, crop.side_px, 3), 0.3)
    faces = [LiveFace(Echo(64), person, crop)(grey)[1] for person in (0, 1)]
    middle = crop.side_px // 2
    torch.testing.assert_close(faces[0][0, middle, middle], torch.full((3,), 0.7))
    torch.testing.assert_close(faces[1][0, middle, middle], torch.full((3,), 0.3))


def test_masks_are_the_learned_one_within_the_view_or_else_the_mean_hull() -> None:
    crop = live_crop(128)
    in_face = torch.rand(2, crop.side_px, crop.side_px, 3, generator=torch.Generator().manual_seed(2))
    own, _, celeb = LiveFace(Echo(128, mask=0.8), 1, crop)(in_face)
    middle = crop.side_px // 2
    assert abs(float(celeb[1, middle, middle, 0]) - 0.8) < 1e-5
    assert float(celeb[:, 0].max()) == float(celeb[:, :, 0].max()) == 0.0
    assert torch.equal(own, celeb)
    top = round(crop.crop_from_view[1, 2])
    assert float(celeb[0, top + 1, middle, 0]) < 0.3 < float(celeb[0, top + 8, middle, 0])
    _, _, fixed = LiveFace(Echo(128), 1, crop)(in_face)
    np.testing.assert_allclose(array(fixed[1, :, :, 0]), mean_hull(crop))


def test_the_mean_hull_holds_eyes_and_mouth_and_ends_within_the_view() -> None:
    crop: LiveCrop = live_crop(128)
    hull = mean_hull(crop)
    crop_from_cm = crop.crop_from_view @ view_from_frame(_mean_landmarks(), crop.view_px)
    inside = np.rint(transform(crop_from_cm, _mean_landmarks()[36:])).astype(int)
    assert hull[inside[:, 1], inside[:, 0]].min() == 1.0
    rows, columns = np.nonzero(hull > 0)
    low, high = crop.crop_from_view[:2, 2], crop.crop_from_view[:2, 2] + crop.crop_from_view[0, 0] * crop.view_px
    assert (columns.min(), rows.min()) > (low[0], low[1])
    assert columns.max() < high[0]
    assert rows.max() < high[1]
    assert float(hull.max()) == 1.0


def test_the_crop_is_as_large_as_the_view_needs_in_steps_of_sixteen() -> None:
    for view_px in (64, 96, 128, 256, 512):
        crop = live_crop(view_px)
        assert crop.side_px % 16 == 0
        assert 1.0 <= crop.crop_from_view[0, 0] < 1.0 + 16 / view_px * 0.7
