"""A worker that dies. Usage: python -m tests.e2e.killed RUN POINT, with the APIWARD_* variables of the playbooks.

It advances a run as `apiward remediate apply` does, and kills itself, as the machine would, at the given point.
"""

import os
import signal
import sys

from apiward.wiring import open_app
from apiward_core.settings import load_settings
from apiward_playbooks.engine import Effects
from apiward_playbooks.remediation import Change, Evidence
from apiward_playbooks.runs import Run

POINTS = ("before write", "after write", "before verify", "after verify")


class Dying:
    """Effects that end the process at one point."""

    def __init__(self, effects: Effects, point: str) -> None:
        self._effects = effects
        self._point = point
        self.send_audit = effects.send_audit
        self.send_comment = effects.send_comment
        self.require_allowed = effects.require_allowed
        self.observe = effects.observe
        self.defender_agrees = effects.defender_agrees
        self.settle = effects.settle

    def write(self, run: Run, change: Change, etag: str, *, back: bool) -> None:
        self._reach("before write")
        self._effects.write(run, change, etag, back=back)
        self._reach("after write")

    def verify(self, run: Run) -> Evidence:
        self._reach("before verify")
        evidence = self._effects.verify(run)
        self._reach("after verify")
        return evidence

    def _reach(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)


def main(run_id: str, point: str) -> None:
    """Advance the run until the point is reached."""
    with open_app(load_settings()) as opened:
        opened.playbooks(wrap=lambda effects: Dying(effects, point)).advance(run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
