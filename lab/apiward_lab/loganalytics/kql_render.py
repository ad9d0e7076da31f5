"""What `render` asks for, as the query API shows it to callers that want it (Prefer: include-render=true)."""

from typing import Any

from apiward_lab.loganalytics import kql_tree
from apiward_lab.loganalytics.kql_tree import Node

_UNSET = ("title", "kind", "legend", "series", "xAxis", "xColumn", "xTitle", "yAxis", "yColumns", "ySplit", "yTitle")
_KNOWN = {name.lower(): name for name in (*_UNSET, "accumulate", "anomalyColumns", "isQuerySorted", "yMin", "yMax")}


def visualization(kql: str) -> dict[str, Any]:
    """The chart of the query's last `render`, with its properties; an empty chart without one."""
    shown: dict[str, Any] = {"visualization": None, **dict.fromkeys(_UNSET)}
    shown |= {"accumulate": False, "isQuerySorted": False, "anomalyColumns": None, "yMin": "NaN", "yMax": "NaN"}
    operators = [node for node in kql_tree.walk(kql_tree.tree(kql)) if kql_tree.rule(node) == "RenderOperator"]
    if operators:
        shown["visualization"] = kql_tree.children(operators[-1])[1].getText()
        for node in kql_tree.walk(operators[-1]):
            if kql_tree.rule(node) in {"RenderOperatorProperty", "RenderOperatorLegacyProperty"}:
                name, value = _property(node)
                shown[_KNOWN.get(name.lower(), name)] = value
    return shown


def _property(node: Node) -> tuple[str, Any]:
    name, _, value = (child.getText() for child in kql_tree.children(node))
    return name, {"true": True, "false": False}.get(value, value.strip("\"'"))
