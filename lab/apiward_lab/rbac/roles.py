"""Role definitions: what a role allows, and the built-in roles that this project's users meet.

Actions as Microsoft publishes them in its built-in role reference, cut to the providers that the lab serves.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apiward_lab.rbac.builtin import BUILT_IN
from apiward_lab.web import Json


@dataclass(frozen=True)
class Permission:
    """One permission of a role. Patterns may hold "*" and match without regard to case."""

    actions: Sequence[str] = ()
    not_actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()
    not_data_actions: Sequence[str] = ()

    def allows(self, action: str, *, data: bool = False) -> bool:
        """Whether the action is granted and not taken out again."""
        granted, removed = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return _matches_any(granted, action) and not _matches_any(removed, action)

    def body(self) -> Json:
        """The permission as the REST API shows it."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }


@dataclass(frozen=True)
class RoleDefinition:
    """A role. `role_id` is its GUID."""

    role_id: str
    name: str
    description: str
    permissions: Sequence[Permission]
    assignable_scopes: Sequence[str] = ("/",)
    is_custom: bool = False

    def allows(self, action: str, *, data: bool = False) -> bool:
        """Whether any of its permissions allows the action."""
        return any(permission.allows(action, data=data) for permission in self.permissions)


def _matches_any(patterns: Iterable[str], action: str) -> bool:
    return any(_compiled(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)


BUILT_IN_ROLES = tuple(
    RoleDefinition(
        role_id=role_id,
        name=name,
        description=description,
        permissions=(Permission(actions, not_actions, data_actions),),
    )
    for role_id, name, description, actions, not_actions, data_actions in BUILT_IN
)


def built_in(name: str) -> RoleDefinition:
    """The built-in role with this display name. Raises KeyError when the lab does not know it."""
    for role in BUILT_IN_ROLES:
        if role.name == name:
            return role
    raise KeyError(f"the lab has no built-in role named {name!r}; it knows {[role.name for role in BUILT_IN_ROLES]}")
