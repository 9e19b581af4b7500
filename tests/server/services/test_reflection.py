"""Z1 to Z13, by all three protocols, in both packages."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from support import schema
from support.calls import serve
from support.clock import virtual_time
from support.dialects import DIALECTS
from support.handlers import HANDLERS
from support.shop import make_schema
from support.system import REFLECT, SystemCall

from dynconnect.live.generation import Generation
from dynconnect.rpc.code import Code
from dynconnect.rpc.errors import ConnectError
from dynconnect.server.asgi import Server

OWN = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]

every_protocol = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda each: each.name)
both_packages = pytest.mark.parametrize("path", REFLECT, ids=["v1", "v1alpha"])
GRPC = next(each for each in DIALECTS if each.name == "grpc")


def shop_generation(number=2):
    return Generation(number, f"hash {number}", make_schema(), {})


async def asked(app, *requests, dialect=GRPC, path=REFLECT[0]):
    """The outcome of a stream with these *requests*, and its answers."""
    call = SystemCall(app, dialect, path)
    for request in requests:
        call.send(**request)
    outcome = await call.end().start().outcome()
    return outcome, call.messages(outcome)


def names(answer):
    files = answer.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(data).name for data in files]


def listed(answer):
    return [service.name for service in answer.list_services_response.service]


@both_packages
@every_protocol
async def test_z1_z2_z3_each_request_has_its_answer_with_the_request_in_it(dialect, path):
    requests = [
        {"host": "a", "list_services": "*"},
        {"host": "b", "file_by_filename": "test/v1/notes.proto"},
        {"host": "c", "file_containing_symbol": "test.v1.Notes.Echo"},
        {"host": "d", "all_extension_numbers_of_type": "test.v1.Note"},
    ]
    outcome, answers = await asked(serve(), *requests, dialect=dialect, path=path)
    assert outcome.code == "ok"
    assert [answer.valid_host for answer in answers] == ["a", "b", "c", "d"]
    for request, answer in zip(requests, answers, strict=True):
        assert answer.original_request == type(answer.original_request)(**request)
    assert listed(answers[0]) == [*OWN, "test.v1.Notes"]
    assert names(answers[1]) == names(answers[2]) == ["test/v1/notes.proto"]
    assert answers[3].all_extension_numbers_response.base_type_name == "test.v1.Note"


@every_protocol
async def test_z2_an_answer_comes_before_the_next_request(dialect):
    call = SystemCall(serve(), dialect, REFLECT[0]).start()
    for name in ("test/v1/notes.proto", "grpc/health/v1/health.proto"):
        call.send(file_by_filename=name)
        assert names(await call.next())[0] == name
    assert (await call.end().outcome()).code == "ok"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"file_by_filename": "no.proto"}, "there is no file no.proto"),
        ({"file_containing_symbol": ".test.v1.Note"}, "there is no symbol .test.v1.Note"),
        ({"all_extension_numbers_of_type": "x.Y"}, "there is no message x.Y"),
        (
            {"file_containing_extension": {"containing_type": "test.v1.Note", "extension_number": 7}},
            "there is no extension 7 of test.v1.Note",
        ),
    ],
)
async def test_z4_what_is_not_found_is_an_answer_and_the_stream_goes_on(request_, message):
    outcome, (error, answer) = await asked(serve(), request_, {"list_services": ""})
    assert (error.error_response.error_code, error.error_response.error_message) == (5, message)
    assert outcome.code == "ok"
    assert "test.v1.Notes" in listed(answer)


@every_protocol
async def test_z4_a_request_of_no_kind_fails_the_call(dialect):
    outcome, answers = await asked(serve(), {"host": "x"}, dialect=dialect)
    assert (outcome.code, outcome.message, answers) == ("invalid_argument", "message_request is not set", [])


async def test_z5_every_listed_name_can_be_asked_for():
    app = serve()
    _, (answer,) = await asked(app, {"list_services": ""})
    for name in listed(answer):
        _, (found,) = await asked(app, {"file_containing_symbol": name})
        assert names(found), name


@every_protocol
async def test_z12_a_stream_keeps_its_schema_over_a_reload_and_a_new_one_has_the_new(dialect):
    app = serve()
    call = SystemCall(app, dialect, REFLECT[0]).start()
    call.send(list_services="")
    assert "test.v1.Notes" in listed(await call.next())
    app.generations.swap(shop_generation())
    call.send(file_containing_symbol="test.v1.Note")
    assert names(await call.next()) == ["test/v1/notes.proto"]
    call.send(list_services="")
    assert listed(await call.next()) == [*OWN, "test.v1.Notes"]
    _, (answer,) = await asked(app, {"list_services": ""})
    assert listed(answer) == [*OWN, "shop.v1.Orders", "shop.v1.Stock"]
    await call.end().outcome()
    assert app.generations.draining == ()


@both_packages
async def test_z13_it_can_be_turned_off(path):
    outcome, answers = await asked(serve(reflect=()), {"list_services": ""}, path=path)
    assert (outcome.code, answers) == ("unimplemented", [])


async def test_z13_it_shows_the_services_that_it_is_told_to():
    app = Server(shop_generation(1), reflect=("*.Orders", "other.*"))
    _, (services, shown, hidden, method) = await asked(
        app,
        {"list_services": ""},
        {"file_containing_symbol": "shop.v1.Orders"},
        {"file_containing_symbol": "shop.v1.Stock"},
        {"file_containing_symbol": "shop.v1.Stock.Count"},
    )
    assert listed(services) == [*OWN, "shop.v1.Orders"]
    assert names(shown)
    assert (hidden.error_response.error_code, method.error_response.error_code) == (5, 5)


async def test_interceptors_stand_before_it():
    def locked(stream):
        async def intercepted(requests, ctx):
            if ctx.method.name != "Echo":
                raise ConnectError(Code.UNAUTHENTICATED, "who are you?")
            async for response in stream(requests, ctx):
                yield response

        return intercepted

    outcome, answers = await asked(Server(schema.generation(HANDLERS, locked)), {"list_services": ""})
    assert (outcome.code, answers) == ("unauthenticated", [])


async def test_a_stream_on_which_nothing_comes_ends_when_the_server_stops():
    with virtual_time():
        app = serve()
        call = SystemCall(app, GRPC, REFLECT[0]).start()
        call.send(list_services="")
        await call.next()
        app.stop(60)
        call.send(file_by_filename="test/v1/notes.proto")  # it has a second to go on
        assert names(await call.next())
        outcome = await call.outcome()
    assert (outcome.code, outcome.message) == ("unavailable", "the server stops; call again")


# --- a user's own -------------------------------------------------------------------------------------------


OWN_HEALTH = """
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; } ServingStatus status = 1; }
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
"""


async def test_a_handler_for_a_service_of_ours_takes_its_place():
    from support.system import CHECK, unary

    from dynconnect.live.generation import Route
    from dynconnect.rpc.handler import stream_of, unimplemented

    async def check(request, ctx):
        return {"status": 0}

    own = make_schema(OWN_HEALTH, "grpc/health/v1/health.proto")
    method = own.methods[CHECK]
    bound = Generation(
        1, "a", own, {CHECK: Route(method, stream_of(method, check), "a.py:1 check", own.codecs)}
    )
    unbound = Generation(2, "b", own, {CHECK: Route(method, unimplemented, None, own.codecs)})
    app = Server(bound)
    assert (await unary(app, GRPC, CHECK))[1].status == 0
    app.generations.swap(unbound)
    assert (await unary(app, GRPC, CHECK))[1].status == 1
    _, (answer,) = await asked(app, {"list_services": ""})
    assert listed(answer) == OWN
