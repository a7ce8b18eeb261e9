"""The exported file: what a live tool finds in it, and that it computes what the model computes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

from faceswap.export import INPUT, OUTPUTS, export
from faceswap.export_options import ExportOptions
from models.nets import config_of
from shared.cli import root
from shared.errors import ArtefactError, InstallError, UsageError, WeightsError
from shared.provenance.consent import Consent, read_consent
from shared.provenance.verify import verify
from shared.types import Floats
from tests.faceswap.made_model import make_model

CONSENT = "Ada and Ben agree to this test."


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIPSWAP_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def consent() -> Consent:
    return read_consent(CONSENT)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model", config_of("quick96"))


@pytest.mark.parametrize(("name", "mask"), [("quick", True), ("quick96", False), ("light", False), ("liae128", True)])
def test_the_runtime_computes_what_torch_computes(name: str, mask: bool, tmp_path: Path, consent: Consent) -> None:
    model = make_model(tmp_path / "model", config_of(name, mask))
    made = export(ExportOptions(model), tmp_path / "out.dfm", consent, check=True)
    assert made.max_difference is not None
    assert made.max_difference < 1e-4
    assert made.mask.startswith("learned" if mask else "fixed")


def test_a_live_tool_finds_the_names_shapes_and_operators_that_it_knows(
    model: Path, tmp_path: Path, consent: Consent
) -> None:
    made = export(ExportOptions(model), tmp_path / "out.dfm", consent)
    graph = onnx.load(made.output)
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", 12)]
    assert graph.ir_version == 7
    session = onnxruntime.InferenceSession(made.output, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert (taken.name, taken.shape, taken.type) == (INPUT, ["batch", 160, 160, 3], "tensor(float)")
    given = session.get_outputs()
    assert [one.name for one in given] == list(OUTPUTS)
    face = np.random.default_rng(0).random((5, 160, 160, 3), dtype=np.float32)
    shapes = [one.shape for one in session.run(None, {INPUT: face})]
    assert shapes == [(5, 160, 160, 1), (5, 160, 160, 3), (5, 160, 160, 1)]


def test_the_file_says_what_it_wants_and_that_it_is_synthetic_and_is_signed(
    model: Path, tmp_path: Path, consent: Consent
) -> None:
    made = export(ExportOptions(model, coverage=2.4), tmp_path / "out.dfm", consent)
    said = {entry.key: entry.value for entry in onnx.load(made.output).metadata_props}
    assert "synthetic" in said["provenance"]
    assert "coverage 2.4" in said["crop"]
    assert json.loads(said["consent"])["text"] == CONSENT
    found = verify(made.output)
    assert found.state == "trusted"
    assert found.consent["statement"] == CONSENT
    assert found.source_types == ("http://c2pa.org/digitalsourcetype/trainedAlgorithmicData",)
    made.output.write_bytes(made.output.read_bytes() + b" ")
    assert verify(made.output).state == "invalid"


def test_both_directions_and_wider_crops_give_other_files(model: Path, tmp_path: Path, consent: Consent) -> None:
    options = ExportOptions(model)
    face = np.random.default_rng(1).random((1, 160, 160, 3), dtype=np.float32)

    def drawn(name: str, options: ExportOptions) -> Floats:
        made = export(options, tmp_path / name, consent)
        session = onnxruntime.InferenceSession(made.output, providers=["CPUExecutionProvider"])
        side = made.side_px
        return np.asarray(session.run([OUTPUTS[1]], {INPUT: np.resize(face, (1, side, side, 3))})[0])

    there, back = drawn("a.dfm", options), drawn("b.dfm", replace(options, swap_direction=True))
    assert float(np.abs(there - back).max()) > 0.1
    assert drawn("c.dfm", replace(options, coverage=2.6)).shape[1] > 160


def test_an_equal_file_is_left_and_another_is_not_overwritten(model: Path, tmp_path: Path, consent: Consent) -> None:
    output = tmp_path / "out.dfm"
    assert not export(ExportOptions(model), output, consent).reused
    before = output.stat().st_mtime_ns
    assert export(ExportOptions(model), output, consent).reused
    assert output.stat().st_mtime_ns == before
    with pytest.raises(ArtefactError, match="made otherwise"):
        export(ExportOptions(model, swap_direction=True), output, consent)
    assert not export(ExportOptions(model, swap_direction=True), output, consent, force=True).reused
    output.write_bytes(b"no model")
    with pytest.raises(ArtefactError, match="not ours"):
        export(ExportOptions(model), output, consent)


def test_a_picture_of_the_same_stem_beside_it_takes_no_signature_away(
    model: Path, tmp_path: Path, consent: Consent
) -> None:
    output = tmp_path / "out.dfm"
    export(ExportOptions(model), output, consent)
    (tmp_path / "out.png").write_bytes(b"a picture of the result")
    again = export(ExportOptions(model, swap_direction=True), output, consent, force=True)
    assert again.signature == tmp_path / "out.dfm.c2pa"
    assert export(ExportOptions(model, swap_direction=True), output, consent).signature == again.signature
    assert verify(output).state == "trusted"


def test_a_file_that_computes_something_else_is_refused(
    model: Path, tmp_path: Path, consent: Consent, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.dfm"
    export(ExportOptions(model), output, consent)
    real: Callable[..., Any] = onnxruntime.InferenceSession.run

    def wrong(self: object, *arguments: object) -> list[Any]:
        return [values + 0.01 for values in real(self, *arguments)]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", wrong)
    with pytest.raises(WeightsError, match=r"differ by 0\.0100"):
        export(ExportOptions(model), output, consent, check=True)


def test_doors(model: Path, tmp_path: Path, consent: Consent, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"must end in \.dfm or \.onnx"):
        export(ExportOptions(model), tmp_path / "out.pth", consent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(InstallError, match=r"onnx missing: pip install 'lipswap\[export\]'"):
        export(ExportOptions(model), tmp_path / "out.dfm", consent)


def test_the_command_needs_consent_and_says_what_was_checked(model: Path, tmp_path: Path) -> None:
    call = ["export", str(model), "-o", str(tmp_path / "out.dfm"), "--check"]
    refused = CliRunner().invoke(root, call)
    assert refused.exit_code == 8
    assert not (tmp_path / "out.dfm").exists()
    result = CliRunner().invoke(root, [*call, "--consent", CONSENT, "--json"])
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["max_difference"] < 1e-4
    assert answer["side_px"] == 160
    again = CliRunner().invoke(root, [*call, "--consent", CONSENT])
    assert "nothing to do" in again.stderr
    assert CliRunner().invoke(root, ["verify", str(tmp_path / "out.dfm")]).exit_code == 0
