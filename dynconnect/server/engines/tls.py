"""TLS for the listening side: one context, or a finding that names the file at fault.

Source: RFC 9113, 9.2 (what HTTP/2 asks of TLS); RFC 7301 (ALPN).
"""

from __future__ import annotations

import ssl
from pathlib import Path

from dynconnect.schema.finding import Finding
from dynconnect.server.engines.settings import Settings, StartError

ALPN = ("h2", "http/1.1")

# Forward secrecy and authenticated encryption only: what RFC 9113, appendix A, leaves over.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_PEM_HINT = "give a file with -----BEGIN {}----- in it"


def context_of(settings: Settings) -> ssl.SSLContext | None:
    """The context that *settings* describe; None if they ask for no TLS.

    Raises:
        StartError: with a finding for each file that can't be used.
    """
    if settings.tls_cert is None:
        return None
    key = settings.tls_key or settings.tls_cert
    findings = [
        *_check(settings.tls_cert, "certificate", "CERTIFICATE"),
        *_check(key, "private key", "PRIVATE KEY"),
    ]
    if settings.tls_client_ca is not None:
        findings += _check(settings.tls_client_ca, "client authorities", "CERTIFICATE")
    if findings:
        raise StartError(findings)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(list(ALPN))
    _load_chain(context, settings.tls_cert, key)
    if settings.tls_client_ca is not None:
        _load_authorities(context, settings.tls_client_ca)
    return context


def _check(path: Path, what: str, label: str) -> list[Finding]:
    """What is wrong with the file *path*, as far as reading it tells."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        return [Finding(str(path), f"the {what} can't be read: {exc.strerror}")]
    # OpenSSL says of a wrong file no more than "PEM lib", and not of which one.
    if f"{label}-----".encode() not in content:
        return [Finding(str(path), f"holds no {what} in PEM", _PEM_HINT.format(label))]
    return []


def _load_chain(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Give *context* a certificate and its key, or raise StartError for the one at fault."""
    try:
        # Without a password of ours, OpenSSL would stop and ask the terminal for one.
        context.load_cert_chain(cert, key, password=_no_password)
    except _EncryptedError:
        hint = f"decrypt it first: openssl pkey -in {key} -out plain-key.pem"
        raise StartError([Finding(str(key), "the private key is encrypted", hint)]) from None
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            finding = Finding(
                str(key),
                f"is not the key of the certificate in {cert}",
                "give the pair that belongs together",
            )
        else:
            finding = _damaged(f"{cert}, {key}" if cert != key else str(cert), exc)
        raise StartError([finding]) from None


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    """Let *context* accept only clients that the authorities in *path* vouch for."""
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as exc:
        raise StartError([_damaged(str(path), exc)]) from None
    context.verify_mode = ssl.CERT_REQUIRED


def _damaged(where: str, exc: ssl.SSLError) -> Finding:
    return Finding(where, f"OpenSSL can't use this: {exc.reason or exc}", "export it again as PEM")


class _EncryptedError(Exception):
    """OpenSSL asked for a password."""


def _no_password() -> str:
    raise _EncryptedError
