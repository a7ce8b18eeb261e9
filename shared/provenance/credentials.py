"""Content credentials (C2PA 2.x): sign what was made, and read back what a file says of itself.

MP4 and MOV carry the signature inside; other containers get a sidecar ``NAME.c2pa`` beside them.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import c2pa

from shared.errors import ConsentError, MediaError, NoSpaceError, from_os_error
from shared.provenance.consent import Consent
from shared.provenance.keys import user_keys, user_root
from shared.store.artefact import tool_version, write_atomically
from shared.types import JsonObject

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
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
class Credentials:
    """What a file says of itself, and whether to believe it."""

    state: Literal["trusted", "valid", "invalid"]
    """``trusted``: signed by this user's key; ``valid``: unchanged since somebody signed it; ``invalid``: changed."""
    kept_in: Path
    """The file itself, or its sidecar."""
    signer: str
    tool: str
    consent: JsonObject
    actions: tuple[str, ...]
    source_types: tuple[str, ...]
    ingredients: tuple[str, ...]
    problems: tuple[str, ...]
    manifest: JsonObject


class _Sink(io.RawIOBase):
    """Swallows what is written: a sidecar's signing copies the whole clip, which nobody needs."""

    def __init__(self) -> None:
        self._place = 0
        self._size = 0

    def write(self, content: Any, /) -> int:  # noqa: ANN401 - any buffer; its type has a name from Python 3.12 on
        count = memoryview(content).nbytes
        self._place += count
        self._size = max(self._size, self._place)
        return count

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002 - the protocol of streams
        return b""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place

    def tell(self) -> int:
        return self._place


def sign(
    path_in: Path,
    path_out: Path,
    consent: Consent,
    ingredients: tuple[Ingredient, ...] = (),
    actions: tuple[Action, ...] = (),
    details: JsonObject | None = None,
) -> Path:
    """Sign `path_in` as `path_out` (the same path signs in place) and return the file that holds the signature.

    Parameters
    ----------
    details : what else to say under ``org.lipswap.render``: engines, settings, counts.

    Raises
    ------
    MediaError
        The file cannot be signed.
    NoSpaceError
        The disk is full.
    """
    kind = _mime(path_out)
    embed = path_out.suffix.lower() in EMBEDDED
    temporary = path_out.with_name(f".{path_out.stem}.signing{path_out.suffix}")
    if embed and shutil.disk_usage(path_out.parent).free < path_in.stat().st_size + HASHED_BYTES:
        raise NoSpaceError(f"{path_out}: no room to sign it (a copy is made); free some space and run again")
    try:
        with _builder(path_out, consent, ingredients, actions, details or {}) as builder, _signer() as signer:
            if embed:
                with path_in.open("rb") as source, temporary.open("w+b") as signed:
                    builder.sign(signer, kind, source, signed)
                temporary.replace(path_out)
                return path_out
            builder.set_no_embed()
            with path_in.open("rb") as source:
                manifest = builder.sign(signer, kind, source, _Sink())
    except c2pa.C2paError as error:
        raise MediaError(f"{path_out}: cannot be signed ({_one_line(error)})") from error
    except OSError as error:
        raise from_os_error(error, path_out, "signing it") from error
    finally:
        temporary.unlink(missing_ok=True)
    if path_in != path_out:
        shutil.copyfile(path_in, path_out)
    sidecar = _sidecar_for(path_out)
    write_atomically(sidecar, manifest)
    return sidecar


def verify(path: Path) -> Credentials:
    """Read and check the credentials of a file, embedded or beside it.

    Raises
    ------
    ConsentError
        The file carries none.
    MediaError
        The file cannot be read.
    """
    sidecar = next((p for p in (path.with_name(path.name + ".c2pa"), path.with_suffix(".c2pa")) if p.is_file()), None)
    try:
        with path.open("rb") as file, _reading_context() as context:
            try:
                reader = c2pa.Reader(_mime(path), file, context=context)
                kept_in = path
            except c2pa.C2paError:
                if sidecar is None:
                    raise
                file.seek(0)
                reader = c2pa.Reader(_mime(path), file, sidecar.read_bytes(), context=context)
                kept_in = sidecar
            with reader:
                return _credentials(json.loads(reader.json()), kept_in)
    except OSError as error:
        raise from_os_error(error, path, "reading its credentials") from error
    except c2pa.C2paError as error:
        raise ConsentError(f"{path}: carries no readable content credentials ({_one_line(error)})") from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a whole file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _builder(
    path: Path, consent: Consent, ingredients: tuple[Ingredient, ...], actions: tuple[Action, ...], details: JsonObject
) -> Any:  # noqa: ANN401 - c2pa has no types
    names = [f"ingredient-{index}" for index in range(len(ingredients))]
    parents = [name for name, part in zip(names, ingredients, strict=True) if part.role == "parentOf"]
    agent = {"name": "lipswap", "version": tool_version()}
    opened: JsonObject = {"action": "c2pa.opened", "parameters": {"ingredientIds": parents}}
    created: JsonObject = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE}
    done = [opened if parents else created]
    done += [
        {
            "action": "c2pa.edited",
            "digitalSourceType": SOURCE_TYPE,
            "softwareAgent": agent,
            "parameters": {"description": action.description, "org.lipswap.engine": action.engine},
        }
        for action in actions
    ]
    sources = [{"name": p.path.name, "role": p.role, "sha256": file_sha256(p.path)} for p in ingredients]
    stated = {"statement": consent.text, "sha256": consent.sha256, "who": consent.who, "date": consent.when}
    engines = [action.engine for action in actions]
    rendered = {"tool": agent, "engines": engines, "sources": sources, **details}
    definition = {
        "claim_generator_info": [agent],
        "title": path.name,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": done}},
            {"label": CONSENT_LABEL, "kind": "Json", "data": stated},
            {"label": RENDER_LABEL, "kind": "Json", "data": rendered},
        ],
    }
    builder = c2pa.Builder(definition, _context(None))
    for name, part in zip(names, ingredients, strict=True):
        described = {"title": part.path.name, "relationship": part.role, "instance_id": name, "label": name}
        with part.path.open("rb") as file:
            builder.add_ingredient(described, _mime(part.path), file)
    return builder


def _signer() -> Any:  # noqa: ANN401 - c2pa has no types
    keys = user_keys()
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", keys.chain.encode(), keys.private_key.encode(), None))


def _context(root: str | None) -> Any:  # noqa: ANN401 - c2pa has no types
    settings: JsonObject = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if root is not None:
        settings["trust"] = {"user_anchors": root}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def _reading_context() -> Any:  # noqa: ANN401 - c2pa has no types
    return _context(user_root())


def _credentials(store: JsonObject, kept_in: Path) -> Credentials:
    active = store["manifests"][store["active_manifest"]]
    said = {entry["label"].removesuffix("__1"): entry["data"] for entry in active.get("assertions", ())}
    actions: list[JsonObject] = next((d["actions"] for n, d in said.items() if n.startswith("c2pa.actions")), [])
    generator = (active.get("claim_generator_info") or [{}])[0]
    state = str(store.get("validation_state", "Invalid")).lower()
    failures = store.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    return Credentials(
        state="trusted" if state == "trusted" else "valid" if state == "valid" else "invalid",
        kept_in=kept_in,
        signer=active.get("signature_info", {}).get("common_name", ""),
        tool=f"{generator.get('name', '?')} {generator.get('version', '')}".strip(),
        consent=said.get(CONSENT_LABEL, {}),
        actions=tuple(
            " ".join(filter(None, (entry["action"], entry.get("parameters", {}).get("description", ""))))
            for entry in actions
        ),
        source_types=tuple(sorted({e["digitalSourceType"] for e in actions if "digitalSourceType" in e})),
        ingredients=tuple(part.get("title", "?") for part in active.get("ingredients", ())),
        problems=tuple(entry.get("explanation", entry["code"]) for entry in failures),
        manifest=active,
    )


def _sidecar_for(path: Path) -> Path:
    """``NAME.c2pa`` as other tools expect it, unless another clip of that stem already uses it."""
    short = path.with_suffix(".c2pa")
    twins = [p for p in path.parent.glob(f"{path.stem}.*") if p.suffix in OTHERS and p != path]
    return path.with_name(path.name + ".c2pa") if short.exists() and twins else short


def _mime(path: Path) -> str:
    suffix = path.suffix.lower()
    return EMBEDDED.get(suffix) or OTHERS.get(suffix) or "application/octet-stream"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
