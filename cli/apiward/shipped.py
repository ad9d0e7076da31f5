"""Everything that apiward puts into a workspace: functions, then the rules and workbooks that call them."""

from apiward_core.content import ContentItem
from apiward_core.content_lock import Lock
from apiward_rules import items as rules
from apiward_workbooks import items as workbooks


def content_items() -> list[ContentItem]:
    """All shipped content, in the order in which it can be deployed."""
    return [*rules.content_items(), *workbooks.content_items()]


def content_lock() -> Lock:
    """The lock of all of it. Raises ConfigurationError when it cannot be read."""
    return rules.content_lock().joined(workbooks.content_lock())
