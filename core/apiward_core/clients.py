"""The one place where SDK clients are made: endpoint, scope, CA bundle, transport, pace and user agent are set here."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson
from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy, UserAgentPolicy
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from apiward_core import clouds
from apiward_core.arm import ArmClient
from apiward_core.clouds import Cloud
from apiward_core.credentials import make_credential
from apiward_core.errors import ConfigurationError, azure_errors
from apiward_core.quota import QuotaPacer, SystemTimer, Timer
from apiward_core.settings import Settings
from apiward_core.throttle import ArmPace, ArmPacePolicy, DeadlineRetryPolicy, QuotaPolicy
from apiward_core.transport import make_transport

# The management SDKs take up to a second to import, so each is imported by the method that makes its client.
if TYPE_CHECKING:
    from azure.mgmt.apimanagement import ApiManagementClient
    from azure.mgmt.resourcegraph import ResourceGraphClient
    from azure.mgmt.security import SecurityCenter
    from azure.mgmt.securityinsight import SecurityInsights
    from azure.monitor.ingestion import LogsIngestionClient
    from azure.monitor.query import LogsQueryClient
    from azure.storage.blob import ContainerClient

USER_AGENT = f"apiward/{version('apiward')}"
_METADATA_VERSION = "2022-09-01"
_MOST_KEPT = 64  # clients of single subscriptions, about 40 KB each
_BLOCK = 8 * 1024 * 1024  # bytes; what is larger goes to Blob Storage in blocks, so that a retry repeats one of them
_BLOB_TIMEOUTS = {"connection_timeout": 20, "read_timeout": 60}  # seconds, as the SDK's own transport has them


class AzureClients:
    """Makes SDK clients for one identity, which any thread may use, and closes them all.

    All but that of Blob Storage share their connections; those of Azure Resource Manager keep one pace. `transport`
    replaces the HTTP transport of every client, `credential` the one of the settings, `timer` what they wait by. Use as
    a context manager.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        credential: TokenCredential | None = None,
        transport: HttpTransport[Any, Any] | None = None,
        timer: Timer | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._timer = timer or SystemTimer()
        self._pace = ArmPace(self._timer, patience=settings.throttle_patience)
        self._quota = QuotaPacer(self._timer, patience=settings.throttle_patience)
        self._open = ExitStack()
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self.cloud = self._find_cloud()
        self.credential = credential or make_credential(settings, self.cloud)
        self._shared = self._open.enter_context(transport or make_transport(**self._own()))

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

        pace = QuotaPolicy(self._quota)
        return self._open.enter_context(ResourceGraphClient(self.credential, **self._management(pace)))

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
                **self._common,
                retry_policy=self._until_deadline(),
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
                **self._common,
            )
        )

    def blob_container(self) -> "ContainerClient":
        """The Blob container of `state_container`. Raises ConfigurationError when it is not set or no host of Azure."""
        from azure.storage.blob import ContainerClient  # noqa: PLC0415

        self._settings.require("state_container")
        url = str(self._settings.state_container).rstrip("/")
        clouds.require_blob_endpoint(self.cloud, url)
        options = {**self._own(), "transport": self._transport or make_transport(**self._own(), **_BLOB_TIMEOUTS)}
        client = ContainerClient.from_container_url(
            url, self.credential, max_single_put_size=_BLOCK, max_block_size=_BLOCK, **options
        )
        return self._open.enter_context(client)

    def _once(self, kind: Callable[..., Any], subscription_id: str) -> Any:
        key = (repr(kind), subscription_id)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = kind(self.credential, subscription_id, **self._management())
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)  # whoever still uses it may: its connections are everybody's
            return self._kept[key]

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
            PipelineClient(endpoint, policies=policies, **self._own()) as client,
            azure_errors(f"reading the metadata of {endpoint}"),
        ):
            response = client.send_request(request)
            response.raise_for_status()
            return clouds.from_metadata(endpoint, _metadata(endpoint, response.content))

    def _management(self, pace: HTTPPolicy[Any, Any] | None = None) -> dict[str, Any]:
        return {
            "base_url": self.cloud.arm_endpoint,
            "credential_scopes": [self.cloud.arm_scope],
            **self._common,
            "retry_policy": self._until_deadline(),
            "per_retry_policies": [pace or ArmPacePolicy(self._pace)],
        }

    def _until_deadline(self) -> DeadlineRetryPolicy:
        return DeadlineRetryPolicy(timer=self._timer, patience=self._settings.throttle_patience)

    @property
    def _common(self) -> dict[str, Any]:
        return {"user_agent": USER_AGENT, "transport": self._shared}

    def _own(self) -> dict[str, Any]:
        """For a client with a transport of its own."""
        own: dict[str, Any] = {"user_agent": USER_AGENT}
        if self._settings.ca_bundle is not None:
            own["connection_verify"] = str(self._settings.ca_bundle)
        if self._transport is not None:
            own["transport"] = self._transport
        return own

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
