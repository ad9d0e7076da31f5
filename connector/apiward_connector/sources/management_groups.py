"""Subscriptions below a management group, from Microsoft.Management managementGroups descendants 2020-05-01.

The service lists what is below the group at any depth, groups and subscriptions, whether the caller may read them or
not; that it tells the latter is what the list is read for.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from apiward_connector.rest import text
from apiward_connector.sources.arm_pages import Arm, arm_pages
from apiward_core.errors import RejectedDataError

_API_VERSION = "2020-05-01"
_SUBSCRIPTIONS = "subscriptions"


class ManagementGroupsSource:
    """Lists the subscriptions below management groups."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def descendants(self, group_id: str) -> Iterator[str]:
        """The ids of the subscriptions below a group, nested groups included, in lower case.

        Raises the errors of `apiward_core.errors`: AccessError without the right to that (Management Group Reader lacks
        it), MissingError when there is no such group.
        """
        path = f"/providers/Microsoft.Management/managementGroups/{group_id}/descendants"
        for page in arm_pages(self._arm, path, api_version=_API_VERSION):
            for raw in page:
                # as written in the wild: "/subscriptions", "Microsoft.Management/managementGroups/subscriptions"
                if text(raw, "type").lower().rpartition("/")[2] == _SUBSCRIPTIONS:
                    yield _subscription_id(raw, group_id)


def _subscription_id(raw: Any, group_id: str) -> str:
    try:
        return str(UUID(text(raw, "name")))
    except ValueError as error:
        raise RejectedDataError(
            f"Management group {group_id} lists a subscription whose name is {text(raw, 'name')!r}, which is no id.",
            remedy="Run again; report it to Microsoft if it lasts.",
        ) from error
