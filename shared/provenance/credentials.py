"""Content credentials (C2PA 2.x): sign what was made; `shared.provenance.verify` reads them back.

MP4 and MOV carry the signature inside; other containers get a sidecar ``NAME.c2pa`` beside them.
"""

from __future__ import annotations

import glob
import hashlib
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import c2pa

from shared.errors import MediaError, NoSpaceError, from_os_error
from shared.provenance.consent import Consent
from shared.provenance.keys import Keys, user_keys
from shared.provenance.sink import Sink
from shared.store.artefact import tool_version, write_atomically
from shared.types import JsonObject

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
DATA_TYPE = "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"
"""Of what is no picture: a model."""
CONSENT_LABEL = "org.lipswap.consent"
RENDER_LABEL = "org.lipswap.render"
EMBEDDED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
OTHERS = {
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".ts": "video/mp2t",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
HASHED_BYTES = 1 << 20
UNTYPED = "application/octet-stream"
"""What an ingredient is called whose content is not what its name says; it counts by its hash all the same."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that went into the output."""

    path: Path
    role: Literal["parentOf", "inputTo", "componentOf"]
    """``parentOf``: the clip that was changed (one at most); ``inputTo``: what a model learned from, speech."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done to the clip."""

    engine: str
    """``swap`` or ``sync``."""
    description: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a signature will say, as far as it is known before the clip is made: keys and inputs are read by then."""

    consent: Consent
    actions: tuple[Action, ...]
    sources: tuple[JsonObject, ...]
    """Name, role and SHA-256 of each ingredient."""
    archives: tuple[bytes, ...]
    """Each ingredient as C2PA keeps it."""
    keys: Keys
    source_type: str = SOURCE_TYPE
    """What the output is, in the words of IPTC and C2PA."""


def prepare(
    consent: Consent,
    ingredients: tuple[Ingredient, ...] = (),
    actions: tuple[Action, ...] = (),
    source_type: str = SOURCE_TYPE,
) -> Statement:
    """Do all of a signature that can fail before the clip is there: make the keys, read and hash the ingredients.

    Raises
    ------
    MediaError
        An ingredient cannot be read, or the folder of the keys cannot be written.
    """
    keys = user_keys()
    sources, archives = [], []
    for index, part in enumerate(ingredients):
        try:
            sources.append({"name": part.path.name, "role": part.role, "sha256": file_sha256(part.path)})
            archives.append(_archive(part, f"ingredient-{index}"))
        except c2pa.C2paError as error:
            raise MediaError(f"{part.path}: cannot be named in the signature ({one_line(error)})") from error
        except OSError as error:
            raise from_os_error(error, part.path, "hashing it for the signature") from error
    return Statement(consent, actions, tuple(sources), tuple(archives), keys, source_type)


def sign(
    path_in: Path,
    path_out: Path,
    consent: Consent,
    ingredients: tuple[Ingredient, ...] = (),
    actions: tuple[Action, ...] = (),
    details: JsonObject | None = None,
) -> Path:
    """Sign `path_in` as `path_out` (the same path signs in place); see `prepare` and `sign_as`."""
    return sign_as(prepare(consent, ingredients, actions), path_in, path_out, details)


def sign_as(
    statement: Statement, path_in: Path, path_out: Path, details: JsonObject | None = None, *, move: bool = False
) -> Path:
    """Sign `path_in` as `path_out` and return the file that holds the signature.

    `path_out` appears signed or not at all; where it cannot, `path_in` stays as it is.

    Parameters
    ----------
    details : what else to say under ``org.lipswap.render``: engines, settings, counts.
    move : give up `path_in` once `path_out` is there.

    Raises
    ------
    MediaError
        The file cannot be signed.
    NoSpaceError
        The disk is full.
    """
    kind = media_type(path_out)
    embed = path_out.suffix.lower() in EMBEDDED
    temporary = path_out.with_name(f".{path_out.stem}.signing{path_out.suffix}")
    copied = embed or not move
    try:
        if copied and shutil.disk_usage(path_out.parent).free < path_in.stat().st_size + HASHED_BYTES:
            raise NoSpaceError(f"{path_out}: no room to sign it (a copy is made); free some space and run again")
        with _builder(path_out.name, statement, details or {}) as builder, _signer(statement.keys) as signer:
            if not embed:
                builder.set_no_embed()
            with path_in.open("rb") as source, temporary.open("w+b") if embed else Sink() as signed:
                manifest = builder.sign(signer, kind, source, signed)
                if embed:
                    signed.flush()
                    os.fsync(signed.fileno())
        return _put(path_in, path_out, temporary, None if embed else manifest, move)
    except c2pa.C2paError as error:
        raise MediaError(f"{path_out}: cannot be signed ({one_line(error)})") from error
    except OSError as error:
        raise from_os_error(error, path_out, "signing it") from error
    finally:
        temporary.unlink(missing_ok=True)


def file_sha256(path: Path) -> str:
    """SHA-256 of a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            digest.update(block)
    return digest.hexdigest()


def media_type(path: Path) -> str:
    """What the name of a file says that it holds."""
    suffix = path.suffix.lower()
    return EMBEDDED.get(suffix) or OTHERS.get(suffix) or UNTYPED


def context_of(root: str | None) -> Any:  # noqa: ANN401 - c2pa has no types
    """Settings without the network; `root` is trusted."""
    settings: JsonObject = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if root is not None:
        settings["trust"] = {"user_anchors": root}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


def _put(path_in: Path, path_out: Path, signed: Path, manifest: bytes | None, move: bool) -> Path:
    """Let the signed clip appear: the one file, or the sidecar first and then the clip that it speaks for."""
    if manifest is None:
        signed.replace(path_out)
        if move and path_in != path_out:
            path_in.unlink(missing_ok=True)
        return path_out
    sidecar = _sidecar_for(path_out)
    write_atomically(sidecar, manifest)
    if path_in != path_out:
        if move:
            path_in.replace(path_out)
        else:
            shutil.copyfile(path_in, signed)
            signed.replace(path_out)
    return sidecar


def _archive(part: Ingredient, name: str) -> bytes:
    """An ingredient as C2PA keeps it; where the content is not what the name says, as untyped bytes."""
    described = {"title": part.path.name, "relationship": part.role, "instance_id": name, "label": name}
    kinds = dict.fromkeys((media_type(part.path), UNTYPED))
    for kind in kinds:
        with (
            c2pa.Builder({"claim_generator_info": [_agent()]}, context_of(None)) as builder,
            part.path.open("rb") as file,
        ):
            try:
                builder.add_ingredient(described, kind, file)
            except c2pa.C2paError:
                if kind == UNTYPED:
                    raise
                continue
            archive = io.BytesIO()
            builder.write_ingredient_archive(name, archive)
            return archive.getvalue()
    raise ValueError(f"no type to read {part.path} as")


def _agent() -> JsonObject:
    return {"name": "lipswap", "version": tool_version()}


def _builder(title: str, statement: Statement, details: JsonObject) -> Any:  # noqa: ANN401 - c2pa has no types
    parents = [f"ingredient-{index}" for index, one in enumerate(statement.sources) if one["role"] == "parentOf"]
    opened: JsonObject = {"action": "c2pa.opened", "parameters": {"ingredientIds": parents}}
    created: JsonObject = {"action": "c2pa.created", "digitalSourceType": statement.source_type}
    done = [opened if parents else created]
    done += [
        {
            "action": "c2pa.edited",
            "digitalSourceType": statement.source_type,
            "softwareAgent": _agent(),
            "parameters": {"description": action.description, "org.lipswap.engine": action.engine},
        }
        for action in statement.actions
    ]
    consent = statement.consent
    stated = {"statement": consent.text, "sha256": consent.sha256, "who": consent.who, "date": consent.when}
    engines = [action.engine for action in statement.actions]
    rendered = {"tool": _agent(), "engines": engines, "sources": list(statement.sources), **details}
    definition = {
        "claim_generator_info": [_agent()],
        "title": title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": done}},
            {"label": CONSENT_LABEL, "kind": "Json", "data": stated},
            {"label": RENDER_LABEL, "kind": "Json", "data": rendered},
        ],
    }
    builder = c2pa.Builder(definition, context_of(None))
    for archive in statement.archives:
        builder.add_ingredient_from_archive(io.BytesIO(archive))
    return builder


def _signer(keys: Keys) -> Any:  # noqa: ANN401 - c2pa has no types
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", keys.chain.encode(), keys.private_key.encode(), None))


def _sidecar_for(path: Path) -> Path:
    """``NAME.c2pa`` as other tools expect it, unless another clip of that stem already uses it."""
    short = path.with_suffix(".c2pa")
    return path.with_name(path.name + ".c2pa") if short.exists() and twins_of(path) else short


def sidecars_of(path: Path) -> tuple[Path, Path]:
    """Where the sidecar of a file may lie, the more particular name first."""
    return path.with_name(path.name + ".c2pa"), path.with_suffix(".c2pa")


def twins_of(path: Path) -> list[Path]:
    """Other clips of the same stem that would share the sidecar ``NAME.c2pa``."""
    found = path.parent.glob(f"{glob.escape(path.stem)}.*")
    return [one for one in found if one.suffix.lower() in OTHERS and one != path]
