"""The descriptor of a running lab."""

from pathlib import Path

import pytest

from apiward.lab_process import LabHandle, LabProcess
from apiward_core.errors import ConfigurationError, TransientError


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b'{"base_url": "https://127.0.0.1"}', b"\xff"])
def test_a_file_that_is_no_descriptor_is_named(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "lab.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigurationError, match=f"no lab descriptor in {path}"):
        LabHandle.load(path)


def test_a_lab_that_is_gone_is_named_with_what_starts_it(tmp_path: Path) -> None:
    with LabProcess(descriptor=tmp_path / "lab.json"):
        left = LabHandle.load(tmp_path / "lab.json")
        assert left.offset() == 0
    with pytest.raises(TransientError, match="apiward lab up"):
        left.offset()


def test_a_lab_that_cannot_listen_says_why_and_leaves_nothing_behind(capfd: pytest.CaptureFixture[str]) -> None:
    with LabProcess() as lab:
        port = int(lab.descriptor["base_url"].rpartition(":")[2])
        with pytest.raises(TransientError, match="ended at once"), LabProcess(port=port):
            pass
    assert f"cannot listen on port {port}" in capfd.readouterr().err
