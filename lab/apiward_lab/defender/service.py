"""Routes of Microsoft.Security assessments and assessment metadata at api-version 2021-06-01."""

import base64
import binascii
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import quote, urlencode

from apiward_lab.clock import VirtualClock
from apiward_lab.defender.definition import Definition, Derivation
from apiward_lab.defender.derivations import DERIVATIONS
from apiward_lab.defender.ledger import Assessment, Ledger
from apiward_lab.estate import Estate
from apiward_lab.web import Call, Json, Problem, Reply, Route, timestamp

_VERSION = "2021-06-01"
_ROOT = "/providers/Microsoft.Security"
_EXPANSIONS = {"metadata", "links"}


class Defender:
    """Defender for Cloud over an estate.

    `refresh_every` is how much virtual time passes between two evaluations (Azure Policy takes up to a day);
    `page_size` is how many assessments a page of a list holds.
    """

    def __init__(
        self,
        estate: Estate,
        clock: VirtualClock,
        *,
        refresh_every: timedelta = timedelta(minutes=60),
        page_size: int = 100,
        derivations: Sequence[Derivation] = DERIVATIONS,
    ) -> None:
        self.ledger = Ledger(estate, derivations, started=clock.now(), interval=refresh_every)
        self._page_size = page_size
        clock.on_advance(self.ledger.refresh_if_due, self.ledger.next_refresh)

    @property
    def routes(self) -> Sequence[Route]:
        """Assessments at any scope; metadata at the tenant, for everybody, and at subscriptions."""
        assessments, metadata = f"/{{scope:path}}{_ROOT}/assessments", f"{_ROOT}/assessmentMetadata"
        at_subscription = "/subscriptions/{subscription}" + metadata
        versions = (_VERSION,)
        read, read_metadata = "Microsoft.Security/assessments/read", "Microsoft.Security/assessmentMetadata/read"
        return [
            Route("GET", assessments, self._list, versions, action=read),
            Route("GET", assessments + "/{name}", self._get, versions, action=read),
            Route("GET", metadata, self._list_metadata, versions),
            Route("GET", metadata + "/{name}", self._get_metadata, versions),
            Route("GET", at_subscription, self._list_metadata, versions, action=read_metadata),
            Route("GET", at_subscription + "/{name}", self._get_metadata, versions, action=read_metadata),
        ]

    def _list(self, call: Call) -> Reply:
        scope = f"/{call.params['scope']}/".lower()
        rows = [row for row in self.ledger.rows if f"{row.resource_id}/".lower().startswith(scope)]
        start = _offset(call.query.get("$skipToken"))
        end = start + self._page_size
        page: Json = {"value": [_body(row) for row in rows[start:end]]}
        if end < len(rows):
            page["nextLink"] = _next_link(call, end)
        return Reply(body=page)

    def _get(self, call: Call) -> Reply:
        expand = call.query.get("$expand")
        if expand is not None and expand not in _EXPANSIONS:
            raise Problem(400, "InvalidParameter", f"$expand is '{expand}'; it must be 'metadata' or 'links'.")
        resource_id, name = f"/{call.params['scope']}", call.params["name"]
        row = self.ledger.find(resource_id, name)
        if row is None:
            raise Problem(404, "ResourceNotFound", f"Assessment '{name}' was not found on resource '{resource_id}'.")
        return Reply(body=_body(row, expand=expand))

    def _list_metadata(self, call: Call) -> Reply:
        return Reply(body={"value": [_metadata_body(definition, call) for definition in self.ledger.definitions]})

    def _get_metadata(self, call: Call) -> Reply:
        for definition in self.ledger.definitions:
            if definition.key == call.params["name"].lower():
                return Reply(body=_metadata_body(definition, call))
        raise Problem(404, "ResourceNotFound", f"Assessment metadata '{call.params['name']}' was not found.")


def _body(row: Assessment, *, expand: str | None = None) -> Json:
    properties: Json = {
        "resourceDetails": {"source": "Azure", "id": row.resource_id},
        "displayName": row.definition.display_name,
        "status": {
            "code": row.code,
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


def _next_link(call: Call, offset: int) -> str:
    token = base64.urlsafe_b64encode(str(offset).encode()).decode()
    query = urlencode({"api-version": _VERSION, "$skipToken": token}, safe="$")
    return f"{call.base_url}{call.path}?{query}"


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "InvalidSkipToken", "The $skipToken is not one that this list has given out.") from error
