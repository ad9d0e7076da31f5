"""Usage reports: how many calls there were in a period (ApiManagement 2024-05-01, apimreports.json)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from apiward_lab.apim.listing import page
from apiward_lab.apim.problems import validation_error
from apiward_lab.apim.report_filter import ReportFilter, parse_filter
from apiward_lab.clock import VirtualClock
from apiward_lab.estate import Api, ApimService, Entity, Operation
from apiward_lab.web import Call, Json, Reply

_BYTES_A_CALL = 1_900
_ONE_FAILS_OF = 250
_TIMES = {
    "apiTimeAvg": 61.4,
    "apiTimeMin": 12.9,
    "apiTimeMax": 842.7,
    "serviceTimeAvg": 48.2,
    "serviceTimeMin": 9.3,
    "serviceTimeMax": 811.5,
}
_SORTABLE = (
    "displayName",
    "callCountSuccess",
    "callCountBlocked",
    "callCountFailed",
    "callCountOther",
    "callCountTotal",
    "bandwidth",
    "apiTimeAvg",
)


@dataclass(frozen=True)
class _Use:
    """The calls to one operation with the key of one subscription, "" without a key."""

    api: Api
    operation: Operation
    subscription: str
    calls: int


Key = tuple[tuple[str, str], ...]
"""What a row is about: field and value of everything in it that is no figure."""


class ReportHandlers:
    """Reports by API, by operation and by subscription.

    As in the document's examples, whatever exists has a row; without calls in the period its figures are zero.
    """

    def __init__(self, find_service: Callable[[Call], ApimService], clock: VirtualClock) -> None:
        self._find_service = find_service
        self._clock = clock

    def by_api(self, call: Call) -> Reply:
        """Calls of each API. The document names no fields of the filter; these are the service's own."""
        service, wanted = self._asked(call, ("apiId", "productId", "subscriptionId"))
        rows = Counter({_api_key(api): 0 for api in _current(service) if wanted.takes(api=api.name)})
        for use in self._uses(service, wanted):
            rows[_api_key(use.api)] += use.calls
        return _report(call, rows)

    def by_operation(self, call: Call) -> Reply:
        """Calls of each operation."""
        service, wanted = self._asked(call, ("apiId", "operationId", "productId", "subscriptionId"))
        rows = Counter(
            {
                _operation_key(api, operation): 0
                for api in _current(service)
                for operation in api.operations.values()
                if wanted.takes(api=api.name, operation=operation.name)
            }
        )
        for use in self._uses(service, wanted):
            rows[_operation_key(use.api, use.operation)] += use.calls
        return _report(call, rows)

    def by_subscription(self, call: Call) -> Reply:
        """Calls with the keys of each subscription; those without a key are in none."""
        service, wanted = self._asked(call, ("productId", "subscriptionId"))
        keys = {name: _subscription_key(service, entry) for name, entry in service.subscriptions.items()}
        rows = Counter(
            {keys[name]: 0 for name in keys if wanted.takes(subscription=name, product=_product(service, name))}
        )
        for use in self._uses(service, wanted):
            if use.subscription in keys:
                rows[keys[use.subscription]] += use.calls
        return _report(call, rows)

    def _asked(self, call: Call, fields: Collection[str]) -> tuple[ApimService, ReportFilter]:
        return self._find_service(call), parse_filter(call.query.get("$filter"), fields)

    def _uses(self, service: ApimService, wanted: ReportFilter) -> Iterator[_Use]:
        end = min(wanted.end, self._clock.now())
        for api in service.apis.values():
            for operation in api.operations.values():
                for calls in operation.calls:
                    names = {"api": api.name, "operation": operation.name, "subscription": calls.subscription}
                    if wanted.takes(**names, product=_product(service, calls.subscription)):
                        yield _Use(api, operation, calls.subscription, calls.between(wanted.start, end))


def _current(service: ApimService) -> Iterator[Api]:
    """The APIs of a service, each once however many revisions it has."""
    return (api for api in service.apis.values() if api.is_current)


def _api_key(api: Api) -> Key:
    return (("name", api.properties["displayName"]), ("apiId", f"/apis/{api.name}"))


def _operation_key(api: Api, operation: Operation) -> Key:
    return (
        ("name", operation.properties["displayName"]),
        ("apiId", f"/apis/{api.name}"),
        ("operationId", f"/apis/{api.name}/operations/{operation.name}"),
    )


def _subscription_key(service: ApimService, entry: Entity) -> Key:
    product = _product(service, entry.name)
    return (
        ("name", str(entry.properties.get("displayName", ""))),
        ("userId", "/users/1"),
        ("productId", f"/products/{product}" if product else ""),
        ("subscriptionId", f"/subscriptions/{entry.name}"),
    )


def _product(service: ApimService, subscription: str) -> str:
    """The product that is the scope of a subscription, "" when it is none."""
    entry = service.subscriptions.get(subscription)
    _, found, name = str(entry.properties["scope"]).partition("/products/") if entry else ("", "", "")
    return name if found else ""


def _counts(total: int) -> Json:
    failed = total // _ONE_FAILS_OF
    return {
        "callCountSuccess": total - failed,
        "callCountBlocked": 0,
        "callCountFailed": failed,
        "callCountOther": 0,
        "callCountTotal": total,
        "bandwidth": total * _BYTES_A_CALL,
        "cacheHitCount": 0,
        "cacheMissCount": 0,
        **(_TIMES if total else dict.fromkeys(_TIMES, 0)),
    }


def _report(call: Call, calls: Counter[Key]) -> Reply:
    rows = [{**dict(key), **_counts(total)} for key, total in sorted(calls.items())]
    return Reply(body=page(call, _ordered(rows, call.query.get("$orderby"))))


def _ordered(rows: list[Json], order: str | None) -> list[Json]:
    if not order:
        return rows
    field, _, direction = order.strip().partition(" ")
    if field not in _SORTABLE or direction.lower() not in {"", "asc", "desc"}:
        raise validation_error("$orderby", f"Cannot order by '{order}'.")
    shown = "name" if field == "displayName" else field
    return sorted(rows, key=lambda row: row[shown], reverse=direction.lower() == "desc")
