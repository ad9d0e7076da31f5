"""Report formats, and files written whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from apiward_core.errors import ConfigurationError
from apiward_workbooks.reports import Report


def _html(report: Report) -> bytes:
    from apiward_workbooks.html import render_html  # noqa: PLC0415 - jinja2 and markdown-it-py are an optional extra

    return render_html(report).encode()


FORMATS: Mapping[str, Callable[[Report], bytes]] = {"html": _html}
"""What makes the bytes of a report, by the format's name, which is the file's extension too."""


def render(report: Report, form: str) -> bytes:
    """The report in one of FORMATS. Raises ConfigurationError for another, and when what it needs is not installed."""
    make = FORMATS.get(form)
    if make is None:
        raise ConfigurationError(f"There is no format {form!r}.", remedy=f"Use {', '.join(FORMATS)}.")
    try:
        return make(report)
    except ImportError as error:
        raise ConfigurationError(
            f"Reports need the Python package {error.name}, which is not installed.", remedy="Install apiward[report]."
        ) from error


def check_target(path: Path) -> None:
    """Raise ConfigurationError when `path` has no folder, or is a link, a folder or a device and no plain file."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ConfigurationError(
                f"{path} is no plain file, so it is not written over.", remedy="Name another file with --out."
            )
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ConfigurationError(
                f"There is no folder {path.parent}.", remedy="Make it, or name another file with --out."
            ) from None
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write the file, readable by its owner alone: it holds findings. A reader sees the old file or the new one.

    Raises ConfigurationError as `check_target` does, and when the file cannot be written.
    """
    check_target(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written: {error.strerror}.", remedy="Make its folder writable, or name another with --out."
    )
