"""Runs a Function App: python -m apiward_lab.functions connector/function_app.py.

The environment variables are its app settings.
"""

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from apiward_lab.clock import VirtualClock
from apiward_lab.functions.declared import LoadError
from apiward_lab.functions.host import FunctionsHost, Invocation
from apiward_lab.server import Server
from apiward_lab.tls import Certificates


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, print address and keys as one line of JSON, then one line for each invocation, until stdin closes."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    clock = VirtualClock(timedelta(seconds=options.clock_offset))
    try:
        host = FunctionsHost(
            options.app.resolve(), settings=os.environ, clock=clock, storage_ca=options.storage_ca, heard=_tell
        )
    except LoadError as error:
        sys.stderr.write(f"the app cannot be loaded: {error}\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="apiward-functions-") as folder:
        certificates = Certificates(Path(folder))
        server = Server(host.answer, tls=certificates.server_context(), port=options.port, tick=clock.tick)
        with server, host:
            _print({"base_url": server.base_url, "ca_bundle": str(certificates.ca_bundle), "keys": asdict(host.keys)})
            sys.stdin.read()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="apiward_lab.functions", description="A local Azure Functions host.")
    parser.add_argument("app", type=Path, help="the module file of the app, beside its host.json")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--clock-offset", type=float, default=0.0, help="seconds that the lab's clock is ahead")
    parser.add_argument("--storage-ca", type=Path, help="PEM file of the storage emulator's certificate authority")
    return parser


def _tell(invocation: Invocation) -> None:
    _print(asdict(invocation))


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
