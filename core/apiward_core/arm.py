"""Plain ARM calls through the SDK's own pipeline, for operations that the GA SDKs here do not have."""

from types import TracebackType
from typing import Any, Self

import orjson
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import (
    RedirectPolicy,
    RequestIdPolicy,
    RetryPolicy,
    SensitiveHeaderCleanupPolicy,
    UserAgentPolicy,
)
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy, ARMHttpLoggingPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling

from apiward_core.errors import TransientError, azure_errors

Json = dict[str, Any]
_OK = (200, 201, 202, 204)


class ArmClient:
    """GET, PUT, PATCH, DELETE on ARM ids at an api-version, paging and long-running operations included."""

    def __init__(
        self,
        credential: TokenCredential,
        *,
        base_url: str,
        credential_scopes: list[str],
        user_agent: str,
        **transport: Any,
    ) -> None:
        self._base_url = base_url
        policies: list[Any] = [
            RequestIdPolicy(),
            UserAgentPolicy(user_agent),
            RedirectPolicy(),
            RetryPolicy(),
            ARMChallengeAuthenticationPolicy(credential, *credential_scopes),
            SensitiveHeaderCleanupPolicy(),  # after the policy that adds the token: no other host may get it
            ARMHttpLoggingPolicy(),
        ]
        self._client: ARMPipelineClient[HttpRequest, HttpResponse] = ARMPipelineClient(
            base_url, policies=policies, **transport
        )

    def get(self, path: str, *, api_version: str) -> Json:
        """The resource at `path`. Raises the errors of `apiward_core.errors`, MissingError when there is none."""
        return self._body(self._send("GET", path, api_version))

    def list(self, path: str, *, api_version: str) -> list[Json]:
        """Every item at `path`, following nextLink."""
        page = self.get(path, api_version=api_version)
        items: list[Json] = list(page.get("value", []))
        while link := page.get("nextLink"):
            page = self._body(self._run(HttpRequest("GET", link), f"GET {path}"))
            items.extend(page.get("value", []))
        return items

    def put(self, path: str, body: Json, *, api_version: str, correlation_id: str | None = None) -> Json:
        """Create or replace the resource at `path`, and wait for it. Returns the resource as the service now has it."""
        return self._write("PUT", path, body, api_version, correlation_id)

    def delete(self, path: str, *, api_version: str, correlation_id: str | None = None) -> None:
        """Delete the resource at `path`, and wait for it; one that is gone already is no error."""
        self._write("DELETE", path, None, api_version, correlation_id)

    def _write(self, method: str, path: str, body: Json | None, api_version: str, correlation_id: str | None) -> Json:
        headers = {"x-ms-correlation-request-id": correlation_id} if correlation_id else {}
        request = self._request(method, path, api_version, body, headers)
        doing = f"{method} {path}"
        with azure_errors(doing):
            initial = self._client._pipeline.run(request)  # noqa: SLF001 - pollers need the pipeline's own response
            self._check(initial.http_response)
            poller = LROPoller(self._client, initial, lambda done: self._body(done.http_response), ARMPolling(0.5))
            result: Json = poller.result()
        return result

    def _send(self, method: str, path: str, api_version: str) -> HttpResponse:
        return self._run(self._request(method, path, api_version, None, {}), f"{method} {path}")

    def _run(self, request: HttpRequest, doing: str) -> HttpResponse:
        with azure_errors(doing):
            response: HttpResponse = self._client.send_request(request)
            self._check(response)
        return response

    def _request(
        self, method: str, path: str, api_version: str, body: Json | None, headers: dict[str, str]
    ) -> HttpRequest:
        url = self._base_url + path
        return HttpRequest(method, url, params={"api-version": api_version}, json=body, headers=headers)

    @staticmethod
    def _check(response: HttpResponse) -> None:
        if response.status_code not in _OK:
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)

    @staticmethod
    def _body(response: Any) -> Json:
        content = response.content if isinstance(response, HttpResponse) else response.body()
        try:
            body = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError as error:
            raise _unreadable(response.request.url, str(error)) from error
        if not isinstance(body, dict):
            raise _unreadable(response.request.url, "it is no object")
        return body

    def close(self) -> None:
        """Close the pipeline."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unreadable(url: str, reason: str) -> TransientError:
    return TransientError(
        f"The answer of {url} is no JSON that can be used: {reason}.",
        remedy="Try again; if it lasts, see whether a proxy answers in the place of Azure. A write may have been done.",
    )
