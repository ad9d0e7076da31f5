"""What findings say, as the columns of their rows."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
import orjson
from msgspec.structs import astuple

from apiward_connector.finding import (
    HEALTHY,
    NOT_APPLICABLE,
    UNHEALTHY,
    Findings,
    Kind,
    Located,
    Part,
    Statement,
    content_digests,
    distinct,
    finding_ids,
    owner_of_findings,
)
from apiward_connector.id_index import U64
from apiward_connector.memo import Memo, length_of_all
from apiward_connector.moments import Moments
from apiward_connector.place import Place, Site
from apiward_connector.sources.metadata import AssessmentMetadata

_REMEMBERED = 1024
_DIGEST = 16
_TIMES = 16  # bytes of two moments
_PLACE = b'"OperationName":%b,"ResourceId":%b,"ResourceName":%b,%b'
_STATES = {state.lower(): state for state in (HEALTHY, UNHEALTHY, NOT_APPLICABLE)}


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

    def concerns(self, key: str) -> bool:
        """Whether governance or an exemption of any assessment with this key is known."""
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


class Describer:
    """Joins what is known of findings.

    Most of a row stands in many others alike: such parts are written once, and so is their digest, which stands for
    them in that of the finding. `portal` is the address of the cloud's portal, without a trailing slash.
    """

    def __init__(self, *, reference: References, tenant_id: str, portal: str) -> None:
        self._reference = reference
        self._tenant_id = tenant_id
        self._tenant = tenant_id.lower()
        self._page = f"{portal}/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
        self._kinds = Memo(self._kind_part, size=_REMEMBERED, weigh=_length)
        self._sites = Memo(self._site_part, size=_REMEMBERED, weigh=_length)
        self._latest: tuple[Site, Exposure, Part] | None = None

    def statement(
        self, kind: Kind, *, code: str, cause: str, description: str, location: str, risk_level: str
    ) -> Statement:
        """What a source says of an assessment; raises UnicodeEncodeError for what is no text."""
        state, location = _STATES.get(code.lower(), code), location.lower()
        columns = {
            "State": state,
            "StateCause": cause,
            "StateDescription": description,
            "Location": location,
            "Exempt": cause.lower() == "exempt",
        }
        part = _together(self._kinds[kind], _part(columns, passing={"RiskLevel": risk_level}))
        return Statement(kind, state, risk_level, location, part.columns, part.digest)

    def locate(self, place: Place) -> Located:
        """What is known of a place; raises UnicodeEncodeError for what is no text."""
        around = self._around(place)
        own = (place.operation, place.resource_id, place.resource_name)
        owner = owner_of_findings(tenant_id=self._tenant, resource_id=place.resource_id)
        return Located(place, owner, _PLACE % (*map(orjson.dumps, own), around.columns), around.digest)

    def findings(
        self,
        statements: Sequence[Statement],
        located: Sequence[Located],
        times: tuple[Moments, Moments],
        additional_data: Sequence[bytes],
        fingerprints: U64,
    ) -> Findings:
        """Findings by their columns; `times` are those of the first evaluation and of the latest change."""
        keys = {id(each): each.kind.key.encode() for each in distinct(statements)}
        governed = self._govern(statements, located)
        both = np.stack(times, axis=1).astype(">i8").tobytes()
        contents = [
            b"".join((statement.digest, here.digest, known.digest, both[at : at + _TIMES], data))
            for statement, here, known, at, data in zip(
                statements, located, governed, range(0, len(both), _TIMES), additional_data, strict=True
            )
        ]
        return Findings(
            finding_ids([here.owner for here in located], [keys[id(each)] for each in statements]),
            statements,
            located,
            *times,
            content_digests(contents),
            governed,
            additional_data,
            fingerprints,
        )

    def _govern(self, statements: Sequence[Statement], located: Sequence[Located]) -> list[Part]:
        known = {id(each) for each in distinct(statements) if self._reference.concerns(each.kind.key)}
        if not known:
            return [_UNGOVERNED] * len(statements)
        return [
            self._governance(statement.kind.key, here.place.resource_id) if id(statement) in known else _UNGOVERNED
            for statement, here in zip(statements, located, strict=True)
        ]

    def _governance(self, key: str, resource_id: str) -> Part:
        governance = self._reference.governance(resource_id, key)
        exempt_until = self._reference.exempt_until(resource_id, key)
        return _governed(governance.owner, governance.due, governance.grace_period, exempt_until)

    def _around(self, place: Place) -> Part:
        """What is known of a place besides itself; for most places it is what was known of the one before."""
        site, exposure, latest = place.site, self._reference.exposure(place), self._latest
        if latest and latest[0] is site and latest[1] is exposure:
            return latest[2]
        part = _together(self._sites[site], _exposed(exposure))
        self._latest = site, exposure, part
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


def _exposed(exposure: Exposure) -> Part:
    columns = {
        "HttpMethod": exposure.http_method,
        "UrlTemplate": exposure.url_template,
        "IsExternal": exposure.is_external,
        "IsAuthenticated": exposure.is_authenticated,
        "HasSensitiveData": exposure.has_sensitive_data,
    }
    return _part(columns, passing={"LastTraffic": exposure.last_traffic or None})


def _governed(owner: str, due: str, grace_period: bool | None, exempt_until: str) -> Part:
    return _part(
        {"Owner": owner, "DueDate": due or None, "GracePeriod": grace_period, "ExemptUntil": exempt_until or None}
    )


def _together(*parts: Part) -> Part:
    """Several parts as one."""
    return Part(b",".join(part.columns for part in parts), b"".join(part.digest for part in parts))


def _part(columns: Mapping[str, Any], *, passing: Mapping[str, Any] = MappingProxyType({})) -> Part:
    """A part of rows; what is `passing` makes no finding Changed."""
    return Part(_members({**columns, **passing}), sha256(_members(columns)).digest()[:_DIGEST])


def _members(columns: Mapping[str, Any]) -> bytes:
    """The members of a JSON object, without its braces and in the order of their names."""
    return orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)[1:-1]


def _length(shared: Site | Kind) -> int:
    return length_of_all(astuple(shared))


_UNGOVERNED = _governed("", "", None, "")
