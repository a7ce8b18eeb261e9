"""A trained model as one ONNX file in the DFM convention, which tools that swap faces live read.

``in_face:0`` (N, S, S, 3) float32 BGR in [0, 1] becomes ``out_face_mask:0`` (N, S, S, 1), ``out_celeb_face:0`` (N, S,
S, 3) BGR and ``out_celeb_face_mask:0`` (N, S, S, 1), in operator set 12; N is free. `faceswap.live` says what crop is
expected. The file carries, in its own metadata, what made it, that its pictures are synthetic, and the consent
statement; a C2PA sidecar signs it.
"""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor

from faceswap.export_options import ExportOptions
from faceswap.live import LiveCrop, LiveFace, live_crop
from faceswap.model import SwapModel, best_of, open_model
from models.tensors import array, floats, one_thread
from shared.errors import ArtefactError, InstallError, MediaError, UsageError, WeightsError, from_os_error
from shared.provenance.consent import Consent
from shared.provenance.credentials import DATA_TYPE, Action, Ingredient, prepare, sidecars_of, sign_as
from shared.store.artefact import fingerprint, lock, tool_version, write_atomically
from shared.types import Floats

if TYPE_CHECKING:
    from onnx import ModelProto

SUFFIXES: Final = (".dfm", ".onnx")
SCHEMA: Final = 1
OPSET: Final = 12
IR_VERSION: Final = 7
"""Of ONNX 1.7, which brought operator set 12: older runtimes refuse files that say more."""
INPUT: Final = "in_face:0"
OUTPUTS: Final = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
MESH_SHARE: Final = 0.95
"""Coverage for a mesh of 468 points as a share of that for 68: 0.93 to 0.98 on the faces of three people."""
MOST_DIFFERENCE: Final = 1e-3
"""A quarter of an 8-bit step: by no more may the runtime's pictures differ from torch's."""
FINGERPRINT: Final = "lipswap_fingerprint"
FACTS: Final = "lipswap_facts"
SYNTHETIC: Final = "Every picture made with this network is synthetic: it shows a person who was not there."


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    output: Path
    signature: Path
    net: str
    side_px: int
    """Side of the crop that the file takes."""
    coverage: float
    mask: str
    """Where its masks come from."""
    max_difference: float | None
    """Largest difference of any output between onnxruntime and torch, in [0, 1]; None where it was not asked for."""
    reused: bool = False
    """An equal file lay there already."""


def export(
    options: ExportOptions, output: Path, consent: Consent, *, check: bool = False, force: bool = False
) -> Exported:
    """Write a model as ONNX, with its sidecar.

    Parameters
    ----------
    check : run the file in onnxruntime too and compare.
    force : replace a file that was made otherwise.

    Raises
    ------
    UsageError
        The output's name ends otherwise.
    InstallError
        The packages of the extra ``export`` are missing.
    ArtefactError, WeightsError
        The model cannot be used; something else lies at `output`; the file does not compute what the model does.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: the output's name must end in {' or '.join(SUFFIXES)}")
    if not output.absolute().parent.is_dir():
        raise MediaError(f"{output.absolute().parent}: no such folder for the output; make it first")
    _needed("onnx", *(["onnxruntime"] if check else []))
    model = open_model(options.model, "cpu")
    if model.centring != "face":
        raise UsageError(
            f"{options.model}: is centred on the {model.centring}; live tools take models of the face alone"
        )
    crop = live_crop(model.view_px, options.coverage)
    net = LiveFace(model.net, 0 if options.swap_direction else 1, crop, options.expression).eval()
    wanted = str(fingerprint(options=options, consent=consent.sha256, schema=SCHEMA, tool=tool_version()))
    with lock(output):
        signature = None if force else _earlier(output, wanted)
        reused = signature is not None
        if signature is None:
            signature = _write(net, model, options, output, consent, wanted)
    difference = _difference(net, output) if check else None
    if difference is not None and not difference <= MOST_DIFFERENCE:
        raise WeightsError(f"{output}: its pictures differ by {difference:.4f} from the model's; do not use it")
    mask = _mask_source(model)
    return Exported(output, signature, model.net.config.name, crop.side_px, options.coverage, mask, difference, reused)


def _write(
    net: LiveFace, model: SwapModel, options: ExportOptions, output: Path, consent: Consent, wanted: str
) -> Path:
    import onnx  # noqa: PLC0415 - an optional package, asked for before

    action = Action("export", "face-swap model written for tools that swap live")
    statement = prepare(consent, (Ingredient(best_of(options.model), "inputTo"),), (action,), DATA_TYPE)
    graph = onnx.load_from_string(_graph(net))
    facts = _facts(model, net.crop, options)
    _describe(graph, facts, consent, wanted)
    onnx.checker.check_model(graph)
    unsigned = output.with_name(f".{output.stem}.unsigned{output.suffix}")
    write_atomically(unsigned, graph.SerializeToString())
    return sign_as(statement, unsigned, output, {"fingerprint": wanted, **facts}, move=True)


def _graph(net: LiveFace) -> bytes:
    """The traced network."""
    side = net.crop.side_px
    written = io.BytesIO()
    names = [INPUT, *OUTPUTS]
    with warnings.catch_warnings(), one_thread(), torch.inference_mode():
        # It warns of being the older exporter, but the newer one writes no operator set below 18; and of traced sizes,
        # which are those of the net.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, side, side, 3),),
            written,  # type: ignore[arg-type] # a stream is taken too, as its own tests do
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "batch"} for name in names},
        )
    return written.getvalue()


def _facts(model: SwapModel, crop: LiveCrop, options: ExportOptions) -> dict[str, str | int | float | bool]:
    """What a user of the file must know."""
    return {
        "net": model.net.config.name,
        "swap_direction": options.swap_direction,
        "side_px": crop.side_px,
        "coverage": options.coverage,
        "expression": options.expression,
        "view_px": crop.view_px,
        "crop": (
            f"square around the face fitted to the mean face of 68 landmarks, coverage {options.coverage:g}, offsets "
            f"0, upright with the face, {crop.side_px} px; BGR in [0, 1]. With a mesh of 468 points, which the live "
            f"tool fits to another mean face, coverage {MESH_SHARE * options.coverage:.1f} comes nearest."
        ),
        "masks": _mask_source(model),
    }


def _mask_source(model: SwapModel) -> str:
    if model.net.config.mask:
        return "learned: both masks are the one that the decoder draws"
    return "fixed: both masks are the hull of the mean face, chin to forehead, since this net draws none"


def _describe(graph: ModelProto, facts: dict[str, str | int | float | bool], consent: Consent, wanted: str) -> None:
    """Write into the file's own metadata what it is, what it wants, and who agreed."""
    graph.ir_version = IR_VERSION
    graph.producer_name, graph.producer_version = "lipswap", tool_version()
    graph.doc_string = f"Face-swap model made with lipswap {tool_version()}. {SYNTHETIC} Crop: {facts['crop']}"
    said = {
        "provenance": f"Trained and written by lipswap {tool_version()}. {SYNTHETIC}",
        "crop": str(facts["crop"]),
        "masks": str(facts["masks"]),
        "consent": json.dumps(asdict(consent), ensure_ascii=False),
        FACTS: json.dumps(facts),
        FINGERPRINT: wanted,
    }
    for key, value in said.items():
        graph.metadata_props.add(key=key, value=value)


def _earlier(output: Path, wanted: str) -> Path | None:
    """The sidecar of an equal file that lies there; None where there is work to do."""
    if not output.exists():
        return None
    import onnx  # noqa: PLC0415 - an optional package, asked for before
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - comes with it

    try:
        found = {entry.key: entry.value for entry in onnx.load(output).metadata_props}
    except OSError as error:
        raise from_os_error(error, output, "reading it") from error
    except DecodeError:
        found = {}
    if found.get(FINGERPRINT) != wanted:
        raise ArtefactError(f"{output}: was made otherwise or is not ours; choose another name, or --force replaces it")
    return next(filter(Path.is_file, sidecars_of(output)), None)


def _difference(net: LiveFace, output: Path) -> float:
    """Largest difference between onnxruntime and torch over made pictures, one and three at a time."""
    import onnxruntime  # noqa: PLC0415 - an optional package, asked for before

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(output, settings, providers=["CPUExecutionProvider"])
    worst = 0.0
    for number, faces in enumerate(_pictures(net.crop.side_px)):
        with one_thread(), torch.inference_mode():
            wanted: tuple[Tensor, ...] = net(floats(faces))
        for there, here in zip(session.run(list(OUTPUTS), {INPUT: faces}), wanted, strict=True):
            if there.shape != tuple(here.shape):
                raise WeightsError(f"{output}: batch {number} gives {there.shape}, {tuple(here.shape)} was expected")
            worst = max(worst, float(np.abs(there - array(here)).max()))
    return worst


def _pictures(side_px: int) -> tuple[Floats, Floats]:
    """Seeded pictures of soft blots, (1, S, S, 3) and (3, S, S, 3)."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(4, 3, 8, 8, generator=random)
    soft = torch.nn.functional.interpolate(coarse, size=(side_px, side_px), mode="bicubic").clamp(0, 1)
    faces = array(soft.permute(0, 2, 3, 1).contiguous())
    return faces[:1], faces[1:]


def _needed(*packages: str) -> None:
    """Refuse to begin without the packages of the extra."""
    import importlib.util  # noqa: PLC0415 - only here

    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise InstallError(f"{' and '.join(missing)} missing: pip install 'lipswap[export]'")
