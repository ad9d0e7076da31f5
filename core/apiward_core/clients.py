"""The one place where SDK clients are made: endpoint, scope, CA bundle, transport and user agent are set here."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson
from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from apiward_core import clouds
from apiward_core.arm import ArmClient
from apiward_core.clouds import Cloud
from apiward_core.credentials import make_credential
from apiward_core.errors import ConfigurationError, azure_errors
from apiward_core.settings import Settings

# The management SDKs take up to a second to import, so each is imported by the method that makes its client.
if TYPE_CHECKING:
    from azure.mgmt.apimanagement import ApiManagementClient
    from azure.mgmt.resourcegraph import ResourceGraphClient
    from azure.mgmt.security import SecurityCenter
    from azure.mgmt.securityinsight import SecurityInsights
    from azure.monitor.ingestion import LogsIngestionClient
    from azure.monitor.query import LogsQueryClient

USER_AGENT = f"apiward/{version('apiward')}"
_METADATA_VERSION = "2022-09-01"


class AzureClients:
    """Makes SDK clients for one identity and closes them all.

    `transport` replaces the HTTP transport of every client; `credential` replaces the one of the settings.
    Use as a context manager.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        credential: TokenCredential | None = None,
        transport: HttpTransport[Any, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._open = ExitStack()
        self._made: dict[tuple[str, str], Any] = {}
        self.cloud = self._find_cloud()
        self.credential = credential or make_credential(settings, self.cloud)

    def security(self, subscription_id: str) -> "SecurityCenter":
        """Defender for Cloud in one subscription (assessments and metadata at 2021-06-01)."""
        from azure.mgmt.security import SecurityCenter  # noqa: PLC0415

        client: SecurityCenter = self._once(SecurityCenter, subscription_id)
        return client

    def sentinel(self, subscription_id: str) -> "SecurityInsights":
        """Microsoft Sentinel in one subscription (2021-10-01)."""
        from azure.mgmt.securityinsight import SecurityInsights  # noqa: PLC0415

        client: SecurityInsights = self._once(SecurityInsights, subscription_id)
        return client

    def api_management(self, subscription_id: str) -> "ApiManagementClient":
        """API Management in one subscription (2024-05-01)."""
        from azure.mgmt.apimanagement import ApiManagementClient  # noqa: PLC0415

        client: ApiManagementClient = self._once(ApiManagementClient, subscription_id)
        return client

    def resource_graph(self) -> "ResourceGraphClient":
        """Azure Resource Graph, over all subscriptions that the caller can read (2021-03-01)."""
        from azure.mgmt.resourcegraph import ResourceGraphClient  # noqa: PLC0415

        return self._open.enter_context(ResourceGraphClient(self.credential, **self._management()))

    def arm(self) -> ArmClient:
        """Plain ARM calls, for what no SDK here covers."""
        return self._open.enter_context(ArmClient(self.credential, **self._management()))

    def ingestion(self) -> "LogsIngestionClient":
        """Logs Ingestion at the endpoint of the settings. Raises ConfigurationError when it is not set."""
        from azure.monitor.ingestion import LogsIngestionClient  # noqa: PLC0415

        self._settings.require("ingestion_endpoint")
        endpoint = str(self._settings.ingestion_endpoint).rstrip("/")
        clouds.require_ingestion_endpoint(self.cloud, endpoint)
        return self._open.enter_context(
            LogsIngestionClient(
                endpoint,
                self.credential,
                credential_scopes=[self.cloud.ingestion_scope],
                **self._common(),
            )
        )

    def logs(self) -> "LogsQueryClient":
        """The Log Analytics query API."""
        from azure.monitor.query import LogsQueryClient  # noqa: PLC0415

        return self._open.enter_context(
            LogsQueryClient(
                self.credential,
                endpoint=self._logs_endpoint,
                audience=self.cloud.logs_scope.removesuffix("/.default"),
                **self._common(),
            )
        )

    def _once(self, kind: Callable[..., Any], subscription_id: str) -> Any:
        key = (repr(kind), subscription_id)
        if key not in self._made:
            client = kind(self.credential, subscription_id, **self._management())
            self._made[key] = self._open.enter_context(client)
        return self._made[key]

    @property
    def _logs_endpoint(self) -> str:
        told = self._settings.logs_endpoint
        return str(told).rstrip("/") if told else self.cloud.logs_endpoint

    def _find_cloud(self) -> Cloud:
        if self._settings.arm_endpoint is None:
            return clouds.named(self._settings.cloud)
        endpoint = str(self._settings.arm_endpoint).rstrip("/")
        request = HttpRequest("GET", f"{endpoint}/metadata/endpoints", params={"api-version": _METADATA_VERSION})
        policies = [UserAgentPolicy(USER_AGENT), RetryPolicy()]
        with (
            PipelineClient(endpoint, policies=policies, **self._common()) as client,
            azure_errors(f"reading the metadata of {endpoint}"),
        ):
            response = client.send_request(request)
            response.raise_for_status()
            return clouds.from_metadata(endpoint, _metadata(endpoint, response.content))

    def _management(self) -> dict[str, Any]:
        return {
            "base_url": self.cloud.arm_endpoint,
            "credential_scopes": [self.cloud.arm_scope],
            **self._common(),
        }

    def _common(self) -> dict[str, Any]:
        common: dict[str, Any] = {"user_agent": USER_AGENT}
        if self._settings.ca_bundle is not None:
            common["connection_verify"] = str(self._settings.ca_bundle)
        if self._transport is not None:
            common["transport"] = self._transport
        return common

    def close(self) -> None:
        """Close every client that was made."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _metadata(endpoint: str, content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(
            f"The metadata of {endpoint} is no JSON: {error}.",
            remedy="Check arm_endpoint; does a proxy answer in its place?",
        ) from error
