"""An Azure Workbook document as data: the part of it that reports can show, and a name for every part that they cannot.

Source: the workbook schema of microsoft/Application-Insights-Workbooks, document version Notebook/1.0.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

from apiward_core.errors import ConfigurationError

Json = Mapping[str, Any]

_NOTEBOOK = "Notebook/1.0"
_LOGS = 0
_QUERY_TYPES = {
    1: "Azure Resource Graph",
    4: "resource health",
    7: "merge",
    8: "JSON",
    9: "Azure Data Explorer",
    10: "custom endpoint",
    11: "Intune",
    12: "Azure Resource Manager",
    13: "change analysis",
    14: "Microsoft Graph",
    16: "Prometheus",
}


@dataclass(frozen=True)
class Condition:
    """Shows its item while the parameter is (not) equal to the value."""

    parameter: str
    equal: bool
    value: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """What every item of a workbook has. `width` is in percent."""

    name: str = ""
    width: int = 100
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Text(Item):
    """Markdown; `style` is info, success, warning, error, upsell or empty."""

    markdown: str
    style: str = ""


@dataclass(frozen=True, kw_only=True)
class Query(Item):
    """KQL over the workspace and how its rows are shown.

    The time range is that of the parameter `time_parameter`, else `duration`; with neither, the query says it itself.
    `tiles`, `grid` and `chart` are the document's settings of that visualisation.
    """

    kql: str
    title: str = ""
    visualization: str = "table"
    duration: timedelta | None = None
    time_parameter: str = ""
    no_data: str = ""
    tiles: Json = field(default_factory=dict)
    grid: Json = field(default_factory=dict)
    chart: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """One parameter as the document declares it; `document` is its JSON."""

    name: str
    label: str
    type: int
    hidden: bool
    document: Json


@dataclass(frozen=True, kw_only=True)
class Parameters(Item):
    """A row of parameters."""

    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, kw_only=True)
class Group(Item):
    """Items under a title. Its parameters are seen outside only when it `exports` them."""

    items: tuple[Item, ...]
    title: str = ""
    exports: bool = False


@dataclass(frozen=True, kw_only=True)
class Unsupported(Item):
    """An item that reports cannot show; `what` completes "shows"."""

    what: str


@dataclass(frozen=True)
class Workbook:
    """A workbook: its items in order."""

    title: str
    items: tuple[Item, ...]

    @classmethod
    def parse(cls, text: str, *, title: str) -> Self:
        """The workbook in the JSON `text`. Raises ConfigurationError when it is none."""
        try:
            return cls(title, _items(_notebook(json.loads(text))["items"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"{title} is no workbook that can be read: {type(error).__name__}: {error}.",
                remedy="Export it anew from the portal (Advanced Editor, Gallery Template).",
            ) from error

    def walk(self) -> Iterator[Item]:
        """Every item, groups before what they hold."""
        return _walk(self.items)


def _walk(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield item
        if isinstance(item, Group):
            yield from _walk(item.items)


def _notebook(document: Json) -> Json:
    if document["version"] != _NOTEBOOK:
        raise ValueError(f"its version is {document['version']!r}, not {_NOTEBOOK!r}")
    return document


def _items(documents: list[Json]) -> tuple[Item, ...]:
    return tuple(_item(document) for document in documents)


def _item(document: Json) -> Item:
    common: dict[str, Any] = {
        "name": document.get("name") or "",
        "width": round(float(document.get("customWidth") or 100)),
        "conditions": tuple(_conditions(document)),
    }
    read = _READERS.get(document["type"])
    if read is None:
        kind = _OTHER_TYPES.get(document["type"], f"an item of type {document['type']}")
        return Unsupported(what=kind, **common)
    return read(document["content"], common)


def _conditions(document: Json) -> Iterator[Condition]:
    single = document.get("conditionalVisibility")
    for one in document.get("conditionalVisibilities") or ([single] if single else []):
        yield Condition(one["parameterName"], one.get("comparison") == "isEqualTo", str(one.get("value") or ""))


def _text(content: Json, common: dict[str, Any]) -> Item:
    return Text(markdown=content.get("json") or "", style=content.get("style") or "", **common)


def _query(content: Json, common: dict[str, Any]) -> Item:
    kind = content.get("queryType", _LOGS)
    if kind != _LOGS:
        what = f"a query of {_QUERY_TYPES.get(kind, f'type {kind}')}"
        return Unsupported(what=f"{what}, {content['title']!r}" if content.get("title") else what, **common)
    milliseconds = (content.get("timeContext") or {}).get("durationMs") or 0
    return Query(
        kql=content.get("query") or "",
        title=content.get("title") or "",
        visualization=content.get("visualization") or "table",
        duration=timedelta(milliseconds=milliseconds) if milliseconds else None,
        time_parameter=content.get("timeContextFromParameter") or "",
        no_data=content.get("noDataMessage") or "",
        tiles=content.get("tileSettings") or {},
        grid=content.get("gridSettings") or {},
        chart=content.get("chartSettings") or {},
        **common,
    )


def _parameters(content: Json, common: dict[str, Any]) -> Item:
    declared = (
        Parameter(one["name"], one.get("label") or one["name"], one["type"], bool(one.get("isHiddenWhenLocked")), one)
        for one in content.get("parameters") or ()
    )
    return Parameters(parameters=tuple(declared), **common)


def _group(content: Json, common: dict[str, Any]) -> Item:
    if content.get("groupType") == "template":
        return Unsupported(what="a group that is loaded from another workbook", **common)
    return Group(
        items=_items(content.get("items") or []),
        title=content.get("title") or "",
        exports=bool(content.get("exportParameters")),
        **common,
    )


_READERS: Mapping[int, Callable[[Json, dict[str, Any]], Item]] = {1: _text, 3: _query, 9: _parameters, 12: _group}
_OTHER_TYPES = {10: "metrics", 11: "tabs or links"}
