"""Long-running operations: accepted at once, finished when they are first asked for."""

import uuid
from dataclasses import dataclass

from apiward_lab.apim.problems import api_not_found
from apiward_lab.web import Call, Json, Reply


@dataclass(frozen=True)
class _Operation:
    status: int
    body: Json | None
    headers: dict[str, str]


class Operations:
    """Hands out poll addresses and answers at them.

    Both addresses of the specification's examples are given: `Location`, the entity itself with asyncId and asyncCode,
    and `Azure-AsyncOperation` under tenant/operationResults. Clients are asked to poll after a second.
    """

    def __init__(self) -> None:
        self._finished: dict[str, _Operation] = {}

    def accept(self, call: Call, service_id: str, *, outcome: int, body: Json | None, headers: dict[str, str]) -> Reply:
        """Answer a write: 202 without a body, or the outcome's status with the entity still in progress."""
        operation_id = uuid.uuid4().hex[:24]
        version = call.query.get("api-version", "")
        self._finished[operation_id] = _Operation(outcome, body, headers)
        location = f"{call.base_url}{call.path}?api-version={version}&asyncId={operation_id}&asyncCode={outcome}"
        status_url = f"{call.base_url}{service_id}/tenant/operationResults/{operation_id}?api-version={version}"
        polling = {**headers, "Location": location, "Azure-AsyncOperation": status_url, "Retry-After": "1"}
        if body is None:
            return Reply(202, None, polling)
        in_progress = {**body, "properties": {**body["properties"], "provisioningState": "InProgress"}}
        return Reply(outcome, in_progress, polling)

    def result(self, operation_id: str) -> Reply:
        """The final answer, as `Location` gives it. Raises Problem 404 when the operation is unknown."""
        operation = self._known(operation_id)
        return Reply(operation.status, operation.body, operation.headers)

    def status(self, call: Call) -> Reply:
        """The state of an operation, as `Azure-AsyncOperation` gives it."""
        operation_id = call.params["operation"]
        self._known(operation_id)
        return Reply(body={"id": call.scope, "name": operation_id, "status": "Succeeded"})

    def _known(self, operation_id: str) -> _Operation:
        if operation_id not in self._finished:
            raise api_not_found()
        return self._finished[operation_id]
