"""Governance assignments of one subscription: who has to clear an assessment, and by when.

From Azure Resource Graph, which has them all; REST (GovernanceAssignments 2022-01-01-preview) lists those of one
assessment key at a time. The members are those of the REST document and `assignedResourceId`, the id of the assessment,
by which the queries in "Add Defender for Cloud data to Power BI" join.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from apiward_connector.finding import Unreadable
from apiward_connector.rest import member, moment, text
from apiward_connector.sources.arm_pages import Arm, arm_pages
from apiward_connector.sources.graph_rows import GraphRows
from apiward_core.errors import MissingError

ROWS = "securityresources\n| where type =~ 'microsoft.security/assessments/governanceassignments'"
COLUMNS = (
    "id, assessment = properties.assignedResourceId, owner = properties.owner,"
    " due = properties.remediationDueDate, grace = properties.isGracePeriod"
)

_ASSESSMENTS = "/providers/microsoft.security/assessments/"
_ASSIGNMENTS = "/governanceassignments"
_ANY_KEY = "91af2040-7874-4659-abf0-578e1f8d07dc"  # of a built-in recommendation
_API_VERSION = "2022-01-01-preview"
# The SDK has this list, and escapes the slashes of its scope.
_LIST = f"/subscriptions/{{}}/providers/Microsoft.Security/assessments/{_ANY_KEY}/governanceAssignments"


class Assignment(NamedTuple):
    """Who has to clear the assessment `key` of a resource, and by when; both ids are in lower case.

    `due` is an ISO 8601 time, "" when there is none, as `owner`; `grace_period` is None when nothing says.
    """

    resource_id: str
    key: str
    owner: str
    due: str
    grace_period: bool | None


class GovernanceSource:
    """Reads governance assignments.

    Resource Graph does not tell a subscription without any from one in which they may not be read, so that it gave none
    is only taken for an answer where REST does not refuse to list them.
    """

    def __init__(self, rows: GraphRows, *, arm: Arm) -> None:
        self._rows = rows
        self._arm = arm

    def expect(self, subscriptions: Sequence[str]) -> None:
        """The subscriptions of a run, by their ids in lower case: only those that have any will be asked."""
        self._rows.expect(subscriptions)

    def read(self, subscription_id: str) -> Iterator[Assignment | Unreadable]:
        """The assignments, and why one that is listed is none. Raises the errors of `apiward_core.errors`."""
        are_none = True
        for page in self._rows.pages(subscription_id):
            for raw in page:
                are_none = False
                yield assignment_of(raw)
        if are_none:
            self._prove_readable(subscription_id)

    def _prove_readable(self, subscription_id: str) -> None:
        with suppress(MissingError):  # nothing is assessed by that key; a lack of permission is told before
            next(arm_pages(self._arm, _LIST.format(subscription_id), api_version=_API_VERSION), None)


def assignment_of(raw: Any) -> Assignment | Unreadable:
    """The assignment in a row of Resource Graph."""
    row_id = text(raw, "id").lower()
    assessment = text(raw, "assessment").lower() or row_id.rpartition(_ASSIGNMENTS)[0]
    resource_id, found, key = assessment.rpartition(_ASSESSMENTS)
    if not (found and resource_id and key) or "/" in key:
        return Unreadable(row_id or "a governance assignment without id", "It does not say for which assessment it is.")
    grace = member(raw, "grace")
    return Assignment(
        resource_id=resource_id,
        key=key,
        owner=text(raw, "owner"),
        due=moment(raw, "due"),
        grace_period=grace if isinstance(grace, bool) else None,
    )
