"""Policy exemptions that apply in one subscription, from Microsoft.Authorization policyExemptions 2022-07-01-preview.

An exemption in Defender for Cloud is one of Azure Policy ("Exempt resources from recommendations"): it names an
assignment, and policies of the assigned initiative by their reference ids.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from apiward_connector.existence import Once
from apiward_connector.finding import Unreadable
from apiward_connector.policies import Initiative, PolicyReader
from apiward_connector.rest import member, moment, text, texts
from apiward_connector.sources.arm_pages import Arm, arm_pages
from apiward_core.clock import Clock, timestamp
from apiward_core.errors import MissingError

_API_VERSION = "2022-07-01-preview"
_PROVIDER = "/providers/Microsoft.Authorization"
_EXEMPTIONS = "/providers/microsoft.authorization/policyexemptions/"
_INITIATIVES = "/policysetdefinitions/"
_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


class Exemption(NamedTuple):
    """That a policy spares what is in `scope` `until` then; ids are in lower case, `until` is "" when it has no end.

    The scope of an exemption at a management group is the subscription for which it was read.
    """

    scope: str
    definition_id: str
    until: str


class ExemptionsSource:
    """Reads the exemptions that have not ended: at the subscription, at the management groups above it and in it."""

    def __init__(self, arm: Arm, *, policies: PolicyReader, clock: Clock) -> None:
        self._arm = arm
        self._policies = policies
        self._clock = clock

    def read(self, subscription_id: str) -> Iterator[Exemption | Unreadable]:
        """The exemptions, one for each policy that is exempted, and why one that is listed is none.

        Raises the errors of `apiward_core.errors`.
        """
        now = timestamp(self._clock.now())
        path = f"/subscriptions/{subscription_id}{_PROVIDER}/policyExemptions"
        listed = [raw for page in arm_pages(self._arm, path, api_version=_API_VERSION) for raw in page]
        assigned = _Assigned(self._policies, subscription_id) if listed else None
        for raw in listed:
            match _listed(raw, subscription_id):
                case _Listed() as found if assigned and (not found.until or found.until > now):
                    yield from _exemptions(found, assigned)
                case Unreadable() as unreadable:
                    yield unreadable


@dataclass(frozen=True, slots=True)
class _Listed:
    id: str
    scope: str
    assignment_id: str
    reference_ids: frozenset[str]
    until: str


def _listed(raw: Any, subscription_id: str) -> _Listed | Unreadable:
    exemption_id, properties = text(raw, "id").lower(), member(raw, "properties")
    scope, found, _ = exemption_id.rpartition(_EXEMPTIONS)
    if not (found and scope):
        return Unreadable(exemption_id or "a policy exemption without id", "Its id does not say what it exempts.")
    until = moment(properties, "expiresOn")
    if text(properties, "expiresOn") and not until:
        return Unreadable(exemption_id, "Its expiresOn is no time.")
    return _Listed(
        id=exemption_id,
        scope=f"/subscriptions/{subscription_id}" if scope.startswith(_MANAGEMENT_GROUP) else scope,
        assignment_id=text(properties, "policyAssignmentId").lower(),
        reference_ids=frozenset(name.lower() for name in texts(properties, "policyDefinitionReferenceIds")),
        until=until,
    )


def _exemptions(found: _Listed, assigned: "_Assigned") -> Iterable[Exemption | Unreadable]:
    try:
        definitions = assigned.definitions(found.assignment_id, found.reference_ids)
    except MissingError as error:
        return [Unreadable(found.id, str(error))]
    return [Exemption(found.scope, definition, found.until) for definition in definitions]


class _Assigned:
    """What is assigned in a subscription, each initiative read once."""

    def __init__(self, policies: PolicyReader, subscription_id: str) -> None:
        self._definitions = {item.id.lower(): item.definition_id for item in policies.assignments(subscription_id)}
        self._initiatives = Once[str, Initiative](lambda name: policies.initiative(name, subscription_id))

    def definitions(self, assignment_id: str, reference_ids: frozenset[str]) -> list[str]:
        """The assigned policies with these reference ids, all of them without any; none of what is not assigned."""
        assigned = self._definitions.get(assignment_id, "")
        if _INITIATIVES not in assigned:
            return [assigned] if assigned else []
        references = self._initiatives(assigned).references
        return sorted({item.definition_id for item in references if not reference_ids or item.id in reference_ids})
