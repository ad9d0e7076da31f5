"""Sources of reference data that say what they are told to, and a store that may refuse."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from apiward_connector.reference.reader import ReferenceReader
from apiward_connector.sources.metadata import AssessmentMetadata
from apiward_core.errors import TransientError
from apiward_core.folder_objects import FolderObjects
from apiward_core.objects import ObjectStore
from tests.unit.connector.samples import KEY, METADATA, SetClock

UNAVAILABLE = TransientError("HTTP 503 while listing.", remedy="Try again later.")


class Told:
    """Gives `items`, and then the error where there is one."""

    def __init__(self, *items: Any, error: Exception | None = None) -> None:
        self.items: tuple[Any, ...] = items
        self.error = error
        self.reads = 0
        self.expected: Sequence[str] = ()

    def expect(self, subscriptions: Sequence[str]) -> None:
        self.expected = subscriptions

    def read(self, subscription_id: str) -> Iterable[Any]:
        del subscription_id
        self.reads += 1
        yield from self.items
        if self.error is not None:
            raise self.error


class FullStore(FolderObjects):
    """Has no room for anything new."""

    def put(self, name: str, data: bytes) -> None:
        del data
        raise TransientError(f"No room for {name}.", remedy="Make room.")


class World:
    """A reader with sources that can be told what to say."""

    def __init__(self, folder: Path, *, objects: ObjectStore | None = None) -> None:
        self.clock = SetClock()
        self.objects = objects or FolderObjects(folder)
        self.metadata = Told((KEY, METADATA[KEY]))
        self.collections, self.endpoints, self.governance = Told(), Told(), Told()
        self.exemptions, self.tags = Told(), Told()

    @property
    def others(self) -> tuple[Told, ...]:
        """The sources without which a scope can still be judged."""
        return (self.collections, self.endpoints, self.governance, self.exemptions, self.tags)

    def reader(self) -> ReferenceReader:
        """A reader for one run."""
        return ReferenceReader(
            self.objects,
            clock=self.clock,
            metadata=self.metadata,
            collections=self.collections,
            endpoints=self.endpoints,
            governance=self.governance,
            exemptions=self.exemptions,
            tags=self.tags,
        )


def metadata(name: str, policy: str = "") -> AssessmentMetadata:
    """The metadata of a recommendation with that name and policy."""
    return AssessmentMetadata(name, policy, "High", ("Networking",), threats=("DataExfiltration",))
