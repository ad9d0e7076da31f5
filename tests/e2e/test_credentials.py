"""Each way to sign in that the settings offer, used by a real command."""

import json
from pathlib import Path

import pytest

from tests.e2e.commands import apiward
from tests.e2e.conftest import Raised
from tests.e2e.sign_in import (
    SignIn,
    client_certificate,
    client_certificate_with_password,
    client_secret,
    developer,
    operator,
    system_assigned_identity,
    user_assigned_identity,
    without_credential,
    workload_identity,
)

LIST = ("incidents", "list", "--json")


@pytest.mark.parametrize(
    "sign_in",
    [
        client_secret,
        client_certificate,
        client_certificate_with_password,
        workload_identity,
        system_assigned_identity,
        user_assigned_identity,
        developer,
    ],
)
def test_signs_in_as_the_identity_that_the_settings_name(raised: Raised, tmp_path: Path, sign_in: SignIn) -> None:
    before = len(raised.lab.journal.requests)
    environment = without_credential(raised) | sign_in(raised, tmp_path)
    done = apiward(*LIST, environment=environment, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with raised.demo.app("playbooks") as opened:
        assert [entry["number"] for entry in json.loads(done.stdout)] == [i.number for i in opened.incidents().all()]
    callers = {request.principal for request in raised.lab.journal.requests[before:]} - {None}
    assert callers == {operator(raised).object_id, raised.lab.applications["playbooks"].object_id}
