from __future__ import annotations

import functools

import pytest
from support.shop import method

from dynconnect.plugins.shapes import Kind, declaration, kind_of, shape_faults


def plain(request, ctx):
    return request


async def coroutine(request, ctx):
    return request


def generator(request, ctx):
    yield request


async def async_generator(request, ctx):
    yield request


class Callable:
    async def __call__(self, request, ctx):
        return request

    async def method(self, request, ctx):
        yield request

    @staticmethod
    def still(request, ctx):
        yield request


def polite(function):
    """A decorator that gives back what the function gives back."""

    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


def awaiting(function):
    @functools.wraps(function)
    async def wrapper(*args):
        return await function(*args)

    return wrapper


KINDS = [
    pytest.param(plain, Kind.PLAIN, id="def"),
    pytest.param(coroutine, Kind.COROUTINE, id="async def"),
    pytest.param(generator, Kind.GENERATOR, id="def with yield"),
    pytest.param(async_generator, Kind.ASYNC_GENERATOR, id="async def with yield"),
    pytest.param(lambda request, ctx: request, Kind.PLAIN, id="lambda"),
    pytest.param(functools.partial(coroutine, ctx=None), Kind.COROUTINE, id="partial"),
    pytest.param(
        functools.partial(functools.partial(generator), ctx=None), Kind.GENERATOR, id="partial of partial"
    ),
    pytest.param(Callable(), Kind.COROUTINE, id="an object that is called"),
    pytest.param(Callable().method, Kind.ASYNC_GENERATOR, id="a bound method"),
    pytest.param(Callable.still, Kind.GENERATOR, id="a static method"),
    pytest.param(polite(plain), Kind.PLAIN, id="a wrapped def"),
    pytest.param(polite(coroutine), Kind.COROUTINE, id="a wrapped coroutine"),
    pytest.param(polite(polite(async_generator)), Kind.ASYNC_GENERATOR, id="wrapped twice"),
    pytest.param(polite(functools.partial(coroutine)), Kind.COROUTINE, id="a wrapped partial"),
    pytest.param(awaiting(plain), Kind.COROUTINE, id="the outer layer decides"),
    pytest.param(awaiting(async_generator), Kind.COROUTINE, id="even if it is wrong"),
    pytest.param(len, Kind.PLAIN, id="built in"),
    pytest.param(dict, Kind.PLAIN, id="a class"),
]


@pytest.mark.parametrize(("handler", "kind"), KINDS)
def test_the_kind_of_a_handler(handler, kind):
    assert kind_of(handler) is kind


FITTING = {
    "GetOrder": [
        plain,
        coroutine,
        polite(coroutine),
        Callable(),
        max,
        lambda *args: None,
        lambda a, b, c=1: None,
    ],
    "Upload": [plain, coroutine],
    "ListOrders": [generator, async_generator, Callable().method],
    "Chat": [generator, async_generator, polite(generator)],
}


@pytest.mark.parametrize(("name", "handler"), [(name, each) for name in FITTING for each in FITTING[name]])
def test_what_fits_has_no_fault(name, handler):
    assert list(shape_faults(method(name), handler)) == []


YIELDS = "answers with one message, but its handler yields"
MUST_YIELD = "answers with a stream, so its handler must yield"
UNFIT = [
    pytest.param(
        "GetOrder", async_generator, YIELDS, "return the response instead of yielding it", id="unary yields"
    ),
    pytest.param("GetOrder", generator, YIELDS, "return the response instead", id="plain unary yields"),
    pytest.param("Upload", async_generator, YIELDS, "return the response instead", id="client stream yields"),
    pytest.param(
        "ListOrders", coroutine, MUST_YIELD, "yield each response instead of returning", id="stream returns"
    ),
    pytest.param("ListOrders", plain, MUST_YIELD, "yield each response instead", id="plain stream returns"),
    pytest.param("Chat", coroutine, MUST_YIELD, "yield each response instead", id="bidi returns"),
    pytest.param(
        "Chat",
        awaiting(async_generator),
        MUST_YIELD,
        "a decorator made it async def; use one",
        id="decorated",
    ),
    pytest.param("GetOrder", lambda: None, "with (request, ctx), but it takes ()", "", id="no parameters"),
    pytest.param(
        "GetOrder",
        lambda request: None,
        "with (request, ctx), but it takes (request)",
        "",
        id="one parameter",
    ),
    pytest.param(
        "Upload", lambda a, b, c: None, "with (requests, ctx), but it takes (a, b, c)", "", id="three"
    ),
    pytest.param(
        "GetOrder", lambda a, b, *, c: None, "but it takes (a, b, *, c)", "", id="a required keyword"
    ),
    pytest.param(
        "GetOrder", functools.partial(plain, 1), "but it takes (ctx)", "", id="a partial takes one away"
    ),
]


@pytest.mark.parametrize(("name", "handler", "what", "hint"), UNFIT)
def test_what_does_not_fit_is_said_with_what_to_do(name, handler, what, hint):
    ((said, todo),) = shape_faults(method(name), handler)
    assert said.startswith(f"shop.v1.Orders.{name} ")
    assert what in said
    assert hint in todo


def test_both_kinds_of_fault_are_said():
    first, second = shape_faults(method("Chat"), lambda: None)
    assert MUST_YIELD in first[0]
    assert "it takes ()" in second[0]


def test_a_method_without_even_self_takes_nothing():
    class C:
        def get(): ...

    ((what, _),) = shape_faults(method("GetOrder"), C().get)
    assert what.endswith("but it takes ()")


def test_the_declaration_names_one_request_or_many():
    assert declaration(method("GetOrder"), "get_order", "self, ") == "async def get_order(self, request, ctx)"
    assert declaration(method("Chat"), "chat") == "async def chat(requests, ctx)"


def test_wraps_that_go_in_circles_come_to_an_end():
    def one(request, ctx):
        pass

    one.__wrapped__ = one
    assert kind_of(one) is Kind.PLAIN
