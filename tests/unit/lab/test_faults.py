"""Faults of the lab: which calls meet one, and what it does to a client."""

from typing import Any

import pytest
import requests

from apiward.lab_process import LabHandle
from apiward_core.errors import RejectedDataError
from apiward_lab.faults import KINDS, Fault, Faults
from apiward_lab.lab import Lab
from apiward_lab.web import Problem, Reply

PATH = "/metadata/endpoints"


def met(faults: Faults, count: int, method: str = "GET", path: str = "/x") -> list[bool]:
    return [faults.meet(method, path) is not None for _ in range(count)]


def test_a_fault_concerns_a_method_and_a_path_in_any_case() -> None:
    fault = Fault("503", "/subscriptions/*/Assessments", method="get")
    assert fault.concerns("GET", "/Subscriptions/1/providers/x/assessments")
    assert fault.concerns("GET", "/subscriptions/a%20b/assessments")
    assert not fault.concerns("POST", "/subscriptions/1/assessments")
    assert not fault.concerns("GET", "/subscriptions/1/assessments/2")


def test_a_share_of_the_calls_fails_evenly_and_as_often_as_it_says() -> None:
    faults = Faults()
    faults.add(Fault("500", "/x", rate=0.5, times=2))
    assert met(faults, 7) == [False, True, False, True, False, False, False]
    assert faults.describe()[0]["met"] == 2
    faults.add(Fault("503", "*"))
    assert met(faults, 1) == [True]
    faults.clear()
    assert met(faults, 1) == [False]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.isdigit()])
def test_a_refusal_has_its_status(kind: str) -> None:
    with pytest.raises(Problem) as refused:
        Fault(kind, "*", seconds=7).before()
    assert refused.value.status == int(kind)
    assert refused.value.headers == ({"Retry-After": "7"} if kind == "429" else {})


def test_a_malformed_answer_is_no_json() -> None:
    assert Fault("malformed", "*").after(Reply(body={"value": []})).body == b'{"value": ['


@pytest.mark.parametrize(
    "fault",
    [{"kind": "404"}, {"rate": 0}, {"rate": 1.5}, {"times": 0}, {"seconds": -1}, {"path": ""}],
    ids=["kind", "no rate", "rate", "times", "seconds", "path"],
)
def test_a_fault_that_makes_no_sense_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(fault))):
        Fault(**{"kind": "503", "path": "*", **fault})


def test_a_client_meets_the_faults_that_are_switched_on() -> None:
    with Lab.start() as lab, requests.Session() as session:
        session.trust_env = False
        session.verify = str(lab.ca_bundle)
        handle = LabHandle(lab.descriptor())

        def get() -> requests.Response:
            return session.get(lab.base_url + PATH, params={"api-version": "2022-09-01"}, timeout=20)

        whole = get().json()
        handle.add_fault(kind="429", path=PATH, times=1, seconds=3)
        refused = get()
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
        assert get().json() == whole
        handle.clear_faults()
        handle.add_fault(kind="reset", path=PATH)
        with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
            get()
        handle.clear_faults()
        handle.add_fault(kind="truncated", path=PATH)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get()
        assert [fault["met"] for fault in handle.faults()] == [1]
        handle.clear_faults()
        assert get().json() == whole
        with pytest.raises(RejectedDataError, match="kind must be one of"):
            handle.add_fault(kind="flood", path=PATH)
