"""Objects in a container of Azure Blob Storage."""

from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient, StorageErrorCode

from apiward_core.errors import ConfigurationError, ConflictError, MissingError, azure_errors
from apiward_core.objects import Stored, changed_meanwhile, checked_name, checked_prefix

_SIDE_BY_SIDE = 4  # blocks of one object on their way at the same time


class BlobObjects:
    """An ObjectStore in one container, for any number of machines: one block blob per object.

    The service itself compares etags ("Specifying conditional headers for Blob service operations"). The identity
    needs Storage Blob Data Contributor on the container, which has to exist. An account with versions or soft delete
    keeps what is overwritten, at a price; it needs neither here.
    """

    def __init__(self, container: ContainerClient) -> None:
        self._container = container
        self._place = container.url.partition("?")[0]  # after it a signature may follow

    def read(self, name: str) -> Stored | None:
        """The object, or None. Raises ConflictError when it is overwritten while it is read, block by block."""
        blob = self._container.get_blob_client(checked_name(name))
        try:
            with azure_errors(f"reading {name} in {self._place}"):
                download = blob.download_blob(max_concurrency=_SIDE_BY_SIDE)
                return Stored(download.readall(), download.properties.etag)
        except MissingError as error:
            self._require_container(error)
            return None

    def write(self, name: str, data: bytes, *, etag: str | None) -> str:
        """Replace the object that has `etag`; returns the new etag. Raises ConflictError when it has another one."""
        try:
            if etag is None:
                return self._upload(name, data, overwrite=False)
            return self._upload(name, data, overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
        except ConflictError as error:
            stored = self.read(name)
            if stored is not None and stored.data == data:  # the first answer was lost and the SDK asked again
                return stored.etag
            raise changed_meanwhile(name, self._place) from error

    def put(self, name: str, data: bytes) -> None:
        """Write the object whatever was there."""
        self._upload(name, data, overwrite=True)

    def delete(self, name: str) -> None:
        """Remove the object if there is one."""
        blob = self._container.get_blob_client(checked_name(name))
        try:
            with azure_errors(f"deleting {name} in {self._place}"):
                blob.delete_blob(delete_snapshots="include")
        except MissingError as error:
            self._require_container(error)

    def names(self, prefix: str) -> list[str]:
        """The names that start with `prefix`, ascending."""
        start = checked_prefix(prefix)
        try:
            with azure_errors(f"listing {start}* in {self._place}"):
                return sorted(self._container.list_blob_names(name_starts_with=start))
        except MissingError as error:
            self._require_container(error)
            return []

    def _upload(self, name: str, data: bytes, **condition: Any) -> str:
        blob = self._container.get_blob_client(checked_name(name))
        try:
            with azure_errors(f"writing {name} in {self._place}"):
                return str(blob.upload_blob(data, max_concurrency=_SIDE_BY_SIDE, **condition)["etag"])
        except MissingError as error:
            self._require_container(error)
            raise changed_meanwhile(name, self._place) from error

    def _require_container(self, error: MissingError) -> None:
        """A missing object is an answer; a missing container is a wrong setting."""
        cause = error.__cause__
        if not (isinstance(cause, HttpResponseError) and _code(cause) == StorageErrorCode.BLOB_NOT_FOUND):
            raise ConfigurationError(
                f"{self._place} cannot be used: {error.message}",
                remedy="Check state_container, and create the container if it is missing.",
            ) from error


def _code(error: HttpResponseError) -> str:
    return str(getattr(error, "error_code", ""))
