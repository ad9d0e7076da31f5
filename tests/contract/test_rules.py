"""Every function and rule that is shipped: locked, right for Microsoft's parser and API, true to its samples, and at
work in the lab."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from apiward.local_kql import LocalKql
from apiward_core.arm_id import ArmId
from apiward_core.content import Content, ContentItem, Json, State
from apiward_core.errors import ConflictError, MissingError, RejectedDataError
from apiward_core.kql_check import PACKAGE, KqlChecker
from apiward_core.tables import RECOMMENDATIONS, all_tables
from apiward_lab.routing import Router
from apiward_lab.sentinel import Sentinel
from apiward_lab.web import Call, Problem
from apiward_rules.arm import RULE
from apiward_rules.functions import function_schemas, load_functions
from apiward_rules.items import content_items, content_lock, updated_lock
from apiward_rules.load import load_rules
from apiward_rules.rules import rule_ids
from apiward_rules.trial import try_rule
from apiward_rules.validate import columns_of
from tests.contract.openapi import Exchange, validate_exchange
from tests.unit.lab_logs.direct import WORKSPACE, Logs
from tests.unit.rules.workspace import KEY, row, service_id

LANGUAGE_SERVICE = Path(__file__).parents[2] / PACKAGE
HOUR = timedelta(hours=1)

all_rules = pytest.mark.parametrize("stem", load_rules())
all_items = pytest.mark.parametrize("item", content_items(), ids=lambda item: item.id)


def test_the_lock_holds_every_item_as_it_is() -> None:
    content_lock().check(content_items())
    assert updated_lock() == content_lock().text()


@pytest.fixture(scope="module")
def checker() -> KqlChecker:
    if not LANGUAGE_SERVICE.is_dir():
        pytest.skip("node_modules is absent: run make setup")
    schema = {name: table.kusto_schema() for name, table in all_tables().items()}
    return KqlChecker(LANGUAGE_SERVICE, schema, function_schemas())


@pytest.mark.parametrize("alias", load_functions())
def test_microsofts_parser_accepts_every_function(checker: KqlChecker, alias: str) -> None:
    assert checker.check_function(alias) == []


@all_rules
def test_microsofts_parser_accepts_every_rule_and_finds_its_columns(checker: KqlChecker, stem: str) -> None:
    rule = load_rules()[stem]
    assert checker.check(rule.query) == []
    assert columns_of(rule) <= {name for name, _ in checker.columns(rule.query)}


@pytest.fixture(scope="module")
def engine() -> LocalKql:
    return LocalKql(all_tables(), function_schemas())


@all_rules
def test_every_rule_passes_its_samples(engine: LocalKql, stem: str) -> None:
    results = list(try_rule(load_rules()[stem], engine))
    assert [result for result in results if not result.passed] == []
    assert any(result.expected for result in results)
    assert any(not result.expected for result in results)


@pytest.mark.parametrize("severity", ["High", "Medium", "Low"])
@pytest.mark.parametrize("other", ['"None"', "69m", "71m"])
def test_samples_of_a_severity_notice_another_severity_and_another_window(
    engine: LocalKql, severity: str, other: str
) -> None:
    rule = load_rules()[f"api-recommendation-{severity.lower()}"]
    spoilt = rule.query.replace("70m" if other.endswith("m") else f'"{severity}"', other)
    assert spoilt != rule.query
    spoilt_rule = rule.model_copy(update={"query": spoilt})
    assert not all(result.passed for result in try_rule(spoilt_rule, engine))


class LabArm:
    """ARM as the lab's services answer it, without a server between; it notes each exchange."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.sentinel = Sentinel(self.logs.clock, self.logs.service)
        self.exchanges: list[Exchange] = []
        self._router = Router([*self.logs.service.routes, *self.sentinel.routes])

    def get(self, path: str, *, api_version: str) -> Json:
        return self._send("GET", path, api_version, b"")

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        return self._send("PUT", path, api_version, json.dumps(body).encode())

    def _send(self, method: str, path: str, api_version: str, content: bytes) -> Json:
        match = self._router.find(method, path, api_version)
        assert match is not None, f"the lab has no {method} {path} at {api_version}"
        call = Call(method, path, match.params, {"api-version": api_version}, {}, content, "https://lab.test")
        try:
            reply = match.route.handler(call)
        except Problem as problem:
            error = {404: MissingError, 409: ConflictError}.get(problem.status, RejectedDataError)
            raise error(problem.message, remedy="") from problem
        url = f"https://management.azure.com{path}?api-version={api_version}"
        assert isinstance(reply.body, dict)
        answer = json.dumps(reply.body).encode()
        sent = {"content-type": "application/json"} if content else {}
        received = {"content-type": "application/json"}
        self.exchanges.append(Exchange(method, url, reply.status, sent, content or None, received, answer))
        return reply.body


@pytest.fixture
def arm() -> LabArm:
    lab = LabArm()
    schemas = {name: {column.name: column.type for column in table.columns} for name, table in all_tables().items()}
    assert {lab.logs.put_table(name, columns).status for name, columns in schemas.items()} == {202}
    assert lab.logs.put_rule(schemas[RECOMMENDATIONS], table=RECOMMENDATIONS).status == 201
    return lab


@pytest.fixture
def content(arm: LabArm) -> Content:
    return Content(lambda _: arm, workspace=ArmId.parse(WORKSPACE.resource_id), lock=content_lock())


def test_all_of_it_can_be_deployed_in_order_and_again(content: Content) -> None:
    items = content_items()
    assert {step.state for step in content.plan(items)} == {State.CREATE}
    assert all(step.written for step in content.apply(items))
    again = content.apply(items)
    assert [(step.state, step.written, step.differs) for step in again] == [(State.UNCHANGED, False, ())] * len(items)


def test_a_rule_is_refused_before_its_functions_are_there(content: Content) -> None:
    rules = [item for item in content_items() if item.kind is RULE]
    with pytest.raises(RejectedDataError, match="ApiRecommendationsRaised"):
        content.apply(rules)


@all_items
def test_an_edit_of_any_item_is_seen_and_kept_and_can_be_undone(
    arm: LabArm, content: Content, item: ContentItem
) -> None:
    content.apply(content_items())
    path = item.resource_id(ArmId.parse(WORKSPACE.resource_id))
    deployed = arm.get(path, api_version=item.kind.api_version)
    deployed["properties"]["query"] += "\n| take 1"
    arm.put(path, deployed, api_version=item.kind.api_version)
    (kept,) = content.apply([item])
    assert (kept.state, kept.written, kept.differs) == (State.EDITED, False, ("query",))
    (undone,) = content.apply([item], overwrite=True)
    assert undone.written
    assert content.plan([item])[0].state is State.UNCHANGED


def test_every_request_conforms_to_microsofts_documents(arm: LabArm, content: Content) -> None:
    content.apply(content_items())
    content.apply(content_items())
    writes = [exchange for exchange in arm.exchanges if exchange.method == "PUT"]
    assert len(writes) == len(content_items())
    assert {dict(parse_qsl(urlsplit(e.url).query))["api-version"] for e in writes} == {"2023-09-01", "2024-03-01"}
    faults = [fault for exchange in writes for fault in validate_exchange(exchange)]
    by_us = [fault for fault in faults if ": answer " not in fault]  # the answers are the lab's
    assert by_us == []


@pytest.fixture
def incidents(arm: LabArm, content: Content) -> Callable[[], list[Any]]:
    """All incidents, oldest first, once the content is deployed."""
    content.apply(content_items())
    base = f"{WORKSPACE.resource_id}/providers/Microsoft.SecurityInsights/incidents"

    def listed() -> list[Any]:
        found = arm.get(base, api_version="2024-03-01")["value"]
        return sorted(found, key=lambda incident: incident["properties"]["incidentNumber"])

    return listed


def upload(arm: LabArm, *rows: dict[str, Any]) -> None:
    now = arm.logs.clock.now().isoformat()
    assert arm.logs.upload([{"TimeGenerated": now, **facts} for facts in rows]).status == 204


@pytest.mark.parametrize("severity", ["High", "Medium", "Low"])
def test_a_rule_opens_one_incident_of_its_severity_per_recommendation_and_service(
    arm: LabArm, incidents: Callable[[], list[Any]], severity: str
) -> None:
    rows = row("f1"), row("f2"), row("f3", service="fabrikam")
    upload(arm, *({**facts, "Severity": severity} for facts in rows))
    arm.logs.clock.advance(HOUR)
    found = [incident["properties"] for incident in incidents()]
    titles = sorted(incident["title"] for incident in found)
    assert titles == [f"API Management APIs should use only encrypted protocols ({s})" for s in ("contoso", "fabrikam")]
    assert {incident["severity"] for incident in found} == {severity}
    ours = rule_ids(ArmId.parse(WORKSPACE.resource_id))
    assert all(related.lower() in ours for incident in found for related in incident["relatedAnalyticRuleIds"])
    alert = arm.logs.rows("SecurityAlert | where DisplayName has 'contoso' | project ExtendedProperties, Techniques")[0]
    details = json.loads(json.loads(alert[0])["Custom Details"])
    rule = load_rules()[f"api-recommendation-{severity.lower()}"]
    assert set(details) == set(rule.custom_details)
    assert (details["RecommendationKey"], details["ServiceId"]) == ([KEY], [service_id("contoso")])
    assert all(technique in alert[1] for technique in rule.relevant_techniques)


def test_later_findings_join_the_open_incident_and_a_regression_after_closing_opens_another(
    arm: LabArm, incidents: Callable[[], list[Any]]
) -> None:
    upload(arm, row("f1"))
    arm.logs.clock.advance(2 * HOUR)
    upload(arm, row("f2"))
    arm.logs.clock.advance(2 * HOUR)
    (first,) = incidents()
    assert first["properties"]["additionalData"]["alertsCount"] == 2
    closed = {**first["properties"], "status": "Closed", "classification": "Undetermined"}
    arm.put(first["id"], {"etag": first["etag"], "properties": closed}, api_version="2024-03-01")
    upload(arm, row("f1", Revision=3, ChangeType="Regressed", PreviousState="Healthy", PreviousSeverity="High"))
    arm.logs.clock.advance(2 * HOUR)
    assert [incident["properties"]["status"] for incident in incidents()] == ["Closed", "New"]


def test_many_services_at_once_become_one_incident_per_recommendation(
    arm: LabArm, incidents: Callable[[], list[Any]]
) -> None:
    upload(arm, *(row(f"f{n}", service=f"apim-{n}") for n in range(150)))
    arm.logs.clock.advance(HOUR)
    (incident,) = incidents()
    assert incident["properties"]["title"].endswith("(several services)")
