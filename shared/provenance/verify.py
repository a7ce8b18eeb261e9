"""Read content credentials (C2PA 2.x) back: who signed a file, what was done to it, was it changed since."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import c2pa

from shared.errors import ConsentError, from_os_error
from shared.provenance.credentials import CONSENT_LABEL, context_of, media_type, one_line, sidecars_of, twins_of
from shared.provenance.keys import user_root
from shared.types import JsonObject


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


def verify(path: Path) -> Credentials:
    """Read and check the credentials of a file, embedded or beside it.

    Raises
    ------
    ConsentError
        The file carries none.
    MediaError
        The file cannot be read.
    """
    sidecar = next(filter(Path.is_file, sidecars_of(path)), None)
    try:
        with path.open("rb") as file, context_of(user_root()) as context:
            try:
                reader = c2pa.Reader(media_type(path), file, context=context)
                kept_in = path
            except c2pa.C2paError:
                if sidecar is None:
                    raise
                file.seek(0)
                reader = c2pa.Reader(media_type(path), file, sidecar.read_bytes(), context=context)
                kept_in = sidecar
            with reader:
                found = _credentials(json.loads(reader.json()), kept_in)
    except OSError as error:
        raise from_os_error(error, path, "reading its credentials") from error
    except c2pa.C2paError as error:
        raise ConsentError(f"{path}: carries no readable content credentials ({one_line(error)})") from error
    title = found.manifest.get("title")
    if found.state == "invalid" and kept_in != path and any(twin.name == title for twin in twins_of(path)):
        raise ConsentError(f"{path}: carries no content credentials ({kept_in.name} speaks for {title})")
    return found


def _credentials(store: JsonObject, kept_in: Path) -> Credentials:
    """What a manifest store says; a foreign one may lack anything, and anything in it may be of another kind."""
    active = _object(_object(store.get("manifests")).get(str(store.get("active_manifest"))))
    if not active:
        raise ConsentError(f"{kept_in}: its content credentials name no active manifest")
    said = {str(entry.get("label")).removesuffix("__1"): entry.get("data") for entry in _objects(active, "assertions")}
    actions = _objects(next((_object(d) for n, d in said.items() if n.startswith("c2pa.actions")), {}), "actions")
    generator = next(iter(_objects(active, "claim_generator_info")), {})
    state = str(store.get("validation_state", "Invalid")).lower()
    results = _object(_object(store.get("validation_results")).get("activeManifest"))
    return Credentials(
        state="trusted" if state == "trusted" else "valid" if state == "valid" else "invalid",
        kept_in=kept_in,
        signer=str(_object(active.get("signature_info")).get("common_name", "")),
        tool=f"{generator.get('name', '?')} {generator.get('version', '')}".strip(),
        consent=_object(said.get(CONSENT_LABEL)),
        actions=tuple(
            f"{entry.get('action', '?')} {_object(entry.get('parameters')).get('description', '')}".strip()
            for entry in actions
        ),
        source_types=tuple(sorted({str(e["digitalSourceType"]) for e in actions if "digitalSourceType" in e})),
        ingredients=tuple(str(part.get("title", "?")) for part in _objects(active, "ingredients")),
        problems=tuple(str(e.get("explanation", e.get("code", "?"))) for e in _objects(results, "failure")),
        manifest=active,
    )


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(holder: JsonObject, name: str) -> list[JsonObject]:
    values = holder.get(name)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
