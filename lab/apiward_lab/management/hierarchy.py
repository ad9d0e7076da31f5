"""Who is above and below whom in the tree of management groups."""

from collections.abc import Iterator, Sequence

from apiward_lab.estate import Estate, ManagementGroup, Subscription

Entity = ManagementGroup | Subscription

_SUBSCRIPTIONS = "/subscriptions/"
_GROUPS = "/providers/microsoft.management/managementgroups/"


class Hierarchy:
    """The tree of an estate, as it is now. Names of groups go without regard to case."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def group(self, name: str) -> ManagementGroup | None:
        """The group with this name, which Azure calls its id; the root's is the tenant's id."""
        return next((group for group in self._estate.management_groups if group.name.lower() == name.lower()), None)

    def parent(self, entity: Entity) -> ManagementGroup | None:
        """The group that holds a group or a subscription; None above the root."""
        if isinstance(entity, Subscription):
            return self.group(entity.management_group or self._estate.tenant_id)
        return self.group(entity.parent) if entity.parent else None

    def below(self, name: str) -> Sequence[Entity]:
        """All groups and subscriptions in a group, however deep: groups first."""
        entities: list[Entity] = [*self._estate.management_groups, *self._estate.subscriptions]
        return [entity for entity in entities if name.lower() in {group.name.lower() for group in self.above(entity)}]

    def subscriptions(self, name: str) -> Sequence[str]:
        """The ids of the subscriptions in a group, however deep; none in one that does not exist."""
        return [entity.subscription_id for entity in self.below(name) if isinstance(entity, Subscription)]

    def above(self, entity: Entity) -> Iterator[ManagementGroup]:
        """The groups that hold it, the nearest first."""
        group = self.parent(entity)
        while group is not None:
            yield group
            group = self.parent(group)

    def scopes_above(self, scope: str) -> Sequence[str]:
        """The ARM ids of the groups from which a scope inherits roles, the nearest first."""
        entity = self._entity(scope.lower())
        return [] if entity is None else [group.resource_id for group in self.above(entity)]

    def _entity(self, scope: str) -> Entity | None:
        """The group or subscription that the scope is or lies in."""
        if scope.startswith(_GROUPS):
            return self.group(scope.removeprefix(_GROUPS).partition("/")[0])
        wanted = scope.removeprefix(_SUBSCRIPTIONS).partition("/")[0]
        return next((entry for entry in self._estate.subscriptions if entry.subscription_id == wanted), None)
