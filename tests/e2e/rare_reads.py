"""What the connector asks only where an estate has it: management groups, policies of its own, parts that went."""

import pytest

from apiward.wiring import App
from apiward_connector.existence import Existence
from apiward_connector.sources.graph import Graph
from apiward_connector.sources.graph_rows import GraphRows
from apiward_connector.sources.management_groups import ManagementGroupsSource
from apiward_connector.sources.operations import OperationsSource
from apiward_connector.sources.policy import PolicySource
from apiward_connector.sources.tags import TagsSource
from apiward_core.errors import MissingError
from apiward_lab.lab import Lab
from apiward_lab.rbac.roles import Permission, RoleDefinition

LIST_DESCENDANTS = "Microsoft.Management/managementGroups/descendants/read"
_ROLE = "0b1d7f5e-4f0a-4f39-9f52-7d6b0e1a2c33"


def grant_listing(lab: Lab, *identities: str) -> None:
    """Give identities the custom role by which they may list what is below the tenant's root group, and no more."""
    permissions = [Permission(actions=(LIST_DESCENDANTS,))]
    root = lab.estate.management_groups[0].resource_id
    lab.access.define(
        RoleDefinition(
            role_id=_ROLE,
            name="Lists what is below management groups",
            description="",
            permissions=permissions,
            assignable_scopes=(root,),
            is_custom=True,
        )
    )
    for identity in identities:
        principal = lab.applications[identity].object_id
        lab.access.assign(principal, scope=root, role_id=_ROLE, principal_id=principal, by="", at_once=True)


def read_rarely(app: App, lab: Lab) -> None:
    """Each of those calls once, as the connector makes them, by an identity that may list the root group."""
    arm, root = app.clients.arm(), lab.estate.management_groups[0]
    subscriptions = list(ManagementGroupsSource(arm).descendants(root.name))
    assert len(subscriptions) == len(lab.estate.subscriptions)
    for service in lab.estate.services:
        parts = [("backends", service.backends), ("subscriptions", service.subscriptions)]
        for kind, entities in parts:
            existence = Existence(arm)
            assert not any(existence.is_gone(service.child_id(kind, entity)) for entity in list(entities.values())[:1])
        for api in service.apis.values():
            names = OperationsSource(app.clients.api_management).names(service.resource_id, api.name)
            assert set(names.values()) == {operation.lower() for operation in api.operations}
    nothing = GraphRows(Graph(app.clients.resource_graph()), rows="resources | take 0", columns="id, tags", what="none")
    assert not any(list(TagsSource(nothing, arm=arm).read(subscription)) for subscription in subscriptions)
    policies = PolicySource(arm)
    own = f"{root.resource_id}/providers/Microsoft.Authorization/{{}}/of-its-own"
    with pytest.raises(MissingError):
        policies.initiative(own.format("policySetDefinitions"), subscriptions[0])
    with pytest.raises(MissingError):
        policies.rule(own.format("policyDefinitions"), subscriptions[0])
