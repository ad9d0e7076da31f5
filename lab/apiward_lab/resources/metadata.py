"""The metadata endpoint by which clients learn the addresses of a cloud."""

from collections.abc import Callable, Sequence

from apiward_lab.web import Call, Json, Reply, Route

_AUDIENCES = ("https://management.core.windows.net/", "https://management.azure.com/")


class CloudMetadata:
    """GET /metadata/endpoints, anonymous; one cloud at 2022-09-01, a list of clouds at the older api-versions."""

    def __init__(self, tenant_id: str, *, base_url: Callable[[], str]) -> None:
        self._tenant_id = tenant_id
        self._base_url = base_url

    @property
    def routes(self) -> Sequence[Route]:
        """One path, several api-versions."""
        path = "/metadata/endpoints"
        return [
            Route("GET", path, self._one, ("2022-09-01", "2023-11-01"), audience=None),
            Route("GET", path, self._list, ("2019-05-01", "2020-06-01"), audience=None),
        ]

    def describe(self) -> Json:
        """The cloud's addresses. Audiences are those of the public cloud."""
        base = self._base_url()
        return {
            "name": "ApiwardLab",
            "portal": "https://portal.azure.com",
            "authentication": {
                "loginEndpoint": base,
                "audiences": list(_AUDIENCES),
                "tenant": self._tenant_id,
                "identityProvider": "AAD",
            },
            "resourceManager": f"{base}/",
            "graph": f"{base}/graph",
            "graphAudience": "https://graph.windows.net/",
            "microsoftGraphResourceId": "https://graph.microsoft.com/",
            "logAnalyticsResourceId": "https://api.loganalytics.io",
            "appInsightsResourceId": "https://api.applicationinsights.io",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "batch": "https://batch.core.windows.net/",
            "media": "https://rest.media.azure.net",
            "sqlManagement": "https://management.core.windows.net:8443/",
            "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
            "suffixes": {
                "acrLoginServer": "azurecr.io",
                "keyVaultDns": "vault.azure.net",
                "sqlServerHostname": "database.windows.net",
                "storage": "core.windows.net",
            },
        }

    def _one(self, _call: Call) -> Reply:
        return Reply(body=self.describe())

    def _list(self, _call: Call) -> Reply:
        return Reply(body=[self.describe()])
