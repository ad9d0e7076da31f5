"""Plain ARM calls through the SDK's own pipeline, for operations that the GA SDKs here do not have."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Self

import orjson
from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import (
    HTTPPolicy,
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
_NONE: Mapping[str, str] = MappingProxyType({})


class ArmClient:
    """GET and PUT on ARM ids at an api-version, long-running operations included.

    The keyword arguments are those of the SDKs' clients. `retry_policy` takes the place of the SDK's own;
    `per_retry_policies` stand behind it, and see each attempt.
    """

    def __init__(
        self,
        credential: TokenCredential,
        *,
        base_url: str,
        credential_scopes: list[str],
        user_agent: str,
        retry_policy: RetryPolicy[Any, Any] | None = None,
        per_retry_policies: Sequence[HTTPPolicy[Any, Any]] = (),
        **transport: Any,
    ) -> None:
        self._base_url = base_url
        policies: list[Any] = [
            RequestIdPolicy(),
            UserAgentPolicy(user_agent),
            RedirectPolicy(),
            retry_policy or RetryPolicy(),
            *per_retry_policies,
            ARMChallengeAuthenticationPolicy(credential, *credential_scopes),
            SensitiveHeaderCleanupPolicy(),  # after the policy that adds the token: no other host may get it
            ARMHttpLoggingPolicy(),
        ]
        self._client: ARMPipelineClient[HttpRequest, HttpResponse] = ARMPipelineClient(
            base_url, policies=policies, **transport
        )

    def get(self, path: str, *, api_version: str, **query: str) -> Json:
        """The resource at `path`. `query` holds further parameters of the operation.

        Raises the errors of `apiward_core.errors`, MissingError when there is none.
        """
        with azure_errors(f"GET {path}"):
            response: HttpResponse = self._client.send_request(self._request("GET", path, api_version, query=query))
            self._check(response)
        return self._body(response)

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        """Create or replace the resource at `path`, and wait for it. Returns the resource as the service now has it."""
        with azure_errors(f"PUT {path}"):
            request = self._request("PUT", path, api_version, body)
            initial = self._client._pipeline.run(request)  # noqa: SLF001 - pollers need the pipeline's own response
            self._check(initial.http_response)
            poller = LROPoller(self._client, initial, lambda done: self._body(done.http_response), ARMPolling(0.5))
            result: Json = poller.result()
        return result

    def _request(
        self, method: str, path: str, api_version: str, body: Json | None = None, *, query: Mapping[str, str] = _NONE
    ) -> HttpRequest:
        return HttpRequest(method, self._base_url + path, params={"api-version": api_version, **query}, json=body)

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
