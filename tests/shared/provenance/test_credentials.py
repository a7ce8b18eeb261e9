from __future__ import annotations

import hashlib
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from shared.errors import ConsentError, MediaError, NoSpaceError
from shared.provenance.consent import Consent, read_consent
from shared.provenance.credentials import CONSENT_LABEL, SOURCE_TYPE, Action, Ingredient, prepare, sign, sign_as
from shared.provenance.keys import user_keys
from shared.provenance.verify import _credentials, verify
from shared.store.artefact import lock

ACTIONS = (Action("sync", "mouth re-synced to new speech"), Action("swap", "face swapped"))


@pytest.fixture(autouse=True)
def own_config(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("LIPSWAP_CONFIG", str(folder))
    return folder


@pytest.fixture
def consent() -> Consent:
    return read_consent("I agree.\nName: Ada Example")


def clip(path: Path, codec: str = "mpeg4") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(25))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = np.random.default_rng(1).integers(0, 255, (5, 48, 64, 3), dtype=np.uint8)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.avi"])
def test_a_signed_clip_is_trusted_and_says_what_was_done(tmp_path: Path, consent: Consent, name: str) -> None:
    path = clip(tmp_path / name)
    source = clip(tmp_path / "source.mkv")
    speech = tmp_path / "speech.raw"
    speech.write_bytes(b"sound")
    parts = (Ingredient(source, "parentOf"), Ingredient(speech, "inputTo"))
    kept = sign(path, path, consent, parts, ACTIONS, {"seed": 7})
    assert kept == (path if name.endswith(("mp4", "mov")) else tmp_path / "out.c2pa")
    found = verify(path)
    assert (found.state, found.kept_in, found.problems) == ("trusted", kept, ())
    assert found.consent["statement"] == consent.text
    assert found.consent["sha256"] == consent.sha256
    assert found.consent["who"] == "Ada Example"
    assert found.source_types == (SOURCE_TYPE,)
    assert found.ingredients == ("source.mkv", "speech.raw")
    assert [action.split()[0] for action in found.actions] == ["c2pa.opened", "c2pa.edited", "c2pa.edited"]
    rendered = next(a["data"] for a in found.manifest["assertions"] if a["label"] == "org.lipswap.render")
    assert rendered["seed"] == 7
    assert rendered["engines"] == ["sync", "swap"]
    assert rendered["sources"][1]["sha256"] == hashlib.sha256(b"sound").hexdigest()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({name, kept.name, "source.mkv", "speech.raw"})


def test_a_signed_clip_still_plays_frame_for_frame(tmp_path: Path, consent: Consent) -> None:
    path = clip(tmp_path / "in.mp4")
    sign(path, tmp_path / "out.mp4", consent)

    def frames(of: Path) -> list[bytes]:
        with av.open(str(of)) as container:
            return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]

    assert frames(tmp_path / "out.mp4") == frames(path)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_one_changed_byte_makes_it_invalid(tmp_path: Path, consent: Consent, name: str) -> None:
    path = clip(tmp_path / name)
    sign(path, path, consent, (), ACTIONS)
    content = bytearray(path.read_bytes())
    place = content.find(b"mdat") + 100 if name.endswith("mp4") else len(content) // 2
    content[place] ^= 1
    path.write_bytes(content)
    found = verify(path)
    assert found.state == "invalid"
    assert any("hash" in problem.lower() for problem in found.problems)


def test_another_users_signature_is_valid_but_not_trusted(
    tmp_path: Path, consent: Consent, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path / "out.mp4")
    sign(path, path, consent)
    monkeypatch.setenv("LIPSWAP_CONFIG", str(tmp_path / "other"))
    assert verify(path).state == "valid"
    assert not (tmp_path / "other").exists()


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path, consent: Consent, own_config: Path) -> None:
    path = clip(tmp_path / "out.mp4")
    sign(path, path, consent)
    folder = own_config / "signing"
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    sign(path, path, consent)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_containers_of_one_stem_keep_a_sidecar_each(tmp_path: Path, consent: Consent) -> None:
    first, second = clip(tmp_path / "out.mkv"), clip(tmp_path / "out.avi")
    assert sign(first, first, consent) != sign(second, second, consent)
    assert {verify(first).state, verify(second).state} == {"trusted"}


def test_an_unsigned_clip_has_no_credentials(tmp_path: Path) -> None:
    path = clip(tmp_path / "plain.mp4")
    with pytest.raises(ConsentError, match="no readable content credentials"):
        verify(path)
    with pytest.raises(MediaError, match="no such file"):
        verify(tmp_path / "none.mp4")


def test_a_full_disk_is_told_before_signing(tmp_path: Path, consent: Consent, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip(tmp_path / "out.mp4")
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(NoSpaceError, match="no room to sign"):
        sign(path, path, consent)


def test_what_cannot_be_signed_says_so(tmp_path: Path, consent: Consent) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"not a film")
    with pytest.raises(MediaError, match="cannot be signed"):
        sign(path, path, consent)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_an_ingredient_whose_suffix_lies_counts_by_its_hash(tmp_path: Path, consent: Consent) -> None:
    path = clip(tmp_path / "out.mp4")
    lying, speech = tmp_path / "lying.mp4", tmp_path / "speech.wav"
    clip(tmp_path / "lying.mkv").rename(lying)
    speech.write_bytes(clip(tmp_path / "sound.mp4").read_bytes())
    sign(path, path, consent, (Ingredient(lying, "parentOf"), Ingredient(speech, "inputTo")), ACTIONS)
    found = verify(path)
    assert (found.state, found.ingredients) == ("trusted", ("lying.mp4", "speech.wav"))
    rendered = next(a["data"] for a in found.manifest["assertions"] if a["label"] == "org.lipswap.render")
    assert rendered["sources"][0]["sha256"] == hashlib.sha256(lying.read_bytes()).hexdigest()


def test_a_signed_clip_may_be_the_parent_of_another(tmp_path: Path, consent: Consent) -> None:
    first, second = clip(tmp_path / "first.mp4"), clip(tmp_path / "second.mp4")
    sign(first, first, consent)
    sign(second, second, consent, (Ingredient(first, "parentOf"),))
    assert (verify(second).state, verify(second).ingredients) == ("trusted", ("first.mp4",))


def test_a_clip_that_cannot_be_signed_stays_where_it_grew(tmp_path: Path, consent: Consent) -> None:
    grown = tmp_path / ".out.unsigned.mp4"
    grown.write_bytes(b"not a film")
    with pytest.raises(MediaError, match="cannot be signed"):
        sign_as(prepare(consent), grown, tmp_path / "out.mp4", move=True)
    assert [path.name for path in tmp_path.iterdir()] == [".out.unsigned.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_signed_clip_takes_the_place_of_the_one_it_grew_as(tmp_path: Path, consent: Consent, name: str) -> None:
    grown = clip(tmp_path / f".grown{Path(name).suffix}")
    kept = sign_as(prepare(consent), grown, tmp_path / name, move=True)
    assert verify(tmp_path / name).state == "trusted"
    assert {path.name for path in tmp_path.iterdir()} == {name, kept.name}


def test_two_runs_may_make_the_keys_at_once(own_config: Path) -> None:
    (own_config / "signing").mkdir()
    with ThreadPoolExecutor() as pool:
        with lock(own_config / "signing" / "signing-key.pem"):
            waiting = pool.submit(user_keys)
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result(5).private_key == user_keys().private_key


def test_an_unsigned_clip_beside_anothers_sidecar_is_not_signed(tmp_path: Path, consent: Consent) -> None:
    first = clip(tmp_path / "out.mkv")
    sign(first, first, consent)
    with pytest.raises(ConsentError, match=r"out\.avi: carries no content .* \(out\.c2pa speaks for out\.mkv\)"):
        verify(clip(tmp_path / "out.avi"))
    assert verify(first).state == "trusted"


@pytest.mark.parametrize("stem", ["take [1]", "out"])
def test_twins_keep_a_sidecar_each_whatever_their_name(tmp_path: Path, consent: Consent, stem: str) -> None:
    first, second = clip(tmp_path / f"{stem}.MKV"), clip(tmp_path / f"{stem}.avi")
    assert sign(first, first, consent) != sign(second, second, consent)
    assert {verify(first).state, verify(second).state} == {"trusted"}


def test_foreign_credentials_are_read_whatever_they_hold(tmp_path: Path) -> None:
    strange = [
        {"label": "c2pa.actions.v2"},
        {"label": CONSENT_LABEL, "data": ["no", "object"]},
        {"data": {}},
        "no object",
    ]
    store = {"active_manifest": "one", "manifests": {"one": {"assertions": strange, "ingredients": [{}]}}}
    found = _credentials(store, tmp_path / "a.mp4")
    assert (found.state, found.consent, found.actions, found.ingredients) == ("invalid", {}, (), ("?",))
    with pytest.raises(ConsentError, match="no active manifest"):
        _credentials({"manifests": {}}, tmp_path / "a.mp4")
