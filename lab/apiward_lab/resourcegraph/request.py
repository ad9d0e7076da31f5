"""What a query's request asks for (ResourceGraph 2021-03-01, QueryRequest)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apiward_lab.resourcegraph.problems import Refusal, invalid_request
from apiward_lab.web import Call, Problem

MOST_ROWS = 1000
MOST_NAMED = 1000
"""How many subscriptions one request may name (Azure Resource Graph, troubleshoot errors, too many subscriptions)."""


@dataclass(frozen=True)
class QueryRequest:
    """A request whose values are within the limits. Scopes are empty for the whole tenant; None: not given."""

    query: str
    subscriptions: Sequence[str]
    management_groups: Sequence[str]
    top: int | None
    skip: int | None
    skip_token: str | None
    as_table: bool

    @property
    def scopes(self) -> Sequence[str]:
        """Subscriptions and management groups, in one order whatever the caller's."""
        return sorted(self.subscriptions) + sorted(self.management_groups)


def parse_request(call: Call) -> QueryRequest:
    """The request of a call. Raises Refusal when it is not one."""
    try:
        body = call.json()
    except Problem as problem:
        raise invalid_request("InvalidRequestContent", problem.message) from problem
    if not isinstance(body, dict) or not isinstance(body.get("query"), str) or not body["query"].strip():
        raise invalid_request("InvalidQueryRequest", "The request body needs a 'query' that is not empty.")
    if body.get("facets"):
        raise Refusal(
            {"code": "FacetsNotServed", "message": "The lab does not compute facets."}, status=501, code="NotServed"
        )
    options = body.get("options") or {}
    return QueryRequest(
        query=body["query"],
        subscriptions=_subscriptions(body),
        management_groups=_management_groups(body),
        top=_integer(options, "$top", range(1, MOST_ROWS + 1)),
        skip=_integer(options, "$skip", range(2**31)),
        skip_token=options.get("$skipToken") or None,
        as_table=_is_table(options.get("resultFormat") or "objectArray"),
    )


def _subscriptions(body: dict[str, Any]) -> Sequence[str]:
    named = body.get("subscriptions") or ()
    if len(named) > MOST_NAMED:
        raise invalid_request(
            "TooManySubscriptions", f"The request names {len(named)} subscriptions; it may name {MOST_NAMED}."
        )
    return [_guid(entry) for entry in named]


def _guid(text: Any) -> str:
    try:
        return str(uuid.UUID(str(text)))
    except ValueError as error:
        raise invalid_request(
            "NoValidSubscriptionsInQueryRequest",
            f"There must be at least one subscription that is eligible to contain resources. Given: '{text}'.",
        ) from error


def _management_groups(body: dict[str, Any]) -> Sequence[str]:
    groups = [str(entry).lower() for entry in body.get("managementGroups") or ()]
    if groups and body.get("subscriptions"):
        raise invalid_request(
            "InvalidQueryRequest", "'subscriptions' and 'managementGroups' cannot be used at the same time."
        )
    return groups


def _integer(options: dict[str, Any], name: str, allowed: range) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise invalid_request(
            "InvalidQueryOptions", f"'{name}' is {value!r}; it must be from {allowed.start} to {allowed.stop - 1}."
        )
    return value


def _is_table(result_format: Any) -> bool:
    known = {"table": True, "objectarray": False}
    if str(result_format).lower() not in known:
        raise invalid_request(
            "InvalidQueryOptions", f"'resultFormat' is {result_format!r}; it must be 'table' or 'objectArray'."
        )
    return known[str(result_format).lower()]
