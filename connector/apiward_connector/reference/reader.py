"""Reads the reference data of one subscription: what is kept for a day, and what of it has to be read again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from apiward_connector.finding import Unreadable, digest
from apiward_connector.reference.cache import DailyCache, Kept, Kind
from apiward_connector.reference.inventory import Collection, Endpoint, Inventory
from apiward_connector.reference.joined import ExemptionIndex, GovernanceIndex, LateMetadata, Metadata, Reference
from apiward_connector.report import Gap
from apiward_connector.sources.exemptions import Exemption
from apiward_connector.sources.governance import Assignment
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_connector.sources.tags import Tagged
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import IncompleteError
from apiward_core.objects import ObjectStore

Item_co = TypeVar("Item_co", covariant=True)
Value = TypeVar("Value")


class Source(Protocol[Item_co]):
    """Where one kind of reference data comes from."""

    def read(self, subscription_id: str) -> Iterable[Item_co | Unreadable]:
        """The items of a subscription, and why one is none. Raises the errors of `apiward_core.errors`."""
        ...


class CountedSource(Source[Item_co], Protocol[Item_co]):
    """One that asks only of the subscriptions that have any items, once it is told which ones a run is about."""

    def expect(self, subscriptions: Sequence[str]) -> None:
        """The subscriptions of the run, by their ids in lower case."""
        ...


class ReferenceReader:
    """Reads each kind once a UTC day and keeps it as an object below `subscriptions/{id}/reference/`.

    Used by the holder of the subscription's lease, for several subscriptions at once.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        clock: Clock,
        metadata: Source[tuple[str, AssessmentMetadata]],
        collections: Source[Collection],
        endpoints: CountedSource[Endpoint],
        governance: CountedSource[Assignment],
        exemptions: Source[Exemption],
        tags: CountedSource[Tagged],
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._endpoints = endpoints
        self._counted: tuple[CountedSource[Any], ...] = (endpoints, governance, tags)
        self._metadata = Kind("metadata", "the assessment metadata", metadata.read, _metadata)
        self._collections = Kind("collections", "the API collections", collections.read, _collections)
        self._governance = Kind("governance", "the governance assignments", governance.read, _governance)
        self._exemptions = Kind("exemptions", "the policy exemptions", exemptions.read, _exemptions)
        self._tags = Kind("tags", "the tags", tags.read, _tags)

    def expect(self, subscriptions: Sequence[str]) -> None:
        """Say before the first `read` of a run which subscriptions it is about: saves queries, and is not needed."""
        for source in self._counted:
            source.expect(subscriptions)

    def read(
        self, subscription_id: str, *, renew: Callable[[], None] = lambda: None
    ) -> tuple[Reference, tuple[Gap, ...]]:
        """What is known of a subscription, by its id in lower case, and what could not be read of it today.

        What fails today is taken from the last day on which it did not, and is unknown when there is none. `renew` is
        called now and then meanwhile. Raises the errors of `apiward_core.errors` when there is no metadata at all:
        without it nothing tells which assessments are about APIs.
        """
        started, gaps, late = timestamp(self._clock.now()), list[Gap](), list[Gap]()
        cache = DailyCache(self._objects, self._clock, subscription_id, tell=gaps.append, renew=renew)

        def tell_late(gap: Gap) -> None:
            if gap not in gaps:
                late.append(gap)

        late_cache = DailyCache(self._objects, self._clock, subscription_id, tell=tell_late, renew=renew)
        kept = cache.get(self._metadata)
        is_new = kept.read_at >= started
        collections, endpoints = self._inventory(cache)
        governance, exemptions = cache.find(self._governance), cache.find(self._exemptions)
        tags = cache.find(self._tags)
        reference = Reference(
            metadata=kept.value if is_new else LateMetadata(kept.value, partial(late_cache.renewed, self._metadata)),
            inventory=endpoints.value if endpoints else Inventory(collections.value if collections else ()),
            governance=_value(governance),
            exemptions=_value(exemptions),
            tags=_value(tags),
            inventory_day=_day(collections, endpoints),
            digest=_digest(kept, collections, endpoints, governance, exemptions, tags),
            late_gaps=late,
        )
        return reference, tuple(gaps)

    def _inventory(self, cache: DailyCache) -> tuple[Kept[Sequence[Collection]] | None, Kept[Inventory] | None]:
        collections = cache.find(self._collections)
        known = collections.value if collections else ()
        endpoints = cache.find(
            Kind(
                "endpoints",
                "the API endpoints",
                lambda subscription: _all_of(self._endpoints.read(subscription), known),
                lambda items: Inventory(known, map(Endpoint._make, items)),
            )
        )
        return collections, endpoints


def _all_of(endpoints: Iterable[Endpoint | Unreadable], collections: Sequence[Collection]) -> Iterator[Any]:
    """The endpoints. Raises IncompleteError when none come and collections have some: they may not be read then."""
    are_none = True
    for item in endpoints:
        are_none = False
        yield item
    if are_none and any(collection.endpoints for collection in collections):
        raise IncompleteError(
            "Resource Graph gave no API endpoint, and the API collections have some.",
            remedy="Run again later; if it lasts, check the roles of the identity.",
        )


def _day(*halves: Kept[Any] | None) -> str:
    """The older day, marked while a half is missing: when that is read later in the day, the inventory is another."""
    days = [half.day for half in halves if half]
    return f"{min(days)}, half" if 0 < len(days) < len(halves) else min(days, default="")


def _digest(*parts: Kept[Any] | None) -> str:
    """What stands for all of them, "" while one is missing."""
    digests = [part.digest for part in parts if part]
    return digest("".join(digests).encode()) if len(digests) == len(parts) else ""


def _value(kept: Kept[Value] | None) -> Value | None:
    return kept.value if kept else None


def _metadata(items: Iterator[Any]) -> Metadata:
    return {key: AssessmentMetadata.restored(fields) for key, fields in items}


def _collections(items: Iterator[Any]) -> Sequence[Collection]:
    return tuple(map(Collection._make, items))


def _governance(items: Iterator[Any]) -> GovernanceIndex:
    return GovernanceIndex(map(Assignment._make, items))


def _exemptions(items: Iterator[Any]) -> ExemptionIndex:
    return ExemptionIndex(map(Exemption._make, items))


def _tags(items: Iterator[Any]) -> Mapping[str, Mapping[str, str]]:
    return {str(resource_id): dict(tags) for resource_id, tags in items}
