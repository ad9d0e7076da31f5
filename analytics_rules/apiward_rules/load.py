"""Analytics rules, read and checked whole: the shipped ones, or a folder of somebody's own."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from apiward_core.errors import ConfigurationError
from apiward_rules.model import AnalyticsRule
from apiward_rules.validate import rule_faults, set_faults


@cache
def load_rules() -> Mapping[str, AnalyticsRule]:
    """The shipped rules by the stem of their file. Raises ConfigurationError that names what is wrong and where."""
    return _parse_all(shipped_texts())


def shipped_texts() -> dict[str, str]:
    """The text of each shipped rule by the name of its file."""
    return rule_texts(files("apiward_rules") / "content")


def load_folder(folder: Path) -> Mapping[str, AnalyticsRule]:
    """The rules of a folder by the stem of their file. Raises ConfigurationError that names what is wrong and where."""
    return _parse_all(rule_texts(folder))


def rule_texts(folder: Traversable) -> dict[str, str]:
    """The text of each .yaml file in `folder` by its name. Raises ConfigurationError when there is none to read."""
    try:
        names = {file.name: file for file in folder.iterdir() if file.name.endswith(".yaml")}
        texts = {name: names[name].read_text("utf-8") for name in sorted(names)}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Rules cannot be read from {folder}: {error}.", remedy="Name a folder.") from error
    if not texts:
        raise ConfigurationError(f"{folder} holds no .yaml file.", remedy="Name the folder that holds the rules.")
    return texts


def parse_rule(file_name: str, text: str) -> AnalyticsRule:
    """The rule in one YAML file. Raises ConfigurationError that names the file, each wrong field and its limit."""
    _check_ascii(file_name, text)
    try:
        rule = AnalyticsRule.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise _refused(file_name, [f"not YAML: {error}"]) from error
    except ValidationError as error:
        raise _refused(file_name, map(_describe, error.errors(include_url=False))) from error
    if faults := list(rule_faults(rule)):
        raise _refused(file_name, faults)
    return rule


def _parse_all(texts: Mapping[str, str]) -> Mapping[str, AnalyticsRule]:
    rules = {name.removesuffix(".yaml"): parse_rule(name, text) for name, text in texts.items()}
    for stem, fault in set_faults(rules):
        raise _refused(f"{stem}.yaml", [fault])
    return rules


def _check_ascii(file_name: str, text: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.isascii():
            odd = next(character for character in line if not character.isascii())
            raise _refused(file_name, [f"line {number}: {odd!r} is not ASCII, which Azure-Sentinel demands"])


def _describe(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the document"
    return f"{place}: {str(fault['msg']).removeprefix('Value error, ')}"


def _refused(file_name: str, faults: Iterable[str]) -> ConfigurationError:
    return ConfigurationError(f"Analytics rule {file_name}: {'; '.join(faults)}.", remedy="Correct the file.")
