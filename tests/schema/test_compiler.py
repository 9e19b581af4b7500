"""Compilers as they are: protoc of grpcio-tools always, protoc and buf where they are installed."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support.proto_project import COMPILE, REAL_BUF, REAL_PROTOC, RECORD, SHOP, install, names_of, plant

from dynconnect.schema import compiler
from dynconnect.schema.finding import SchemaError
from dynconnect.schema.load import load
from dynconnect.schema.schema import Schema

ORDER, SERVICE = "shop/v1/order.proto", "shop/v1/shop.proto"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a folder `proto`, and a folder of programs that is all of PATH."""
    folder = tmp_path / "here"
    plant(folder, {f"proto/{name}": text for name, text in SHOP.items()})
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return folder


@pytest.fixture
def programs(here):
    """Put fakes on PATH; what was called is in the list that comes back."""
    log = here.parent / "log"

    class Programs:
        def add(self, name, then=COMPILE):
            return install(here.parent / "bin", name, RECORD.format(log=str(log), name=name) + then)

        @property
        def called(self):
            return [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []

        @property
        def arguments(self):
            return log.read_text().splitlines()[-1].split()[1:]

    return Programs()


def real(name):
    path = {"protoc": REAL_PROTOC, "buf": REAL_BUF}[name]
    if path is None:
        pytest.skip(f"there is no {name} here")
    return path


@pytest.fixture(params=["grpcio-tools", "protoc"])
def protoc(request):
    """None, which takes grpcio-tools as PATH is empty, and the real one."""
    return None if request.param == "grpcio-tools" else real("protoc")


def findings_of(*patterns, protoc=None):
    with pytest.raises(SchemaError) as caught:
        load(patterns, protoc)
    return caught.value.findings


def names(sources):
    return [FileDescriptorProto.FromString(data).name for source in sources for data in source.files]


# What compiles


def test_a_folder_compiles_to_one_source_with_comments_and_without_what_is_installed(here, protoc):
    before = names_of(here.parent)
    sources = load(["proto"], protoc)
    assert [source.path for source in sources] == ["proto"]
    assert sorted(names(sources)) == [ORDER, SERVICE]
    file = FileDescriptorProto.FromString(sources[0].files[-1])
    assert " All orders.\n" in [found.leading_comments for found in file.source_code_info.location]
    assert names_of(here.parent) == before


@pytest.mark.parametrize("patterns", [["proto"], [f"proto/{SERVICE}"], ["proto/**/*.proto"]])
def test_what_compiles_is_served_whatever_named_it(here, protoc, patterns):
    schema = Schema(load(patterns, protoc))
    assert list(schema.services) == ["shop.v1.Orders"]
    assert {"google/api/annotations.proto", "google/protobuf/timestamp.proto"} <= schema.files.keys()


def test_several_folders_are_import_roots_of_each_other(here, protoc):
    plant(here, {"a/one.proto": 'syntax = "proto3"; import "two.proto"; message One { Two two = 1; }'})
    plant(here, {"b/two.proto": 'syntax = "proto3"; message Two {}'})
    assert [source.path for source in load(["a", "b"], protoc)] == ["a", "b"]


def test_all_sources_are_compiled_by_one_process(here, programs):
    programs.add("protoc")
    plant(here, {"a/one.proto": 'syntax = "proto3";', "two.proto": 'syntax = "proto3";'})
    assert len(names(load(["proto", "a", "two.proto"]))) == 4
    assert programs.called == ["protoc"]


def test_more_names_than_fit_into_arguments_are_compiled_too(here, protoc, monkeypatch):
    monkeypatch.setattr(compiler, "ARGUMENTS_MAX", 10)
    assert sorted(names(load(["proto"], protoc))) == [ORDER, SERVICE]


def test_odd_names_of_folders_are_no_matter(here, protoc):
    shutil.copytree(here / "proto", here / "a=b c;$(d)")
    assert sorted(names(load(["a=b c;$(d)"], protoc))) == [ORDER, SERVICE]


def test_sources_with_their_own_copy_of_what_is_installed_use_it(here, protoc):
    name = "google/api/annotations.proto"
    plant(here, {f"proto/{name}": (Path(_google_api()) / "annotations.proto").read_text()})
    assert name in names(load(["proto"], protoc))


def _google_api():
    return next(str(folder) for prefix, folder in compiler._installed_folders() if prefix == "google/api")


def test_warnings_are_logged_with_their_place_and_refuse_nothing(here, protoc, caplog):
    plant(
        here, {"proto/x.proto": 'syntax = "proto3";\nimport "google/protobuf/empty.proto";\n', "y.proto": ""}
    )
    with caplog.at_level(logging.WARNING):
        load(["proto", "y.proto"], protoc)
    messages = [record.getMessage() for record in caplog.records]
    assert "proto/x.proto:2:1: Import google/protobuf/empty.proto is unused." in messages
    assert any(message.startswith("No ") and "y.proto" in message for message in messages)
    assert len(messages) == 2


# Which compiler


def test_protoc_on_path_comes_before_grpcio_tools(here, programs):
    programs.add("protoc")
    load(["proto"])
    assert programs.called == ["protoc"]


def test_the_one_that_is_named_comes_before_all(here, programs):
    plant(here, {"proto/buf.yaml": "version: v2\n"})
    programs.add("protoc")
    programs.add("buf")
    load(["proto"], str(programs.add("mine")))
    assert programs.called == ["mine"]


IMAGE = """\
sys.argv[1:] = ["-Iproto", "--include_imports", "-o/dev/stdout", "proto/shop/v1/order.proto"]
"""


@pytest.mark.parametrize("name", ["buf.yaml", "buf.work.yaml"])
def test_buf_builds_the_folders_that_have_its_configuration(here, programs, name):
    plant(here, {f"proto/{name}": "", "other/x.proto": 'syntax = "proto3";'})
    programs.add("protoc")
    programs.add("buf", IMAGE + COMPILE)
    sources = load(["proto", "other"])
    assert [source.path for source in sources] == ["proto", "other"]
    assert programs.called == ["buf", "protoc"]


def test_without_buf_its_folders_are_compiled_like_others(here, programs):
    plant(here, {"proto/buf.yaml": "version: v2\n"})
    programs.add("protoc")
    load(["proto"])
    assert programs.called == ["protoc"]


def test_without_any_compiler_it_is_said_how_to_get_one(here, monkeypatch):
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    (finding,) = findings_of("proto")
    assert (finding.where, finding.what) == ("proto", "has .proto sources, and there is no protoc")
    assert "pip install 'dynconnect[protoc]'" in finding.hint


def test_a_compiler_that_is_named_and_not_there_is_a_finding(here):
    (finding,) = findings_of("proto", protoc="no/protoc")
    assert (finding.where, finding.what) == ("no/protoc", "no such program")


# What does not compile

BAD = {
    "bad/a.proto": 'syntax = "proto3";\nimport "b.proto";\nimport "c.prot";\nmessage A { strin s = 1; }\n',
    "bad/b.proto": 'syntax = "proto3";\nmessage B { int32 x = 1 }\nmessage C { int32 = 1; }\n',
    "bad/c.proto": 'syntax = "proto3";\nmessage D { string a = 1;\n  string b = 1; }\n',
}


def test_all_that_is_wrong_is_said_of_all_files_at_once(here, protoc):
    plant(here, BAD)
    assert [(f.where, f.hint) for f in findings_of("bad", protoc=protoc)] == [
        ("bad/b.proto:2:25", ""),
        ("bad/b.proto:3:19", ""),
        ("bad/a.proto:3:1", "did you mean c.proto?"),
        ("bad/a.proto:4:13", "did you mean string?"),
        ("bad/c.proto:3:14", ""),
    ]


def test_findings_of_sets_and_sources_come_together(here):
    plant(here, {**BAD, "x.binpb": "nothing"})
    assert {finding.where.partition(":")[0] for finding in findings_of("x.binpb", "bad")} == {
        "x.binpb",
        *BAD,
    }


def test_an_import_in_a_circle_is_a_finding(here, protoc):
    plant(here, {"x/a.proto": 'syntax = "proto3";\nimport "b.proto";'})
    plant(here, {"x/b.proto": 'syntax = "proto3";\nimport "a.proto";'})
    assert "recursively imports itself" in findings_of("x", protoc=protoc)[0].what


FAULTS = [
    pytest.param("sys.exit('it is broken')", "failed with exit code 1:\nit is broken", id="its own words"),
    pytest.param("sys.exit(3)", "failed with exit code 3:\nit says nothing", id="no words"),
    pytest.param("", "what the compiler made of it is empty", id="no output"),
    pytest.param("print('hello')", "what the compiler made of it is text", id="other output"),
    pytest.param("while True: print('x' * 4096)", "wrote more than 1 MiB", id="endless output"),
    pytest.param(
        "import threading; threading.Event().wait()", "took longer than 1 seconds, and was ended", id="no end"
    ),
]


@pytest.mark.parametrize(("script", "what"), FAULTS)
@pytest.mark.parametrize("name", ["protoc", "buf"])
def test_a_compiler_that_misbehaves_is_a_finding(here, programs, monkeypatch, script, what, name):
    monkeypatch.setattr(compiler, "SOURCE_MAX_BYTES", 1 << 20)
    monkeypatch.setattr(compiler, "SECONDS", 1.0 if "threading" in script else 30.0)
    programs.add(name, script)
    if name == "buf":
        plant(here, {"proto/buf.yaml": ""})
    (finding,) = findings_of("proto")
    assert finding.where == "proto"
    assert what in finding.what


def test_a_compiler_that_cannot_be_run_is_a_finding(here):
    program = here / "protoc"
    program.write_text("no program")
    program.chmod(0o755)
    (finding,) = findings_of("proto", protoc=str(program))
    assert "can't be run: Exec format error" in finding.what


def test_a_folder_that_protoc_cannot_be_told_of_is_a_finding(here):
    shutil.copytree(here / "proto", here / "a:b")
    (finding,) = findings_of("a:b")
    assert (finding.where, "has a ':' in its path" in finding.what) == (str(here / "a:b"), True)


def test_elsewhere_than_on_posix_it_is_said_what_to_do(here, monkeypatch):
    monkeypatch.setattr(compiler.os, "name", "nt")
    with pytest.raises(SchemaError, match="compiled on POSIX systems only, such as Linux; compile it"):
        compiler.compile_protos([_one_proto()])


def _one_proto():
    from dynconnect.schema.protos import Proto

    return Proto("x.proto", "/", "x.proto", "x.proto")


# buf itself


@pytest.fixture
def buf(here, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(real("buf")).parent), "/usr/bin", "/bin"]))
    plant(here, {"buf.yaml": "version: v2\nmodules:\n  - path: proto\n"})
    plain = [line for line in SHOP[SERVICE].splitlines() if "google/api" not in line]
    text = "\n".join(plain).replace("option (google.api.http)", "// option (google.api.http)")
    plant(here, {f"proto/{SERVICE}": text.replace("{ //", "{} //")})
    return here


def test_buf_builds_its_modules(buf):
    (source,) = load(["."])
    assert {ORDER, SERVICE} <= set(names([source]))
    assert list(Schema([source]).services) == ["shop.v1.Orders"]


def test_what_buf_says_is_a_finding_with_its_place(buf):
    plant(
        buf,
        {"proto/bad.proto": 'syntax = "proto3";\nimport "shop/v1/ordr.proto";\nmessage A { strin s = 1; }\n'},
    )
    assert [(f.where, f.hint) for f in findings_of(".")] == [
        ("proto/bad.proto:2:1", "did you mean proto/shop/v1/order.proto?"),
        ("proto/bad.proto:3:13", "did you mean string?"),
    ]


def test_a_fault_in_the_configuration_of_buf_is_a_finding(buf):
    plant(buf, {"buf.yaml": "version: v99\n"})
    (finding,) = findings_of(".")
    assert "v99" in finding.what
