"""The lab's applications and the roles that they hold from the beginning."""

from collections.abc import Iterator, Sequence

from apiward_lab.entra import Application
from apiward_lab.estate import Estate
from apiward_lab.estate.ids import stable_id
from apiward_lab.rbac import AccessControl, built_in

DISPLAY_NAMES = {
    "connector": "apiward connector",
    "playbooks": "apiward playbooks",
    "operator": "Olivia Operator",
    "admin": "Adam Admin",
    "stranger": "Sam Stranger",
}

SECURITY_GROUP = "rg-security"

# identity -> roles on every subscription, roles on the resource group of the workspace
_ROLES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "connector": (("Security Reader", "API Management Service Reader Role"), ()),
    "playbooks": (
        ("Security Reader", "API Management Service Contributor"),
        ("Log Analytics Reader", "Microsoft Sentinel Responder"),
    ),
    "operator": (("Reader",), ()),
    "admin": (("Owner",), ()),
    "stranger": ((), ()),
}

# identity -> roles on the tenant's root management group; the others hold none there, as a connector of its own would
_AT_THE_ROOT: dict[str, Sequence[str]] = {"admin": ("Owner",)}


def applications(seed: str) -> Sequence[Application]:
    """The app registrations. Their ids depend on the seed, their secrets do not."""
    return [
        Application(
            name=name,
            display_name=display_name,
            client_id=stable_id(seed, f"{name}/client"),
            object_id=stable_id(seed, f"{name}/object"),
        )
        for name, display_name in DISPLAY_NAMES.items()
    ]


def grant_seeded_roles(access: AccessControl, estate: Estate, apps: Sequence[Application]) -> None:
    """Give every application its roles, at once."""
    for app in apps:
        for role_name, scope in _grants(app.name, estate):
            role = built_in(role_name)
            access.assign(
                stable_id(scope, f"{app.name}/{role.role_id}"),
                scope=scope,
                role_id=role.role_id,
                principal_id=app.object_id,
                by="",
                at_once=True,
            )


def _grants(name: str, estate: Estate) -> Iterator[tuple[str, str]]:
    everywhere, in_security_group = _ROLES[name]
    for subscription in estate.subscriptions:
        for role in everywhere:
            yield role, subscription.resource_id
    for role in _AT_THE_ROOT.get(name, ()):
        yield role, estate.management_groups[0].resource_id
    group = next(group for group in estate.groups if group.name == SECURITY_GROUP)
    for role in in_security_group:
        yield role, group.resource_id
