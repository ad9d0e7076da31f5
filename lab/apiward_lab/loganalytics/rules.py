"""Data collection rules: what a rule holds and what the service checks before it stores one.

DataCollectionRules 2023-03-11; error codes as the service words them in azurerm and Azure-Sentinel issue reports.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apiward_lab.loganalytics.columns import STREAM_TYPES, Column
from apiward_lab.loganalytics.kql_errors import QueryError
from apiward_lab.loganalytics.model import WorkspaceModel
from apiward_lab.loganalytics.problems import DetailedProblem, invalid_rule

LIMIT = 10
"""Data flows, streams and workspaces of a rule (Azure Monitor service limits)."""

_ROW_OPERATORS = {"where", "extend", "project", "project-away", "project-rename", "parse", "print", "datatable"}
_OPERATOR = re.compile(r"\|\s*([a-z][a-z-]*)")
_COLUMN_NAME = re.compile(r"[A-Za-z_]\w*")
_STREAM_NAME = re.compile(r"Custom-[A-Za-z][\w-]*")

_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)

FindWorkspace = Callable[[str], WorkspaceModel | None]


@dataclass(frozen=True)
class Flow:
    """One way from a stream into a table."""

    stream: str
    workspace: WorkspaceModel
    table: str
    transform: str


@dataclass(frozen=True)
class Rule:
    """A checked rule. `document` is the resource as ARM shows it."""

    resource_id: str
    immutable_id: str
    streams: Mapping[str, tuple[Column, ...]]
    flows: tuple[Flow, ...]
    document: Mapping[str, Any]


Detail = dict[str, str]


def parse_streams(properties: Any) -> dict[str, tuple[Column, ...]]:
    """The declared streams. Raises DetailedProblem 400 for a bad name, column or type."""
    declared = properties.get("streamDeclarations") or {}
    details = [*_stream_faults(declared)]
    if details:
        raise invalid_rule(details)
    return {name: tuple(Column(c["name"], c["type"]) for c in stream["columns"]) for name, stream in declared.items()}


def _stream_faults(declared: Mapping[str, Any]) -> Iterator[Detail]:
    if len(declared) > LIMIT:
        yield _detail(
            "InvalidStreamDeclarations", "properties.streamDeclarations", f"At most {LIMIT} streams are allowed."
        )
    for name, stream in declared.items():
        target = f"properties.streamDeclarations['{name}']"
        if not _STREAM_NAME.fullmatch(name):
            yield _detail("InvalidStreamDeclaration", target, f"Stream '{name}' must start with 'Custom-'.")
        columns = (stream or {}).get("columns") or []
        if not columns:
            yield _detail("InvalidStreamDeclaration", target, f"Stream '{name}' declares no columns.")
        for column in columns:
            if column.get("type") not in STREAM_TYPES or not _COLUMN_NAME.fullmatch(str(column.get("name", ""))):
                yield _detail(
                    "InvalidStreamDeclaration",
                    target,
                    f"Column '{column.get('name')}' of stream '{name}' "
                    f"has type '{column.get('type')}'; allowed types are {', '.join(STREAM_TYPES)}.",
                )


def parse_flows(properties: Any, streams: Mapping[str, Sequence[Column]], find: FindWorkspace) -> tuple[Flow, ...]:
    """The data flows into Log Analytics. Raises DetailedProblem 400 for one that cannot deliver."""
    destinations = _destinations(properties, find)
    given = properties.get("dataFlows") or []
    if not given or len(given) > LIMIT:
        raise _invalid("InvalidDataFlows", "properties.dataFlows", f"Between 1 and {LIMIT} data flows are needed.")
    flows: list[Flow] = []
    for index, flow in enumerate(given):
        target = f"properties.dataFlows[{index}]"
        for stream in flow.get("streams") or []:
            if stream not in streams:
                raise _invalid("InvalidStream", target, f"'Streams' stream '{stream}' is not declared.")
            names = flow.get("destinations") or []
            flows += [_flow(target, stream, name, flow, destinations) for name in names]
    for flow in flows:
        _check_output(flow, streams[flow.stream])
    return tuple(flows)


def _destinations(properties: Any, find: FindWorkspace) -> dict[str, WorkspaceModel]:
    given = (properties.get("destinations") or {}).get("logAnalytics") or []
    if not given or len(given) > LIMIT:
        raise _invalid(
            "InvalidDestinations",
            "properties.destinations",
            f"Between 1 and {LIMIT} Log Analytics destinations are needed.",
        )
    found = {}
    for destination in given:
        workspace = find(str(destination.get("workspaceResourceId", "")))
        if workspace is None:
            raise _invalid(
                "InvalidDestination",
                "properties.destinations",
                f"Workspace '{destination.get('workspaceResourceId')}' does not exist.",
            )
        found[str(destination.get("name"))] = workspace
    return found


def _flow(target: str, stream: str, destination: str, flow: Any, known: Mapping[str, WorkspaceModel]) -> Flow:
    workspace = known.get(destination)
    if workspace is None:
        raise _invalid("InvalidDestination", target, f"Destination '{destination}' is not declared.")
    output = flow.get("outputStream") or stream
    table = workspace.table(output.removeprefix("Custom-")) if output.startswith("Custom-") else None
    if table is None:
        raise _invalid(
            "InvalidOutputTable",
            target,
            f"Table for output stream '{output}' is not available for destination '{destination}'. "
            "Please ensure that the table exists in Log Analytics Workspace before creating or updating the rule.",
        )
    return Flow(stream, workspace, table.name, (flow.get("transformKql") or "source").strip())


def _check_output(flow: Flow, columns: Sequence[Column]) -> None:
    refused = set(_OPERATOR.findall(flow.transform)) - _ROW_OPERATORS
    if refused:
        raise _invalid(
            "InvalidTransformQuery",
            "properties.dataFlows",
            f"Operator '{min(refused)}' is not supported in a transformation.",
        )
    table = flow.workspace.table(flow.table)
    produced = transform_output(flow, columns)
    wrong = []
    for column in produced:
        target = table.column(column.name) if table else None
        if target is None or target.type != column.type:
            wrong.append(f"{column.name} [produced:'{column.type}', output:'{target.type if target else 'none'}']")
    if not any(column.name == "TimeGenerated" for column in produced):
        wrong.append("TimeGenerated [produced:'none', output:'datetime']")
    if wrong:
        raise _invalid(
            "InvalidTransformOutput",
            "properties.dataFlows",
            f"Types of transform output columns do not match the ones defined by the output stream: {', '.join(wrong)}",
        )


def transform_output(flow: Flow, columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that a flow's transformation makes of a stream. Raises DetailedProblem 400 when it cannot run."""
    if flow.transform == "source":
        return tuple(columns)
    try:
        result = flow.workspace.engine.transform(flow.transform, columns, [], _ANY_MOMENT)
    except QueryError as error:
        raise _invalid("InvalidTransformQuery", "properties.dataFlows", error.message) from error
    return tuple(Column(c.name, "boolean" if c.type == "bool" else c.type) for c in result.columns)


def _detail(code: str, target: str, message: str) -> Detail:
    return {"code": code, "target": target, "message": message}


def _invalid(code: str, target: str, message: str) -> DetailedProblem:
    return invalid_rule([_detail(code, target, message)])
