"""Every limit of a rule's YAML: the file that breaks it is refused with its name, the field and the limit."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from apiward_core.errors import ConfigurationError
from apiward_rules.load import load_folder, load_rules, parse_rule
from apiward_rules.validate import columns_of, set_faults

SHIPPED = (files("apiward_rules") / "content" / "api-recommendation-high.yaml").read_text("utf-8")
Change = Callable[[dict[str, Any]], object]


def refusal(change: Change) -> str:
    document = yaml.safe_load(SHIPPED)
    change(document)
    with pytest.raises(ConfigurationError) as caught:
        parse_rule("broken.yaml", yaml.safe_dump(document))
    assert "Analytics rule broken.yaml: " in str(caught.value)
    return str(caught.value)


def put(**fields: Any) -> Change:
    return lambda rule: rule.update(fields)


def grouping(**fields: Any) -> Change:
    return lambda rule: rule["incidentConfiguration"]["groupingConfiguration"].update(fields)


def mapping(kind: str, *identifiers: str, column: str = "ServiceId") -> dict[str, Any]:
    return {"entityType": kind, "fieldMappings": [{"identifier": i, "columnName": column} for i in identifiers]}


FIELD_LIMITS = [
    (put(id="not-a-guid"), "id: ", "pattern"),
    (put(name="n" * 257), "name: ", "256"),
    (put(description="d" * 5001), "description: ", "5000"),
    (put(severity="Critical"), "severity: ", "'Informational', 'Low', 'Medium' or 'High'"),
    (put(status="Draft"), "status: ", "'Available'"),
    (put(kind="NRT"), "kind: ", "'Scheduled'"),
    (put(query=""), "query: ", "at least 1"),
    (put(query="q" * 10_001), "query: ", "10000"),
    (put(queryFrequency="PT1H"), "queryFrequency: ", "not ISO 8601"),
    (put(triggerOperator=">"), "triggerOperator: ", "'GreaterThan'"),
    (put(triggerThreshold=-1), "triggerThreshold: ", "0"),
    (put(triggerThreshold=10_001), "triggerThreshold: ", "10000"),
    (put(triggerThreshold="3"), "triggerThreshold: ", "integer"),
    (put(tactics=["Initial Access"]), "tactics.0: ", "'InitialAccess'"),
    (put(relevantTechniques=["1190"]), "relevantTechniques.0: ", "pattern"),
    (put(version="1.0"), "version: ", "pattern"),
    (put(version="1.0." + "0" * 17), "version: ", "20"),
    (put(entityMappings=[mapping("IP", "Address")] * 11), "entityMappings: ", "10"),
    (put(entityMappings=[mapping("IP")]), "entityMappings.0.fieldMappings: ", "at least 1"),
    (put(entityMappings=[mapping("Host", *"abcd")]), "entityMappings.0.fieldMappings: ", "at most 3"),
    (put(entityMappings=[mapping("IP", "Address", column="1st")]), "entityMappings.0.fieldMappings.0.columnName: ", ""),
    (put(customDetails={f"Key{n}": "C" for n in range(21)}), "customDetails: ", "20"),
    (put(customDetails={"K" * 21: "C"}), "customDetails.", "20"),
    (put(customDetails={"My key": "C"}), "customDetails.", "pattern"),
    (put(alertDetailsOverride={"alertDisplayNameFormat": "n" * 257}), "alertDisplayNameFormat: ", "256"),
    (put(alertDetailsOverride={"alertDescriptionFormat": "n" * 5001}), "alertDescriptionFormat: ", "5000"),
    (put(eventGroupingSettings={"aggregationKind": "PerRow"}), "eventGroupingSettings.aggregationKind: ", "'Alert"),
    (put(suppressionEnabled="no"), "suppressionEnabled: ", "boolean"),
    (grouping(matchingMethod="Some"), "groupingConfiguration.matchingMethod: ", "'AllEntities'"),
    (grouping(groupByAlertDetails=["Name"]), "groupByAlertDetails.0: ", "'DisplayName' or 'Severity'"),
    (put(queryFrequencey="1h"), "queryFrequencey: ", "not permitted"),
    (lambda rule: rule.pop("queryPeriod"), "queryPeriod: ", "required"),
    (lambda rule: rule.pop("requiredDataConnectors"), "requiredDataConnectors: ", "required"),
]

AGREEMENTS = [
    (put(queryFrequency="4m"), "queryFrequency: PT4M", "PT5M to P14D"),
    (put(queryPeriod="15d"), "queryPeriod: P15D", "PT5M to P14D"),
    (put(queryFrequency="3h", queryPeriod="2h"), "queryPeriod: PT2H", "shorter than queryFrequency"),
    (put(queryFrequency="59m", queryPeriod="2d"), "queryFrequency: ", "1 hour or more"),
    (put(suppressionDuration="25h"), "suppressionDuration: P1DT1H", "PT5M to P1D"),
    (grouping(lookbackDuration="8d"), "groupingConfiguration.lookbackDuration: P8D", "PT5M to P7D"),
    (put(tactics=["Impact"]), "relevantTechniques: T1190 needs", "InitialAccess"),
    (put(relevantTechniques=["T9999"]), "relevantTechniques: T9999", "mitre"),
    (put(entityMappings=[mapping("Api", "Id")]), "entityMappings.0.entityType: 'Api'", "AzureResource"),
    (put(entityMappings=[mapping("IP", "Id")]), "entityMappings.0.fieldMappings: IP has no", "Id"),
    (put(entityMappings=[mapping("Host", "OSFamily")]), "entityMappings.0.fieldMappings: Host needs", "HostName"),
    (put(entityMappings=[mapping("IP", "Address", "Address")]), "entityMappings.0.fieldMappings: each", "once"),
    (
        put(alertDetailsOverride={"alertDisplayNameFormat": "{{A}}{{B}}{{C}}{{D}}"}),
        "alertDisplayNameFormat: 4 placeholders",
        "at most 3",
    ),
    (
        put(alertDetailsOverride={"alertDescriptionFormat": "{{A}}{{B}}{{C}}{{D}}"}),
        "alertDescriptionFormat: 4 placeholders",
        "at most 3",
    ),
    (grouping(groupByCustomDetails=[]), "groupingConfiguration: matchingMethod Selected", "groupByEntities"),
    (grouping(groupByCustomDetails=["Colour"]), "groupByCustomDetails: Colour", "not mapped"),
    (grouping(groupByEntities=["IP"]), "groupByEntities: IP", "not mapped"),
]


@pytest.mark.parametrize(("change", "field", "limit"), [*FIELD_LIMITS, *AGREEMENTS])
def test_a_broken_limit_is_named(change: Change, field: str, limit: str) -> None:
    said = refusal(change)
    assert field in said
    assert limit in said


@pytest.mark.parametrize(
    "change",
    [
        put(name="n" * 256),
        put(triggerThreshold=10_000, triggerOperator="NotEqual"),
        put(queryFrequency="1h", queryPeriod="14d"),
        put(queryFrequency="5m", queryPeriod="00:05:00"),
        put(relevantTechniques=["T1078.004"]),
        put(entityMappings=[mapping("Host", "HostName", "OSFamily", "DnsDomain")] * 10),
        grouping(matchingMethod="AnyAlert", groupByCustomDetails=[]),
    ],
)
def test_a_limit_may_be_reached(change: Change) -> None:
    document = yaml.safe_load(SHIPPED)
    change(document)
    assert parse_rule("edge.yaml", yaml.safe_dump(document)) != parse_rule("edge.yaml", SHIPPED)


def test_a_character_that_is_not_ascii_is_named_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"odd\.yaml: line 2: '\u2013' is not ASCII"):
        parse_rule("odd.yaml", "id: x\nname: High \u2013 severity\n")


def test_a_file_that_is_no_yaml_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"odd\.yaml: not YAML"):
        parse_rule("odd.yaml", "name: [")


def test_ids_and_names_are_used_once() -> None:
    rule = parse_rule("one.yaml", SHIPPED)
    faults = list(set_faults({"one": rule, "two": rule}))
    assert faults == [
        ("two", f"id: {rule.id!r} is also that of one.yaml"),
        ("two", f"name: {rule.name!r} is also that of one.yaml"),
    ]


def test_the_columns_that_a_rule_relies_on() -> None:
    document = yaml.safe_load(SHIPPED)
    document["alertDetailsOverride"] = {"alertDisplayNameFormat": "{{A}} {{B}}", "alertSeverityColumnName": "C"}
    document["customDetails"] = {"RecommendationKey": "D", "ServiceId": "E"}
    document["entityMappings"] = [mapping("IP", "Address", column="F")]
    assert columns_of(parse_rule("one.yaml", yaml.safe_dump(document))) == set("ABCDEF")


def test_the_shipped_rules_load() -> None:
    assert set(load_rules()) >= {f"api-recommendation-{severity}" for severity in ("high", "medium", "low")}


def test_a_folder_of_rules_loads_by_the_stems_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(SHIPPED, "utf-8")
    (tmp_path / "notes.txt").write_text("no rule", "utf-8")
    assert load_folder(tmp_path) == {"mine": load_rules()["api-recommendation-high"]}


def test_a_folder_in_which_an_id_occurs_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(SHIPPED, "utf-8")
    with pytest.raises(ConfigurationError, match=r"Analytics rule b\.yaml: id: .* is also that of a\.yaml"):
        load_folder(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigurationError, match="Rules cannot be read from"):
        load_folder(tmp_path)
