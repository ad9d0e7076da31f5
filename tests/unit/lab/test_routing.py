import pytest

from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem, Reply, Route


def answer(_call: Call) -> Reply:
    return Reply()


SUBSCRIPTION = Route("GET", "/subscriptions/{subscription}", answer, ("2022-12-01",))
ANY_SCOPE = Route("GET", "/{scope:path}/providers/Contoso.Security/findings", answer, ("2021-06-01",))
AT_SUBSCRIPTION = Route("GET", "/subscriptions/{s}/providers/Contoso.Security/findings", answer, ("2021-06-01",))
OLD = Route("GET", "/metadata", answer, ("2019-05-01",), audience=None)
NEW = Route("GET", "/metadata", answer, ("2022-09-01",), audience=None)
ROUTER = Router([ANY_SCOPE, AT_SUBSCRIPTION, SUBSCRIPTION, OLD, NEW])


def found(path: str, version: str | None = "2021-06-01") -> Route:
    match = ROUTER.find("GET", path, version)
    assert match is not None
    return match.route


def test_literals_match_without_regard_to_case() -> None:
    assert found("/SUBSCRIPTIONS/1/Providers/contoso.security/FINDINGS") is AT_SUBSCRIPTION


def test_the_most_specific_route_wins() -> None:
    assert found("/subscriptions/1/providers/Contoso.Security/findings") is AT_SUBSCRIPTION
    assert found("/subscriptions/1/resourceGroups/g/providers/Contoso.Security/findings") is ANY_SCOPE


def test_parameters_are_decoded_once() -> None:
    match = ROUTER.find("GET", "/apis/a%3Brev%3D2%2525/providers/Contoso.Security/findings", "2021-06-01")
    assert match is not None
    assert match.params == {"scope": "apis/a;rev=2%25"}


def test_one_path_can_have_a_route_for_each_version() -> None:
    assert found("/metadata", "2019-05-01") is OLD
    assert found("/metadata", "2022-09-01") is NEW


def test_another_method_is_another_route() -> None:
    assert ROUTER.find("POST", "/metadata", "2022-09-01") is None


@pytest.mark.parametrize(
    ("path", "version", "code", "text"),
    [
        ("/subscriptions/1", None, "MissingApiVersionParameter", "required"),
        ("/subscriptions/1", "2001-01-01", "InvalidApiVersionParameter", "2022-12-01"),
        ("/x/providers/Contoso.Security/findings", "2001-01-01", "NoRegisteredProviderFound", "'findings'"),
    ],
)
def test_a_wrong_api_version_is_refused_as_arm_words_it(path: str, version: str | None, code: str, text: str) -> None:
    with pytest.raises(Problem, match=text) as refused:
        ROUTER.find("GET", path, version)
    assert (refused.value.status, refused.value.code) == (400, code)
