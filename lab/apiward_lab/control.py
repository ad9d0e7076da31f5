"""The lab's own control plane under /_lab/, for tests and the command line."""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta

from apiward_lab.clock import VirtualClock
from apiward_lab.faults import Fault, Faults
from apiward_lab.journal import Journal
from apiward_lab.web import Call, Handler, Json, Problem, Reply, Route, timestamp


class Control:
    """Describes the lab, moves its clock, switches faults on and off, and tells what it has seen.

    Every call needs the control key in x-lab-key.
    """

    def __init__(
        self,
        key: str,
        *,
        clock: VirtualClock,
        journal: Journal,
        describe: Callable[[], Json],
        faults: Faults | None = None,
    ) -> None:
        self._key = key
        self._clock = clock
        self._journal = journal
        self._describe = describe
        self._faults = faults or Faults()

    @property
    def routes(self) -> Sequence[Route]:
        """All anonymous towards Entra: the key is the credential."""
        handlers: Sequence[tuple[str, str, Handler]] = (
            ("GET", "describe", self._description),
            ("GET", "clock", self._time),
            ("POST", "clock", self._advance),
            ("GET", "faults", self._list_faults),
            ("POST", "faults", self._add_fault),
            ("DELETE", "faults", self._clear_faults),
            ("GET", "status", self._status),
            ("GET", "activity", self._activity),
        )
        return [
            Route(method, f"/_lab/{name}", self._guarded(handler), audience=None) for method, name, handler in handlers
        ]

    def _guarded(self, handler: Handler) -> Handler:
        def handle(call: Call) -> Reply:
            if not hmac.compare_digest(call.headers.get("x-lab-key", "").encode(), self._key.encode()):
                raise Problem(401, "WrongControlKey", "The header x-lab-key must hold the descriptor's control_key.")
            return handler(call)

        return handle

    def _description(self, _call: Call) -> Reply:
        return Reply(body=self._describe())

    def _time(self, _call: Call) -> Reply:
        offset = self._clock.offset.total_seconds()
        return Reply(body={"now": timestamp(self._clock.now()), "offset_seconds": offset})

    def _advance(self, call: Call) -> Reply:
        body = call.json()
        seconds = body.get("advance_seconds") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise Problem(400, "InvalidAdvance", "advance_seconds must be a number of seconds, zero or more.")
        try:
            self._clock.advance(timedelta(seconds=seconds))
        except (OverflowError, ValueError) as error:
            raise Problem(400, "InvalidAdvance", f"The clock cannot move by {seconds} seconds: {error}.") from error
        return self._time(call)

    def _list_faults(self, _call: Call) -> Reply:
        return Reply(body={"value": list(self._faults.describe())})

    def _add_fault(self, call: Call) -> Reply:
        try:
            self._faults.add(Fault(**call.json()))
        except (TypeError, ValueError) as error:
            raise Problem(400, "InvalidFault", f"This is no fault: {error}.") from error
        return self._list_faults(call)

    def _clear_faults(self, call: Call) -> Reply:
        self._faults.clear()
        return self._list_faults(call)

    def _status(self, _call: Call) -> Reply:
        statuses = self._journal.statuses()
        return Reply(
            body={
                "requests": sum(statuses.values()),
                "by_status": {str(status): count for status, count in statuses.items()},
                "unknown_routes": list(self._journal.unknown_routes),
                "actions_used": self._journal.actions_used(),
            }
        )

    def _activity(self, _call: Call) -> Reply:
        entries = [{**asdict(entry), "at": timestamp(entry.at)} for entry in self._journal.activities]
        return Reply(body={"value": entries})
