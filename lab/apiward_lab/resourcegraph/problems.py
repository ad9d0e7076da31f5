"""Error answers of Resource Graph: a code, a message that only serves support, and the reason in the details.

Shapes as callers show them in azure-powershell issues 9850 and 13762, aztfexport issue 485, azure-cli-extensions issue
3325 and azure-sdk-for-java issue 29924; ResourceGraph 2021-03-01, ErrorResponse.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apiward_lab.loganalytics.problems import DetailedProblem
from apiward_lab.web import timestamp

Detail = Mapping[str, Any]
"""A code, a message, and for some codes line, characterPositionInLine and token."""


class Refusal(Exception):  # noqa: N818 - a refused request, not a fault of the lab
    """A request that Resource Graph does not answer: the HTTP status, the code and the reasons."""

    def __init__(self, *details: Detail, status: int = 400, code: str = "BadRequest") -> None:
        super().__init__(f"{code}: {details}")
        self.status = status
        self.code = code
        self.details = details

    def problem(self, now: datetime, headers: Mapping[str, str]) -> DetailedProblem:
        """The HTTP answer."""
        message = (
            f"Please provide below info when asking for support: timestamp = {timestamp(now)}, "
            f"correlationId = {uuid.uuid4()}."
        )
        problem = DetailedProblem(self.status, self.code, message, details=[dict(detail) for detail in self.details])
        problem.headers.update(headers)
        return problem


def invalid_query(*reasons: Detail) -> Refusal:
    """A query that cannot be read or is not allowed."""
    summary = (
        "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error "
        "before retrying."
    )
    return Refusal({"code": "InvalidQuery", "message": summary}, *reasons)


def disallowed(token: str) -> Refusal:
    """A part of KQL that Resource Graph does not have."""
    code = "InvalidQueryLanguage"
    return invalid_query({"code": code, "message": code, "line": -1, "characterPositionInLine": -1, "token": token})


def invalid_request(code: str, message: str) -> Refusal:
    """A request whose body or options are wrong."""
    return Refusal({"code": code, "message": message})


def access_denied() -> Refusal:
    """None of the scopes that the request names is known to the caller."""
    message = "Access is denied to the requested resource. The user might not have enough permission."
    return Refusal({"code": "AccessDenied", "message": message}, status=403, code="AccessDenied")


def throttled() -> Refusal:
    """Too many queries."""
    message = (
        "Client application has been throttled and should not attempt to repeat the request until an amount of time "
        "has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
    )
    return Refusal({"code": "RateLimiting", "message": message}, status=429, code="RateLimiting")
