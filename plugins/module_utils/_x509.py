# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: certificates on disk, read and (self-signed) made with python3-cryptography.

Written for cryptography 3.4 (Ubuntu 22.04) and newer, so it does without the
conveniences of later versions.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import traceback

from ansible_collections.mooring.stack.plugins.module_utils._certificates import ECDSA, RSA, Pair
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
except ImportError:
    IMPORT_ERROR: str | None = traceback.format_exc()
else:
    IMPORT_ERROR = None

# The organisation named in a self-signed placeholder: how one is told from a hand-made certificate.
PLACEHOLDER = "mooring.stack placeholder"

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


class CertificateUnusable(MooringError):
    """A certificate or its key cannot be used, and the message says why."""


def require_cryptography() -> None:
    """Raise an error that names the package when the library is missing on this host."""
    if IMPORT_ERROR is not None:
        raise MooringError(
            "The Python library cryptography is missing on this host. Install the package python3-cryptography; "
            "the role mooring.stack.docker_engine does so.",
            exception=IMPORT_ERROR,
        )


def read_pair(directory: str, roots: str = "") -> Pair | None:
    """What ``fullchain.pem`` and ``privkey.pem`` of a directory hold; None where there is neither.

    ``roots`` is a file of root certificates; when given, ``trusted`` says
    whether the chain ends at one of them. Raises :class:`CertificateUnusable`
    when nginx could not use the files.
    """
    certificate_file, key_file = (os.path.join(directory, name) for name in ("fullchain.pem", "privkey.pem"))
    if not os.path.exists(certificate_file) and not os.path.exists(key_file):
        return None
    require_cryptography()
    chain = _load_chain(certificate_file)
    key = _load_key(key_file)
    leaf = chain[0]
    if _public_bytes(leaf.public_key()) != _public_bytes(key.public_key()):
        raise CertificateUnusable(f"The key in {key_file} does not belong to the certificate in {certificate_file}.")
    self_signed = leaf.issuer == leaf.subject
    return Pair(
        names=frozenset(_names(leaf)),
        key_type=RSA if isinstance(key, rsa.RSAPrivateKey) else ECDSA,
        not_before=_date(leaf, "not_valid_before"),
        not_after=_date(leaf, "not_valid_after"),
        issuer=_common_name(leaf.issuer),
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        placeholder=self_signed and PLACEHOLDER in _values(leaf.subject, x509.NameOID.ORGANIZATION_NAME),
        complete=all(_signed_by(child, parent) for child, parent in zip(chain, chain[1:], strict=False)),
        trusted=_trusted(chain, _load_chain(roots)) if roots else None,
    )


def self_signed(domains: list[str], key_type: str, now: dt.datetime, lifetime: dt.timedelta) -> tuple[bytes, bytes]:
    """A self-signed placeholder certificate and its key, both as PEM."""
    require_cryptography()
    key = rsa.generate_private_key(65537, 2048) if key_type == RSA else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([
        x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, PLACEHOLDER),
        # A common name holds 64 characters at most; the names that count are in the extension.
        x509.NameAttribute(x509.NameOID.COMMON_NAME, domains[0][:64]),
    ])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour of slack: a client whose clock is a little behind must not refuse it.
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in domains]), critical=False)
        # Clients are told to trust this very certificate (the test CA's own TLS), so it has to be a CA.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def split_chain(fullchain: bytes) -> tuple[bytes, bytes]:
    """The leaf and the rest of a PEM chain."""
    certificates = _PEM.findall(fullchain)
    return b"".join(certificates[:1]), b"".join(certificates[1:])


def pem_fingerprint(pem: bytes) -> str:
    """SHA-256 of the first certificate of a PEM text; raises :class:`CertificateUnusable` if it holds none."""
    require_cryptography()
    return _parse_chain(pem, "The text")[0].fingerprint(hashes.SHA256()).hex()


def file_fingerprint(path: str) -> str:
    """SHA-256 of the first certificate of a PEM file; raises :class:`CertificateUnusable`."""
    require_cryptography()
    return _load_chain(path)[0].fingerprint(hashes.SHA256()).hex()


def _load_chain(path: str) -> list[x509.Certificate]:
    return _parse_chain(_read(path), f"The file {path}")


def _parse_chain(data: bytes, what: str) -> list[x509.Certificate]:
    try:
        chain = [x509.load_pem_x509_certificate(pem) for pem in _PEM.findall(data)]
    except ValueError as error:
        raise CertificateUnusable(f"{what} holds a damaged certificate.") from error
    if not chain:
        raise CertificateUnusable(f"{what} holds no certificate.")
    return chain


def _load_key(path: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise CertificateUnusable(f"The file {path} holds no usable private key.") from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise CertificateUnusable(f"The key in {path} is neither RSA nor ECDSA.")
    return key


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CertificateUnusable(f"The file {path} cannot be read: {error.strerror}.") from error


def _public_bytes(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _values(name: x509.Name, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def _common_name(name: x509.Name) -> str:
    return (_values(name, x509.NameOID.COMMON_NAME) or [name.rfc4514_string()])[0]


def _date(certificate: x509.Certificate, attribute: str) -> dt.datetime:
    # The aware attributes came with cryptography 42, which deprecated the naive ones.
    if hasattr(certificate, f"{attribute}_utc"):
        return getattr(certificate, f"{attribute}_utc")
    return getattr(certificate, attribute).replace(tzinfo=dt.timezone.utc)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    key, signed, digest = issuer.public_key(), certificate.tbs_certificate_bytes, certificate.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(certificate.signature, signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, signed, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _trusted(chain: list[x509.Certificate], roots: list[x509.Certificate]) -> bool:
    return any(chain[-1] == root or _signed_by(chain[-1], root) for root in roots)
