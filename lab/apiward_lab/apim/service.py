"""Routes of Microsoft.ApiManagement at api-version 2024-05-01."""

from collections.abc import Sequence

from apiward_lab.apim.apis import ApiHandlers
from apiward_lab.apim.operations import Operations
from apiward_lab.apim.services import ServiceHandlers
from apiward_lab.estate import Estate
from apiward_lab.web import Route

_VERSIONS = ("2024-05-01",)
_ACTION = "Microsoft.ApiManagement/service"


class ApiManagement:
    """Services and their APIs."""

    def __init__(self, estate: Estate) -> None:
        self._operations = Operations()
        self._services = ServiceHandlers(estate)
        self._apis = ApiHandlers(self._services.find, self._operations)

    @property
    def routes(self) -> Sequence[Route]:
        """The operations, each guarded by the action that Microsoft publishes for it."""
        group = "/subscriptions/{subscription}/resourceGroups/{group}"
        many = "/providers/Microsoft.ApiManagement/service"
        service = group + many + "/{service}"
        apis, api = service + "/apis", service + "/apis/{api}"
        operation = service + "/tenant/operationResults/{operation}"
        read, write, delete = f"{_ACTION}/apis/read", f"{_ACTION}/apis/write", f"{_ACTION}/apis/delete"
        return [
            Route(
                "GET", "/subscriptions/{subscription}" + many, self._services.list, _VERSIONS, action=f"{_ACTION}/read"
            ),
            Route("GET", group + many, self._services.list, _VERSIONS, action=f"{_ACTION}/read"),
            Route("GET", service, self._services.get, _VERSIONS, action=f"{_ACTION}/read"),
            Route("PATCH", service, self._services.patch, _VERSIONS, action=f"{_ACTION}/write"),
            Route("GET", apis, self._apis.list, _VERSIONS, action=read),
            Route("GET", api, self._apis.get, _VERSIONS, action=read),
            Route("HEAD", api, self._apis.head, _VERSIONS, action=read),
            Route("PUT", api, self._apis.put, _VERSIONS, action=write),
            Route("PATCH", api, self._apis.patch, _VERSIONS, action=write),
            Route("DELETE", api, self._apis.delete, _VERSIONS, action=delete),
            Route(
                "GET", operation, self._operations.status, _VERSIONS, action=f"{_ACTION}/tenant/operationResults/read"
            ),
        ]
