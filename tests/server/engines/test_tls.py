"""TLS contexts: which files make one, and what is said of those that don't."""

from __future__ import annotations

import shutil
import ssl

import pytest
from cryptography.hazmat.primitives import serialization
from support.serving import Certificates

from dynconnect.server.engines.settings import Settings, StartError
from dynconnect.server.engines.tls import context_of


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def certificates(issued, tmp_path):
    """Files that a test may spoil."""
    for path in vars(issued).values():
        shutil.copy(path, tmp_path)
    copy = object.__new__(Certificates)
    vars(copy).update({name: tmp_path / path.name for name, path in vars(issued).items()})
    return copy


def test_without_a_certificate_there_is_no_tls():
    assert context_of(Settings()) is None


def test_a_context_offers_http_2_first_and_nothing_old(certificates):
    context = context_of(Settings(**certificates.server))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE
    assert all("GCM" in cipher["name"] or "POLY1305" in cipher["name"] for cipher in context.get_ciphers())


def test_a_client_certificate_is_asked_for_where_authorities_are_given(certificates):
    context = context_of(Settings(**certificates.server, tls_client_ca=certificates.authority))
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_the_key_may_stand_in_the_file_of_the_certificate(certificates):
    certificates.cert.write_bytes(certificates.cert.read_bytes() + certificates.key.read_bytes())
    assert context_of(Settings(tls_cert=certificates.cert)) is not None


def missing(certificates):
    certificates.cert.unlink()


def folder(certificates):
    certificates.key.unlink()
    certificates.key.mkdir()


def empty(certificates):
    certificates.cert.write_bytes(b"")


def der(certificates):
    certificates.cert.write_bytes(ssl.PEM_cert_to_DER_cert(certificates.client_cert.read_text()))


def swapped(certificates):
    certificates.key.write_bytes(certificates.cert.read_bytes())


def of_another(certificates):
    certificates.key.write_bytes(certificates.client_key.read_bytes())


def encrypted(certificates):
    key = serialization.load_pem_private_key(certificates.key.read_bytes(), None)
    certificates.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def cut(certificates):
    lines = certificates.cert.read_text().splitlines()
    certificates.cert.write_text("\n".join([*lines[:3], lines[-1]]))


def no_authorities(certificates):
    certificates.authority.write_text("nothing in here\n")


def cut_authorities(certificates):
    lines = certificates.authority.read_text().splitlines()
    certificates.authority.write_text("\n".join([*lines[:3], lines[-1]]))


FAULTS = [
    pytest.param(missing, "cert", "the certificate can't be read: No such file", "", id="missing"),
    pytest.param(folder, "key", "the private key can't be read: Is a directory", "", id="a folder"),
    pytest.param(empty, "cert", "holds no certificate in PEM", "BEGIN CERTIFICATE", id="empty"),
    pytest.param(der, "cert", "holds no certificate in PEM", "BEGIN CERTIFICATE", id="DER"),
    pytest.param(
        swapped, "key", "holds no private key in PEM", "BEGIN PRIVATE KEY", id="a certificate for a key"
    ),
    pytest.param(of_another, "key", "not the key of the certificate in", "the pair", id="another's key"),
    pytest.param(encrypted, "key", "the private key is encrypted", "openssl pkey -in", id="encrypted"),
    pytest.param(cut, "cert", "OpenSSL can't use this", "export it again", id="cut"),
    pytest.param(
        no_authorities, "authority", "holds no client authorities", "BEGIN CERT", id="no authorities"
    ),
    pytest.param(cut_authorities, "authority", "OpenSSL can't use this", "export it", id="cut authorities"),
]


@pytest.mark.parametrize(("spoil", "file", "what", "hint"), FAULTS)
def test_the_file_at_fault_is_named(certificates, spoil, file, what, hint):
    spoil(certificates)
    with pytest.raises(StartError) as caught:
        context_of(Settings(**certificates.server, tls_client_ca=certificates.authority))
    [found] = caught.value.findings
    assert str(getattr(certificates, file)) in found.where
    assert what in found.what
    assert hint in found.hint


def test_every_file_at_fault_is_named_at_once(tmp_path):
    files = [tmp_path / name for name in ("cert.pem", "key.pem", "ca.pem")]
    settings = dict(zip(("tls_cert", "tls_key", "tls_client_ca"), files, strict=True))
    with pytest.raises(StartError) as caught:
        context_of(Settings(**settings))
    assert [finding.where for finding in caught.value.findings] == [str(file) for file in files]
