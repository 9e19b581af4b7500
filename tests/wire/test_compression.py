"""What is offered, and what both sides agree on."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import brotli
import pytest

from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.wire.compression import available, negotiate

ALL = ["gzip", "br", "zstd", "deflate", "snappy"]


@pytest.fixture(scope="module")
def known():
    return available()


def names(pair):
    return tuple("identity" if side is None else side.name for side in pair)


# What is there


def test_c1_all_are_offered_in_order_each_under_its_own_name(known):
    assert list(known) == ALL
    assert [one.name for one in known.values()] == ALL


@pytest.mark.parametrize(
    ("package", "name"), [("brotli", "br"), ("zstandard", "zstd"), ("cramjam", "snappy")]
)
def test_a_compression_without_its_package_is_not_offered(monkeypatch, package, name):
    monkeypatch.setitem(sys.modules, package, None)  # as Python marks a module that can't be imported
    assert list(available()) == [other for other in ALL if other != name]


def test_a_brotli_that_can_not_stop_early_is_not_offered(monkeypatch):
    old = ModuleType("brotli")
    old.__spec__ = brotli.__spec__
    old.Decompressor = type("Decompressor", (), {"process": None, "is_finished": None})  # as of 1.1
    monkeypatch.setitem(sys.modules, "brotli", old)
    assert "br" not in available()


def test_to_know_what_is_there_does_not_import_the_large_packages():
    program = (
        "import sys; from dynconnect.wire.compression import available; "
        "print(*available(), sorted({'zstandard', 'cramjam'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == " ".join([*ALL, "[]"])


# The request's


@pytest.mark.parametrize("sent", ["", "identity", "Identity", " identity ", " "])
def test_c2_identity_or_nothing_is_no_compression(known, sent):
    assert names(negotiate(known, sent, "")) == ("identity", "identity")


@pytest.mark.parametrize("sent", [*ALL, "GZIP", "Br", " gzip"])
def test_c2_a_known_encoding_is_undone_whatever_its_case(known, sent):
    assert names(negotiate(known, sent, "")) == (sent.strip().lower(), "identity")


UNKNOWN = [
    pytest.param("lz4", id="unheard of"),
    pytest.param("x-gzip", id="an old alias"),
    pytest.param("gzip, br", id="two, one upon the other"),
    pytest.param("gzip;q=1", id="with a weight, which only the accept header has"),
    pytest.param("*", id="anything"),
]


@pytest.mark.parametrize("sent", UNKNOWN)
def test_c2_an_unknown_encoding_is_unimplemented_and_told_what_is_known(known, sent):
    with pytest.raises(ConnectError) as caught:
        negotiate(known, sent, "gzip")
    assert caught.value.code is Code.UNIMPLEMENTED
    assert repr(sent) in caught.value.message
    assert caught.value.message.endswith("supported are gzip, br, zstd, deflate, snappy, identity")


def test_c2_what_is_known_decides_and_not_what_is_installed(known):
    with pytest.raises(ConnectError, match="'br': supported are gzip, identity"):
        negotiate({"gzip": known["gzip"]}, "br", None)


def test_c2_a_server_without_compression_says_that_it_takes_identity():
    with pytest.raises(ConnectError, match=r"'gzip': supported are identity$"):
        negotiate({}, "gzip", None)


# The response's

ACCEPTED = [
    pytest.param("gzip", "gzip", id="one"),
    pytest.param("br,gzip", "br", id="the first of two"),
    pytest.param("lz4, zstd, gzip", "zstd", id="unknown names are skipped"),
    pytest.param("*", "identity", id="a star is skipped"),
    pytest.param("*, deflate", "deflate", id="a star is skipped for what follows"),
    pytest.param("identity, deflate, gzip", "identity", id="as gRPC's C core sends it"),
    pytest.param("identity", "identity", id="identity alone"),
    pytest.param("lz4", "identity", id="nothing matches"),
    pytest.param("", "identity", id="an empty list"),
    pytest.param(" , ,", "identity", id="a list of nothing"),
    pytest.param("GZip", "gzip", id="case does not matter"),
    pytest.param("  br  ,\tgzip", "br", id="nor do blanks"),
    pytest.param("gzip;q=0.8, br", "gzip", id="a weight is ignored"),
    pytest.param("br;q=0.1;x=y, gzip;q=1.0", "br", id="and so is anything beside it"),
    pytest.param("gzip;q=0, br", "br", id="a weight of 0 excludes"),
    pytest.param("gzip;q=0.0, br", "br", id="0.0"),
    pytest.param("gzip;q=0.000, br", "br", id="0.000"),
    pytest.param("gzip;q=0., br", "br", id="0."),
    pytest.param("gzip ; Q = 0 ;x=y, br", "br", id="0 in any dress"),
    pytest.param("gzip;q=0.001, br", "gzip", id="next to 0 is not 0"),
    pytest.param("gzip;seq=0, br", "gzip", id="another parameter that ends in q"),
    pytest.param("gzip;q=0", "identity", id="all there was is excluded"),
]


@pytest.mark.parametrize("sent", ["", "snappy"])
@pytest.mark.parametrize(("accepted", "expected"), ACCEPTED)
def test_c3_the_first_accepted_that_we_know_packs_the_response(known, sent, accepted, expected):
    assert names(negotiate(known, sent, accepted)) == (sent or "identity", expected)


@pytest.mark.parametrize("sent", ["", *ALL])
def test_c3_without_an_accept_header_the_request_s_encoding_is_used(known, sent):
    assert names(negotiate(known, sent, None)) == (sent or "identity", sent or "identity")


@pytest.mark.parametrize("accepted", ["gzip, deflate, br", "gzip, deflate, br, zstd"])
def test_k19_a_browser_s_list_is_not_one_name(known, accepted):
    assert names(negotiate(known, "", accepted)) == ("identity", "gzip")
    rest = {name: known[name] for name in ("br", "zstd")}
    assert names(negotiate(rest, "", accepted)) == ("identity", "br")


def test_c3_only_what_is_known_answers(known):
    assert names(negotiate({}, "", "gzip, br")) == ("identity", "identity")
