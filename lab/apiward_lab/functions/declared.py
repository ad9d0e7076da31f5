"""What a Function App declares: its functions with their triggers and output bindings."""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from apiward_lab.functions.signature import Signature, signature_of
from apiward_lab.functions.timespan import parse_timespan

TRIGGERS = ("timerTrigger", "queueTrigger", "httpTrigger")
OUTPUTS = ("queue", "http")
RETURN = "$return"


class LoadError(Exception):
    """The host or the Python worker would not load this function or this app."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry of a function's `bindings`, as function.json has it."""

    name: str
    type: str
    direction: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Retry:
    """A retry policy of fixed delay: how often a failed run is repeated, and after how long."""

    count: int = 0
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One function."""

    name: str
    call: Callable[..., Any]
    trigger: Binding
    outputs: Sequence[Binding]
    signature: Signature
    retry: Retry

    @property
    def returns(self) -> bool:
        """Whether its return value is bound to something."""
        return any(output.name == RETURN for output in self.outputs)


def load_app(path: Path) -> list[Declared]:
    """The functions of the FunctionApp named `app` in a module file. Raises LoadError as the real worker would."""
    app = getattr(_module(path), "app", None)
    if not isinstance(app, func.FunctionApp):
        raise LoadError(f"{path} has no FunctionApp named app")
    try:
        functions = app.get_functions()
    except ValueError as error:  # what the library refuses: no trigger, or two functions of one name
        raise LoadError(str(error)) from error
    return [_declared(function) for function in functions]


def _module(path: Path) -> ModuleType:
    """The module, run with its folder first on the path, as the worker does it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def _declared(function: Any) -> Declared:
    name = str(function.get_function_name())
    described = json.loads(function.get_function_json())
    bindings = [_binding(name, entry) for entry in described["bindings"]]
    trigger = next(binding for binding in bindings if binding.type.endswith("Trigger"))
    if trigger.type not in TRIGGERS:
        raise LoadError(f"{name}: the lab has no trigger of type {trigger.type}")
    outputs = [binding for binding in bindings if binding is not trigger]
    try:
        signature = signature_of(
            function.get_user_function(),
            inputs={trigger.name: trigger.type},
            outputs={output.name: output.type for output in outputs},
        )
    except TypeError as error:
        raise LoadError(f"{name}: {error}") from error
    retry = _retry(name, trigger, function.get_settings_dict("retry_policy"))
    return Declared(name, function.get_user_function(), trigger, outputs, signature, retry)


def _binding(function: str, entry: Mapping[str, Any]) -> Binding:
    binding = Binding(entry["name"], entry["type"], entry["direction"], entry)
    if binding.direction == "OUT" and binding.type not in OUTPUTS:
        raise LoadError(f"{function}: the lab has no output binding of type {binding.type}")
    if binding.direction != "OUT" and not binding.type.endswith("Trigger"):
        raise LoadError(f"{function}: the lab has no input binding of type {binding.type}")
    if binding.name == RETURN and binding.direction != "OUT":
        raise LoadError(f"{function}: {RETURN} must be an output")
    return binding


def _retry(name: str, trigger: Binding, policy: Mapping[str, Any] | None) -> Retry:
    if policy is None:
        return Retry()
    if trigger.type != "timerTrigger":
        raise LoadError(f"{name}: a retry policy has no effect on a {trigger.type}")
    if policy.get("strategy") != "fixed_delay":
        raise LoadError(f"{name}: the lab has no retry strategy {policy.get('strategy')!r}")
    return Retry(int(policy["max_retry_count"]), parse_timespan(policy["delay_interval"]))
