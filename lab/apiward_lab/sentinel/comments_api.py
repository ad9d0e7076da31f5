"""Comments and relations of incidents over ARM (Incidents 2021-10-01)."""

from dataclasses import replace

from apiward_lab.sentinel.documents import (
    alert_relations,
    author_of,
    comment_body,
    relation_body,
    resource_id,
)
from apiward_lab.sentinel.incidents import Comment, Incident, Relation, new_etag, put_comment
from apiward_lab.sentinel.model import SentinelModel
from apiward_lab.sentinel.registry import Registry, missing
from apiward_lab.web import Call, Problem, Reply


class CommentsApi:
    """Handlers for comments."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """All comments of an incident, newest first."""
        model, incident = self._registry.incident(call)
        newest_first = reversed(incident.comments)
        return Reply(body={"value": [comment_body(model.seed, incident, comment) for comment in newest_first]})

    def get(self, call: Call) -> Reply:
        """One comment."""
        model, incident = self._registry.incident(call)
        comment = _comment(incident, call.params["comment"])
        if comment is None:
            raise missing("Incident comment", call.params["comment"])
        return Reply(body=comment_body(model.seed, incident, comment))

    def put(self, call: Call) -> Reply:
        """Write (201) or edit (200) a comment."""
        model, before = self._registry.incident(call)
        name = call.params["comment"]
        author = call.principal
        by = author_of(author.object_id, author.client_id) if author else {}
        path = resource_id(model.seed, "incidents", before.name, "comments", name)
        incident, is_new = put_comment(before, name, call.json(), by, self._registry.now(), path)
        if incident is not before:
            model.put_incident(incident, by=author.object_id if author else "unknown")
        comment = _comment(incident, name)
        return Reply(201 if is_new else 200, comment_body(model.seed, incident, comment) if comment else None)

    def delete(self, call: Call) -> Reply:
        """Delete: 200, or 204 when there is none."""
        model, incident = self._registry.incident(call)
        kept = tuple(comment for comment in incident.comments if comment.name != call.params["comment"])
        if len(kept) == len(incident.comments):
            return Reply(204)
        model.put_incident(incident.changed(self._registry.now(), comments=kept))
        return Reply(200)


def _comment(incident: Incident, name: str) -> Comment | None:
    return next((comment for comment in incident.comments if comment.name == name), None)


class RelationsApi:
    """Handlers for relations; the alerts of an incident are relations too."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def list(self, call: Call) -> Reply:
        """All relations of an incident."""
        model, incident = self._registry.incident(call)
        return Reply(body={"value": [relation_body(model.seed, incident, r) for r in _relations(model, incident)]})

    def get(self, call: Call) -> Reply:
        """One relation."""
        model, incident = self._registry.incident(call)
        found = [r for r in _relations(model, incident) if r.name == call.params["relation"]]
        if not found:
            raise missing("Incident relation", call.params["relation"])
        return Reply(body=relation_body(model.seed, incident, found[0]))

    def put(self, call: Call) -> Reply:
        """Link the incident to a resource."""
        model, incident = self._registry.incident(call)
        related = (call.json().get("properties") or {}).get("relatedResourceId")
        if not isinstance(related, str) or "/providers/" not in related:
            raise Problem(400, "BadRequest", "A relation needs 'relatedResourceId', the ARM id of a resource.")
        relation = Relation(call.params["relation"], related, new_etag())
        kept = tuple(other for other in incident.relations if other.name != relation.name)
        changed = incident.changed(self._registry.now(), relations=(*kept, relation))
        model.put_incident(changed)
        return Reply(200 if len(kept) < len(incident.relations) else 201, relation_body(model.seed, changed, relation))

    def delete(self, call: Call) -> Reply:
        """Unlink: 200, or 204 when there is no such relation. Unlinking an alert takes it out of the incident."""
        model, incident = self._registry.incident(call)
        name = call.params["relation"]
        if name not in {relation.name for relation in _relations(model, incident)}:
            return Reply(204)
        alerts = tuple(alert for alert in incident.alerts if f"{incident.name}_{alert.id}" != name)
        relations = tuple(relation for relation in incident.relations if relation.name != name)
        model.put_incident(replace(incident.changed(self._registry.now()), alerts=alerts, relations=relations))
        return Reply(200)


def _relations(model: SentinelModel, incident: Incident) -> list[Relation]:
    return [*alert_relations(model.seed, incident), *incident.relations]
