"""From marked objects to the handler of each RPC.

A method of a service class is bound by its name: the RPC's own (``ListOrders``) or its Python
spelling (``list_orders``, as connectrpc's generator for Python spells it). There is no third.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TypeAlias

from dynconnect.plugins.code import code_hash
from dynconnect.plugins.discovery import Found, Plugins
from dynconnect.plugins.faults import fault
from dynconnect.plugins.interceptors import interceptor_fault
from dynconnect.plugins.locate import PluginError
from dynconnect.plugins.parameters import Provide, names_of, unprovided
from dynconnect.plugins.places import did_you_mean, place_of
from dynconnect.plugins.shapes import declaration, kind_of, shape_faults
from dynconnect.plugins.threads import threaded
from dynconnect.rpc.handler import Handler
from dynconnect.schema.finding import Finding, nearest
from dynconnect.schema.json.options import JsonOptions
from dynconnect.schema.method import Method
from dynconnect.schema.schema import Schema

# Where a word begins: each capital, one after another too, so GetURL is get_u_r_l.
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
# connectrpc also keeps clear of two built-ins (protoc-gen-connect-python, generator.go).
_RESERVED = frozenset({*keyword.kwlist, "bytes", "str"})

# Stands for an instance where one is asked for and not used.
_ANYONE = SimpleNamespace()


Instances: TypeAlias = Mapping[type, object]
"""The instance of each class of handlers."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A handler and where it came from.

    Attributes:
        handler: an async function or generator in the shape of its method.
        where: ``path:line`` of its definition.
        name: what it is called there, such as ``Orders.get``.
        code: a hash of what it does; the same for the same code on other lines.
    """

    handler: Handler
    where: str
    name: str
    code: bytes


def python_name(rpc: str) -> str:
    """*rpc* as a Python method is named: ``list_orders`` for ``ListOrders``."""
    name = _CAPITAL.sub("_", rpc).lower()
    return f"{name}_" if name in _RESERVED else name


@dataclass(frozen=True, slots=True)
class _Claim:
    """A handler that fits a method by name.

    Attributes:
        handler: what would be called, so without ``self``; of a class it is good for looking at only.
        owner: the class whose instance has it; None for a function.
        attribute: its name in there.
        where: ``path:line`` of its definition.
    """

    method: Method
    handler: Handler
    owner: type | None
    attribute: str
    where: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.owner.__name__}.{self.attribute}" if self.owner else self.attribute

    def hint(self) -> str:
        """How its author would begin it."""
        name = self.attribute.rpartition(".")[2]
        return declaration(self.method, name, "self, " if self.owner else "")


class Bindings:
    """What claims to be a handler, and all that is wrong with it.

    Nothing of a plugin is called until everything fits, and then by `instances`: a class that
    opens a database has no way to close it when the generation is refused for something else.

    Args:
        provided: what constructors may ask for, by parameter name; None if that is not known, as what
            provides it could not be loaded.
    """

    def __init__(self, schema: Schema, plugins: Plugins, provided: Collection[str] | None = ()) -> None:
        self._schema = schema
        self._space = plugins.space
        self._findings: list[Finding] = []
        self._classes: dict[type, Found] = {}
        self._claims: dict[str, _Claim] = {}
        for found in plugins.found:
            self._add(found)
        if provided is not None:
            self._check_constructors(provided)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, each finding once."""
        return tuple(dict.fromkeys(self._findings))

    @property
    def bound_by(self) -> Mapping[str, str]:
        """``path:line name`` of the handler of each RPC that has one, by the RPC's path."""
        return {path: f"{claim.where} {claim.name}" for path, claim in self._claims.items()}

    @property
    def json_options(self) -> Mapping[str, JsonOptions]:
        """The JSON options of those services whose class has some, by full name."""
        marks = (found.mark for found in self._classes.values())
        return {mark.target: mark.json for mark in marks if mark.json is not None}

    @property
    def not_mocked(self) -> frozenset[str]:
        """The services, by full name, whose class wants no mocks."""
        return frozenset(found.mark.target for found in self._classes.values() if not found.mark.mock)

    def instances(self, provide: Provide) -> Instances:
        """An instance of each class, made with what *provide* has for it.

        Raises:
            PluginError: with a finding for each constructor that raised.
        """
        findings: list[Finding] = []
        instances: dict[type, object] = {}
        for cls, found in self._classes.items():
            try:
                instances[cls] = cls(**provide(found.mark.file, names_of(cls)))
            except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a plugin raises becomes a finding
                findings.append(fault(error, self._space, found.where))
        if findings:
            raise PluginError(findings)
        return instances

    def handlers(self, instances: Instances) -> Mapping[str, Bound]:
        """The handler of each RPC that has one, by path, with those of classes bound to *instances*."""
        return {path: _bound(claim, instances) for path, claim in self._claims.items()}

    def _add(self, found: Found) -> None:
        match found.mark.kind:
            case "service":
                self._add_class(found)
            case "rpc":
                self._add_function(found)
            case "interceptor":
                wrong = interceptor_fault(found)
                self._findings += [] if wrong is None else [wrong]

    def _check_constructors(self, provided: Collection[str]) -> None:
        for cls, found in self._classes.items():
            where = place_of(vars(cls).get("__init__")) or found.where
            self._findings += unprovided(cls, f"{cls.__name__}()", where, provided)

    def _add_class(self, found: Found) -> None:
        cls, service = found.value, found.mark.target
        methods = self._schema.services.get(service)
        if methods is None:
            self._unknown_service(found, service)
            return
        assert isinstance(cls, type)  # noqa: S101  @service marks nothing else
        self._classes[cls] = found
        spellings = _spellings(methods)
        for attribute, raw in _public(cls):
            meant = spellings.get(attribute, ())
            called = _as_called(raw, cls)
            where = place_of(raw) or found.where
            name = f"{cls.__name__}.{attribute}"
            if len(meant) > 1:
                what = f"{name} may be {' or '.join(method.name for method in meant)}"
                self._find(where, what, "use the RPC's own name")
            elif meant and called is not None:
                self._claim(_Claim(meant[0], called, cls, attribute, where))
            elif meant:
                what = f"{name} has the name of {meant[0].full_name}, but is not callable"
                self._find(where, what, declaration(meant[0], attribute, "self, "))
            # A class in a class is a value as good as any: an exception, a type of message.
            elif called is not None and not isinstance(called, type):
                self._find(where, f"{name} is no RPC of {service}", _other_method(attribute, spellings))

    def _add_function(self, found: Found) -> None:
        service, _, name = found.mark.target.partition("/")
        methods = self._schema.services.get(service)
        if methods is None:
            self._unknown_service(found, service)
            return
        known = {method.name: method for method in methods}
        if name not in known:
            hint = did_you_mean(name, known, f"{service}/") or _list_of(list(known))
            self._find(found.where, f"{service} has no RPC {name}", hint)
            return
        assert callable(found.value)  # noqa: S101  @rpc marks nothing else
        attribute = getattr(found.value, "__qualname__", found.mark.target)
        where = place_of(found.value) or found.where
        self._claim(_Claim(known[name], found.value, None, attribute, where))

    def _unknown_service(self, found: Found, service: str) -> None:
        if found.installed:
            return
        names = list(self._schema.services)
        # The name in another package is nearer than any other spelling.
        same = [name for name in names if name.rpartition(".")[2] == service.rpartition(".")[2]]
        close = same[0] if len(same) == 1 else nearest(service, names)
        hint = f"did you mean {close}?" if close else _list_of(names)
        self._find(found.where, f"there is no service {service} in the schema", hint)

    def _claim(self, claim: _Claim) -> None:
        """Enter *claim*, unless the method has a handler, and say what does not fit."""
        for what, hint in shape_faults(claim.method, claim.handler):
            self._find(claim.where, what, hint or claim.hint())
        other = self._claims.setdefault(claim.method.path, claim)
        # One function under both its names is fine, but not in two classes: they have two instances.
        if other is not claim and (other.owner is not claim.owner or other.handler != claim.handler):
            what = f"{claim.method.full_name} is bound twice: here by {claim.name}"
            self._find(claim.where, f"{what} and at {other.where} by {other.name}", "keep one of them")

    def _find(self, where: str, what: str, hint: str) -> None:
        self._findings.append(Finding(where, what, hint))


def _bound(claim: _Claim, instances: Instances) -> Bound:
    handler = claim.handler
    if claim.owner is not None:
        handler = getattr(instances[claim.owner], claim.attribute)
    if kind_of(handler).blocks:
        handler = threaded(claim.method, handler)
    return Bound(handler, claim.where, claim.name, code_hash(claim.handler))


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


def _as_called(raw: object, cls: type) -> Handler | None:
    """*raw* as an instance of *cls* gives it out, told without an instance; None if it cannot be called."""
    # Properties are not callable, so no property is read here.
    if not callable(raw) and not isinstance(raw, (classmethod, functools.partialmethod)):
        return None
    bind_to: Handler | None = getattr(type(raw), "__get__", None)
    called = raw if bind_to is None else bind_to(raw, _ANYONE, cls)
    return called if callable(called) else None


def _other_method(attribute: str, spellings: Mapping[str, object]) -> str:
    """What the author of a public *attribute* that binds nothing may have meant."""
    hint = did_you_mean(attribute, spellings)
    return f"{hint} A helper is named _{attribute}" if hint else f"if it is a helper, name it _{attribute}"


def _list_of(names: Sequence[str]) -> str:
    """*names* as a hint, as far as a person reads."""
    if not names:
        return "there is none"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"there is {', '.join(names[:5])}{more}"
