"""Raw assessments into findings. Pure: no I/O, no time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from msgspec.structs import astuple

from apiward_connector.assessment import ABSENT, Assessment, read_all
from apiward_connector.columns import Describer, References
from apiward_connector.finding import (
    NO_FINGERPRINT,
    Finding,
    Findings,
    Gone,
    Kind,
    Located,
    Statement,
    Unreadable,
    distinct,
)
from apiward_connector.id_index import U64
from apiward_connector.kinds import Kinds
from apiward_connector.memo import Memo, length_of_all
from apiward_connector.place import ASSESSMENTS, Place, assessed, place_of
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.rest import as_moments, text
from apiward_core.catalogue import Catalogue
from apiward_core.errors import RejectedDataError

_OF_SERVICE = "/providers/microsoft.apimanagement/service/"
_NAMED = 200
_REMEMBERED = 4096
_NO_DATA = b"{}"


_Said = tuple[Kind, str | None, str | None, str | None, str | None, str]
"""Kind, status code, cause and description, location, risk level, as a source spells them."""


class Normalised(NamedTuple):
    """What a page of assessments holds, those that are not about APIs left out."""

    findings: Findings
    unreadable: Sequence[Unreadable]


class Normaliser:
    """Reads the assessments of one subscription with what else is known of it, the catalogue and its tenant.

    `portal` is the address of the cloud's portal, without a trailing slash.
    """

    def __init__(self, *, reference: References, catalogue: Catalogue, tenant_id: str, portal: str) -> None:
        self._kinds = Kinds(metadata=reference.metadata, catalogue=catalogue)
        self._describer = Describer(reference=reference, tenant_id=tenant_id, portal=portal)
        self._statements = Memo(self._state, size=_REMEMBERED, weigh=_length)
        self._latest: tuple[str, Located] | None = None  # assessments of one resource mostly come one after another

    def findings(self, page: Sequence[Any], fingerprints: U64 | None = None) -> Normalised:
        """The findings in the items of a page, which may be any JSON values. Raises nothing for any of them.

        `fingerprints` are those of the items, where they have some.

        An assessment is about APIs when the catalogue knows its key, policy definition or display name, when the
        assessed resource belongs to an API Management service, or when Defender's category or display name says so. It
        is unreadable when that holds, or cannot be excluded, and the key or the resource is missing or malformed, or
        when it holds what cannot be written.
        """
        chosen: list[int] = []
        statements: list[Statement] = []
        located: list[Located] = []
        additional_data: list[bytes] = []
        unreadable: list[Unreadable] = []
        items = read_all(page)
        for index, item in enumerate(items):
            try:
                if (statement := self._statement(item)) is None:
                    continue
                data = orjson.dumps(_object(item.properties.additional_data), option=orjson.OPT_SORT_KEYS)
                here = self._locate(item)
            except (RejectedDataError, UnicodeEncodeError, orjson.JSONEncodeError) as error:
                unreadable.append(_unreadable(item, str(error)))
                continue
            chosen.append(index)
            statements.append(statement)
            located.append(here)
            additional_data.append(data)
        self.meet(statement.kind for statement in distinct(statements))
        statuses = [items[index].properties.status for index in chosen]
        times = (
            as_moments([status.first_evaluation_date for status in statuses]),
            as_moments([status.status_change_date for status in statuses]),
        )
        own = np.full(len(chosen), NO_FINGERPRINT, np.uint64) if fingerprints is None else fingerprints[chosen]
        return Normalised(self._describer.findings(statements, located, times, additional_data, own), unreadable)

    def meet(self, kinds: Iterable[Kind]) -> None:
        """Take note of the kinds of findings that are not read again."""
        for kind in kinds:
            self._kinds.meet(kind)

    def gone(self, gone: Gone, *, cause: str) -> Finding:
        """The finding that is absent, as its last row describes it: `cause` says why it has gone."""
        place = place_of(gone.resource_id)
        place = place.within(place.apim_service or gone.apim_service, place.api or gone.api)
        statement = self._describer.statement(
            gone.kind, code=gone.state, cause=cause, description="", location=gone.location, risk_level=""
        )
        times = (np.array([gone.first_evaluated]), np.array([gone.state_changed]))
        here, unmarked = [self._describer.locate(place)], np.array([NO_FINGERPRINT], np.uint64)
        [finding] = self._describer.findings([statement], here, times, [_NO_DATA], unmarked)
        return finding

    def _statement(self, item: Assessment) -> Statement | None:
        """What the source says, None when it is not about APIs. Raises RejectedDataError when that cannot be told."""
        properties, judge = item.properties, self._kinds.judge
        kind, about_apis = judge(item.name, properties.display_name, properties.metadata)
        if not (about_apis and kind.key):
            if not kind.key:
                kind, about_apis = judge(_key_in(item.id), properties.display_name, properties.metadata)
            if not (about_apis or _is_of_a_service(item, key=kind.key)):
                return None
            if not kind.key:
                raise RejectedDataError("It has no assessment key.", remedy="Read it again later.")
        status = properties.status
        risk_level = "" if properties.risk is ABSENT else text(properties.risk, "level")
        return self._statements[kind, status.code, status.cause, status.description, item.location, risk_level]

    def _state(self, said: _Said) -> Statement:
        kind, *texts = said
        code, cause, description, location, risk_level = (each.strip() if each else "" for each in texts)
        if not code:
            raise RejectedDataError("It has no status.", remedy="Read it again later.")
        return self._describer.statement(
            kind, code=code, cause=cause, description=description, location=location, risk_level=risk_level
        )

    def _locate(self, item: Assessment) -> Located:
        """What is known of the assessed resource. Raises RejectedDataError when none of its ids can be read."""
        best = item.properties.resource_details.resource_id
        if self._latest and self._latest[0] == best:
            return self._latest[1]
        spelled, place = _place(item)
        named = place.named_by(_object(item.properties.additional_data))
        here = self._describer.locate(named)
        if named is place and spelled is best:
            self._latest = spelled, here
        return here

    @property
    def types(self) -> tuple[RecommendationType, ...]:
        """The types of the findings so far, in the order of their keys."""
        return self._kinds.types


def _key_in(assessment_id: str) -> str:
    after = assessment_id.strip().lower().partition(ASSESSMENTS)[2]
    return after[1:].partition("/")[0] if after.startswith("/") else ""


def _place(item: Assessment) -> tuple[str, Place]:
    """The best of the ids of what was assessed that can be read, and the place that it names."""
    refused: RejectedDataError | None = None
    for spelled in _spellings(item):
        if spelled:
            try:
                return spelled, place_of(spelled.strip())
            except RejectedDataError as error:
                refused = error
    raise refused or RejectedDataError("It does not say which resource was assessed.", remedy="Read it again later.")


def _is_of_a_service(item: Assessment, *, key: str) -> bool:
    """Whether what was assessed belongs to an API Management service. Raises RejectedDataError when nothing tells."""
    spellings = [resource for each in _spellings(item) if (resource := assessed(each or ""))]
    if not (key or spellings):
        raise RejectedDataError("Nothing tells which assessment it is.", remedy="Read it again later.")
    return any(_OF_SERVICE in f"/{spelled}" for spelled in spellings)


def _spellings(item: Assessment) -> Iterator[str | None]:
    """The ids of the assessed resource, best first. Each may be that of an assessment of it."""
    details = item.properties.resource_details
    yield details.resource_id
    yield details.azure_id
    yield item.id


def _object(value: Any) -> Any:
    if value is None or value is ABSENT:
        return {}
    return value if isinstance(value, dict) else {"value": value}


def _unreadable(item: Assessment, why: str) -> Unreadable:
    """Named by no more of its id than a row can hold."""
    what = item.id.strip() or item.name.strip().lower() or "an item without id and name"
    return Unreadable(what[:_NAMED].encode(errors="replace").decode(), why.encode(errors="replace").decode())


def _length(said: _Said) -> int:
    kind, *texts = said
    return length_of_all((*astuple(kind), *(each or "" for each in texts)))
