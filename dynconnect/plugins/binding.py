"""From marked objects to the handler of each RPC.

A method of a service class is bound by its name: the RPC's own (``ListOrders``) or its Python
spelling (``list_orders``, as connectrpc's generator for Python spells it). There is no third.
"""

from __future__ import annotations

import functools
import inspect
import keyword
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from dynconnect.plugins.discovery import Found, PluginError, Plugins
from dynconnect.plugins.faults import fault
from dynconnect.plugins.interceptors import interceptor_fault
from dynconnect.plugins.places import place_of
from dynconnect.plugins.shapes import declaration, kind_of, shape_fault
from dynconnect.plugins.threads import threaded
from dynconnect.rpc.handler import Handler
from dynconnect.schema.finding import Finding, nearest
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
# connectrpc also keeps clear of two built-ins (protoc-gen-connect-python, generator.go).
_RESERVED = frozenset({*keyword.kwlist, "bytes", "str"})

Provided = Mapping[str, object]
"""What constructors may ask for, by parameter name."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A handler and where it came from.

    Attributes:
        handler: an async function or generator in the shape of its method.
        where: ``path:line`` of its definition.
        name: what it is called there, such as ``Orders.get``.
    """

    handler: Handler
    where: str
    name: str


def bind(schema: Schema, plugins: Plugins, provided: Provided = MappingProxyType({})) -> Mapping[str, Bound]:
    """The handler of each RPC of *schema* that has one, by path.

    Classes are instantiated with what is *provided*, once nothing else is wrong.

    Raises:
        PluginError: with every finding, those of loading first.
    """
    binder = _Binder(schema, plugins)
    for found in plugins.found:
        binder.add(found)
    binder.check_constructors(provided)
    if not binder.findings:
        bound = binder.bound(provided)
    if binder.findings:
        raise PluginError(dict.fromkeys(binder.findings))
    return bound


def python_name(rpc: str) -> str:
    """*rpc* as a Python method is named: ``list_orders`` for ``ListOrders``."""
    name = _CAPITAL.sub("_", rpc).lower()
    return f"{name}_" if name in _RESERVED else name


@dataclass(frozen=True, slots=True)
class _Claim:
    """One handler before there is an instance to call it on."""

    method: Method
    handler: Handler
    owner: type | None
    attribute: str
    where: str

    @property
    def name(self) -> str:
        return f"{self.owner.__name__}.{self.attribute}" if self.owner else self.attribute


class _Binder:
    def __init__(self, schema: Schema, plugins: Plugins) -> None:
        self.findings = list(plugins.findings)
        self._schema = schema
        self._space = plugins.space
        self._classes: dict[type, Found] = {}
        self._claims: dict[str, _Claim] = {}

    def add(self, found: Found) -> None:
        match found.mark.kind:
            case "service":
                self._add_class(found)
            case "rpc":
                self._add_function(found)
            case "interceptor":
                wrong = interceptor_fault(found)
                self.findings += [] if wrong is None else [wrong]

    def check_constructors(self, provided: Provided) -> None:
        for cls, found in self._classes.items():
            for parameter in _required(cls):
                if parameter not in provided:
                    what = f"{cls.__name__}() needs {parameter!r}, and nothing provides it"
                    close = nearest(parameter, provided)
                    hint = f"did you mean {close}?" if close else "give the parameter a default"
                    where = place_of(vars(cls).get("__init__")) or found.where
                    self.findings.append(Finding(where, what, hint))

    def bound(self, provided: Provided) -> dict[str, Bound]:
        instances = {cls: self._instance(cls, found, provided) for cls, found in self._classes.items()}
        bound = {}
        for path, claim in self._claims.items():
            handler = claim.handler
            if claim.owner is not None:
                # Asked of the instance, so that static and class methods and partials come out right.
                handler = getattr(instances[claim.owner], claim.attribute, claim.handler)
            kind = kind_of(claim.handler)
            handler = threaded(claim.method, handler) if kind.blocks else handler
            bound[path] = Bound(handler, claim.where, claim.name)
        return bound

    def _instance(self, cls: type, found: Found, provided: Provided) -> object:
        wanted = {name: value for name, value in provided.items() if name in _parameters(cls)}
        try:
            return cls(**wanted)
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a plugin raises becomes a finding
            self.findings.append(fault(error, self._space, found.where))
            return None

    def _add_class(self, found: Found) -> None:
        cls, service = found.value, found.mark.target
        assert isinstance(cls, type)  # noqa: S101  @service marks nothing else
        if service not in self._schema.services:
            self._unknown_service(found, service)
            return
        self._classes[cls] = found
        methods = self._schema.services[service]
        spellings = _spellings(methods)
        for attribute, raw in _public(cls):
            self._add_attribute(found, cls, attribute, raw, spellings)

    def _add_attribute(
        self, found: Found, cls: type, attribute: str, raw: object, spellings: Mapping[str, Sequence[Method]]
    ) -> None:
        where = place_of(raw) or found.where
        name = f"{cls.__name__}.{attribute}"
        called = _as_called(raw, cls)
        match spellings.get(attribute, ()):
            case [method] if called is not None:
                self._claim(_Claim(method, called, cls, attribute, where))
            case [method]:
                what = f"{name} has the name of {method.full_name}, but is not callable"
                self.findings.append(Finding(where, what, declaration(method, attribute, "self, ")))
            case []:
                if called is not None and not isinstance(called, type):
                    self._unknown_method(where, name, found.mark.target, attribute, spellings)
            case several:
                what = f"{name} may be {' or '.join(method.name for method in several)}"
                self.findings.append(Finding(where, what, "use the RPC's own name"))

    def _unknown_method(
        self, where: str, name: str, service: str, attribute: str, spellings: Mapping[str, Sequence[Method]]
    ) -> None:
        close = nearest(attribute, spellings)
        hint = f"did you mean {close}? " if close else ""
        hint += f"A helper is named _{attribute}" if close else f"if it is a helper, name it _{attribute}"
        self.findings.append(Finding(where, f"{name} is no RPC of {service}", hint))

    def _add_function(self, found: Found) -> None:
        service, _, name = found.mark.target.partition("/")
        methods = self._schema.services.get(service)
        if methods is None:
            self._unknown_service(found, service)
            return
        method = next((method for method in methods if method.name == name), None)
        if method is None:
            close = nearest(name, [method.name for method in methods])
            hint = (
                f"did you mean {service}/{close}?" if close else _list_of([method.name for method in methods])
            )
            self.findings.append(Finding(found.where, f"{service} has no RPC {name}", hint))
            return
        assert callable(found.value)  # noqa: S101  @rpc marks nothing else
        attribute = getattr(found.value, "__qualname__", found.mark.target)
        where = place_of(found.value) or found.where
        self._claim(_Claim(method, found.value, None, attribute, where))

    def _unknown_service(self, found: Found, service: str) -> None:
        if found.installed:
            return
        names = list(self._schema.services)
        last = service.rpartition(".")[2]
        same = [name for name in names if name.rpartition(".")[2] == last]
        close = same[0] if len(same) == 1 else nearest(service, names)
        hint = f"did you mean {close}?" if close else _list_of(names)
        self.findings.append(Finding(found.where, f"there is no service {service} in the schema", hint))

    def _claim(self, claim: _Claim) -> None:
        wrong = shape_fault(claim.method, claim.handler)
        if wrong is not None:
            what, hint = wrong
            hint = hint or declaration(
                claim.method, claim.attribute.rpartition(".")[2], "self, " if claim.owner else ""
            )
            self.findings.append(Finding(claim.where, what, hint))
        other = self._claims.setdefault(claim.method.path, claim)
        if other is not claim and other.handler is not claim.handler:
            what = f"{claim.method.full_name} is bound twice: here by {claim.name}"
            what += f" and at {other.where} by {other.name}"
            self.findings.append(Finding(claim.where, what, "keep one of them"))


def _spellings(methods: Sequence[Method]) -> Mapping[str, Sequence[Method]]:
    """Every attribute name that binds a method, with the methods that it may be."""
    own = {method.name: [method] for method in methods}
    spelled: defaultdict[str, list[Method]] = defaultdict(list)
    for method in methods:
        spelled[python_name(method.name)].append(method)
    return {**spelled, **own}


def _public(cls: type) -> Iterator[tuple[str, object]]:
    """Name and raw value of the public attributes of *cls* and its bases, in order of definition."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__[:-1]):  # without object
        found.update(vars(base))
    return ((name, value) for name, value in found.items() if not name.startswith("_"))


def _as_called(raw: object, cls: type) -> Callable[..., Any] | None:  # Any: a handler of any shape
    """*raw* as an instance of *cls* would give it out, without an instance; None if it cannot be called."""
    if isinstance(raw, (classmethod, functools.partialmethod, staticmethod)):
        bound: Callable[..., Any] = raw.__get__(object(), cls)
        return bound
    if inspect.isfunction(raw):
        return functools.partial(raw, None)
    return raw if callable(raw) else None


def _parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(cls).parameters
    except (TypeError, ValueError):  # made by C code
        return {}


def _required(cls: type) -> list[str]:
    """The names that the constructor of *cls* cannot do without."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, parameter in _parameters(cls).items()
        if parameter.default is parameter.empty and parameter.kind not in kinds
    ]


def _list_of(names: Sequence[str]) -> str:
    """*names* as a hint, as far as a person reads."""
    shown = ", ".join(names[:5])
    return (
        f"there is {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        if names
        else "there is none"
    )
