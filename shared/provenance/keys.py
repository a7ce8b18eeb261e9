"""The user's own signing key: an ES256 leaf under a root of his, made on first use and kept readable by him alone."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import LockedError, from_os_error
from shared.store.artefact import lock

LIFE = timedelta(days=20 * 365)
"""Signatures carry no time stamp of an authority (that needs a network), so they are valid as long as the leaf is."""
PATIENCE_S = 10.0
"""How long to wait for another run that makes the keys; making them takes milliseconds."""
POLL_S = 0.05
KEY, CHAIN, ROOT = "signing-key.pem", "signing-chain.pem", "root.pem"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a signature needs, PEM."""

    private_key: str
    chain: str
    """Leaf, then root."""
    root: str
    """What others add to their trust list to see the user's files as trusted."""


def config_folder() -> Path:
    """The user's settings: ``$LIPSWAP_CONFIG``, else ``lipswap`` under ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    own = os.environ.get("LIPSWAP_CONFIG")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".config").absolute() / "lipswap"


def user_keys() -> Keys:
    """The user's keys, made on first use (folder 0700, files 0600)."""
    folder = config_folder() / "signing"
    try:
        if not (folder / KEY).is_file():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make_once(folder)
        return Keys(*((folder / name).read_text(encoding="ascii") for name in (KEY, CHAIN, ROOT)))
    except OSError as error:
        raise from_os_error(error, folder, "keeping the signing key") from error


def user_root() -> str | None:
    """The user's root certificate if he has one; makes nothing."""
    path = config_folder() / "signing" / ROOT
    return path.read_text(encoding="ascii") if path.is_file() else None


def _make_once(folder: Path) -> None:
    """Make the keys, or wait for another run that is making them."""
    patience = time.monotonic() + PATIENCE_S
    while True:
        try:
            with lock(folder / KEY):
                if not (folder / KEY).is_file():
                    _make(folder)
                return
        except LockedError:
            if time.monotonic() > patience:
                raise
            time.sleep(POLL_S)


def _make(folder: Path) -> None:
    root_key = ec.generate_private_key(ec.SECP256R1())
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("lipswap user root", None, root_key, root_key)
    leaf = _certificate("lipswap user", root, leaf_key, root_key)
    root_pem, leaf_pem = (c.public_bytes(serialization.Encoding.PEM) for c in (root, leaf))
    key_pem = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The root's private key is not kept: nobody needs a second leaf. The key comes last: its presence says "complete".
    _write_private(folder / ROOT, root_pem)
    _write_private(folder / CHAIN, leaf_pem + root_pem)
    _write_private(folder / KEY, key_pem)


def _certificate(
    common_name: str,
    issuer: x509.Certificate | None,
    own: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """Certificate in the profile that C2PA 2.x asks of a claim signer (section "Certificate profile")."""
    root = issuer is None
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "lipswap, self-signed"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    start = datetime.now(UTC) - timedelta(days=1)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
        .add_extension(x509.BasicConstraints(ca=root, path_length=0 if root else None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not root, key_cert_sign=root, crl_sign=root, **usage), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
    )
    if not root:
        built = built.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True
        ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    return built.sign(signer, hashes.SHA256())


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    temporary.unlink(missing_ok=True)
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
