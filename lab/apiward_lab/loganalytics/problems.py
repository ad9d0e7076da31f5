"""Error answers with details, as Azure Monitor and Log Analytics give them."""

from collections.abc import Mapping, Sequence
from typing import Any

from apiward_lab.web import Problem, Reply


class DetailedProblem(Problem):
    """A Problem whose error object carries more than a code and a message."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(status, code, message)
        self.more = more

    def reply(self) -> Reply:
        """The answer that this problem sends."""
        return Reply(self.status, {"error": {"code": self.code, "message": self.message, **self.more}}, self.headers)


def not_found(resource_type: str, name: str, group: str) -> Problem:
    """ARM's answer for a resource that does not exist."""
    return Problem(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def invalid_rule(details: Sequence[Mapping[str, str]]) -> DetailedProblem:
    """The answer to a data collection rule that does not hold together (each detail: code, target, message)."""
    return DetailedProblem(400, "InvalidPayload", "Data collection rule is invalid", details=[*map(dict, details)])
