"""Files and folders that nobody but their owner may read: they hold resource ids, findings, plans and keys."""

from pathlib import Path

from apiward_core.errors import ConfigurationError

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


def private_folder(path: Path) -> Path:
    """The folder at `path`, made where it is missing, with its parents, for its owner alone (mode 0o700).

    A folder that exists keeps its mode: somebody chose it. Raises ConfigurationError when it cannot be made.
    """
    try:
        if not path.parent.exists():
            private_folder(path.parent)
        path.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise _unusable("folder", path, error) from error
    return path


def private_file(path: Path) -> Path:
    """The file at `path`, made empty where it is missing, with its folder, for its owner alone (mode 0o600).

    Raises ConfigurationError when it cannot be made.
    """
    private_folder(path.parent)
    try:
        path.touch(mode=_FILE_MODE)
    except OSError as error:
        raise _unusable("file", path, error) from error
    return path


def _unusable(kind: str, path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The {kind} {path} cannot be made or written: {error.strerror}.",
        remedy="Make its folder writable, or name another one (state_dir in the settings, or the command's option).",
    )
