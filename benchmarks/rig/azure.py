"""The reading side of the service: Azure Resource Manager and Defender for Cloud, as documented, over an estate."""

import re

from rig.estate import RECOMMENDATIONS, Estate, Pages
from rig.graph import Graph
from rig.quota import Quota
from rig.wire import Answer, Request

_SECURITY = re.compile(r"/subscriptions/([^/]+)/providers/microsoft\.security/(\w+)", re.IGNORECASE)
_GENERATION = "/_bench/generation/"
_ACCOUNT = "/_bench/quota"
_EMPTY: dict[str, object] = {"value": []}
_METADATA = {
    "value": [
        {
            "id": f"/providers/Microsoft.Security/assessmentMetadata/{key}",
            "name": key,
            "type": "Microsoft.Security/assessmentMetadata",
            "properties": {
                "displayName": name,
                "description": f"{name}. What it is about is said here in two or three sentences.",
                "remediationDescription": "1. Open the resource. 2. Change the setting. 3. Wait for the next look.",
                "categories": ["AppServices"],
                "severity": severity,
                "userImpact": "Low",
                "implementationEffort": "Moderate",
                "threats": ["DataExfiltration", "AccountBreach"],
                "assessmentType": "BuiltIn",
            },
        }
        for (key, name), severity in zip(RECOMMENDATIONS, ("High", "Low"), strict=True)
    ]
}
_PRICINGS = {"value": [{"name": "Api", "properties": {"pricingTier": "Standard", "subPlan": "P1"}}]}


class Azure:
    """Lists the assessments of the estate, their metadata and the plans; every other list is empty."""

    def __init__(self, estate: Estate, *, url: str) -> None:
        self._estate = estate
        self._url = url
        self._quota = Quota()
        self._set_generation(0)

    def answer(self, request: Request) -> Answer | None:
        """The answer to one request; None when it is for none of these services."""
        if request.path.startswith(_GENERATION):
            self._set_generation(int(request.path.removeprefix(_GENERATION)))
            return Answer.of({})
        if request.path == _ACCOUNT:
            return Answer.of(self._quota.account())
        if request.path == "/metadata/endpoints":
            return Answer.of(self._endpoints())
        if request.path.lower() == "/providers/microsoft.resourcegraph/resources":
            return self._graph.answer(request.body)
        if about := _SECURITY.fullmatch(request.path):
            return self._defender(about[1], about[2].lower(), request)
        return Answer.of(_EMPTY) if request.path.startswith(("/subscriptions/", "/providers/")) else None

    def _set_generation(self, generation: int) -> None:
        self._pages = Pages(self._estate, generation=generation)
        self._graph = Graph(self._estate, quota=self._quota, generation=generation)

    def _defender(self, subscription_id: str, kind: str, request: Request) -> Answer:
        if kind == "assessments":
            return self._assessments(subscription_id, int(request.query.get("$skiptoken", "0")))
        return Answer.of({"assessmentmetadata": _METADATA, "pricings": _PRICINGS}.get(kind, _EMPTY))

    def _assessments(self, subscription_id: str, page: int) -> Answer:
        more = page + 1 < self._estate.pages_each
        link = f"{self._url}/subscriptions/{subscription_id}/providers/Microsoft.Security/assessments"
        next_link = f',"nextLink":"{link}?api-version=2021-06-01&$skiptoken={page + 1}"' if more else ""
        items = self._pages.items(subscription_id, page)
        return Answer.json(b'{"value":[', items, f"]{next_link}}}".encode())

    def _endpoints(self) -> dict[str, object]:
        return {
            "name": "Benchmark",
            "portal": self._url,
            "authentication": {"loginEndpoint": self._url, "audiences": [self._url]},
            "logAnalyticsResourceId": self._url,
            "resourceManager": self._url,
            "suffixes": {},
        }
