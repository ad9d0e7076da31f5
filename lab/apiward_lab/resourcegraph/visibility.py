"""Which rows a caller may see: those of resources that a role lets him read."""

from collections.abc import Iterator

from apiward_lab.rbac import AccessControl


class Visibility:
    """One caller's rights, asked once per scope: a role at a subscription or group counts for everything below it."""

    def __init__(self, access: AccessControl, object_id: str) -> None:
        self._access = access
        self._object_id = object_id
        self._known: dict[tuple[str, str], bool] = {}

    def knows(self, subscription_id: str) -> bool:
        """Whether the caller has any role in the subscription, which is what makes Azure list it."""
        return self._access.has_any_role(self._object_id, f"/subscriptions/{subscription_id}")

    def can_read(self, resource_id: str, resource_type: str) -> bool:
        """Whether a role at the resource or above it allows to read that type."""
        if resource_type.lower() == "microsoft.resources/subscriptions":
            return self.knows(resource_id.split("/")[2])
        action = f"{resource_type}/read"
        return any(self._allows(action, scope) for scope in _scopes(resource_id))

    def _allows(self, action: str, scope: str) -> bool:
        key = (action, scope)
        if key not in self._known:
            self._known[key] = self._access.is_allowed(self._object_id, action, scope)
        return self._known[key]


def _scopes(resource_id: str) -> Iterator[str]:
    """The subscription, the resource group if there is one, and the resource itself."""
    segments = resource_id.split("/")
    yield "/".join(segments[:3])
    if len(segments) > 4 and segments[3].lower() == "resourcegroups":  # noqa: PLR2004 - "", subscriptions, id, groups, name
        yield "/".join(segments[:5])
    yield resource_id
