"""Runs the lab: python -m apiward_lab."""

import argparse
import json
import os
import selectors
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from apiward_lab.estate import SIZES
from apiward_lab.lab import Lab


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, print the descriptor as one line of JSON, and serve until told to stop."""
    options = _parser().parse_args(arguments)
    told = _pipe_of_signals()
    try:
        started = Lab.start(port=options.port, estate=options.estate)
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"the lab cannot listen on port {options.port} of 127.0.0.1: {error}\n")
        return 1
    with started as lab:
        line = json.dumps(lab.descriptor())
        if options.descriptor:
            _write_private(options.descriptor, line)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        _wait(told, standard_input=options.until_stdin_closes)
        unknown = lab.unknown_routes
    for route in unknown:
        sys.stderr.write(f"unknown route: {route}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="apiward_lab", description="A local Azure on loopback HTTPS.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--estate", choices=sorted(SIZES), default="small", help="how much the tenant holds")
    parser.add_argument("--descriptor", type=Path, help="file to write the descriptor to as well")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input is closed")
    return parser


def _write_private(path: Path, text: str) -> None:
    """The descriptor holds secrets: nobody else may read it."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text + "\n", encoding="utf-8")


def _pipe_of_signals() -> int:
    """A file descriptor that can be read once SIGINT or SIGTERM has come."""
    told, tell = os.pipe()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    return told


def _wait(told: int, *, standard_input: bool) -> None:
    """Wait for a signal or, if so wanted, for the end of standard input.

    One wait in the main thread instead of a thread that reads: the interpreter could not end it cleanly.
    """
    with selectors.SelectSelector() as selector:
        selector.register(told, selectors.EVENT_READ)
        if standard_input:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        while True:
            ready = [key.fd for key, _ in selector.select()]
            if told in ready or not os.read(ready[0], 4096):
                return


if __name__ == "__main__":
    sys.exit(main())
