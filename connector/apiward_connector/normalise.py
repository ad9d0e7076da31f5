"""A raw assessment into a finding. Pure: no I/O, no time."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from apiward_connector.assessment import ABSENT, Assessment, read
from apiward_connector.columns import Describer, References
from apiward_connector.finding import Finding, Gone, Kind, Unreadable
from apiward_connector.kinds import Kinds
from apiward_connector.place import ASSESSMENTS, Place, assessed, place_of
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.rest import as_moments, text
from apiward_core.catalogue import Catalogue
from apiward_core.errors import RejectedDataError

_OF_SERVICE = "/providers/microsoft.apimanagement/service/"
_NAMED = 200


class Normaliser:
    """Reads the assessments of one subscription with what else is known of it, the catalogue and its tenant.

    `portal` is the address of the cloud's portal, without a trailing slash.
    """

    def __init__(self, *, reference: References, catalogue: Catalogue, tenant_id: str, portal: str) -> None:
        self._kinds = Kinds(metadata=reference.metadata, catalogue=catalogue)
        self._describer = Describer(reference=reference, tenant_id=tenant_id, portal=portal)
        self._latest: tuple[str, Place] | None = None  # the assessments of one resource mostly come one after another

    def finding(self, raw: Any) -> Finding | Unreadable | None:
        """The finding in `raw`, None when it is not about APIs. Raises nothing for any JSON value.

        It is about APIs when the catalogue knows its key, policy definition or display name, when the assessed resource
        belongs to an API Management service, or when Defender's category or display name says so. Unreadable when that
        holds, or cannot be excluded, and the key or the resource is missing or malformed, or when it holds what cannot
        be written.
        """
        return next(self.findings([raw]), None)

    def findings(self, page: Iterable[Any]) -> Iterator[Finding | Unreadable]:
        """What `finding` says of each item of a page; what is not about APIs is left out."""
        items = [read(raw) for raw in page]
        statuses = [item.properties.status for item in items]
        first_evaluated = as_moments([status.first_evaluation_date for status in statuses]).tolist()
        state_changed = as_moments([status.status_change_date for status in statuses]).tolist()
        for found in map(self._find, items, first_evaluated, state_changed):
            if found is not None:
                yield found

    def _find(self, item: Assessment, first_evaluated: int, state_changed: int) -> Finding | Unreadable | None:
        properties, key = item.properties, item.name.strip() or _key_in(item.id)
        kind, about_apis = self._kinds.judge(key, properties.display_name or "", properties.metadata)
        if not (key and about_apis):
            spellings = [resource for each in _spellings(item) if (resource := assessed(each or ""))]
            if not (key or spellings):
                return Unreadable("an item without id and name", "Nothing tells which assessment it is.")
            if not (about_apis or _is_of_a_service(spellings)):
                return None
            if not key:
                return _unreadable(item.id.strip(), "It has no assessment key.")
        try:
            finding = self._describe(kind, item, first_evaluated, state_changed)
        except (RejectedDataError, UnicodeEncodeError, orjson.JSONEncodeError) as error:
            return _unreadable(item.id.strip() or kind.key, str(error))
        self._kinds.meet(kind)
        return finding

    def gone(self, gone: Gone, *, cause: str) -> Finding:
        """The finding that is absent, as its last row describes it: `cause` says why it has gone."""
        place = place_of(gone.resource_id)
        return self._describer.finding(
            gone.kind,
            place.within(place.apim_service or gone.apim_service, place.api or gone.api),
            self._describer.standing(gone.state, cause, "", gone.location, ""),
            gone.first_evaluated,
            gone.state_changed,
            {},
        )

    def _describe(self, kind: Kind, item: Assessment, first_evaluated: int, state_changed: int) -> Finding:
        properties, status = item.properties, item.properties.status
        if not status.code or not status.code.strip():
            raise RejectedDataError("It has no status.", remedy="Read it again later.")
        additional_data = _object(properties.additional_data)
        return self._describer.finding(
            kind,
            self._place(item).named_by(additional_data),
            self._describer.standing(
                status.code or "",
                status.cause or "",
                status.description or "",
                item.location or "",
                "" if properties.risk is ABSENT else text(properties.risk, "level"),
            ),
            first_evaluated,
            state_changed,
            additional_data,
        )

    def _place(self, item: Assessment) -> Place:
        """The place of the assessed resource. Raises RejectedDataError when none of its ids can be read."""
        refused: RejectedDataError | None = None
        for spelled in _spellings(item):
            if spelled:
                if self._latest and self._latest[0] == spelled:
                    return self._latest[1]
                try:
                    place = place_of(spelled.strip())
                except RejectedDataError as error:
                    refused = error
                else:
                    self._latest = spelled, place
                    return place
        raise refused or RejectedDataError(
            "It does not say which resource was assessed.", remedy="Read it again later."
        )

    @property
    def types(self) -> tuple[RecommendationType, ...]:
        """The types of the findings so far, in the order of their keys."""
        return self._kinds.types


def _key_in(assessment_id: str) -> str:
    after = assessment_id.strip().lower().partition(ASSESSMENTS)[2]
    return after[1:].partition("/")[0] if after.startswith("/") else ""


def _spellings(item: Assessment) -> tuple[str | None, str | None, str]:
    """The ids of the assessed resource, best first. Each may be that of an assessment of it."""
    return (*item.properties.resource_details.ids, item.id)


def _is_of_a_service(spellings: Iterable[str]) -> bool:
    return any(_OF_SERVICE in f"/{spelled}" for spelled in spellings)


def _object(value: Any) -> Mapping[str, Any]:
    if value is None or value is ABSENT:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _unreadable(what: str, why: str) -> Unreadable:
    """Named by no more of its id than a row can hold."""
    return Unreadable(what[:_NAMED].encode(errors="replace").decode(), why.encode(errors="replace").decode())
