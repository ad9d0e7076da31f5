"""Which rows a caller may see: those of resources that a role lets him read."""

from collections.abc import Sequence
from dataclasses import dataclass

from apiward_lab.rbac import AccessControl, RoleDefinition
from apiward_lab.rbac.access import covers


@dataclass(frozen=True)
class Readable:
    """Where resources of one type may be read: in whole `subscriptions` (GUIDs), and elsewhere only under `scopes`."""

    subscriptions: Sequence[str]
    scopes: Sequence[str]


class Visibility:
    """One caller's rights at one moment."""

    def __init__(self, access: AccessControl, object_id: str) -> None:
        self._access = access
        self._object_id = object_id
        self.roles: Sequence[tuple[str, RoleDefinition]] = access.roles_of(object_id)

    def knows(self, subscription_id: str) -> bool:
        """Whether the caller has any role in the subscription, which is what makes Azure list it."""
        return self._access.has_any_role(self._object_id, _scope(subscription_id))

    def readable(self, resource_type: str, subscriptions: Sequence[str]) -> Readable:
        """Where in these subscriptions, all of them known, the caller may read that type."""
        if resource_type == "microsoft.resources/subscriptions":
            return Readable(subscriptions, ())
        scopes = [scope for scope, role in self.roles if role.allows(f"{resource_type}/read")]
        whole = [entry for entry in subscriptions if self._reaches(scopes, _scope(entry))]
        parts = [entry for entry in subscriptions if entry not in whole]
        return Readable(whole, [scope for scope in scopes if any(covers(_scope(entry), scope) for entry in parts)])

    def _reaches(self, scopes: Sequence[str], subscription: str) -> bool:
        return any(self._access.reaches(scope, subscription) for scope in scopes)


def _scope(subscription_id: str) -> str:
    return f"/subscriptions/{subscription_id}"
