"""Whether a Python function fits its bindings, by the rules of the Functions Python worker."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin, get_type_hints

import azure.functions as func

from apiward_lab.functions.converters import converter

_RETURN = "$return"
_TEXTS = (str, bytes)


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function is called: the types of its parameters by name, and whether it wants the context."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    wants_context: bool


def signature_of(call: Callable[..., Any], *, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Signature:
    """How `call` is called, given the binding type of each name.

    Raises TypeError where the worker refuses to load: names that differ, a direction or a type that does not fit.
    """
    hints = get_type_hints(call)
    names = set(inspect.signature(call).parameters)
    wants_context = "context" in names - inputs.keys()
    _check_names(names - ({"context"} if wants_context else set()), bound={*inputs, *outputs} - {_RETURN})
    if wants_context and hints.get("context", func.Context) is not func.Context:
        raise TypeError("the parameter context must be an azure.functions.Context")
    given = {name: _input(name, kind, hints.get(name)) for name, kind in inputs.items()}
    taken = {name: _output(name, kind, hints.get(name)) for name, kind in outputs.items() if name != _RETURN}
    if _RETURN in outputs:
        _check_return(outputs[_RETURN], hints.get("return"))
    return Signature(given, taken, wants_context)


def _check_names(names: set[str], *, bound: set[str]) -> None:
    if unbound := names - bound:
        raise TypeError(f"no binding for the parameters {sorted(unbound)}")
    if missing := bound - names:
        raise TypeError(f"no parameter for the bindings {sorted(missing)}")


def _input(name: str, kind: str, hint: Any) -> Any:
    if get_origin(hint) is func.Out:
        raise TypeError(f"{name} is an input, and its annotation is an Out")
    if hint is None or hint in _TEXTS:
        return hint
    if not isinstance(hint, type) or not converter(kind).check_input_type_annotation(hint):
        raise TypeError(f"{name} of type {kind} does not fit its annotation {hint!r}")
    return hint


def _output(name: str, kind: str, hint: Any) -> Any:
    if hint is None:
        return None
    if get_origin(hint) is not func.Out:
        raise TypeError(f"{name} is an output, and its annotation is no azure.functions.Out")
    (held,) = get_args(hint)
    if held not in _TEXTS and not converter(kind).check_output_type_annotation(held):
        raise TypeError(f"{name} of type {kind} does not fit its annotation {hint!r}")
    return held


def _check_return(kind: str, hint: Any) -> None:
    if hint is None:  # none, or -> None: the worker cannot tell what will come
        return
    if not isinstance(hint, type) or not (hint in _TEXTS or converter(kind).check_output_type_annotation(hint)):
        raise TypeError(f"the return annotation {hint!r} does not fit the binding {kind}")
