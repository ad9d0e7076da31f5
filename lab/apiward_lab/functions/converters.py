"""The library's own converters between bindings and Python types, which the Functions Python worker uses too."""

from typing import Any

import azure.functions as func


def converter(kind: str) -> Any:
    """The converter of a binding type. Raises TypeError when the library has none."""
    found = func.get_binding_registry().get(kind)  # type: ignore[no-untyped-call]  # the library types it not
    if found is None:
        raise TypeError(f"azure-functions has no converter for bindings of type {kind}")
    return found
