"""Every state of shipped content that was ever released, as a file of hashes.

It makes two things decidable: whether content changed without a new version, and whether what a workspace holds is an
older version of ours or an analyst's edit (alert rules carry no tags that could tell).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from apiward_core.errors import ConfigurationError


class Versioned(Protocol):
    """What the lock needs to know of a content item."""

    @property
    def id(self) -> str:
        """Ours; never changes."""
        ...

    @property
    def name(self) -> str:
        """The resource's name in a workspace, or what it is made of; never changes either."""
        ...

    @property
    def version(self) -> str:
        """Three numbers with dots."""
        ...

    @property
    def digest(self) -> str:
        """Hash of the normalised content."""
        ...


@dataclass(frozen=True)
class Locked:
    """What is recorded of one item: the resource's name, and the hash of each version."""

    name: str
    versions: Mapping[str, str]

    @property
    def newest(self) -> str:
        """The highest version."""
        return max(self.versions, key=_numbers)


class Lock:
    """The recorded items by id."""

    def __init__(self, entries: Mapping[str, Locked]) -> None:
        self._entries = dict(entries)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The lock in a file's text. Raises ConfigurationError when it is none."""
        try:
            return cls({key: Locked(entry["name"], entry["versions"]) for key, entry in json.loads(text).items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"The content lock cannot be read: {error}.", remedy="Restore it from version control."
            ) from error

    def text(self) -> str:
        """The lock as its file holds it: JSON, items by id, versions ascending."""
        entries = {
            key: {"name": entry.name, "versions": dict(sorted(entry.versions.items(), key=lambda v: _numbers(v[0])))}
            for key, entry in sorted(self._entries.items())
        }
        return json.dumps(entries, indent=2) + "\n"

    def version(self, item_id: str, digest: str) -> str | None:
        """The newest version of the item that has this hash, None when none was shipped with it."""
        entry = self._entries.get(item_id)
        matching = [version for version, known in entry.versions.items() if known == digest] if entry else []
        return max(matching, key=_numbers, default=None)

    def joined(self, other: "Lock") -> "Lock":
        """A lock that knows what either knows; they must not hold the same items."""
        return Lock({**self._entries, **other._entries})  # noqa: SLF001 - of the same class

    def check(self, items: Iterable[Versioned]) -> None:
        """Raise ConfigurationError that names every item that the lock does not hold as it is now."""
        items = list(items)
        faults = [fault for item in items for fault in self._faults(item)]
        faults += [f"{item.id} {item.version} is not recorded" for item in items if not self._has(item)]
        faults += [f"{gone} is recorded but no longer shipped" for gone in self._entries.keys() - {i.id for i in items}]
        _raise(faults)

    def update(self, items: Iterable[Versioned]) -> "Lock":
        """A lock that also records the versions that are new.

        Raises ConfigurationError that names every item whose content changed under a recorded version, whose name
        changed, or whose version went down.
        """
        entries = dict(self._entries)
        faults: list[str] = []
        for item in items:
            faults += self._faults(item)
            known = entries.get(item.id, Locked(item.name, {}))
            entries[item.id] = Locked(known.name, {**known.versions, item.version: item.digest})
        _raise(faults)
        return Lock(entries)

    def _has(self, item: Versioned) -> bool:
        return item.id in self._entries and item.version in self._entries[item.id].versions

    def _faults(self, item: Versioned) -> Iterator[str]:
        entry = self._entries.get(item.id)
        if entry is None:
            return
        if item.name != entry.name:
            yield f"{item.id} was shipped under the resource name {entry.name!r}, not {item.name!r}"
        if entry.versions.get(item.version, item.digest) != item.digest:
            yield f"{item.id} changed without a new version (still {item.version})"
        if _numbers(item.version) < _numbers(entry.newest):
            yield f"{item.id} has version {item.version}, below the recorded {entry.newest}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _raise(faults: list[str]) -> None:
    if faults:
        raise ConfigurationError(
            f"The content lock disagrees: {'; '.join(sorted(faults))}.",
            remedy="Raise the version of what changed, then record it by regenerating the lock.",
        )
