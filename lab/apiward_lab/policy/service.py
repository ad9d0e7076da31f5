"""Routes of Azure Policy: Microsoft.Authorization policyAssignments and what goes with them."""

from collections.abc import Sequence

from apiward_lab.clock import VirtualClock
from apiward_lab.policy.assignments import AssignmentHandlers
from apiward_lab.policy.book import PolicyBook
from apiward_lab.policy.definitions import DefinitionHandlers
from apiward_lab.policy.exemptions import ExemptionHandlers
from apiward_lab.policy.model import PROVIDER
from apiward_lab.web import Route

_VERSIONS = ("2023-04-01",)
_EXEMPTION_VERSIONS = ("2022-07-01-preview",)
_ACTION = "Microsoft.Authorization"
_AT = "/{scope:path}" + PROVIDER


class Policy:
    """Assignments and exemptions at any scope, and definitions; built-in ones are for everybody to read."""

    def __init__(self, book: PolicyBook, clock: VirtualClock, *, page_size: int = 100) -> None:
        self.book = book
        self._assignments = AssignmentHandlers(book, page_size=page_size)
        self._exemptions = ExemptionHandlers(book, clock, page_size=page_size)
        self._definitions = {
            "policyDefinitions": DefinitionHandlers(book, book.definitions, "policyDefinitions", page_size=page_size),
            "policySetDefinitions": DefinitionHandlers(book, book.sets, "policySetDefinitions", page_size=page_size),
        }

    @property
    def routes(self) -> Sequence[Route]:
        """The operations, each guarded by the action that Microsoft publishes for it."""
        return [
            *_crud("policyAssignments", self._assignments, _VERSIONS),
            *_crud("policyExemptions", self._exemptions, _EXEMPTION_VERSIONS),
            *(route for kind, handlers in self._definitions.items() for route in _reads(kind, handlers)),
        ]


def _crud(kind: str, handlers: AssignmentHandlers | ExemptionHandlers, versions: Sequence[str]) -> Sequence[Route]:
    many, one, action = f"{_AT}/{kind}", f"{_AT}/{kind}/{{name}}", f"{_ACTION}/{kind}"
    return [
        Route("GET", many, handlers.list, versions, action=f"{action}/read"),
        Route("GET", one, handlers.get, versions, action=f"{action}/read"),
        Route("PUT", one, handlers.put, versions, action=f"{action}/write"),
        Route("DELETE", one, handlers.delete, versions, action=f"{action}/delete"),
    ]


def _reads(kind: str, handlers: DefinitionHandlers) -> Sequence[Route]:
    read = f"{_ACTION}/{kind}/read"
    return [
        Route("GET", f"{PROVIDER}/{kind}", handlers.list, _VERSIONS),
        Route("GET", f"{PROVIDER}/{kind}/{{name}}", handlers.get, _VERSIONS),
        Route("GET", f"{_AT}/{kind}", handlers.list, _VERSIONS, action=read),
        Route("GET", f"{_AT}/{kind}/{{name}}", handlers.get, _VERSIONS, action=read),
    ]
