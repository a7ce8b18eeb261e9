"""A VOICE: what was learned of one speaker, as an artefact on disk.

The folder holds ``mouths.safetensors`` (shapes, points, poses, times of the pool's frames, the basis of the shapes, the
mouths of all clips that tell shapes, and what heads tell of mouths), ``textures.safetensors`` (the lower faces, uint8,
never read as a whole), ``teeth.safetensors`` where the footage shows teeth, and ``net/`` (the network).
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lipsync.bearing import Bearing
from lipsync.closure import Closure
from lipsync.mouth import LIP_POINTS, MouthBasis, MouthSpace
from lipsync.plane import TexturePlane
from lipsync.recipes import config_of, model_from
from lipsync.strangers import Strangers
from lipsync.teeth import SpeakerTeeth, load_teeth
from models.checkpoint import BEST, gather, load_checkpoint, restore_weights, save_checkpoint
from models.mouthnet import MouthModel
from shared.errors import ArtefactError, WeightsError
from shared.store.artefact import open_artefact
from shared.types import Floats, JsonObject

KIND: Final = "voice"
SCHEMA: Final = 6
MOUTHS: Final = "mouths.safetensors"
TEXTURES: Final = "textures.safetensors"
NET: Final = "net"
BEARING: Final = "bearing."
STRANGERS: Final = "strangers."
MAPPED: Final = ("points", "flat")
"""What of the pool stays on disk until it is asked for: a kilobyte a frame, of which a clip needs few."""
HEADER_BYTES: Final = 504
"""Room for the header of a file whose row count is known at its end only; with the 8 bytes of its length, 512."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The frames that mouths are taken from, row by row.

    Attributes
    ----------
    points : (N, 68, 2) float32 canonical centimetres; a memory map in an opened voice.
    flat : (N, 68, 2) float32 centimetres on the textures' plane, where each texture shows its landmarks; a memory map.
    angles_deg : (N, 3) float32 yaw, pitch, roll.
    times_s : (N,) float64 on the clock of its clip.
    clips : (N,) int32 number of the clip.
    rows : (N,) int64 row of the texture file.
    """

    points: Floats
    flat: Floats
    angles_deg: Floats
    times_s: NDArray[np.float64]
    clips: NDArray[np.int32]
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Voice:
    """An opened voice.

    Attributes
    ----------
    shapes : (N, 20) float32, the pool's mouth shapes.
    repertoire : (K, 20) float32, mouths of all clips that tell shapes, whether in the pool or not.
    rest : (20,) float32, the speaker's closed mouth in pauses.
    textures : (M, H, W, 3) uint8 memory map of the lower faces; `pool.rows` points into it.
    teeth : None where the footage shows none well.
    bearing : None where heads tell nothing of where they wear their mouths, and in the paper's recipe.
    strangers : for the speech of others; None where the network hears no phones, or as a stream.
    """

    folder: Path
    net: MouthModel
    basis: MouthBasis
    rest: Floats
    closure: Closure
    pool: Pool
    shapes: Floats
    repertoire: Floats
    plane: TexturePlane
    textures: NDArray[np.uint8]
    teeth: SpeakerTeeth | None = None
    bearing: Bearing | None = None
    strangers: Strangers | None = None


def save_mouths(
    folder: Path,
    pool: Pool,
    space: MouthSpace,
    closure: Closure,
    plane: TexturePlane,
    bearing: Bearing | None = None,
    strangers: Strangers | None = None,
) -> None:
    """Write all but textures, teeth and network."""
    basis = space.basis
    arrays = {
        **{field.name: getattr(pool, field.name) for field in fields(Pool)},
        "shapes": basis.encode(lips_of(pool.points)),
        "basis.mean": basis.mean,
        "basis.components": basis.components,
        "repertoire": basis.encode(space.lips),
        "rest": space.rest,
        "closure.direction": closure.direction,
        "closure.made_cm": closure.made_cm,
        "closure.real_cm": closure.real_cm,
        "px_per_cm": np.array([plane.px_per_cm], dtype=np.float64),
    }
    if strangers is not None:
        arrays |= {STRANGERS + one.name: np.atleast_1d(getattr(strangers, one.name)) for one in fields(Strangers)}
    if bearing is not None:
        arrays |= {BEARING + field.name: getattr(bearing, field.name) for field in fields(Bearing)}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / MOUTHS)


def save_net(folder: Path, net: MouthModel, update: int, facts: JsonObject) -> None:
    """Write the network of the best update."""
    save_checkpoint(folder / NET, update, gather(net=net.state_dict()), {"config": config_of(net), **facts}, best=True)


def open_voice(folder: Path) -> Voice:
    """Open a voice made by ``lipswap learn``.

    Raises
    ------
    ArtefactError
        The folder is not a voice, of another layout, or damaged.
    WeightsError
        Its network cannot be read.
    """
    open_artefact(folder, KIND, SCHEMA)
    try:
        arrays = _load(folder / MOUTHS)
        textures = map_rows(folder / TEXTURES)
        pool = Pool(**{field.name: arrays[field.name] for field in fields(Pool)})
        basis = MouthBasis(arrays["basis.mean"], arrays["basis.components"])
        shapes, repertoire = arrays["shapes"], arrays["repertoire"]
        rest, plane = arrays["rest"], TexturePlane(float(arrays["px_per_cm"][0]))
        closure = Closure(arrays["closure.made_cm"], arrays["closure.real_cm"], arrays["closure.direction"])
        strangers = _strangers(arrays, len(basis.components))
        borne = BEARING + fields(Bearing)[0].name in arrays
        bearing = Bearing(**{one.name: arrays[BEARING + one.name] for one in fields(Bearing)}) if borne else None
    except (OSError, SafetensorError, ValueError, KeyError, struct.error) as error:
        raise ArtefactError(
            f"{folder}: this voice is damaged ({error}); remove the folder and learn it again"
        ) from error
    checkpoint = load_checkpoint(folder / NET / BEST)
    try:
        net = model_from(checkpoint.facts["config"]).eval()
    except (KeyError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{folder}: its network is of another version ({error!r}); learn it again") from error
    restore_weights(net, checkpoint.part("net"), folder / NET / BEST)
    teeth = load_teeth(folder)
    return Voice(
        folder, net, basis, rest, closure, pool, shapes, repertoire, plane, textures, teeth, bearing, strangers
    )


def _strangers(arrays: dict[str, NDArray[Any]], outputs: int) -> Strangers | None:
    kept = [arrays[name] for name in (STRANGERS + one.name for one in fields(Strangers)) if name in arrays]
    if not kept:
        return None
    tract, weights, usual = kept
    found = Strangers(float(tract.reshape(())), weights, usual)
    if not found.fits(outputs):
        raise ValueError("what it knows of strangers is of another layout")
    return found


def lips_of(points: Floats) -> Floats:
    """(N, 68, 2) points to (N, 36) lip points."""
    return np.ascontiguousarray(points[:, list(LIP_POINTS)]).reshape(points.shape[0], -1)


class RowsWriter:
    """Writes a safetensors file of one uint8 tensor row by row, in constant memory."""

    def __init__(self, path: Path, name: str, row_shape: tuple[int, ...]) -> None:
        self._path, self._name, self._shape = path, name, row_shape
        self.rows = 0
        self._file: BinaryIO = path.open("wb")
        self._file.write(b"\0" * (HEADER_BYTES + 8))

    def __enter__(self) -> RowsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.seek(0)
            self._file.write(struct.pack("<Q", HEADER_BYTES) + self._header())
        self._file.close()

    def add(self, row: NDArray[np.uint8]) -> None:
        """Append one row."""
        if row.shape != self._shape or row.dtype != np.uint8:
            raise ValueError(f"rows are uint8 {self._shape}, got {row.dtype} {row.shape}")
        self._file.write(np.ascontiguousarray(row).tobytes())
        self.rows += 1

    def _header(self) -> bytes:
        size = self.rows * int(np.prod(self._shape))
        entry = {"dtype": "U8", "shape": [self.rows, *self._shape], "data_offsets": [0, size]}
        return json.dumps({self._name: entry}).encode().ljust(HEADER_BYTES)


def map_rows(path: Path) -> NDArray[np.uint8]:
    """Map the one tensor of a file written by `RowsWriter` (or any safetensors file of one uint8 tensor).

    Raises
    ------
    ValueError
        The file is no such file.
    """
    header, start = _header_of(path)
    if len(header) != 1:
        raise ValueError(f"{path.name} does not hold one uint8 tensor")
    (entry,) = header.values()
    return np.asarray(_map(path, entry, start, np.uint8))


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a safetensors file, those of `MAPPED` as memory maps."""
    header, start = _header_of(path)
    with safe_open(path, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in header if name not in MAPPED}
    return arrays | {name: _map(path, header[name], start, np.float32) for name in MAPPED}


def _header_of(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its tensors, and where their bytes begin."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length)) if length < path.stat().st_size else {}
    header.pop("__metadata__", None)
    return header, 8 + int(length)


def _map(path: Path, entry: JsonObject, start: int, dtype: type[np.uint8] | type[np.float32]) -> NDArray[Any]:
    if entry["dtype"] != {np.uint8: "U8", np.float32: "F32"}[dtype]:
        raise ValueError(f"{path.name} does not hold {np.dtype(dtype)}, but {entry['dtype']}")
    shape, start = tuple(entry["shape"]), start + entry["data_offsets"][0]
    if path.stat().st_size < start + int(np.prod(shape)) * np.dtype(dtype).itemsize:
        raise ValueError(f"{path.name} is cut short")
    if 0 in shape:
        return np.zeros(shape, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)
