"""What a model is trained on and how: settled when it is made, taken from it ever after.

Options are the model's own: another value is an error that names it. Faces may come and go, since people curate while
they train; a face that was held out once stays so, and one that was trained on is never held out later, so that the
held-out figures stay true.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from faceswap.faceset import held_out
from faceswap.model import FACES, KIND, SCHEMA, facts_of
from faceswap.options import AugmentOptions, TrainOptions, options_for
from faceswap.rows import PICTURES, FaceRow, common_centring, content, identity_of, usable
from shared.errors import ArtefactError
from shared.store.artefact import Fingerprint, artefact, fingerprint, open_artefact, write_atomically
from shared.store.fingerprint import MANIFEST
from shared.types import JsonObject

NEAR_S: Final = 2.0
"""A new face this near to a known one of the same clip is held out or trained on with it: neighbours look alike."""
Known = dict[str, tuple[int, bool]]
"""Faces by name: a digest of each, and whether it is held out."""


@dataclass(frozen=True, slots=True)
class Split:
    """The faces of one person as a run finds them.

    Attributes
    ----------
    known : of the faces there are now, in the order of `usable`.
    added, deleted : how many came and went since the last run.
    anew : the held-out faces were all gone and had to be chosen again.
    """

    known: Known
    added: int
    deleted: int
    anew: bool

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which faces are held out, (N,)."""
        return np.array([held for _, held in self.known.values()], dtype=np.bool_)


def exists(model: Path) -> bool:
    """Whether there is a model to go on with."""
    return (model / MANIFEST).is_file() and open_artefact(model, KIND, SCHEMA).kind == KIND


def model_fingerprint(faces: tuple[Path, Path], options: TrainOptions) -> Fingerprint:
    """What a model is made from: the faces that are in both sets then, and the options."""
    inputs = {name: str(content(folder)) for name, folder in zip(("faces_a", "faces_b"), faces, strict=True)}
    return fingerprint(**inputs, options=options, schema=SCHEMA)


def make_folder(faces: tuple[Path, Path], model: Path, options: TrainOptions, start_from: Path | None) -> None:
    """Make the folder of a new model."""
    people = [{"name": folder.name, "embedding": identity_of(folder)} for folder in faces]
    details: JsonObject = {
        "centring": common_centring(faces),
        "people": people,
        "net": options.net,
        "options": dataclasses.asdict(options),
    }
    if start_from is not None:
        details["start_from"] = {"path": str(start_from.absolute()), "made": _made(start_from)}
    with artefact(model, KIND, SCHEMA, model_fingerprint(faces, options), details=details):
        pass


def set_aside(model: Path) -> Path | None:
    """Give a model another name beside its own, so that nothing trained is lost; None where there is no model.

    One of another version, which cannot be gone on with, too.
    """
    if not (model / MANIFEST).is_file() or (not _is_model(model) and not exists(model)):
        return None
    number = 1
    while (aside := model.with_name(f"{model.name}.old-{number}")).exists():
        number += 1
    return model.rename(aside)


def options_of(model: Path) -> TrainOptions:
    """The options that a model is trained with.

    Raises
    ------
    ArtefactError
        If it does not say, or says what this version does not know.
    """
    stored = open_artefact(model, KIND, SCHEMA).details.get("options") or facts_of(model).get("options")
    try:
        return _options_from(cast(JsonObject, stored))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"{model}: does not say how it was trained ({error!r}); choose another place or --force"
        ) from error


def wanted_options(model: Path, asked: Mapping[str, Any], anew: bool = False) -> TrainOptions:
    """What is asked for, on top of what the model is trained with, or of the net's defaults where there is no model.

    Parameters
    ----------
    asked : fields of `TrainOptions` and of its `AugmentOptions`, by name; None for what is not asked for.
    anew : as if there were no model.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    if exists(model) and not anew:
        base = options_of(model)
    else:
        base = options_for(given.get("net", TrainOptions().net), mask_head=given.get("mask_head", False))
    moved = {entry.name for entry in dataclasses.fields(AugmentOptions)} & given.keys()
    augment = dataclasses.replace(base.augment, **{name: given[name] for name in moved})
    plain = {name: value for name, value in given.items() if name not in moved}
    return dataclasses.replace(base, augment=augment, **plain)


def check_options(model: Path, wanted: TrainOptions) -> TrainOptions:
    """The options of a model, which must be the wanted ones.

    Raises
    ------
    ArtefactError
        Naming each option that differs, with both values.
    """
    stored = options_of(model)
    ours, theirs = _flat(wanted), _flat(stored)
    other = [name for name in ours if ours[name] != theirs[name]]
    if other:
        different = [f"--{name.replace('_', '-')} {theirs[name]}, not {ours[name]}" for name in other]
        raise ArtefactError(
            f"{model}: is trained with {'; '.join(different)}; leave that out to go on, or choose another place "
            "(with --start-from to begin with its weights)"
        )
    return stored


def origin(model: Path, start_from: Path | None) -> Path | None:
    """The model whose weights `model` begins with, which must be `start_from` where that is given.

    Raises
    ------
    ArtefactError
        If it began otherwise.
    """
    began = open_artefact(model, KIND, SCHEMA).details.get("start_from")
    if start_from is not None and (began is None or began["made"] != _made(start_from)):
        raise ArtefactError(
            f"{model}: did not start from {start_from}; leave --start-from out to go on, or choose another place"
        )
    return Path(began["path"]) if began is not None else None


def settle_faces(faces: tuple[Path, Path], model: Path, share: float) -> tuple[Split, Split]:
    """Which faces are there, which of them are held out, and what changed since the last run.

    Raises
    ------
    ArtefactError
        If a set holds none of the faces that the model was trained on.
    """
    path = model / FACES
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        first, second = (_split(folder, before.get(name), share) for folder, name in zip(faces, "ab", strict=True))
    except (ValueError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path}: damaged ({error}); remove it, and the faces are split anew") from error
    for split, folder in ((first, faces[0]), (second, faces[1])):
        if split.added == len(split.known) and split.deleted:
            raise ArtefactError(
                f"{folder}: holds none of the faces that {model} was trained on; choose another place for a new model "
                f"(with --start-from {model} to begin with its weights), or --force to begin anew"
            )
    return first, second


def store_faces(model: Path, splits: tuple[Split, Split]) -> None:
    """Remember the faces of this run for the next one."""
    text = json.dumps({name: split.known for name, split in zip("ab", splits, strict=True)})
    write_atomically(model / FACES, text.encode())


def _is_model(folder: Path) -> bool:
    """Whether a manifest is that of a model, of any version."""
    try:
        return bool(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["kind"] == KIND)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _split(folder: Path, before: JsonObject | None, share: float) -> Split:
    rows = usable(folder)
    digests = {row.name: _digest(folder, row) for row in rows}
    known = {name: bool(held) for name, (digest, held) in (before or {}).items() if digests.get(name) == digest}
    deleted = len(before or {}) - len(known)
    anew = not any(known.values())
    if anew:
        chosen = dict(zip(digests, held_out(len(rows), share).tolist(), strict=True))
    else:
        chosen = known | _new(rows, known, share)
    return Split(
        {name: (digest, chosen[name]) for name, digest in digests.items()},
        len(rows) - len(known) if before is not None else 0,
        deleted,
        anew and before is not None,
    )


def _new(rows: list[FaceRow], known: Mapping[str, bool], share: float) -> dict[str, bool]:
    """Which of the new faces are held out: those near to a known one with it, else whole spans of them."""
    old = [row for row in rows if row.name in known]
    chosen: dict[str, bool] = {}
    far = []
    for row in (row for row in rows if row.name not in known):
        near = [(abs(other.time_s - row.time_s), other.name) for other in old if other.clip == row.clip]
        distance, name = min(near, default=(np.inf, ""))
        if distance <= NEAR_S:
            chosen[row.name] = known[name]
        else:
            far.append(row.name)
    return chosen | dict(zip(far, held_out(len(far), share).tolist(), strict=True))


def _digest(folder: Path, row: FaceRow) -> int:
    """What tells a face from another one of the same name: its landmarks and the size of its file."""
    size = (folder / PICTURES / row.name).stat().st_size
    return zlib.crc32(np.asarray(row.landmarks, dtype="<f4").tobytes(), size & 0xFFFFFFFF)


def _made(model: Path) -> str:
    """The fingerprint of a model, told by its folder or by one of its files."""
    return open_artefact(model.parent.parent if model.is_file() else model, KIND, SCHEMA).fingerprint


def _options_from(stored: JsonObject) -> TrainOptions:
    """Options out of JSON; what an older version did not store has its default."""
    names = {entry.name for entry in dataclasses.fields(TrainOptions)}
    values = {name: _value(value) for name, value in stored.items() if name in names and name != "augment"}
    moved = {entry.name for entry in dataclasses.fields(AugmentOptions)}
    augment = {name: _value(value) for name, value in stored["augment"].items() if name in moved}
    return TrainOptions(**values, augment=AugmentOptions(**augment))


def _value(stored: Any) -> Any:  # noqa: ANN401 - as JSON has it
    return tuple(stored) if isinstance(stored, list) else stored


def _flat(options: TrainOptions) -> dict[str, object]:
    """Every option by its name, those of the augmentation among them."""
    values = {entry.name: getattr(options, entry.name) for entry in dataclasses.fields(options)}
    augment = values.pop("augment")
    return values | {entry.name: getattr(augment, entry.name) for entry in dataclasses.fields(augment)}
