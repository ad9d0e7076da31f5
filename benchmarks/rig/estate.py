"""An estate of assessments whose pages cost next to nothing to make.

Each assessment is about an operation of an API Management service, two of them about each operation, in the shape of
Microsoft.Security assessments 2021-06-01 and about 1 KB long. Half of the operations have names that somebody wrote,
the others the 24 hexadecimal digits that API Management makes up. Those and all times are random, so that nothing
compresses better than it would on Azure. A page is a template with the random bytes laid over it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

PAGE_ROWS = 1_000
CHANGED_ONE_IN = 100
TENANT_ID = "6d5c1f0e-3b1a-4c52-9f0a-0b7c2f5e9a11"
RECOMMENDATIONS = (
    ("91af2040-7874-4659-abf0-578e1f8d07dc", "API endpoints in Azure API Management should be authenticated"),
    (
        "4e8c00a2-e8bc-42a8-9e12-99584a51ad10",
        "API endpoints that are unused should be disabled and removed from the Azure API Management service",
    ),
)
_APIS = ("orders", "invoices", "customers", "shipments", "products", "payments", "accounts", "contracts")
_VERBS = ("get", "list", "create", "update", "delete")
_OPERATIONS_EACH = 50  # of one API
_PAGE_DIGITS = 5
_GUID_LENGTH = 36
_END = ","  # stands after each assessment, and nowhere else alone


@dataclass(frozen=True, slots=True)
class Estate:
    """Subscriptions with `rows_each` assessments in each of them."""

    rows_each: int
    subscriptions: int

    @classmethod
    def of(cls, rows: int, *, subscriptions: int) -> Self:
        """An estate of as many assessments, or a few less where they cannot be spread evenly."""
        return cls(max(1, rows // subscriptions), subscriptions)

    @property
    def rows(self) -> int:
        """The assessments of all subscriptions."""
        return self.rows_each * self.subscriptions

    @property
    def subscription_ids(self) -> tuple[str, ...]:
        """The subscriptions' ids, in lower case."""
        names = (b"%d" % number for number in range(self.subscriptions))
        return tuple(str(UUID(bytes=hashlib.sha256(name).digest()[:16])) for name in names)

    @property
    def pages_each(self) -> int:
        """The pages of one subscription; the last one may be short."""
        return -(-self.rows_each // PAGE_ROWS)

    @property
    def changed(self) -> int:
        """The assessments that differ between its two generations."""
        whole, rest = divmod(self.rows_each, PAGE_ROWS)
        return self.subscriptions * (whole * PAGE_ROWS // CHANGED_ONE_IN + -(-rest // CHANGED_ONE_IN))


@dataclass(frozen=True, slots=True)
class _Slot:
    """Bytes `start` to `start + width` of a page's variable bytes."""

    start: int
    width: int


_Part = str | _Slot


class _Variables:
    """What differs from page to page: subscription, page number, then digits to the bases 16, 10 and 6."""

    def __init__(self) -> None:
        self._used = {16: 0, 10: 0, 6: 0}
        self._most = {16: 12 * PAGE_ROWS, 10: 18 * PAGE_ROWS, 6: 4 * PAGE_ROWS}
        self._starts = {16: _GUID_LENGTH + _PAGE_DIGITS}
        self._starts[10] = self._starts[16] + self._most[16]
        self._starts[6] = self._starts[10] + self._most[10]
        self.subscription = _Slot(0, _GUID_LENGTH)
        self.page = _Slot(_GUID_LENGTH, _PAGE_DIGITS)

    def digits(self, width: int, *, base: int) -> _Slot:
        """Digits that nothing else uses."""
        start = self._used[base]
        self._used[base] += width
        return _Slot(self._starts[base] + start, width)

    def values(self, subscription_id: str, page: int) -> NDArray[np.uint8]:
        """The bytes of one page, the same whenever they are asked for."""
        fixed = f"{subscription_id}{page:0{_PAGE_DIGITS}}".encode()
        random = np.frombuffer(hashlib.shake_128(fixed).digest(sum(self._most.values())), np.uint8)
        of_16, of_10, of_6 = np.split(random, np.cumsum([self._most[16], self._most[10]]))
        alphabet = np.frombuffer(b"0123456789abcdef", np.uint8)
        digits = (alphabet[of_16 & 15], alphabet[of_10 % 10], alphabet[of_6 % 6])
        return np.concatenate((np.frombuffer(fixed, np.uint8), *digits))


class Pages:
    """Makes the pages of an estate. In generation 1, a little later, one assessment in 100 has been resolved.

    With `graph` they are rows of Resource Graph, whose queries project the properties to the top; else items of
    Defender's list.
    """

    def __init__(self, estate: Estate, *, generation: int = 0, graph: bool = False) -> None:
        self._rows_each = estate.rows_each
        self._graph = graph
        self._variables = _Variables()
        text, targets, sources, self._ends = bytearray(), [], [], [0]
        for part in self._parts(generation):
            if isinstance(part, _Slot):
                targets.append(np.arange(len(text), len(text) + part.width))
                sources.append(np.arange(part.start, part.start + part.width))
                text += bytes(part.width)
            else:
                text += part.encode()
            if part == _END:
                self._ends.append(len(text))
        self._template = np.frombuffer(bytes(text), np.uint8)
        self._targets, self._sources = np.concatenate(targets), np.concatenate(sources)

    def items(self, subscription_id: str, page: int) -> memoryview:
        """The assessments of one page (from 0) as JSON, with commas between them and no brackets."""
        body = self._template.copy()
        body[self._targets] = self._variables.values(subscription_id, page)[self._sources]
        rows = max(0, min(PAGE_ROWS, self._rows_each - page * PAGE_ROWS))
        return body[: max(0, self._ends[rows] - len(","))].data

    def _parts(self, generation: int) -> Iterator[_Part]:
        for operation in range(PAGE_ROWS // len(RECOMMENDATIONS)):
            api = f"{_APIS[operation // _OPERATIONS_EACH % len(_APIS)]}-v{operation // _OPERATIONS_EACH}"
            name = self._operation_name(operation)
            for about, (key, display_name) in enumerate(RECOMMENDATIONS):
                number = operation * len(RECOMMENDATIONS) + about
                changed = generation > 0 and number % CHANGED_ONE_IN == 0
                yield from self._item(api, name, key, display_name, _status(number, changed=changed))

    def _operation_name(self, operation: int) -> _Part:
        if operation // _OPERATIONS_EACH % 2:
            return self._variables.digits(24, base=16)
        return f"{_VERBS[operation % len(_VERBS)]}-{_APIS[operation % len(_APIS)]}-by-{operation % _OPERATIONS_EACH}"

    def _item(self, api: str, operation: _Part, key: str, name: str, status: str) -> Iterator[_Part]:
        service: tuple[_Part, ...] = ("apim-contoso-", self._variables.page)
        resource: tuple[_Part, ...] = (
            *("/subscriptions/", self._variables.subscription, "/resourceGroups/rg-api-platform/providers/"),
            *("Microsoft.ApiManagement/service/", *service, f"/apis/{api}/operations/", operation),
        )
        yield from ('{"type":"Microsoft.Security/assessments","id":"', *resource)
        yield from (f'/providers/Microsoft.Security/assessments/{key}","name":"{key}",', *self._opening())
        yield from (f'"displayName":"{name}","resourceDetails":{{"source":"Azure","id":"', *resource)
        yield from ('"},"status":{', status)
        yield from (',"firstEvaluationDate":"', *self._moment("2026-08"))
        yield from ('","statusChangeDate":"', *self._moment("2026-10"))
        yield from ('"},"additionalData":{"apiCollectionName":"', api, '","operationId":"', operation)
        yield from ('","APIManagementResourceName":"', *service, '"}}' if self._graph else '"}}}', _END)

    def _opening(self) -> tuple[_Part, ...]:
        if self._graph:
            return '"location":"","subscriptionId":"', self._variables.subscription, '",'
        return ('"properties":{',)

    def _moment(self, month: str) -> tuple[_Part, ...]:
        def tens() -> _Slot:
            return self._variables.digits(1, base=10)

        def sixties() -> tuple[_Slot, _Slot]:
            return self._variables.digits(1, base=6), tens()

        fraction = self._variables.digits(7, base=10)
        return (f"{month}-1", tens(), "T1", tens(), ":", *sixties(), ":", *sixties(), ".", fraction, "Z")


def _status(number: int, *, changed: bool) -> str:
    if number % 20 == 1:
        text = "The effective policy for the assessment was evaluated to off"
        return f'"code":"NotApplicable","cause":"OffByPolicy","description":"{text}"'
    return '"code":"Healthy"' if changed or number % 4 else '"code":"Unhealthy"'
