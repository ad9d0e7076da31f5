"""Where the state of each scope is kept, with its lease, its outbox and its caches beside it."""

from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import UUID

from apiward_connector.outbox import Outbox
from apiward_connector.state import ScopeState
from apiward_connector.state_file import decode, encode
from apiward_core.clock import Clock
from apiward_core.errors import ConfigurationError
from apiward_core.leases import LEASE_TIME, Lease, Leases
from apiward_core.objects import ObjectStore

_FOLDER = "subscriptions/"


def scope_of(subscription_id: str) -> str:
    """The ARM id of a subscription. Raises ConfigurationError for what is no subscription id."""
    try:
        return f"/subscriptions/{UUID(subscription_id)}"
    except ValueError as error:
        raise ConfigurationError(
            f"{subscription_id!r} is no subscription id.", remedy="Give the GUID that the portal shows."
        ) from error


class StateStore:
    """Connector state in an object store. A scope is the ARM id of a subscription, in lower case."""

    def __init__(self, objects: ObjectStore, *, clock: Clock, lease_time: timedelta = LEASE_TIME) -> None:
        self._objects = objects
        self._leases = Leases(objects, clock=clock, lease_time=lease_time)

    def load(self, scope: str) -> tuple[ScopeState, str | None]:
        """The state and its etag; an empty state and None for a scope that has none.

        Raises ConfigurationError when what is kept is damaged or is not the state of this scope.
        """
        stored = self._objects.read(_name(scope))
        return (decode(scope, stored.data, place=_name(scope)), stored.etag) if stored else (ScopeState(), None)

    def save(self, scope: str, state: ScopeState, etag: str | None) -> str:
        """Replace the state that has `etag` and return the new etag. Raises ConflictError when it has another one."""
        return self._objects.write(_name(scope), encode(scope, state), etag=etag)

    def keep_aside(self, scope: str, suffix: str) -> tuple[str, str | None]:
        """Copy what is kept as the state of the scope, to be replaced by `save`: the copy's name and the etag.

        "" and None if there is nothing. Rows that are on their way go: nobody can tell any more whether a state
        accounts for them.
        """
        stored = self._objects.read(_name(scope))
        if stored is None:
            return "", None
        aside = f"{_folder(scope)}/unusable-{suffix}"
        self._objects.put(aside, stored.data)
        self.outbox(scope).discard_all_but("")
        return aside, stored.etag

    def lease(self, scope: str) -> AbstractContextManager[Lease]:
        """Hold the scope. Raises ConflictError while another holder does; one that died holds it until it expires."""
        return self._leases.hold(f"{_folder(scope)}/lease")

    def outbox(self, scope: str) -> Outbox:
        """The rows of the scope that are on their way."""
        return Outbox(self._objects, f"{_folder(scope)}/outbox")

    def owed(self, scope: str) -> int:
        """How many rows are on their way that a run has fixed and not delivered. Raises as `load`."""
        state, _ = self.load(scope)
        return self.outbox(scope).owed(state.outbox)

    def subscriptions(self) -> list[str]:
        """The ids of all subscriptions that have a state."""
        names = self._objects.names(_FOLDER)
        return [name.split("/")[1] for name in names if name.endswith("/state")]

    def forget(self, scope: str) -> None:
        """Delete everything that is kept of the scope. The caller holds it; rows that are owed are lost."""
        folder = _folder(scope)
        for name in self._objects.names(f"{folder}/"):
            if name != f"{folder}/lease":
                self._objects.delete(name)


def _folder(scope: str) -> str:
    return scope.lower().strip("/")


def _name(scope: str) -> str:
    return f"{_folder(scope)}/state"
