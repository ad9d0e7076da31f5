"""Reference data of the lab's estate, as the connector's identity reads it through the real clients."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apiward import console
from apiward.demo import Demo
from apiward.lab_process import LabHandle
from apiward_connector.place import locate
from apiward_connector.reference import Reference, ReferenceReader
from apiward_connector.reference.azure import azure_reader
from apiward_connector.report import Gap
from apiward_connector.sources.graph import Graph
from apiward_connector.sources.policy import PolicySource
from apiward_core.arm_id import ArmId
from apiward_core.clock import parse_timestamp, timestamp
from apiward_core.errors import AccessError
from apiward_core.folder_objects import FolderObjects
from apiward_lab.estate import Api, ApimService, Operation
from apiward_lab.lab import Lab
from tests.e2e.conftest import Raised
from tests.e2e.test_partial_reads import A_DAY, Tenant

GOVERNANCE_VERSION = "2022-01-01-preview"
TAGS = {"owner": "Payments", "env": "prod"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Raised]:
    console.out.quiet = True
    with Lab.start() as lab:
        for service in lab.estate.services:
            service.tags = dict(TAGS)
        yield Raised(lab, Demo(LabHandle(lab.descriptor()), tmp_path))
    console.out.quiet = False
    assert list(lab.unknown_routes) == []


@contextmanager
def reader(world: Raised, identity: str = "connector") -> Iterator[ReferenceReader]:
    """A reader for one run."""
    with world.demo.app(identity) as app:
        arm = app.clients.arm()
        yield azure_reader(
            app.clients,
            graph=Graph(app.clients.resource_graph()),
            policies=PolicySource(arm),
            objects=FolderObjects(world.demo.folder / "objects"),
            clock=app.clock,
        )


def read(world: Raised) -> Mapping[str, tuple[Reference, tuple[Gap, ...]]]:
    """What a run reads, by subscription id."""
    ids = [subscription.resource_id.rpartition("/")[2] for subscription in world.lab.estate.subscriptions]
    with reader(world) as opened:
        opened.expect(ids)
        return {subscription: opened.read(subscription) for subscription in ids}


def watched(world: Raised) -> Iterator[tuple[ApimService, Api, Operation]]:
    """The operations of every onboarded API."""
    for service in world.lab.estate.services:
        for name in service.onboarded:
            for operation in service.apis[name].operations.values():
                yield service, service.apis[name], operation


def governed(world: Raised) -> Iterator[tuple[str, str, Any]]:
    """Resource, key and properties of each governance assignment, as the REST API lists them."""
    with world.demo.app("admin") as admin:
        arm = admin.clients.arm()
        for subscription in world.lab.estate.subscriptions:
            path = f"{subscription.resource_id}/providers/Microsoft.Security/assessments"
            for key in {item["name"] for item in arm.get(path, api_version="2021-06-01")["value"]}:
                listed = arm.get(f"{path}/{key}/governanceAssignments", api_version=GOVERNANCE_VERSION)["value"]
                for item in listed:
                    yield item["id"].lower().partition("/providers/microsoft.security/")[0], key, item["properties"]


def test_everything_is_joined_and_nothing_is_missing(world: Raised) -> None:
    known = read(world)
    assert [gaps for _, gaps in known.values()] == [()] * len(known)
    operations = list(watched(world))
    assert operations
    for service, api, operation in operations:
        place = locate(ArmId.read(f"{service.api_id(api)}/operations/{operation.name}"), {})
        exposure = known[service.group.subscription_id][0].exposure(place)
        shown = (exposure.http_method, exposure.url_template)
        assert shown == (operation.properties["method"], operation.properties["urlTemplate"]), operation.name
        assert (exposure.last_traffic == "") == (operation.last_call(world.lab.clock.now()) is None), operation.name
    for service in world.lab.estate.services:
        assert known[service.group.subscription_id][0].tags(service.resource_id.lower()) == TAGS


def test_each_governance_assignment_is_joined_to_its_assessment(world: Raised) -> None:
    known, assignments = read(world), list(governed(world))
    assert assignments
    for resource, key, properties in assignments:
        found = known[resource.split("/")[2]][0].governance(resource, key)
        due = timestamp(parse_timestamp(properties["remediationDueDate"]))
        assert (found.owner, found.due, found.grace_period) == (
            properties["owner"],
            due,
            properties["isGracePeriod"],
        )


def test_the_second_run_of_a_day_asks_for_nothing(world: Raised) -> None:
    read(world)
    asked = len(world.lab.journal.requests)
    with reader(world) as opened:
        for subscription in world.lab.estate.subscriptions:
            opened.read(subscription.resource_id.rpartition("/")[2])
    assert {request.path for request in world.lab.journal.requests[asked:]} <= {"/metadata/endpoints", "/_lab/clock"}


def test_a_role_that_is_lost_empties_nothing(world: Raised) -> None:
    before, tenant = read(world), Tenant(world)
    lost = world.lab.estate.subscriptions[0].resource_id
    tenant.take_role("connector", lost)
    world.lab.clock.advance(A_DAY)
    with reader(world) as opened:
        after, gaps = opened.read(lost.rpartition("/")[2])
    assert [gap.what.partition(" of ")[0] for gap in gaps] == [
        "the assessment metadata",
        "the API collections",
        "the API endpoints",
        "the governance assignments",
        "the policy exemptions",
        "the tags",
    ]
    known, _ = before[lost.rpartition("/")[2]]
    assert dict(after.metadata) == dict(known.metadata)
    assert after.inventory_day == known.inventory_day
    observed = timestamp(world.lab.clock.now())
    rows = [list(each.inventory_rows(run_id="run", observed=observed)) for each in (known, after)]
    assert rows[0] == rows[1] != []
    assert all(
        after.tags(service.resource_id.lower()) == known.tags(service.resource_id.lower())
        for service in world.lab.estate.services
    )


def test_a_subscription_that_may_not_be_read_cannot_be_judged(world: Raised) -> None:
    tenant, lost = Tenant(world), world.lab.estate.subscriptions[0].resource_id
    tenant.take_role("connector", lost)
    with reader(world) as opened, pytest.raises(AccessError):
        opened.read(lost.rpartition("/")[2])
