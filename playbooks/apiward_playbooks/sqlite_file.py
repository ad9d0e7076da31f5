"""One SQLite file of ours: private, durable, and with errors that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from apiward_core.errors import ConfigurationError
from apiward_core.files import private_folder


@contextmanager
def connection_to(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """A transaction on the file, with the schema in place. Raises ConfigurationError when the file cannot be used."""
    try:
        private_folder(path.parent)
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(schema)
            with connection:
                yield connection
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(
            f"The run store {path} cannot be used: {error}.", remedy="Check state_dir and its permissions."
        ) from error
