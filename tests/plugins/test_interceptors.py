from __future__ import annotations

import pytest
from support.shop import answers, method

from dynconnect.plugins.interceptors import intercepted, interceptor_fault, interceptors_of
from dynconnect.plugins.locate import PluginError
from dynconnect.rpc.handler import stream_of

TAGGING = """
@interceptor
def {name}(stream):
    async def wrapped(requests, ctx):
        async for response in stream(requests, ctx):
            response.id += " {name}"
            yield response
    return wrapped
"""


@pytest.fixture
def found(load, folder):
    def found(**files):
        for name, text in files.items():
            (folder / f"{name}.py").write_text("from dynconnect import interceptor, rpc\n" + text)
        return interceptors_of(load())

    return found


def stream():
    async def handler(request, ctx):
        return request

    return stream_of(method("GetOrder"), handler)


async def test_the_first_that_is_found_is_the_outermost(found):
    interceptors = found(b=TAGGING.format(name="b1") + TAGGING.format(name="b2"), a=TAGGING.format(name="a"))
    assert await answers(intercepted(stream(), interceptors), "GetOrder", "x") == ["x b2 b1 a"]


async def test_without_interceptors_a_stream_stays_itself(found):
    inner = stream()
    assert intercepted(inner, ()) is inner


async def test_an_interceptor_may_be_an_object_that_is_called(found):
    text = """
class Tag:
    def __call__(self, stream): return stream
tag = interceptor(Tag())
class Wrapper:
    def __init__(self, stream): self.stream = stream
    def __call__(self, requests, ctx): return self.stream(requests, ctx)
@interceptor
def wrap(stream): return Wrapper(stream)
"""
    assert await answers(intercepted(stream(), found(a=text)), "GetOrder", "x") == ["x"]


def test_what_tells_nothing_of_its_parameters_is_tried(load, write):
    write(
        a="import functools\nfrom dynconnect import interceptor\ntag = interceptor(functools.partial(max, 1))"
    )
    plugins = load()
    assert interceptor_fault(plugins.found[0]) is None
    (tag,) = interceptors_of(plugins)
    with pytest.raises(PluginError, match=r"plugins/a\.py:3: TypeError: '>' not supported"):
        tag(stream())


FAULTY = [
    pytest.param(
        "    pass", "plugins/a.py:2", "log returned None, which is no stream", id="nothing returned"
    ),
    pytest.param("    return 3", "plugins/a.py:2", "log returned 3, which is no stream", id="a number"),
    pytest.param(
        "    async def wrapped(requests, ctx): pass\n    return wrapped",
        "plugins/a.py:2",
        "log returned wrapped (async def), which is no stream; def interceptor(stream) returns async def",
        id="what does not yield",
    ),
    pytest.param(
        "    def wrapped(requests, ctx): yield\n    return wrapped",
        "plugins/a.py:2",
        "log returned wrapped (def with yield), which is no stream",
        id="a plain generator",
    ),
    pytest.param("    return stream.nothing", "plugins/a.py:4", "AttributeError", id="what raises"),
    pytest.param("    raise SystemExit(1)", "plugins/a.py:4", "SystemExit: 1", id="what exits"),
]


@pytest.mark.parametrize(("body", "where", "message"), FAULTY)
def test_what_gives_back_no_stream_is_a_finding(found, body, where, message):
    interceptors = found(a=f"@interceptor\ndef log(stream):\n{body}")
    with pytest.raises(PluginError) as caught:
        intercepted(stream(), interceptors)
    (finding,) = caught.value.findings
    assert finding.where == where
    assert message in str(finding)
