"""Dead letters as earlier versions kept them: one JSON-lines file per stream in a folder."""

from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from apiward_core.clock import Clock, timestamp
from apiward_core.dead_letters import Letter, ObjectDeadLetters
from apiward_core.errors import ConfigurationError

_AT_ONCE = 500  # letters to an object


def adopt_dead_letter_files(folder: Path, letters: ObjectDeadLetters, *, clock: Clock) -> None:
    """Move what the files of `folder` hold into `letters`; a file is deleted when all of it is kept there.

    A crash meanwhile keeps a row twice, never none. A line that is no dead letter is kept as a row that cannot be sent.
    Raises ConfigurationError when a file cannot be read or deleted.
    """
    for path in sorted(folder.glob("*.jsonl")):
        try:
            with path.open("rb") as file:
                found = (_letter(line, clock) for line in file if line.strip())
                while some := list(islice(found, _AT_ONCE)):
                    letters.keep(path.stem, some)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The dead letters in {path} cannot be moved to where they are kept now: {error.strerror}.",
                remedy="Make the file readable and its folder writable.",
            ) from error


def _letter(line: bytes, clock: Clock) -> Letter:
    try:
        said = orjson.loads(line)
        return Letter(str(said["at"]), str(said["reason"]), orjson.dumps(_dated(said["row"])))
    except (ValueError, KeyError, TypeError):
        text = line.decode(errors="replace").rstrip("\n")
        return Letter(timestamp(clock.now()), "its line in an old file is damaged", orjson.dumps(text))


def _dated(row: Any) -> Any:
    """With its time in ObservedAt too: the service replaces the TimeGenerated of rows that come days late."""
    if isinstance(row, dict) and "TimeGenerated" in row and "ObservedAt" not in row:
        return {**row, "ObservedAt": row["TimeGenerated"]}
    return row
