"""Whether a resource still exists, asked of Azure Resource Manager."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from azure.core.exceptions import HttpResponseError

from apiward_core.arm_id import ArmId
from apiward_core.errors import ApiwardError, IncompleteError, MissingError, ThrottledError, TransientError
from apiward_core.turns import held

# Functions are not among them: the GET of one answers 404, too, when the host of its site does not run.
_API_VERSIONS = {
    "microsoft.resources/resourcegroups": "2024-07-01",
    "microsoft.apimanagement/service": "2024-05-01",
    "microsoft.apimanagement/service/apis": "2024-05-01",
    "microsoft.apimanagement/service/apis/operations": "2024-05-01",
    "microsoft.apimanagement/service/backends": "2024-05-01",
    "microsoft.apimanagement/service/namedvalues": "2024-05-01",
    "microsoft.apimanagement/service/subscriptions": "2024-05-01",
    "microsoft.web/sites": "2024-04-01",
}
# A 404 may also say that the cloud lacks the type or the api-version, or come from a proxy.
_GONE = {"ResourceNotFound", "ResourceGroupNotFound"}

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Arm(Protocol):
    """Reads resources."""

    def get(self, path: str, *, api_version: str) -> Any:
        """The resource at `path`. Raises the errors of `apiward_core.errors`, MissingError when there is none."""
        ...


class Once(Generic[Key, Answer]):
    """Asks once for each key and gives the same answer, or raises the same error, from then on.

    Several threads may call it: who asks for a key that is being asked for waits, other keys do not.
    """

    def __init__(self, ask: Callable[[Key], Answer]) -> None:
        self._ask = ask
        self._slots: dict[Key, _Slot[Answer]] = {}

    def __call__(self, key: Key) -> Answer:
        slot = self._slots.get(key) or self._slots.setdefault(key, _Slot())  # setdefault is atomic
        with held(slot.lock):
            if not slot.outcome:
                slot.outcome = (self._attempt(key),)
        (outcome,) = slot.outcome
        if isinstance(outcome, _Failure):
            raise outcome.error.with_traceback(None)
        return outcome

    def _attempt(self, key: Key) -> "Answer | _Failure":
        try:
            return self._ask(key)
        except ApiwardError as error:
            return _Failure(error)


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ApiwardError


@dataclass(slots=True)
class _Slot(Generic[Answer]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    outcome: tuple[Answer | _Failure] | tuple[()] = ()


class Existence:
    """Looks resources up for one run, each no more than once and `max_reads` in each subscription.

    It reads from the resource group inwards: a thousand operations of a deleted service cost two reads. Several threads
    may use it.
    """

    def __init__(self, arm: Arm, *, max_reads: int = 500) -> None:
        self._arm = arm
        self._max_reads = max_reads
        self._reads: Counter[str] = Counter()
        self._trouble: dict[str, ApiwardError] = {}
        self._lock = threading.Lock()
        self._exists = Once(self._look)

    def is_gone(self, resource_id: str) -> bool:
        """Whether the resource is proven to be gone: it, or what holds it, is missing in a place that can be read.

        False when it is there, and when its type is one that cannot be looked up. The subscription counts as there.
        Raises the errors of `apiward_core.errors` when nothing is proven, IncompleteError beyond `max_reads`.
        """
        for resource in _lineage(ArmId.parse(resource_id)):
            if resource.type.lower() not in _API_VERSIONS:
                return False
            if not self._exists(resource):
                return True
        return False

    def _look(self, resource: ArmId) -> bool:
        self._take_turn(resource)
        try:
            self._arm.get(resource.text, api_version=_API_VERSIONS[resource.type.lower()])
        except MissingError as error:
            if _code(error) in _GONE:
                return False
            raise
        except (ThrottledError, TransientError) as error:  # the client has tried many times: do not ask on there
            self._trouble[resource.subscription_id] = error
            raise
        return True

    def _take_turn(self, resource: ArmId) -> None:
        subscription = resource.subscription_id
        if (trouble := self._trouble.get(subscription)) is not None:
            raise trouble.with_traceback(None)
        with self._lock:
            allowed = self._reads[subscription] < self._max_reads
            self._reads[subscription] += allowed
        if not allowed:
            raise IncompleteError(
                f"{resource} was not looked up: {self._max_reads} resources of its subscription were, in this run.",
                remedy="See in the portal whether it still exists.",
            )


def _lineage(resource: ArmId) -> Iterator[ArmId]:
    """The resource group, the top-level resource, what is in it, and so on down to `resource`."""
    text = f"/subscriptions/{resource.subscription_id}"
    if resource.resource_group:
        text += f"/resourceGroups/{resource.resource_group}"
        yield ArmId.parse(text)
    for namespace, pairs in resource.providers:
        text += f"/providers/{namespace}"
        for kind, name in pairs:
            text += f"/{kind}/{name}"
            yield ArmId.parse(text)


def _code(error: MissingError) -> str:
    cause = error.__cause__
    return (cause.error.code or "") if isinstance(cause, HttpResponseError) and cause.error else ""
