"""Microsoft Entra and the list of subscriptions, as far as `az login` asks for them."""

from rig.estate import TENANT_ID, Estate
from rig.wire import Answer, Request


class SignIn:
    """Lets every service principal in, with a token that nobody reads."""

    def __init__(self, estate: Estate, *, url: str) -> None:
        self._estate = estate
        self._authority = f"{url}/{TENANT_ID}"

    def answer(self, request: Request) -> Answer | None:
        """The answer to one request; None when it is for something else."""
        if request.path.endswith("/.well-known/openid-configuration"):
            return Answer.of(
                {
                    "issuer": f"{self._authority}/v2.0",
                    "authorization_endpoint": f"{self._authority}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{self._authority}/oauth2/v2.0/token",
                }
            )
        if request.path.endswith("/oauth2/v2.0/token"):
            return Answer.of({"token_type": "Bearer", "expires_in": 3_600, "access_token": "0" * 1_500})
        return Answer.of({"value": self._subscriptions()}) if request.path == "/subscriptions" else None

    def _subscriptions(self) -> list[dict[str, str]]:
        return [
            {
                "id": f"/subscriptions/{each}",
                "subscriptionId": each,
                "tenantId": TENANT_ID,
                "displayName": each,
                "state": "Enabled",
            }
            for each in self._estate.subscription_ids
        ]
