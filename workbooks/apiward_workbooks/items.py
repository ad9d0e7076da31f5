"""What this package ships into a workspace, and the lock that knows every state of it that was ever released."""

from importlib.resources import files
from uuid import NAMESPACE_URL, uuid5

from apiward_core.content import ContentItem
from apiward_core.content_lock import Lock
from apiward_workbooks.arm import WORKBOOK, workbook_properties
from apiward_workbooks.load import load_workbooks

LOCK_FILE = "content.lock.json"


def content_items() -> list[ContentItem]:
    """The shipped workbooks."""
    return [
        ContentItem(
            WORKBOOK, name, str(uuid5(NAMESPACE_URL, f"apiward/{name}")), shipped.version, workbook_properties(shipped)
        )
        for name, shipped in load_workbooks().items()
    ]


def content_lock() -> Lock:
    """The lock as it is shipped. Raises ConfigurationError when it cannot be read."""
    return Lock.parse((files("apiward_workbooks") / LOCK_FILE).read_text("utf-8"))


def updated_lock() -> str:
    """The text of the lock with the present versions recorded; equal to the file when nothing is new.

    Raises ConfigurationError when a workbook changed without a new version.
    """
    return content_lock().update(content_items()).text()
