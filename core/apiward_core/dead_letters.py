"""Rows that could not be sent, kept in a folder until somebody replays them."""

import os
from pathlib import Path

import orjson

from apiward_core.clock import Clock, timestamp
from apiward_core.errors import ConfigurationError
from apiward_core.files import private_file


class FolderDeadLetters:
    """One JSON-lines file per stream; each line holds the time, the reason and the row."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def add(self, stream: str, row: bytes, reason: str) -> None:
        """Append one row and force it to disk. Raises ConfigurationError when the folder cannot be written."""
        entry = {"at": timestamp(self._clock.now()), "reason": reason, "row": orjson.Fragment(row)}
        try:
            with private_file(self._folder / f"{stream}.jsonl").open("ab") as file:
                file.write(orjson.dumps(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigurationError(
                f"Dead letters cannot be kept in {self._folder}: {error.strerror}.", remedy="Make state_dir writable."
            ) from error
