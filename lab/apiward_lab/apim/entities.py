"""Handlers that every kind of entity inside a service shares."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from apiward_lab.apim.changes import merged, sent_properties
from apiward_lab.apim.etags import check_match, etag, etag_header, require_match
from apiward_lab.apim.listing import matches, page
from apiward_lab.apim.problems import not_found
from apiward_lab.estate import ApimService, Entity
from apiward_lab.web import Call, Json, Reply

E = TypeVar("E", bound=Entity)


@dataclass(frozen=True)
class Kind:
    """What one kind of entity is called, and what of it can be filtered, written and read.

    `resource_type` follows "Microsoft.ApiManagement/service/"; its last word is the collection in the path. `check`
    gets the service and the whole new properties; it returns them as they are to be kept, or raises Problem 400.
    """

    label: str
    resource_type: str
    check: Callable[[ApimService, dict[str, Any]], dict[str, Any]]
    filterable: Collection[str] = ()
    read_only: Collection[str] = ()
    secret: Collection[str] = ()


@dataclass(frozen=True)
class Shelf(Generic[E]):
    """Where the entities of a kind are: their service, the ARM id above them, and the table by name in lower case."""

    service: ApimService
    parent_id: str
    entities: dict[str, E]


def entity_body(kind: Kind, parent_id: str, entity: Entity) -> Json:
    """The entity as the REST API shows it, without its secrets."""
    shown = {name: value for name, value in entity.properties.items() if name not in kind.secret}
    return {
        "id": f"{parent_id}/{kind.resource_type.rpartition('/')[2]}/{entity.name}",
        "type": f"Microsoft.ApiManagement/service/{kind.resource_type}",
        "name": entity.name,
        "properties": shown,
    }


def filtered_page(call: Call, rows: Collection[Json], filterable: Collection[str]) -> Json:
    """The page of the rows that $filter leaves."""
    condition = call.query.get("$filter")
    if condition:
        rows = [row for row in rows if matches(condition, {"name": row["name"], **row["properties"]}, filterable)]
    return page(call, list(rows))


class EntityHandlers(Generic[E]):
    """List, get, update, create and delete. Every change of an entity changes its ETag."""

    def __init__(
        self,
        kind: Kind,
        shelf: Callable[[Call], Shelf[E]],
        *,
        parameter: str,
        create: Callable[[str, dict[str, Any]], E],
    ) -> None:
        self._kind = kind
        self._shelf = shelf
        self._parameter = parameter
        self._create = create

    def list(self, call: Call) -> Reply:
        """The entities, ordered by name; knows $filter, $top and $skip."""
        shelf = self._shelf(call)
        rows = [entity_body(self._kind, shelf.parent_id, entity) for _, entity in sorted(shelf.entities.items())]
        return Reply(body=filtered_page(call, rows, self._kind.filterable))

    def get(self, call: Call) -> Reply:
        """One entity."""
        return self._shown(*self._existing(call))

    def head(self, call: Call) -> Reply:
        """The ETag alone."""
        return Reply(200, None, self._shown(*self._existing(call)).headers)

    def secrets(self, call: Call) -> Reply:
        """The properties that no other answer shows."""
        shelf, entity = self._existing(call)
        shown = {name: entity.properties[name] for name in self._kind.secret}
        return Reply(200, shown, self._shown(shelf, entity).headers)

    def patch(self, call: Call) -> Reply:
        """Merge the given properties into the entity. If-Match is required."""
        shelf, entity = self._existing(call)
        require_match(call, self._etag(shelf, entity))
        return self._changed(shelf, entity, merged(entity.properties, self._sent(call)))

    def put(self, call: Call) -> Reply:
        """Create the entity or replace its properties. If-Match may be left out."""
        shelf, name = self._shelf(call), call.params[self._parameter]
        known = shelf.entities.get(name.lower())
        check_match(call, self._etag(shelf, known) if known else None)
        if known is not None:
            return self._changed(shelf, known, self._sent(call))
        created = self._create(name, self._kind.check(shelf.service, self._sent(call)))
        shelf.entities[name.lower()] = created
        return self._shown(shelf, created, status=201)

    def delete(self, call: Call) -> Reply:
        """Delete the entity; 204 when there was none. If-Match is required."""
        shelf = self._shelf(call)
        known = shelf.entities.get(call.params[self._parameter].lower())
        require_match(call, self._etag(shelf, known) if known else None)
        if known is None:
            return Reply(204)
        del shelf.entities[known.name.lower()]
        return Reply(200)

    def _existing(self, call: Call) -> tuple[Shelf[E], E]:
        shelf = self._shelf(call)
        entity = shelf.entities.get(call.params[self._parameter].lower())
        if entity is None:
            raise not_found(self._kind.label)
        return shelf, entity

    def _sent(self, call: Call) -> dict[str, Any]:
        return sent_properties(call, read_only=self._kind.read_only)

    def _changed(self, shelf: Shelf[E], entity: E, properties: dict[str, Any]) -> Reply:
        entity.properties = self._kind.check(shelf.service, properties)
        entity.version += 1
        return self._shown(shelf, entity)

    def _shown(self, shelf: Shelf[E], entity: E, *, status: int = 200) -> Reply:
        body = entity_body(self._kind, shelf.parent_id, entity)
        return Reply(status, body, etag_header(body["id"], entity.version))

    def _etag(self, shelf: Shelf[E], entity: E) -> str:
        return etag(entity_body(self._kind, shelf.parent_id, entity)["id"], entity.version)
