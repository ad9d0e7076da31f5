"""The `apiward` command."""

import signal
import sys
from types import FrameType


def run() -> None:
    """Run the command line. A signal ends it through its context managers, so that nothing is left behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # under nohup, the end of the terminal is to be ignored
            signal.signal(number, _leave)
    try:
        from apiward.program import main  # noqa: PLC0415 - loading takes long enough for a Ctrl-C to come

        main()
    except KeyboardInterrupt:
        _leave(signal.SIGINT, None)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
