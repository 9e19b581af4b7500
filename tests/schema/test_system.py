from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support.programs import modules_after

from dynconnect.schema.schema import Schema, system
from dynconnect.schema.system import sources


def test_the_system_serves_health_and_both_reflections():
    assert list(system().services) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]


def test_files_have_the_import_paths_they_have_everywhere():
    assert {name for name in system().files if not name.startswith("google/protobuf/")} == {
        "google/rpc/code.proto",
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
        "grpc/health/v1/health.proto",
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    }


@pytest.mark.parametrize(
    "name", ["google.rpc.Status", "google.rpc.BadRequest", "grpc.health.v1.HealthCheckRequest"]
)
def test_messages_of_errors_and_health_are_there(name):
    assert system().message_class(name).DESCRIPTOR.full_name == name


def test_z1_both_reflections_are_wire_identical():
    texts = [
        str(FileDescriptorProto.FromString(system().files[f"grpc/reflection/{version}/reflection.proto"]))
        for version in ("v1", "v1alpha")
    ]
    assert texts[0] == texts[1].replace("v1alpha", "v1")
    new, old = (
        system().message_class(f"grpc.reflection.{v}.ServerReflectionResponse") for v in ("v1", "v1alpha")
    )
    response = old(valid_host="h", all_extension_numbers_response={"extension_number": [1]})
    again = new.FromString(response.SerializeToString())
    assert again.all_extension_numbers_response.extension_number == [1]
    assert again.SerializeToString() == response.SerializeToString()


def test_z1_v1_speaks_of_v1_messages_only():
    method = system().methods["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]
    assert method.input.DESCRIPTOR.full_name == "grpc.reflection.v1.ServerReflectionRequest"
    assert method.client_streaming
    assert method.server_streaming
    assert b"v1alpha" not in system().files["grpc/reflection/v1/reflection.proto"]


def test_the_system_has_a_pool_of_its_own_and_a_user_may_bring_the_same_files():
    user = Schema(sources())
    assert user.files == system().files
    assert user.message_class("google.rpc.Status") is not system().message_class("google.rpc.Status")


def test_the_system_needs_no_grpc():
    code = """
from dynconnect.schema.schema import system
assert len(system().services) == 3
system().message_class("google.rpc.Status")
"""
    found = modules_after(code)
    assert {"grpc_health", "grpc_reflection"} <= found
    assert "grpc" not in found


def test_the_system_is_not_loaded_before_it_is_needed():
    assert "grpc_reflection" not in modules_after("import dynconnect.schema.schema")
