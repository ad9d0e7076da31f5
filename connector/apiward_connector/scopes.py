"""Which subscriptions a run is expected to read.

What is expected comes from what was named, from the management groups and from what was read before, never from what
the sources list: they leave out in silence what the identity may not read, and that would look like health.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from apiward_connector.report import Gap
from apiward_core.errors import ApiwardError

Descendants = Callable[[str], Iterable[str]]
Known = Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Scopes:
    """Every expected subscription once, by its id in lower case, and the groups that could not be listed."""

    subscriptions: tuple[str, ...]
    unlisted: tuple[Gap, ...]


class ExpectedScopes:
    """Finds the expected subscriptions.

    `named` are subscription ids and `management_groups` group ids of the settings; `descendants` gives the
    subscriptions below a group, `known` those that the state store remembers.
    """

    def __init__(
        self, named: Sequence[str], management_groups: Sequence[str], *, descendants: Descendants, known: Known
    ) -> None:
        self._named = named
        self._management_groups = management_groups
        self._descendants = descendants
        self._known = known

    def find(self) -> Scopes:
        """The expected scopes now.

        A group that cannot be listed is told, and takes nothing away: what was below it and was read before is known.
        So is a subscription that was moved out of a group or is no longer named; it is read until its state is removed.
        Raises what `known` raises.
        """
        found: dict[str, None] = {}
        unlisted: list[Gap] = []

        def expect(subscriptions: Iterable[str]) -> None:
            for subscription in subscriptions:
                found.setdefault(subscription.lower())

        expect(self._named)
        for group in dict.fromkeys(self._management_groups):
            try:
                expect(self._descendants(group))
            except ApiwardError as error:  # what it listed before is good
                unlisted.append(Gap(f"/providers/Microsoft.Management/managementGroups/{group}", str(error)))
        expect(self._known())
        return Scopes(tuple(found), tuple(unlisted))
