"""Reads the guardrails file, each time anew. A file that is not understood allows nothing."""

import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from apiward_core.errors import GuardrailError
from apiward_playbooks.guardrails.document import ANY, Document
from apiward_playbooks.guardrails.limits import Guardrails

_REMEDY = "Correct the file (docs/guardrails.md); until then nothing is changed."

_REMEDY_PATH = "Correct the setting guardrails_file, or the file's permissions; until then nothing is changed."


class _TextLoader(yaml.BaseLoader):  # every scalar stays text: to YAML itself 18:00 is 1080, and no is false
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice} occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_guardrails(path: Path | None, *, slugs: Collection[str]) -> Guardrails:
    """The guardrails in a file; without one, everything is only reported. `slugs` are the known recommendations.

    Raises GuardrailError that names the file and the places in it when it cannot be read or is not valid.
    """
    if path is None:
        return Guardrails(Document(), source="the settings, which name no guardrails_file")
    try:
        content = path.read_bytes()
        document = Document.model_validate(yaml.load(content, _TextLoader) or {})  # noqa: S506 - it makes texts only
    except OSError as error:
        raise GuardrailError(f"Guardrails {path} cannot be read: {error.strerror}.", remedy=_REMEDY_PATH) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GuardrailError(f"Guardrails {path} are no YAML: {_one_line(error)}.", remedy=_REMEDY) from error
    except ValidationError as error:
        raise GuardrailError(f"Guardrails {path} are not valid: {_faults(error)}.", remedy=_REMEDY) from error
    if unknown := list(_unknown(document, slugs)):
        raise GuardrailError(f"Guardrails {path} are not valid: {'; '.join(unknown)}.", remedy=_REMEDY)
    source = f"{path} (sha256 {hashlib.sha256(content).hexdigest()[:12]})"
    return Guardrails(document, source=source, stopped=_stopped(document, path))


def _stopped(document: Document, path: Path) -> str:
    if document.kill_switch:
        return f"the kill switch in {path} is on"
    if document.kill_switch_file is None:
        return ""
    switch = path.parent / document.kill_switch_file
    try:
        switch.lstat()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"kill switch file {switch} cannot be looked for ({error.strerror})"
    return f"kill switch file {switch} exists"


def _unknown(document: Document, slugs: Collection[str]) -> Iterable[str]:
    named = [(f"rules.{index}", rule.recommendation) for index, rule in enumerate(document.rules)]
    named += [(f"accepted_risks.{i}", risk.recommendation or ANY) for i, risk in enumerate(document.accepted_risks)]
    for place, slug in named:
        if slug != ANY and slug not in slugs:
            yield f"{place}.recommendation: there is no recommendation {slug!r}"


def _faults(error: ValidationError) -> str:
    return "; ".join(_fault(fault) for fault in error.errors(include_url=False))


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such field"
    return f"{where}: {str(fault['msg']).removeprefix('Value error, ').rstrip('.')}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
