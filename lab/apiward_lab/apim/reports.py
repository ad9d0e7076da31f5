"""Usage reports: how many calls there were in a period (ApiManagement 2024-05-01, apimreports.json)."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apiward_lab.apim.listing import page
from apiward_lab.apim.problems import validation_error
from apiward_lab.apim.report_filter import ReportFilter, parse_filter
from apiward_lab.clock import VirtualClock
from apiward_lab.estate import Api, ApimService, Operation
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
    "name",
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
    product: str
    calls: int


class ReportHandlers:
    """Reports by API, by operation and by subscription. Whatever had no call in the period has no row."""

    def __init__(self, find_service: Callable[[Call], ApimService], clock: VirtualClock) -> None:
        self._find_service = find_service
        self._clock = clock

    def by_api(self, call: Call) -> Reply:
        """Calls of each API."""
        return self._report(call, lambda _, use: (("name", use.api.properties["displayName"]), _api_id(use)))

    def by_operation(self, call: Call) -> Reply:
        """Calls of each operation."""
        return self._report(
            call,
            lambda _, use: (("name", use.operation.properties["displayName"]), _api_id(use), _operation_id(use)),
        )

    def by_subscription(self, call: Call) -> Reply:
        """Calls with the keys of each subscription; those without a key are in none."""
        return self._report(call, _by_subscription, with_key=True)

    def _report(
        self,
        call: Call,
        group: Callable[[ApimService, _Use], tuple[tuple[str, str], ...]],
        *,
        with_key: bool = False,
    ) -> Reply:
        service, wanted = self._find_service(call), parse_filter(call.query.get("$filter"))
        totals: dict[tuple[tuple[str, str], ...], int] = defaultdict(int)
        for use in self._uses(service, wanted):
            if use.subscription or not with_key:
                totals[group(service, use)] += use.calls
        rows = [{**dict(keys), **_counts(total)} for keys, total in sorted(totals.items())]
        return Reply(body=page(call, _ordered(rows, call.query.get("$orderby"))))

    def _uses(self, service: ApimService, wanted: ReportFilter) -> Iterator[_Use]:
        end = min(wanted.end, self._clock.now())
        for api in service.apis.values():
            for operation in api.operations.values():
                for calls in operation.calls:
                    product = _product(service, calls.subscription)
                    count = calls.between(wanted.start, end)
                    if count and wanted.takes(api.name, operation.name, calls.subscription, product):
                        yield _Use(api, operation, calls.subscription, product, count)


def _by_subscription(service: ApimService, use: _Use) -> tuple[tuple[str, str], ...]:
    entry = service.subscriptions.get(use.subscription)
    return (
        ("name", str(entry.properties.get("displayName", "")) if entry else ""),
        ("userId", "/users/1"),
        ("productId", f"/products/{use.product}" if use.product else ""),
        ("subscriptionId", f"/subscriptions/{use.subscription}"),
    )


def _api_id(use: _Use) -> tuple[str, str]:
    return ("apiId", f"/apis/{use.api.name}")


def _operation_id(use: _Use) -> tuple[str, str]:
    return ("operationId", f"/apis/{use.api.name}/operations/{use.operation.name}")


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
        **_TIMES,
    }


def _ordered(rows: list[Json], order: str | None) -> list[Json]:
    if not order:
        return rows
    field, _, direction = order.strip().partition(" ")
    field = "name" if field == "displayName" else field
    if field not in _SORTABLE or direction.lower() not in {"", "asc", "desc"}:
        raise validation_error("$orderby", f"Cannot order by '{order}'.")
    return sorted(rows, key=lambda row: row[field], reverse=direction.lower() == "desc")
