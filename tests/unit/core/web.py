"""A real transport of the SDKs with a web behind it that gives prepared answers."""

import io
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPResponse

JSON = {"Content-Type": "application/json"}
Answer = tuple[int, dict[str, str], bytes]


class Web(BaseAdapter):
    """Answers one request after the other and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = list(answers)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.requests.append(request)
        status, headers, body = self._answers.pop(0)
        answer = HTTPResponse(body=io.BytesIO(body), headers=headers, status=status, preload_content=False)
        return HTTPAdapter().build_response(request, answer)

    def close(self) -> None: ...

    def transport(self) -> RequestsTransport:
        """The transport that azure-core uses by default, on this web."""
        session = requests.Session()
        session.mount("https://", self)
        return RequestsTransport(session=session, session_owner=False)
