from __future__ import annotations

import functools
import importlib

import pytest

import dynconnect
from dynconnect.plugins.markers import Mark, interceptor, mark_of, resource, rpc, service


def test_a_marker_gives_back_its_object_and_says_where_it_stands():
    class Orders:
        pass

    line = service.__code__.co_firstlineno
    assert service("shop.v1.Orders")(Orders) is Orders
    mark = mark_of(Orders)
    assert (mark.kind, mark.target, mark.file) == ("service", "shop.v1.Orders", __file__)
    assert mark.line != line


def test_the_line_is_that_of_the_marker():
    @service("a.B")
    class Decorated:
        pass

    assert mark_of(Decorated).line == test_the_line_is_that_of_the_marker.__code__.co_firstlineno + 1


def test_functions_are_marked_for_one_rpc_or_as_interceptors():
    @rpc("a.B/C")
    async def handler(request, ctx):
        return request

    @interceptor
    def logged(stream):
        return stream

    assert mark_of(handler).target == "a.B/C"
    assert mark_of(logged).kind == "interceptor"
    assert logged(1) == 1


def test_resources_are_marked_with_their_scope_with_or_without_a_call():
    @resource
    def bare(): ...

    @resource()
    def called(): ...

    @resource(scope="process")
    async def scoped():
        yield

    marks = [mark_of(each) for each in (bare, called, scoped)]
    assert [(mark.kind, mark.target) for mark in marks] == [
        ("resource", "generation"),
        ("resource", "generation"),
        ("resource", "process"),
    ]
    first = test_resources_are_marked_with_their_scope_with_or_without_a_call.__code__.co_firstlineno
    assert [mark.line - first for mark in marks] == [1, 4, 7]


def test_a_wrapper_carries_the_mark_of_what_it_wraps():
    @rpc("a.B/C")
    async def handler(request, ctx):
        return request

    @functools.wraps(handler)
    async def wrapper(request, ctx):
        return await handler(request, ctx)

    assert mark_of(wrapper) is mark_of(handler)


def test_a_class_does_not_inherit_a_mark():
    @service("a.B")
    class Base:
        pass

    class Heir(Base):
        pass

    assert mark_of(Heir) is None


class Proxy:
    """It answers for something that is not there, as proxies bound to a request do."""

    def __getattribute__(self, name):
        raise RuntimeError("working outside of a request")


@pytest.mark.parametrize(
    "value", [1, None, print, object(), type, {"__dynconnect__": 1}, functools.partial(print)]
)
def test_what_is_not_marked_has_no_mark(value):
    assert mark_of(value) is None


def test_a_proxy_is_not_asked():
    assert mark_of(Proxy()) is None


def test_a_forged_attribute_is_no_mark():
    class Fake:
        __dynconnect__ = "shop.v1.Orders"

    assert mark_of(Fake) is None


class A:
    pass


def f(request, ctx):
    pass


MISUSES = [
    pytest.param(
        lambda: service(A), r'write @service\("package.Service"\).*got A$', id="service without a name"
    ),
    pytest.param(lambda: service(f), r"got f$", id="service on a bare function"),
    pytest.param(lambda: service(7), r"got 7$", id="service of a number"),
    pytest.param(lambda: service(""), r"got ''$", id="service of nothing"),
    pytest.param(lambda: service("/shop.v1.Orders"), r"got '/shop.v1.Orders'$", id="service with a slash"),
    pytest.param(
        lambda: service("shop.v1.Orders\n"), r"got 'shop.v1.Orders\\n'$", id="service with a newline"
    ),
    pytest.param(lambda: service("shop..Orders"), r"got 'shop..Orders'$", id="service with an empty part"),
    pytest.param(
        lambda: service("a.B")(f), r'"a.B"\) marks classes.*takes @rpc$', id="service on a function"
    ),
    pytest.param(lambda: rpc(f), r'write @rpc\("package.Service/Method"\).*got f$', id="rpc without a name"),
    pytest.param(
        lambda: rpc("shop.v1.Orders.Get"), r"got 'shop.v1.Orders.Get'$", id="rpc with a dot for its slash"
    ),
    pytest.param(lambda: rpc("/shop.v1.Orders/Get"), r"got '/shop.v1.Orders/Get'$", id="rpc as a path"),
    pytest.param(lambda: rpc("a.B/C")(A), r"marks functions.*takes @service$", id="rpc on a class"),
    pytest.param(lambda: rpc("a.B/C")(3), r"marks functions, and 3", id="rpc on a number"),
    pytest.param(
        lambda: interceptor("log"), r"takes no arguments: got 'log'", id="interceptor with an argument"
    ),
    pytest.param(lambda: interceptor(A), r"@interceptor marks a function", id="interceptor on a class"),
    pytest.param(lambda: rpc("a.B/C")(len), r"cannot mark .*takes no attributes", id="rpc on a built-in"),
    pytest.param(
        lambda: rpc("a.B/C")(rpc("a.B/D")(lambda request, ctx: None)),
        r"marked twice: @rpc a.B/D and @rpc a.B/C",
        id="two marks",
    ),
]


@pytest.mark.parametrize(("use", "message"), MISUSES)
def test_a_misused_marker_is_a_type_error_that_shows_the_right_use(use, message):
    with pytest.raises(TypeError, match=message):
        use()


def test_the_front_has_the_marker_rpc_and_not_the_package_of_that_name():
    assert dynconnect.rpc is rpc
    importlib.import_module("dynconnect.rpc.code")
    assert dynconnect.rpc is rpc


def test_a_mark_is_a_value():
    assert Mark("rpc", "a.B/C", "x.py", 3) == Mark("rpc", "a.B/C", "x.py", 3)
