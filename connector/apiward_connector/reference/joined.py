"""What is known of the assessments of one subscription besides themselves."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from apiward_connector.place import Place
from apiward_connector.reference.inventory import Exposure, Inventory
from apiward_connector.report import Gap
from apiward_connector.rows import Row
from apiward_connector.sources.exemptions import Exemption
from apiward_connector.sources.governance import Assignment
from apiward_connector.sources.metadata import AssessmentMetadata

Metadata = Mapping[str, AssessmentMetadata]


@dataclass(frozen=True, slots=True)
class Governance:
    """Who has to clear a finding, and by when, as an ISO 8601 time; None and "" where nobody was told to.

    With `grace_period` the finding does not count in the secure score before.
    """

    owner: str = ""
    due: str = ""
    grace_period: bool | None = None


UNGOVERNED = Governance()
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class LateMetadata(Metadata):
    """Metadata by assessment key that may be older than a key: the first one that it lacks makes it look again, once.

    `look` gives what there is now, and reports itself when that cannot be read: it gives None then.
    """

    def __init__(self, known: Metadata, look: Callable[[], Metadata | None]) -> None:
        self._known = known
        self._look: Callable[[], Metadata | None] | None = look

    def __getitem__(self, key: str) -> AssessmentMetadata:
        if key not in self._known and self._look is not None:
            look, self._look = self._look, None
            self._known = look() or self._known
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class GovernanceIndex:
    """Governance by assessment. Of several assignments of one, that which is due first counts."""

    def __init__(self, assignments: Iterable[Assignment] = ()) -> None:
        self._by_key: dict[str, dict[str, Governance]] = {}
        shared: dict[Governance, Governance] = {}
        for item in assignments:
            governance = Governance(item.owner, item.due, item.grace_period)
            of_key = self._by_key.setdefault(item.key, {})
            first = min(of_key.get(item.resource_id, governance), governance, key=_urgency)
            of_key[item.resource_id] = shared.setdefault(first, first)

    def has(self, key: str) -> bool:
        """Whether an assessment with this key, in lower case, is governed anywhere."""
        return key in self._by_key

    def of(self, resource_id: str, key: str) -> Governance:
        """The governance of the assessment `key` of a resource; both are in lower case."""
        return self._by_key.get(key, {}).get(resource_id, UNGOVERNED)


class ExemptionIndex:
    """Exemptions by policy and scope. Of several, that which ends last counts, and one without an end never ends."""

    def __init__(self, exemptions: Iterable[Exemption] = ()) -> None:
        self._ends: dict[str, dict[str, str]] = {}
        for item in exemptions:
            ends = self._ends.setdefault(item.definition_id, {})
            ends[item.scope] = _last([item.until, ends.get(item.scope, item.until)])

    def __len__(self) -> int:
        return len(self._ends)

    def has(self, definition_id: str) -> bool:
        """Whether anything is exempt from the policy; its id is in lower case."""
        return definition_id in self._ends

    def until(self, resource_id: str, definition_id: str) -> str:
        """When the exemption of a resource from a policy ends, "" when it has none or no end; ids are in lower case."""
        ends = self._ends.get(definition_id)
        return _last([ends[scope] for scope in _scopes(resource_id) if scope in ends]) if ends else ""


class Reference:
    """What is known besides the assessments. Ids and keys that are asked for are in lower case.

    `inventory_day` is the UTC day of the inventory in it, that of its older half; "" when none was ever read. It is
    marked while one half was never read. `digest` stands for all of it, and is "" while something was never read.
    """

    def __init__(
        self,
        *,
        metadata: Metadata = MappingProxyType({}),
        inventory: Inventory | None = None,
        governance: GovernanceIndex | None = None,
        exemptions: ExemptionIndex | None = None,
        tags: Mapping[str, Mapping[str, str]] | None = None,
        inventory_day: str = "",
        digest: str = "",
        late_gaps: Sequence[Gap] = (),
    ) -> None:
        self.metadata = metadata
        self.inventory_day = inventory_day
        self.digest = digest
        self._late_gaps = late_gaps
        self._inventory = inventory or Inventory()
        self._governance = governance or GovernanceIndex()
        self._exemptions = exemptions or ExemptionIndex()
        self._tags = tags or {}

    @property
    def late_gaps(self) -> tuple[Gap, ...]:
        """What could not be read since, when a key was met that the metadata lacked."""
        return tuple(self._late_gaps)

    def exposure(self, place: Place) -> Exposure:
        """What the inventory says of the operation at `place`, or of the API where the place is one."""
        return self._inventory.exposure(place)

    def concerns(self, key: str) -> bool:
        """Whether governance or an exemption of any assessment with this key is known."""
        return self._governance.has(key) or self._exemptions.has(self._policy_of(key))

    def governance(self, resource_id: str, key: str) -> Governance:
        """The governance of the assessment `key` of a resource."""
        return self._governance.of(resource_id, key)

    def exempt_until(self, resource_id: str, key: str) -> str:
        """When the exemption of a resource from the policy behind `key` ends, "" when it has none or no end."""
        return self._exemptions.until(resource_id, self._policy_of(key))

    def _policy_of(self, key: str) -> str:
        metadata = self.metadata.get(key) if self._exemptions else None
        return metadata.policy_definition_id.lower() if metadata else ""

    def tags(self, service_id: str) -> Mapping[str, str]:
        """The tags of a top-level resource; none of one that is not known."""
        return self._tags.get(service_id, _NO_TAGS)

    def inventory_rows(self, *, run_id: str, observed: str) -> Iterator[Row]:
        """The rows of DefenderApiInventory_CL, as `Inventory.rows` says."""
        return self._inventory.rows(run_id=run_id, observed=observed)


def _urgency(governance: Governance) -> tuple[bool, str, str, bool]:
    return not governance.due, governance.due, governance.owner, bool(governance.grace_period)


def _last(ends: list[str]) -> str:
    return max(ends) if all(ends) and ends else ""


def _scopes(resource_id: str) -> Iterator[str]:
    """The resource, and everything that its id begins with."""
    while resource_id:
        yield resource_id
        resource_id = resource_id.rpartition("/")[0]
