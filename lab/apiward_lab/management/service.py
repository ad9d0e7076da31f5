"""What a management group holds: Microsoft.Management/managementGroups at api-version 2020-05-01 and later."""

from collections.abc import Sequence

from apiward_lab.estate import Subscription
from apiward_lab.estate.model import MANAGEMENT_GROUPS
from apiward_lab.management.hierarchy import Entity, Hierarchy
from apiward_lab.paging import page
from apiward_lab.web import Call, Json, Problem, Reply, Route

_GROUP_TYPE = "Microsoft.Management/managementGroups"
_VERSIONS = ("2020-05-01", "2021-04-01", "2023-04-01")


class ManagementGroups:
    """Lists what descends from a group.

    Whoever may list a group sees all of its subscriptions, those included in which he holds no role. `page_size` is
    how many descendants a page holds.
    """

    def __init__(self, hierarchy: Hierarchy, *, page_size: int = 4) -> None:
        self._hierarchy = hierarchy
        self._page_size = page_size

    @property
    def routes(self) -> Sequence[Route]:
        """One operation."""
        action = "Microsoft.Management/managementGroups/descendants/read"
        return [
            Route("GET", f"{MANAGEMENT_GROUPS}/{{group}}/descendants", self._descendants, _VERSIONS, action=action),
        ]

    def _descendants(self, call: Call) -> Reply:
        group = self._hierarchy.group(call.params["group"])
        if group is None:
            raise Problem(404, "NotFound", f"The management group '{call.params['group']}' cannot be found.")
        size = min(self._page_size, _top(call.query.get("$top")) or self._page_size)
        return Reply(body=page(call, self._hierarchy.below(group.name), self._body, size=size))

    def _body(self, entity: Entity) -> Json:
        parent = self._hierarchy.parent(entity)
        above = {"parent": {"id": parent.resource_id if parent else ""}}
        if isinstance(entity, Subscription):
            shown = ("/subscriptions", entity.subscription_id, {"displayName": entity.name, **above})
        else:
            shown = (_GROUP_TYPE, entity.name, {"displayName": entity.display_name, **above})
        return {"id": entity.resource_id, **dict(zip(("type", "name", "properties"), shown, strict=True))}


def _top(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise Problem(400, "InvalidTop", f"$top is '{text}'; it must be a whole number above zero.")
    return int(text)
