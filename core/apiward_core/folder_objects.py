"""Objects in a folder of this machine."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from apiward_core.errors import ConfigurationError
from apiward_core.file_lock import locked
from apiward_core.files import private_file, private_folder
from apiward_core.objects import Stored, changed_meanwhile, checked_name, checked_prefix

_SLASH = "+"  # in no name, and allowed in a file's name everywhere
_LANES = 16
_ALGORITHM = "sha256"


class FolderObjects:
    """An ObjectStore for the processes of one machine: one file per object, for its owner alone.

    A new content is written beside and renamed into place, both forced to disk, so a reader sees the old bytes or the
    new ones. Names are dealt to a few lanes; each lane has a lock file and one file for what is being written, which is
    all that a crash can leave behind, and the next write overwrites it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Stored | None:
        """The object, or None. Raises ConfigurationError when the folder cannot be used."""
        path = self._path(name)
        if not self._folder.exists():
            return None
        with self._lane(name):  # Windows replaces no file that is being read
            data = _content(path)
        return None if data is None else Stored(data, _etag(data))

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        """Replace the object that has `etag`; returns the new etag, which is a hash of the content.

        Raises ConflictError when it has another one, and ConfigurationError when the folder cannot be used.
        """
        path, new = self._path(name), _etag(data)
        with self._lane(name) as draft:
            found = _etag_in(path)
            if found == new:
                return new
            if found != etag:
                raise changed_meanwhile(name, str(self._folder))
            self._replace(path, data, draft)
        return new

    def put(self, name: str, data: bytes) -> None:
        """Write the object whatever was there. Raises ConfigurationError when the folder cannot be used."""
        path = self._path(name)
        with self._lane(name) as draft:
            self._replace(path, data, draft)

    def delete(self, name: str) -> None:
        """Remove the object if there is one. Raises ConfigurationError when the folder cannot be used."""
        path = self._path(name)
        if not self._folder.exists():
            return
        with self._lane(name):
            path.unlink(missing_ok=True)
            _sync(self._folder)

    def names(self, prefix: str) -> list[str]:
        """The names that start with `prefix`, ascending. Raises ConfigurationError when the folder cannot be read."""
        start = checked_prefix(prefix)
        with self._usable():
            files = [entry.name for entry in os.scandir(self._folder)] if self._folder.exists() else []
        names = (file.replace(_SLASH, "/") for file in files if not file.startswith("."))
        return sorted(name for name in names if name.startswith(start))

    def _replace(self, path: Path, data: bytes, draft: Path) -> None:
        with private_file(draft).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(self._folder)

    @contextmanager
    def _lane(self, name: str) -> Iterator[Path]:
        """Keeps others from the names of this one's lane; gives the file to write a new content into."""
        lane = crc32(name.encode()) % _LANES
        with self._usable():
            private_folder(self._folder)
            with locked(self._folder / f".lock-{lane}"):
                yield self._folder / f".draft-{lane}"

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"Nothing can be kept in {self._folder}: {error.strerror}.",
                remedy="Make state_dir readable and writable, with room for more.",
            ) from error

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name).replace("/", _SLASH)


def _content(path: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def _etag_in(path: Path) -> str | None:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return hashlib.file_digest(file, _ALGORITHM).hexdigest()
    return None


def _sync(folder: Path) -> None:
    with suppress(PermissionError):  # Windows opens no folders; there a rename is durable without
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _etag(data: bytes) -> str:
    return hashlib.new(_ALGORITHM, data).hexdigest()
