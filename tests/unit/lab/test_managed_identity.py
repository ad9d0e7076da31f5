import pytest

from apiward_lab.entra import Application, Directory, ManagedIdentities, TokenAuthority
from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem, Reply

APP = Application("app", "App", "client-1", "object-1")
OTHER = Application("other", "Other", "client-2", "object-2")
ARM = "https://management.azure.com/"


class Host:
    """A machine on which the identity endpoints can be asked."""

    def __init__(self) -> None:
        directory = Directory("tenant", [APP, OTHER])
        self.tokens = TokenAuthority(directory, base_url=lambda: "https://lab")
        self.identities = ManagedIdentities(directory, self.tokens, base_url=lambda: "https://lab")
        self.header = self.identities.environment(APP)["IDENTITY_HEADER"]

    def ask(self, path: str, headers: dict[str, str], version: str, **query: str) -> Reply:
        match = Router(self.identities.routes).find("GET", path, version)
        assert match is not None
        call = Call("GET", path, match.params, {"resource": ARM, **query}, headers, b"", "https://lab")
        try:
            return match.route.handler(call)
        except Problem as problem:
            return problem.reply()

    def app_service(self, header: str | None = None, **query: str) -> Reply:
        headers = {"x-identity-header": self.header if header is None else header}
        return self.ask("/msi/client-1/token", headers, "2019-08-01", **query)

    def machine(self, **query: str) -> Reply:
        return self.ask("/metadata/identity/oauth2/token", {"metadata": "true"}, "2018-02-01", **query)

    def owner(self, reply: Reply) -> str:
        return self.tokens.authenticate(f"Bearer {reply.body['access_token']}", "arm").object_id


def test_app_service_gives_the_hosts_identity_or_the_one_that_is_named() -> None:
    host = Host()
    assert host.owner(host.app_service()) == "object-1"
    assert host.owner(host.app_service(client_id="client-2")) == "object-2"
    assert host.identities.environment(APP)["IDENTITY_ENDPOINT"] == "https://lab/msi/client-1/token"


@pytest.mark.parametrize("header", ["", "guess", "wörng"])
def test_app_service_checks_its_header(header: str) -> None:
    reply = Host().app_service(header)
    assert (reply.status, reply.body["statusCode"]) == (401, 401)


def test_a_machine_has_several_identities_so_one_must_be_named() -> None:
    host = Host()
    assert host.owner(host.machine(client_id="client-2")) == "object-2"
    assert "Multiple user assigned identities" in host.machine().body["error_description"]
    assert host.machine(client_id="client-3").body["error_description"] == "Identity not found"


def test_a_machine_wants_the_metadata_header() -> None:
    reply = Host().ask("/metadata/identity/oauth2/token", {}, "2018-02-01", client_id="client-1")
    assert (reply.status, reply.body["error"]) == (400, "invalid_request")


def test_an_unknown_resource_gets_no_token() -> None:
    reply = Host().machine(client_id="client-1", resource="https://unknown.example")
    assert reply.body["error"] == "invalid_resource"
