"""A lock on a file, between threads and processes, that ends with its holder."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from apiward_core.errors import TransientError
from apiward_core.files import private_file

if sys.platform == "win32":
    import msvcrt

    def _try_to_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_to_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_PAUSE = 0.005


@contextmanager
def locked(path: Path, *, patience: float = 30.0) -> Iterator[None]:
    """Hold the lock at `path`, a file that is made where it is missing and stays.

    Raises TransientError when another holder keeps it for more than `patience` seconds, and ConfigurationError when
    the file cannot be made. The platform gives the lock back when the file is closed or its process ends.
    """
    with private_file(path).open("r+b") as file:
        deadline = time.monotonic() + patience
        while not _is_locked(file.fileno()):
            if time.monotonic() >= deadline:
                raise TransientError(
                    f"Another process has held {path} for {patience:g} seconds.",
                    remedy="End it if it hangs, then try again.",
                )
            time.sleep(_PAUSE)
        yield


def _is_locked(descriptor: int) -> bool:
    with suppress(BlockingIOError, PermissionError):  # how POSIX and Windows say that somebody else has it
        _try_to_lock(descriptor)
        return True
    return False
