"""Routes of Microsoft.Security assessments and assessment metadata at api-version 2021-06-01."""

from collections.abc import Sequence
from urllib.parse import quote

from apiward_lab.defender.definition import Definition
from apiward_lab.defender.ledger import Assessment, Ledger
from apiward_lab.paging import page
from apiward_lab.web import Call, Json, Problem, Reply, Route, timestamp

_VERSIONS = ("2021-06-01",)
_ROOT = "/providers/Microsoft.Security"
_EXPANSIONS = {"metadata", "links"}


class Assessments:
    """What the ledger holds. `page_size` is how many assessments a page of a list holds."""

    def __init__(self, ledger: Ledger, *, page_size: int) -> None:
        self._ledger = ledger
        self._page_size = page_size

    @property
    def routes(self) -> Sequence[Route]:
        """Assessments at any scope; metadata at the tenant, for everybody, and at subscriptions."""
        assessments, metadata = f"/{{scope:path}}{_ROOT}/assessments", f"{_ROOT}/assessmentMetadata"
        at_subscription = "/subscriptions/{subscription}" + metadata
        read, read_metadata = "Microsoft.Security/assessments/read", "Microsoft.Security/assessmentMetadata/read"
        return [
            Route("GET", assessments, self._list, _VERSIONS, action=read),
            Route("GET", assessments + "/{name}", self._get, _VERSIONS, action=read),
            Route("GET", metadata, self._list_metadata, _VERSIONS),
            Route("GET", metadata + "/{name}", self._get_metadata, _VERSIONS),
            Route("GET", at_subscription, self._list_metadata, _VERSIONS, action=read_metadata),
            Route("GET", at_subscription + "/{name}", self._get_metadata, _VERSIONS, action=read_metadata),
        ]

    def _list(self, call: Call) -> Reply:
        rows = self._ledger.rows_under(f"/{call.params['scope']}")
        return Reply(body=page(call, rows, _body, size=self._page_size))

    def _get(self, call: Call) -> Reply:
        expand = call.query.get("$expand")
        if expand is not None and expand not in _EXPANSIONS:
            raise Problem(400, "InvalidParameter", f"$expand is '{expand}'; it must be 'metadata' or 'links'.")
        resource_id, name = f"/{call.params['scope']}", call.params["name"]
        row = self._ledger.find(resource_id, name)
        if row is None:
            raise Problem(404, "ResourceNotFound", f"Assessment '{name}' was not found on resource '{resource_id}'.")
        return Reply(body=_body(row, expand=expand))

    def _list_metadata(self, call: Call) -> Reply:
        return Reply(body={"value": [_metadata_body(definition, call) for definition in self._ledger.definitions]})

    def _get_metadata(self, call: Call) -> Reply:
        for definition in self._ledger.definitions:
            if definition.key == call.params["name"].lower():
                return Reply(body=_metadata_body(definition, call))
        raise Problem(404, "ResourceNotFound", f"Assessment metadata '{call.params['name']}' was not found.")


def _body(row: Assessment, *, expand: str | None = None) -> Json:
    properties: Json = {
        "resourceDetails": {"source": "Azure", "id": row.resource_id},
        "displayName": row.definition.display_name,
        "status": {
            "code": row.code,
            **({"cause": row.cause, "description": row.description} if row.cause else {}),
            "statusChangeDate": timestamp(row.status_changed),
            "firstEvaluationDate": timestamp(row.first_evaluated),
        },
    }
    if row.additional_data:
        properties["additionalData"] = dict(row.additional_data)
    if expand == "metadata":
        properties["metadata"] = row.definition.properties()
    if expand == "links":
        properties["links"] = {"azurePortalUri": _portal_link(row)}
    return {
        "id": row.assessment_id,
        "name": row.definition.key,
        "type": "Microsoft.Security/assessments",
        "properties": properties,
    }


def _portal_link(row: Assessment) -> str:
    blade = "https://portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade"
    return f"{blade}/assessmentKey/{row.definition.key}/resourceId/{quote(row.resource_id, safe='')}"


def _metadata_body(definition: Definition, call: Call) -> Json:
    subscription = call.params.get("subscription")
    prefix = f"/subscriptions/{subscription}" if subscription and "name" in call.params else ""
    return {
        "id": f"{prefix}{_ROOT}/assessmentMetadata/{definition.key}",
        "name": definition.key,
        "type": "Microsoft.Security/assessmentMetadata",
        "properties": definition.properties(),
    }
