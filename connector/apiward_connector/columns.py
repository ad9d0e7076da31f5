"""What a finding says, as the columns of its row."""

import struct
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote

import orjson
from msgspec import Struct
from msgspec.structs import astuple

from apiward_connector.finding import (
    HEALTHY,
    NOT_APPLICABLE,
    UNHEALTHY,
    Finding,
    Kind,
    content_digest,
    finding_id,
    owner_of_findings,
)
from apiward_connector.memo import Memo, length_of_all
from apiward_connector.place import Place, Site
from apiward_connector.sources.metadata import AssessmentMetadata

_REMEMBERED = 1024
_DIGEST = 16
_STATES = {state.lower(): state for state in (HEALTHY, UNHEALTHY, NOT_APPLICABLE)}
_times = struct.Struct(">qq").pack


class Exposure(Protocol):
    """What the API inventory says of a place; None and "" where it is silent."""

    @property
    def is_external(self) -> bool | None: ...
    @property
    def is_authenticated(self) -> bool | None: ...
    @property
    def has_sensitive_data(self) -> bool | None: ...
    @property
    def last_traffic(self) -> str: ...
    @property
    def http_method(self) -> str: ...
    @property
    def url_template(self) -> str: ...


class Governance(Protocol):
    """Who has to clear a finding by when; None and "" where nobody was told to."""

    @property
    def owner(self) -> str: ...
    @property
    def due(self) -> str: ...
    @property
    def grace_period(self) -> bool | None: ...


class References(Protocol):
    """What else is known of the resources of a subscription and of its assessments."""

    @property
    def metadata(self) -> Mapping[str, AssessmentMetadata]:
        """By assessment key in lower case."""
        ...

    def exposure(self, place: Place) -> Exposure:
        """What the inventory says of the operation, else of the API, at `place`."""
        ...

    def governance(self, resource_id: str, key: str) -> Governance:
        """The governance of the assessment of a resource."""
        ...

    def exempt_until(self, resource_id: str, key: str) -> str:
        """When the exemption of the assessment ends, "" when it has none or no end."""
        ...

    def tags(self, service_id: str) -> Mapping[str, str]:
        """The tags of the top-level resource that hosts the API."""
        ...


class Part(Struct, frozen=True, gc=False):
    """Members that the rows of many findings share; `digest` is of those that make a finding Changed."""

    columns: bytes
    digest: bytes


class Standing(Struct, frozen=True, gc=False):
    """What a source says of one assessment and of many others alike; "" where it is silent."""

    state: str
    risk_level: str
    location: str
    part: Part


class _Located(Struct, frozen=True, gc=False):
    """What the findings at one place share."""

    place: Place
    owner: bytes
    exposure: Exposure
    site: Part
    columns: bytes


class _Joined(Struct, frozen=True, gc=False):
    """What else was known of a finding, and how its row says so."""

    exposure: Exposure
    governance: Governance
    exempt_until: str
    part: Part


class Describer:
    """Joins what is known of a finding.

    Most of a row stands in many others alike: such parts are written once, and so is their digest, which stands for
    them in that of the finding. `portal` is the address of the cloud's portal, without a trailing slash.
    """

    def __init__(self, *, reference: References, tenant_id: str, portal: str) -> None:
        self._reference = reference
        self._tenant_id = tenant_id
        self._tenant = tenant_id.lower()
        self._page = f"{portal}/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
        self._kinds = Memo(self._kind_part, size=_REMEMBERED, weigh=_length_of_names)
        self._sites = Memo(self._site_part, size=_REMEMBERED, weigh=_length_of_site)
        self._here: _Located | None = None
        self._joined: _Joined | None = None
        self._standings = Memo(_standing, size=_REMEMBERED, weigh=length_of_all)

    def standing(self, code: str, cause: str, description: str, location: str, risk_level: str) -> Standing:
        """What a source says, as a row has it. Raises UnicodeEncodeError for what is no text."""
        return self._standings[code, cause, description, location, risk_level]

    def finding(
        self,
        kind: Kind,
        place: Place,
        standing: Standing,
        first_evaluated: int,
        state_changed: int,
        additional_data: Mapping[str, Any],
    ) -> Finding:
        """The finding of `kind` at `place`; for times see `moments`.

        Raises UnicodeEncodeError and orjson.JSONEncodeError for what can be written neither as UTF-8 nor as JSON.
        """
        here = self._here if self._here and self._here.place is place else self._locate(place)
        shared, joined, part = self._kinds[kind], self._known(kind, here), standing.part
        data = orjson.dumps(additional_data, option=orjson.OPT_SORT_KEYS)
        times = _times(first_evaluated, state_changed)
        return Finding(
            finding_id(here.owner, kind.key),
            kind,
            place,
            standing.state,
            standing.risk_level,
            first_evaluated,
            state_changed,
            standing.location,
            content_digest(b"".join((shared.digest, here.site.digest, joined.digest, part.digest, times, data))),
            (shared.columns, here.site.columns, here.columns, joined.columns, part.columns),
            data,
        )

    def _locate(self, place: Place) -> _Located:
        """What is known of a place; of several findings of one resource most come one after another."""
        columns = {
            "OperationName": place.operation,
            "ResourceId": place.resource_id,
            "ResourceName": place.resource_name,
        }
        self._here = _Located(
            place,
            owner_of_findings(tenant_id=self._tenant, resource_id=place.resource_id),
            self._reference.exposure(place),
            self._sites[place.site],
            _members(columns),
        )
        return self._here

    def _known(self, kind: Kind, here: _Located) -> Part:
        reference, latest, resource_id = self._reference, self._joined, here.place.resource_id
        governance = reference.governance(resource_id, kind.key)
        exempt_until = reference.exempt_until(resource_id, kind.key)
        if latest and (
            here.exposure is latest.exposure and governance is latest.governance and exempt_until == latest.exempt_until
        ):
            return latest.part  # as after most findings: of most nothing is known
        part = _joined_part(here.exposure, governance, exempt_until)
        self._joined = _Joined(here.exposure, governance, exempt_until, part)
        return part

    def _kind_part(self, kind: Kind) -> Part:
        return _part(
            {
                "RecommendationKey": kind.key,
                "Recommendation": kind.recommendation,
                "RecommendationName": kind.name,
                "Category": kind.category,
                "Severity": kind.severity,
                "PortalLink": f"{self._page}/{quote(kind.key, safe='')}",
            }
        )

    def _site_part(self, site: Site) -> Part:
        return _part(
            {
                "ResourceType": site.resource_type,
                "ResourceGroup": site.resource_group,
                "SubscriptionId": site.subscription_id,
                "AzureTenantId": self._tenant_id,
                "ServiceId": site.service_id,
                "ApimService": site.apim_service,
                "ApiName": site.api,
                "ResourceTags": dict(self._reference.tags(site.service_id)),
            }
        )


def _joined_part(exposure: Exposure, governance: Governance, exempt_until: str) -> Part:
    columns = {
        "HttpMethod": exposure.http_method,
        "UrlTemplate": exposure.url_template,
        "IsExternal": exposure.is_external,
        "IsAuthenticated": exposure.is_authenticated,
        "HasSensitiveData": exposure.has_sensitive_data,
        "Owner": governance.owner,
        "DueDate": governance.due or None,
        "GracePeriod": governance.grace_period,
        "ExemptUntil": exempt_until or None,
    }
    return _part(columns, passing={"LastTraffic": exposure.last_traffic or None})


def _standing(said: tuple[str, ...]) -> Standing:
    code, cause, description, location, risk_level = map(str.strip, said)
    state, location = _STATES.get(code.lower(), code), location.lower()
    columns = {
        "State": state,
        "StateCause": cause,
        "StateDescription": description,
        "Location": location,
        "Exempt": cause.lower() == "exempt",
    }
    return Standing(state, risk_level, location, _part(columns, passing={"RiskLevel": risk_level}))


def _part(columns: Mapping[str, Any], *, passing: Mapping[str, Any] = MappingProxyType({})) -> Part:
    """A part of rows; what is `passing` makes no finding Changed."""
    return Part(_members({**columns, **passing}), sha256(_members(columns)).digest()[:_DIGEST])


def _members(columns: Mapping[str, Any]) -> bytes:
    """The members of a JSON object, without its braces and in the order of their names."""
    return orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)[1:-1]


def _length_of_site(site: Site) -> int:
    return length_of_all(astuple(site))


def _length_of_names(kind: Kind) -> int:
    return length_of_all((kind.key, kind.name, kind.category, kind.severity))
