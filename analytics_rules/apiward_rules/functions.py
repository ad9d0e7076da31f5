"""KQL functions of the workspace: one .kql file each, with a YAML header in its leading comment."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import takewhile

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apiward_core.errors import ConfigurationError
from apiward_core.kql_check import FunctionSchema
from apiward_rules.model import Version


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version
    parameters: str = ""
    description: str = Field(min_length=1)


class KqlFunction(BaseModel):
    """One function. `query` is the whole file, header included, so that the workspace shows it too.

    `parameters` are as a saved search keeps them: `name:type = default, ...`, empty for none.
    """

    model_config = ConfigDict(frozen=True)

    alias: str
    version: str
    description: str
    query: str
    parameters: str = ""


@cache
def load_functions() -> Mapping[str, KqlFunction]:
    """The shipped functions by alias, each after those that it calls. Raises ConfigurationError for a bad file."""
    folder = files("apiward_rules") / "functions"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".kql")}
    found = [parse_function(name, text) for name, text in sorted(texts.items())]
    return {function.alias: function for function in _callees_first(found)}


def function_schemas() -> Mapping[str, FunctionSchema]:
    """The shipped functions by alias, as a checker or an engine of KQL takes them."""
    return {alias: FunctionSchema(function.query, function.parameters) for alias, function in load_functions().items()}


def parse_function(file_name: str, text: str) -> KqlFunction:
    """The function in one file, named by its stem. Raises ConfigurationError when its header is not valid."""
    comment = takewhile(lambda line: line.startswith("//"), text.splitlines())
    try:
        document = yaml.safe_load("\n".join(line.removeprefix("//").removeprefix(" ") for line in comment))
        header = _Header.model_validate(document)
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(
            f"Function {file_name}: its header is not valid: {error}",
            remedy="Start the file with '// version: 1.2.3' and '// description: what it returns'.",
        ) from error
    alias = file_name.removesuffix(".kql")
    return KqlFunction(alias=alias, query=text, **header.model_dump())


def _callees_first(functions: list[KqlFunction]) -> Iterator[KqlFunction]:
    placed: set[str] = set()

    def place(function: KqlFunction) -> Iterator[KqlFunction]:
        if function.alias not in placed:
            placed.add(function.alias)
            for callee in functions:
                if callee is not function and f"{callee.alias}(" in function.query:
                    yield from place(callee)
            yield function

    for function in functions:
        yield from place(function)
