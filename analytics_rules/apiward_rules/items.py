"""What this package ships into a workspace, and the lock that knows every state of it that was ever released."""

from importlib.resources import files

from apiward_core.content import ContentItem
from apiward_core.content_lock import Lock
from apiward_rules.arm import FUNCTION, RULE, function_properties, rule_properties
from apiward_rules.functions import load_functions
from apiward_rules.load import load_rules

LOCK_FILE = "content.lock.json"


def content_items() -> list[ContentItem]:
    """Functions first, then the rules that call them: the service refuses a rule whose query does not run."""
    functions = [
        ContentItem(FUNCTION, function.alias, function.alias, function.version, function_properties(function))
        for function in load_functions().values()
    ]
    rules = [
        ContentItem(RULE, stem, rule.id, rule.version, rule_properties(rule)) for stem, rule in load_rules().items()
    ]
    return [*functions, *rules]


def content_lock() -> Lock:
    """The lock as it is shipped. Raises ConfigurationError when it cannot be read."""
    return Lock.parse((files("apiward_rules") / LOCK_FILE).read_text("utf-8"))


def updated_lock() -> str:
    """The text of the lock with the present versions recorded; equal to the file when nothing is new.

    Raises ConfigurationError when content changed without a new version.
    """
    return content_lock().update(content_items()).text()
