"""Calls a function as the Python worker does: inputs decoded, outputs encoded, what it may not return refused."""

import asyncio
import inspect
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from apiward_lab.functions.converters import converter
from apiward_lab.functions.declared import RETURN, Declared


class Held(func.Out[Any]):
    """An output parameter."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep what the function gives."""
        self._value = val

    def get(self) -> Any:
        """What it gave, None when nothing."""
        return self._value


class Context(func.Context):
    """What a function is told of its invocation. There is no trace and no retry context."""

    def __init__(self, function: str, folder: str) -> None:
        self._function = function
        self._folder = folder
        self._invocation = str(uuid.uuid4())
        self._local = threading.local()

    invocation_id = property(lambda self: self._invocation)
    function_name = property(lambda self: self._function)
    function_directory = property(lambda self: self._folder)
    thread_local_storage = property(lambda self: self._local)
    trace_context = property(lambda _: None)
    retry_context = property(lambda _: None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an invocation gave: the texts for each output queue by binding, and the HTTP answer."""

    queued: Mapping[str, list[str]]
    answer: Datum | None


def invoke(declared: Declared, value: Datum, metadata: Mapping[str, Datum], *, folder: str) -> Outcome:
    """Call it with the trigger's value.

    Raises RuntimeError when it returns a value that nothing is bound to, and whatever it raises itself.
    """
    trigger = declared.trigger
    arguments: dict[str, Any] = {trigger.name: _decode(declared, value, metadata)}
    outputs = {output.name: Held() for output in declared.outputs if output.name != RETURN}
    arguments |= outputs
    if declared.signature.wants_context:
        arguments["context"] = Context(declared.name, folder)
    result = declared.call(**arguments)
    if inspect.isawaitable(result):
        result = asyncio.run(_awaited(result))
    if result is not None and not declared.returns:
        raise RuntimeError(f"function {declared.name} returned a value and has no {RETURN} binding")
    queued = {name: _texts(declared, name, held.get()) for name, held in outputs.items()}
    return Outcome(queued, _encode("http", result, None) if result is not None else None)


async def _awaited(result: Any) -> Any:
    return await result


def _decode(declared: Declared, value: Datum, metadata: Mapping[str, Datum]) -> Any:
    wanted = declared.signature.inputs[declared.trigger.name]
    if wanted is str:
        return value.value.decode() if isinstance(value.value, bytes) else value.value
    if wanted is bytes:
        return value.value if isinstance(value.value, bytes) else value.value.encode()
    return converter(declared.trigger.type).decode(value, trigger_metadata=metadata)


def _encode(kind: str, value: Any, expected: Any) -> Datum:
    encoded: Datum = converter(kind).encode(value, expected_type=expected)
    return encoded


def _texts(declared: Declared, name: str, value: Any) -> list[str]:
    """The messages that the host makes of an output: one of a text, one of each member of a list."""
    if value is None:
        return []
    datum = _encode("queue", value, declared.signature.outputs[name])
    if datum.type != "json":
        return [datum.value.decode() if isinstance(datum.value, bytes) else datum.value]
    document = json.loads(datum.value)
    members = document if isinstance(document, list) else [document]
    return [member if isinstance(member, str) else json.dumps(member) for member in members]
