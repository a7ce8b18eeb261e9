"""The voice on disk: written row by row, mapped, and refused when damaged."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from lipsync.bearing import TOLD, Bearing
from lipsync.mouth import LAYOUTS, MouthSpace, fit_basis, mouths_of
from lipsync.recipes import fresh_model, recipe_of
from lipsync.ring import between
from lipsync.strangers import Strangers
from lipsync.teeth import SpeakerTeeth, TeethProxy, save_teeth
from lipsync.voice import (
    KIND,
    MOUTHS,
    NET,
    SCHEMA,
    TEXTURES,
    RowsWriter,
    Voice,
    lips_of,
    map_rows,
    open_voice,
    save_mouths,
    save_net,
)
from models.checkpoint import gather, save_checkpoint
from shared.errors import ArtefactError, WeightsError
from shared.store.artefact import artefact


def write(path: Path, rows: NDArray[np.uint8]) -> None:
    with RowsWriter(path, "textures", rows.shape[1:]) as writer:
        for row in rows:
            writer.add(row)


@pytest.fixture
def folder(tmp_path: Path, voice: Voice) -> Path:
    made = tmp_path / "ada"
    space = MouthSpace(lips_of(voice.pool.points)[::2], voice.basis, voice.rest)
    with artefact(made, KIND, SCHEMA, "f" * 32) as partial:
        write(partial / TEXTURES, np.asarray(voice.textures))
        save_mouths(partial, voice.pool, space, voice.closure, voice.plane)
        save_net(partial, voice.net, 700, {"speech_s": 3.0})
    return made


def test_rows_are_an_ordinary_safetensors_file(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (7, 5, 6, 3), dtype=np.uint8)
    write(tmp_path / "rows.safetensors", rows)
    np.testing.assert_array_equal(load_file(tmp_path / "rows.safetensors")["textures"], rows)
    np.testing.assert_array_equal(map_rows(tmp_path / "rows.safetensors"), rows)


def test_no_rows_are_a_file_too(tmp_path: Path) -> None:
    write(tmp_path / "rows.safetensors", np.zeros((0, 5, 6, 3), dtype=np.uint8))
    assert map_rows(tmp_path / "rows.safetensors").shape == (0, 5, 6, 3)


def test_a_row_of_another_shape_is_refused(tmp_path: Path) -> None:
    with (
        RowsWriter(tmp_path / "rows.safetensors", "textures", (2, 2)) as writer,
        pytest.raises(ValueError, match=r"uint8 \(2, 2\)"),
    ):
        writer.add(np.zeros((2, 3), dtype=np.uint8))


def test_what_is_saved_is_opened(folder: Path, voice: Voice) -> None:
    opened = open_voice(folder)
    np.testing.assert_array_equal(opened.textures[opened.pool.rows[5]], voice.textures[5])
    np.testing.assert_allclose(opened.shapes, voice.shapes, atol=1e-6)
    np.testing.assert_array_equal(opened.rest, voice.rest)
    assert opened.plane == voice.plane
    features = torch.randn(30, 28)
    torch.testing.assert_close(opened.net.shapes_of(features), voice.net.shapes_of(features))
    assert recipe_of(opened.net) == "paper"


def test_points_stay_on_disk_and_shapes_do_not_need_them(folder: Path, voice: Voice) -> None:
    opened = open_voice(folder)
    for mapped, saved in ((opened.pool.points, voice.pool.points), (opened.pool.flat, voice.pool.flat)):
        assert isinstance(mapped, np.memmap)
        np.testing.assert_array_equal(mapped, saved)
    assert opened.shapes.tobytes() == load_file(folder / MOUTHS)["shapes"].tobytes()


def test_mouths_without_a_texture_are_kept_too(folder: Path, voice: Voice) -> None:
    np.testing.assert_allclose(open_voice(folder).repertoire, voice.shapes[::2], atol=1e-6)


def test_a_voice_keeps_what_its_shapes_tell(tmp_path: Path, voice: Voice) -> None:
    mouths = mouths_of(voice.pool.points, between(voice.pool.points))
    basis = fit_basis(mouths, LAYOUTS["default"])
    with artefact(tmp_path / "ada", KIND, SCHEMA, "f" * 32) as partial:
        write(partial / TEXTURES, np.asarray(voice.textures))
        save_mouths(partial, voice.pool, MouthSpace(mouths[:, :36], basis, voice.rest), voice.closure, voice.plane)
        save_net(partial, voice.net, 700, {})
    opened = open_voice(tmp_path / "ada")
    np.testing.assert_allclose(opened.basis.decode(opened.shapes), mouths, atol=1e-3)


def test_what_heads_tell_comes_with_the_voice(folder: Path, voice: Voice) -> None:
    assert open_voice(folder).bearing is None
    numbers = np.arange(TOLD * 20, dtype=np.float32)
    bearing = Bearing(numbers[:TOLD], np.eye(TOLD, dtype=np.float32), numbers[3:4], numbers.reshape(TOLD, 20))
    space = MouthSpace(lips_of(voice.pool.points), voice.basis, voice.rest)
    save_mouths(folder, voice.pool, space, voice.closure, voice.plane, bearing)
    found = open_voice(folder).bearing
    assert found is not None
    for field in fields(Bearing):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(bearing, field.name))


def test_what_it_knows_of_strangers_comes_with_the_voice(folder: Path, voice: Voice) -> None:
    assert open_voice(folder).strangers is None
    numbers = np.arange(5 * 42 * 20, dtype=np.float32).reshape(5, 42, 20)
    space = MouthSpace(lips_of(voice.pool.points), voice.basis, voice.rest)
    save_mouths(folder, voice.pool, space, voice.closure, voice.plane, None, Strangers(1.04, numbers, numbers[0, 0]))
    found = open_voice(folder).strangers
    assert found is not None
    assert found.tract == 1.04
    np.testing.assert_array_equal(found.weights, numbers)
    np.testing.assert_array_equal(found.usual, numbers[0, 0])


@pytest.mark.parametrize("tract", [0.0, float("nan"), 1.04])
def test_what_it_knows_of_strangers_is_looked_at(folder: Path, voice: Voice, tract: float) -> None:
    weights = np.zeros((5, 42, 20 if tract != 1.04 else 19), dtype=np.float32)
    space = MouthSpace(lips_of(voice.pool.points), voice.basis, voice.rest)
    strangers = Strangers(tract, weights, np.zeros(20, dtype=np.float32))
    save_mouths(folder, voice.pool, space, voice.closure, voice.plane, None, strangers)
    with pytest.raises(ArtefactError, match="learn it again"):
        open_voice(folder)


def test_a_voice_of_the_default_recipe_is_opened_as_one(folder: Path) -> None:
    net = fresh_model("default", 20)
    save_net(folder, net, 800, {})
    opened = open_voice(folder)
    assert recipe_of(opened.net) == "default"
    features = torch.randn(30, 40)
    torch.testing.assert_close(opened.net.shapes_of(features), net.shapes_of(features))


def test_a_voice_made_before_there_were_recipes_is_opened_as_the_paper_s(folder: Path, voice: Voice) -> None:
    before = {"config": {"outputs": 20, "cell": 60, "delay": 20}, "speech_s": 3.0}
    save_checkpoint(folder / NET, 701, gather(net=voice.net.state_dict()), before, best=True)
    assert recipe_of(open_voice(folder).net) == "paper"


def test_a_network_of_a_recipe_to_come_is_refused(folder: Path, voice: Voice) -> None:
    config = {"config": {"recipe": "wave"}}
    save_checkpoint(folder / NET, 701, gather(net=voice.net.state_dict()), config, best=True)
    with pytest.raises(WeightsError, match="wave"):
        open_voice(folder)


def test_a_texture_file_cut_short_is_named(folder: Path) -> None:
    content = (folder / TEXTURES).read_bytes()
    (folder / TEXTURES).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtefactError, match=r"damaged \(textures.safetensors is cut short\)"):
        open_voice(folder)


def test_a_missing_network_is_named(folder: Path) -> None:
    (folder / "net" / "best.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"best.safetensors"):
        open_voice(folder)


def test_another_folder_is_no_voice(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="voice"):
        open_voice(tmp_path)


def test_a_network_of_another_version_is_refused(folder: Path, voice: Voice) -> None:
    save_checkpoint(folder / NET, 701, gather(net=voice.net.state_dict()), {"config": {"layers": 3}}, best=True)
    with pytest.raises(WeightsError, match=r"its network is of another version .*learn it again"):
        open_voice(folder)


def test_a_voice_learned_before_teeth_were_looked_for_opens_without(folder: Path) -> None:
    assert open_voice(folder).teeth is None


def test_the_speakers_teeth_come_with_the_voice(folder: Path, voice: Voice) -> None:
    proxy = TeethProxy("upper", np.asarray(voice.textures[40]), voice.pool.flat[40])
    save_teeth(folder, SpeakerTeeth((proxy,), np.ones(60, dtype=np.float32), np.ones(60, dtype=np.float32)))
    teeth = open_voice(folder).teeth
    assert teeth is not None
    np.testing.assert_array_equal(teeth.proxies[0].picture, voice.textures[40])
