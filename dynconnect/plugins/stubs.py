"""Stubs: what a type checker may know of ``dynconnect_types``, as the text of ``.pyi`` files.

A module for each package of the schema. Messages are classes with typed fields and keyword constructors,
enums have their values as literals, comments are docstrings, and each service is a Protocol against which
a plugin's class can be checked.

Every name that is not the schema's own begins with an underscore here: a field may be called ``str`` or
``datetime``, and would be found first.
Sources: PEP 484, "Stub Files"; PEP 544; Protocol Buffers, "Python Generated Code Guide".
"""

from __future__ import annotations

import keyword
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

from dynconnect.plugins.binding import python_name
from dynconnect.plugins.types import ROOT
from dynconnect.schema.schema import Schema
from dynconnect.schema.spelling import Named, comments_of, map_entry, oneof_of

HEADER = "# Made by `dynconnect stubs` from the schema. It is made anew when that changes: do not edit.\n"

_IMPORTS = """\
import builtins as _builtins
import collections.abc as _abc
import datetime as _datetime
import typing as _typing

import google.protobuf.internal.containers as _containers
import google.protobuf.internal.well_known_types as _known
import google.protobuf.message as _message

import dynconnect as _dynconnect
"""

_SCALARS = {
    FieldDescriptor.CPPTYPE_STRING: "_builtins.str",
    FieldDescriptor.CPPTYPE_BOOL: "_builtins.bool",
    FieldDescriptor.CPPTYPE_DOUBLE: "_builtins.float",
    FieldDescriptor.CPPTYPE_FLOAT: "_builtins.float",
}
_INT = "_builtins.int"
_FIELDS = "_abc.Mapping[_builtins.str, _typing.Any]"
"""A message as a dict of its fields."""

# What the runtime mixes into these classes (google.protobuf.internal.well_known_types), and what their
# constructors' callers may give instead.
_MIXINS = ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp")
_INSTEAD = {
    "google.protobuf.Timestamp": "_datetime.datetime",
    "google.protobuf.Duration": "_datetime.timedelta",
    "google.protobuf.ListValue": "_abc.Sequence[_typing.Any]",
}


def stubs(schema: Schema) -> Mapping[str, str]:
    """The stub files of *schema*: text by path below the folder for stubs."""
    files: defaultdict[str, list[FileDescriptor]] = defaultdict(list)
    for path in schema.files:
        file = schema.pool.FindFileByName(path)
        files[file.package].append(file)
    for package in list(files):
        for end in range(len(parts := package.split("."))):
            files.setdefault(".".join(parts[:end]), [])
    return {
        _path(package): _Module(schema, package, found).text() for package, found in sorted(files.items())
    }


def _path(package: str) -> str:
    return "/".join([ROOT, *filter(None, package.split(".")), "__init__.pyi"])


class _Module:
    """The module of one package, line by line."""

    def __init__(self, schema: Schema, package: str, files: Sequence[FileDescriptor]) -> None:
        self.package = package
        self._files = files
        self._comments: Mapping[str, str] = {
            name: text for file in files for name, text in comments_of(file, schema.files[file.name]).items()
        }
        self._imported: set[str] = set()
        self._lines: list[str] = []

    def text(self) -> str:
        """The whole of it."""
        for file in self._files:
            for enum in file.enum_types_by_name.values():
                self._enum(enum, "")
                for value in enum.values:
                    self._add("", f"{value.name}: _typing.Literal[{value.number}]", _is_name(value.name))
            for message in file.message_types_by_name.values():
                self._message(message, "")
            for service in file.services_by_name.values():
                self._service(service)
        imports = (f"import {_module(package)} as {_alias(package)}\n" for package in sorted(self._imported))
        body = "\n".join(self._lines)
        return f"{HEADER}{_IMPORTS}{''.join(imports)}\n{body}\n" if self._lines else HEADER

    def _add(self, indent: str, line: str, wanted: bool = True) -> None:  # noqa: FBT001, FBT002  reads as a condition
        if wanted:
            self._lines.append(f"{indent}{line}")

    def _docstring(self, element: Named, indent: str) -> None:
        text = self._comments.get(element.full_name)
        if text:
            safe = text.strip().replace("\\", "\\\\").replace('"""', "'''")
            safe = f"{safe} " if safe.endswith('"') else safe
            self._add(indent, f'"""{safe}"""'.replace("\n", f"\n{indent}"))

    # --- enums ----------------------------------------------------------------------------------------------

    def _enum(self, enum: EnumDescriptor, indent: str) -> None:
        if not _is_name(enum.name):
            return
        names = _literal(value.name for value in enum.values)
        inner = f"{indent}    "
        self._add(indent, f"class {enum.name}:")
        self._docstring(enum, inner)
        for value in enum.values:
            self._add(inner, f"{value.name}: _typing.Literal[{value.number}]", _is_name(value.name))
        for line in (
            "def __init__(self, nothing: _typing.NoReturn, /) -> None: ...",  # values are plain numbers
            "@_builtins.staticmethod",
            f"def Name(number: {_INT}) -> _builtins.str: ...",
            "@_builtins.staticmethod",
            f"def Value(name: {names}) -> {_INT}: ...",
            "@_builtins.staticmethod",
            "def keys() -> _abc.Sequence[_builtins.str]: ...",
            "@_builtins.staticmethod",
            f"def values() -> _abc.Sequence[{_INT}]: ...",
            "@_builtins.staticmethod",
            f"def items() -> _abc.Sequence[_builtins.tuple[_builtins.str, {_INT}]]: ...",
        ):
            self._add(inner, line)

    # --- messages -------------------------------------------------------------------------------------------

    def _message(self, message: Descriptor, indent: str) -> None:
        if not _is_name(message.name):
            return
        inner = f"{indent}    "
        bases = ["_message.Message"]
        if message.full_name.rpartition(".")[0] == "google.protobuf" and message.name in _MIXINS:
            bases.append(f"_known.{message.name}")
        self._add(indent, f"class {message.name}({', '.join(bases)}):")
        self._docstring(message, inner)
        for enum in message.enum_types:
            self._enum(enum, inner)
            for value in enum.values:
                self._add(inner, f"{value.name}: _typing.Literal[{value.number}]", _is_name(value.name))
        for nested in message.nested_types:
            if not nested.GetOptions().map_entry:
                self._message(nested, inner)
        fields = [field for field in message.fields if _is_name(field.name)]
        for field in fields:
            self._field(field, inner)
        self._constructor(fields, inner)
        self._methods(message, inner)

    def _field(self, field: FieldDescriptor, indent: str) -> None:
        kind = self._read(field)
        if field.is_repeated or field.message_type is not None:
            # Such a field is changed in its place, never set.
            self._add(indent, "@_builtins.property")
            self._add(indent, f"def {field.name}(self) -> {kind}:")
            self._docstring(field, f"{indent}    ")
            self._add(f"{indent}    ", "...", field.full_name not in self._comments)
        else:
            self._add(indent, f"{field.name}: {kind}")
            self._docstring(field, indent)

    def _constructor(self, fields: Sequence[FieldDescriptor], indent: str) -> None:
        this = "self_" if any(field.name == "self" for field in fields) else "self"
        given = [f"{field.name}: {self._given(field)} | None = ..." for field in fields]
        parameters = ", ".join([this, "/", *(["*", *given] if given else [])])
        self._add(indent, f"def __init__({parameters}) -> None: ...")

    def _methods(self, message: Descriptor, indent: str) -> None:
        oneofs = {oneof.name: oneof for oneof in message.oneofs if any(map(oneof_of, oneof.fields))}
        present = [field.name for field in message.fields if field.has_presence]
        names = [field.name for field in message.fields]
        if present:
            self._add(
                indent,
                f"def HasField(self, field_name: {_literal([*present, *oneofs])}) -> _builtins.bool: ...",
            )
        if names:
            self._add(indent, f"def ClearField(self, field_name: {_literal([*names, *oneofs])}) -> None: ...")
        for name, oneof in oneofs.items():
            self._add(indent, "@_typing.overload", len(oneofs) > 1)
            members = _literal(field.name for field in oneof.fields)
            self._add(
                indent, f"def WhichOneof(self, oneof_group: {_literal([name])}) -> {members} | None: ..."
            )

    def _read(self, field: FieldDescriptor) -> str:
        """The type of *field* where it is read."""
        if (entry := map_entry(field)) is not None:
            key, value = entry
            kind = "ScalarMap" if value.message_type is None else "MessageMap"
            return f"_containers.{kind}[{self._single(key)}, {self._single(value)}]"
        if field.is_repeated:
            kind = "Scalar" if field.message_type is None else "Composite"
            return f"_containers.Repeated{kind}FieldContainer[{self._single(field)}]"
        return self._single(field)

    def _single(self, field: FieldDescriptor) -> str:
        if field.message_type is not None:
            return self._reference(field.message_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return "_builtins.bytes"
        return _SCALARS.get(field.cpp_type, _INT)

    def _given(self, field: FieldDescriptor) -> str:
        """The type of *field* where a constructor takes it."""
        if (entry := map_entry(field)) is not None:
            key, value = entry
            return f"_abc.Mapping[{self._single(key)}, {self._item(value)}]"
        return f"_abc.Iterable[{self._item(field)}]" if field.is_repeated else self._item(field)

    def _item(self, field: FieldDescriptor) -> str:
        if field.enum_type is not None:
            return f"{_INT} | {_literal(value.name for value in field.enum_type.values)}"
        kind = self._single(field)
        if field.message_type is None:
            return kind
        instead = _INSTEAD.get(field.message_type.full_name)
        return " | ".join(filter(None, [kind, _FIELDS, instead]))

    # --- services -------------------------------------------------------------------------------------------

    def _service(self, service: ServiceDescriptor) -> None:
        self._add("", f"class {service.name}(_typing.Protocol):")
        self._docstring(service, "    ")
        for method in service.methods:
            self._rpc(method)
        self._add("    ", "...", not service.methods)

    def _rpc(self, method: MethodDescriptor) -> None:
        request, response = self._reference(method.input_type), self._reference(method.output_type)
        takes = f"_abc.AsyncIterator[{request}]" if method.client_streaming else request
        answer = f"{response} | {_FIELDS}"
        # A coroutine or a plain function; an asynchronous generator or a plain one.
        gives = f"_abc.Awaitable[{answer}] | {answer}"
        if method.server_streaming:
            gives = f"_abc.AsyncIterator[{answer}] | _abc.Iterator[{answer}]"
        name = python_name(method.name)
        parameters = f"self, request: {takes}, ctx: _dynconnect.Context, /"
        self._add("    ", f"def {name}({parameters}) -> {gives}:")
        self._docstring(method, "        ")
        self._add("        ", "...", method.full_name not in self._comments)

    def _reference(self, message: Descriptor) -> str:
        """*message* from anywhere in this module."""
        package = message.file.package
        self._imported.add(package)
        return f"{_alias(package)}.{message.full_name[len(package) + 1 :] if package else message.full_name}"


def _module(package: str) -> str:
    return f"{ROOT}.{package}" if package else ROOT


def _alias(package: str) -> str:
    return f"_{package.replace('.', '_')}_types"


def _is_name(name: str) -> bool:
    """Whether Python takes *name* for one; what it does not is reached by getattr alone."""
    return name.isidentifier() and not keyword.iskeyword(name)


def _literal(names: Iterable[str]) -> str:
    return f"_typing.Literal[{', '.join(map(repr, names))}]"
