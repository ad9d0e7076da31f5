"""API Management and Defender over the small estate, asked directly through their routes."""

import json
from typing import Any

from apiward_lab.apim import ApiManagement
from apiward_lab.clock import VirtualClock
from apiward_lab.defender import Defender
from apiward_lab.estate import ApimService, build
from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem, Reply


class Tenant:
    """Takes requests; an error answer comes back as the reply that it is."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.estate = build(at=self.clock.now())
        self.defender = Defender(self.estate, self.clock)
        self._router = Router([*ApiManagement(self.estate, self.clock).routes, *self.defender.routes])

    def send(
        self, method: str, path: str, version: str, properties: Any = None, *, match: str | None = "*", **query: str
    ) -> Reply:
        """The answer to a request whose body holds these properties. `match` is the If-Match header."""
        found = self._router.find(method, path, version)
        assert found is not None
        headers = {} if match is None else {"if-match": match}
        body = json.dumps({"properties": properties}).encode()
        asked = {"api-version": version, **query}
        try:
            return found.route.handler(Call(method, path, found.params, asked, headers, body, "https://lab"))
        except Problem as problem:
            return problem.reply()

    def service(self, name: str) -> ApimService:
        """The service with the name apim-contoso-NAME."""
        return next(service for service in self.estate.services if service.name == f"apim-contoso-{name}")
