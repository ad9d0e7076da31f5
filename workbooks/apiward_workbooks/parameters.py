"""Parameters of a workbook: what each is set to in a report, and how `{Name:format}` in a text is replaced by it."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from apiward_core.arm_id import ArmId
from apiward_core.clock import timestamp
from apiward_workbooks.model import Condition, Parameter
from apiward_workbooks.time_range import in_words

_REFERENCE = re.compile(r"\{([A-Za-z_]\w*)(?::([A-Za-z]+))?\}")
_ALL, _FIRST = "value::all", "value::1"
_WORKSPACE_TYPE = "microsoft.operationalinsights/workspaces"


class Value(Protocol):
    """What a parameter is set to."""

    @property
    def label(self) -> str:
        """How people read it."""
        ...

    def spelled(self, form: str) -> str | None:
        """What `{Name:form}` stands for in a query ("" is the plain form); None when there is no such form."""
        ...


@dataclass(frozen=True)
class Choice:
    """Chosen or written values. `query` is their spelling in KQL: quoted and with commas where several are allowed."""

    label: str
    query: str

    def spelled(self, form: str) -> str | None:
        return {"": self.query, "value": self.query, "query": self.query, "label": self.label}.get(form.lower())


@dataclass(frozen=True)
class Span:
    """A time range up to a moment."""

    duration: timedelta
    end: datetime

    @property
    def label(self) -> str:
        return f"the last {in_words(self.duration)}"

    def spelled(self, form: str) -> str | None:
        start, end = timestamp(self.end - self.duration), timestamp(self.end)
        between = f" between (datetime({start}) .. datetime({end}))"
        return {
            "": between,
            "query": between,
            "value": between,
            "label": self.label,
            "start": f"datetime({start})",
            "end": f"datetime({end})",
            "startiso": start,
            "endiso": end,
            "seconds": str(int(self.duration.total_seconds())),
        }.get(form.lower())


@dataclass(frozen=True)
class Resource:
    """One Azure resource."""

    id: ArmId

    @property
    def label(self) -> str:
        return self.id.name

    def spelled(self, form: str) -> str | None:
        return {
            "": self.id.text,
            "id": self.id.text,
            "value": self.id.text,
            "label": self.id.name,
            "name": self.id.name,
            "resourcegroup": self.id.resource_group,
            "subscriptionid": self.id.subscription_id,
        }.get(form.lower())


@dataclass(frozen=True)
class Context:
    """What a report is made for: a workspace and a moment, and the time range that overrides every time picker."""

    workspace: ArmId
    now: datetime
    time_range: timedelta | None = None


@dataclass
class Values:
    """The parameters declared so far: those with a value, and those that have none in a report."""

    known: dict[str, Value] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def declare(self, parameter: Parameter, context: Context) -> Value | None:
        """Set the parameter to its default. None when a report cannot tell what that would be."""
        read = _DEFAULTS.get(parameter.type)
        value = read(parameter.document, context) if read else None
        if value is None:
            self.unknown.add(parameter.name)
        else:
            self.known[parameter.name] = value
        return value

    def inner(self) -> "Values":
        """A copy for a group, whose declarations stay inside."""
        return Values(dict(self.known), set(self.unknown))

    def substitute(self, text: str, *, plain: str = "") -> tuple[str, list[str]]:
        """`text` with its references replaced, and those that could not be. `plain` is the form of `{Name}`.

        A name that was never declared stays as it is: braces are not always references.
        """
        missing: list[str] = []

        def spell(found: re.Match[str]) -> str:
            name, form = found[1], found[2] or plain
            value = self.known.get(name)
            spelled = value.spelled(form) if value else None
            if spelled is None and (value or name in self.unknown):
                missing.append(found[0])
            return found[0] if spelled is None else spelled

        return _REFERENCE.sub(spell, text), missing

    def show(self, conditions: Iterable[Condition]) -> bool | None:
        """Whether all conditions hold; None when one is about a parameter without a value."""
        held = [self._holds(condition) for condition in conditions]
        if False in held:
            return False
        return None if None in held else True

    def _holds(self, condition: Condition) -> bool | None:
        value = self.known.get(condition.parameter)
        if value is None and condition.parameter in self.unknown:
            return None
        return ((value.spelled("value") if value else "") == condition.value) is condition.equal


def _text(document: Mapping[str, Any], _: Context) -> Value | None:
    if document.get("query"):
        return None
    text = str(document.get("value") or "")
    return Choice(text, text)


def _choice(document: Mapping[str, Any], _: Context) -> Value | None:
    chosen = document.get("value", document.get("defaultValue"))
    values = [str(value or "") for value in (chosen if isinstance(chosen, list) else [chosen])]
    if values == [_ALL]:
        everything = (document.get("typeSettings") or {}).get("selectAllValue")
        return Choice("all", _quoted(document, [everything])) if everything else None
    if not all(values) or any(value.startswith("value::") for value in values):
        return None
    return Choice(", ".join(_labels(document).get(value, value) for value in values), _quoted(document, values))


def _quoted(document: Mapping[str, Any], values: list[str]) -> str:
    if not document.get("multiSelect"):
        return values[0]
    quote, delimiter = document.get("quote") or "", document.get("delimiter") or ","
    return str(delimiter).join(f"{quote}{value}{quote}" for value in values)


def _labels(document: Mapping[str, Any]) -> dict[str, str]:
    try:
        offered = json.loads(document.get("jsonData") or "[]")
        return {one["value"]: one.get("label") or one["value"] for one in offered if isinstance(one, dict)}
    except (ValueError, KeyError, TypeError):
        return {}  # the list only names what is chosen; the portal itself shows values where it cannot read it


def _span(document: Mapping[str, Any], context: Context) -> Value | None:
    milliseconds = (document.get("value") or {}).get("durationMs") or 0
    duration = context.time_range or timedelta(milliseconds=milliseconds)
    return Span(duration, context.now) if duration else None


def _resource(document: Mapping[str, Any], context: Context) -> Value | None:
    allowed = (document.get("typeSettings") or {}).get("resourceTypeFilter") or {}
    first = document.get("value") in (_FIRST, [_FIRST])
    return Resource(context.workspace) if first and _WORKSPACE_TYPE in {kind.lower() for kind in allowed} else None


_DEFAULTS: Mapping[int, Callable[[Mapping[str, Any], Context], Value | None]] = {
    1: _text,
    2: _choice,
    4: _span,
    5: _resource,
    10: _choice,
}
