"""Role definitions, role assignments, and who may do what."""

from apiward_lab.rbac.access import AccessControl
from apiward_lab.rbac.roles import BUILT_IN_ROLES, Permission, RoleDefinition, built_in
from apiward_lab.rbac.service import Authorization

__all__ = ["BUILT_IN_ROLES", "AccessControl", "Authorization", "Permission", "RoleDefinition", "built_in"]
