"""All settings, in one validated value: `apiward.toml`, overridden by `APIWARD_*` environment variables."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from apiward_core import clouds
from apiward_core.arm_id import ArmId
from apiward_core.errors import ApiwardError, ConfigurationError

DEFAULT_FILE = Path("apiward.toml")
_WORKSPACE_TYPE = "microsoft.operationalinsights/workspaces"
# "Resource name rules": 1 to 90 characters, beginning with a letter or digit, not ending with a period.
_MANAGEMENT_GROUP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_().-]{0,88}[A-Za-z0-9_()-]|[A-Za-z0-9]")
# "Naming and Referencing Containers": lower case, digits, single hyphens. Emulators have the account before it.
_CONTAINER_PATH = re.compile(r"(?:/[a-z0-9]{3,24})?/(?=[a-z0-9-]{3,63}/?$)[a-z0-9]+(?:-[a-z0-9]+)*/?")


def _cloud(name: str) -> str:
    try:
        return name if name == "custom" else clouds.named(name).name
    except ApiwardError as error:
        raise ValueError(str(error)) from error


def _arm_id(text: str) -> str:
    try:
        return ArmId.parse(text).text
    except ApiwardError as error:
        raise ValueError(str(error)) from error


def _workspace_id(text: str) -> str:
    if ArmId.parse(_arm_id(text)).type.lower() != _WORKSPACE_TYPE:
        raise ValueError("expected the ARM id of a Log Analytics workspace")
    return text


def _guid(text: str) -> str:
    return str(UUID(text))


def _management_group(text: str) -> str:
    if not _MANAGEMENT_GROUP_ID.fullmatch(text):
        raise ValueError(f"{text!r} is no id of a management group (the last part of its ARM id, not its display name)")
    return text


def _https(url: HttpUrl) -> HttpUrl:
    if url.scheme != "https":
        raise ValueError("must be https: tokens are sent there")
    return url


def _container_url(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None or url.username is not None:
        raise ValueError("must be an address alone; the credential signs in, no signature does")
    if not _CONTAINER_PATH.fullmatch(url.path or ""):
        raise ValueError("must end with the container's name: https://ACCOUNT.blob.core.windows.net/CONTAINER")
    return url


Guid = Annotated[str, AfterValidator(_guid)]
ManagementGroup = Annotated[str, AfterValidator(_management_group)]
ArmScope = Annotated[str, AfterValidator(_arm_id)]
HttpsUrl = Annotated[HttpUrl, AfterValidator(_https)]
ContainerUrl = Annotated[HttpsUrl, AfterValidator(_container_url)]
CommaList = NoDecode  # a list in the environment is written with commas


class Settings(BaseSettings):
    """Everything that apiward can be told. Sizes, times and defaults stand beside each setting."""

    model_config = SettingsConfigDict(env_prefix="APIWARD_", extra="forbid", frozen=True)

    cloud: Annotated[str, AfterValidator(_cloud)] = Field(
        "public", description="`public`, `usgov`, or `custom` (then `arm_endpoint` is needed)."
    )
    arm_endpoint: HttpsUrl | None = Field(
        None, description="ARM endpoint of a custom cloud; its other endpoints are read from its metadata."
    )
    logs_endpoint: HttpsUrl | None = Field(
        None, description="Log Analytics query endpoint of a custom cloud, when its metadata names another address."
    )
    ca_bundle: Path | None = Field(None, description="PEM file of the CAs to trust instead of the built-in ones.")
    clock_offset: float = Field(0.0, description="Seconds added to the machine's clock; only the lab needs it.")

    tenant_id: Guid | None = Field(None, description="Entra tenant; the connector and service principals need it.")
    credential: Literal["managed_identity", "workload_identity", "client_secret", "client_certificate", "developer"] = (
        Field(
            "managed_identity",
            description="How to sign in: `managed_identity`, `workload_identity`, `client_secret`, "
            "`client_certificate`, or `developer` (as az, azd or Azure PowerShell did).",
        )
    )
    client_id: Guid | None = Field(None, description="Application id, or that of a user-assigned managed identity.")
    client_secret: SecretStr | None = Field(None, description="Secret of the service principal.")
    client_certificate: Path | None = Field(None, description="PEM or PFX file with certificate and private key.")
    client_certificate_password: SecretStr | None = Field(None, description="Password of that file, if it has one.")
    federated_token_file: Path | None = Field(None, description="Token file of the workload identity.")

    subscriptions: Annotated[list[Guid], CommaList] = Field(
        default_factory=list, description="Subscriptions whose recommendations are read."
    )
    management_groups: Annotated[list[ManagementGroup], CommaList] = Field(
        default_factory=list,
        description="Management groups (ids, not display names) whose subscriptions are read as well, nested ones "
        "included; for the whole tenant its root group, whose id is the tenant id.",
    )
    concurrency: int = Field(4, ge=1, le=32, description="Subscriptions that are read at the same time.")
    throttle_patience: float = Field(
        300.0,
        gt=0,
        le=600,
        description="Seconds for which a call that Azure throttles is tried again, and that it may wait for its turn.",
    )
    source: Literal["assessments", "resource_graph"] = Field(
        "assessments",
        description="Where they are read: `assessments` (Defender's own list of each subscription) or "
        "`resource_graph`.",
    )
    allowed_scopes: Annotated[list[ArmScope], CommaList] = Field(
        default_factory=list,
        description="ARM scopes in which apiward may change anything; those of `subscriptions` when empty.",
    )
    workspace_id: Annotated[str, AfterValidator(_workspace_id)] | None = Field(
        None, description="ARM id of the Log Analytics workspace that has Microsoft Sentinel."
    )
    workspace_customer_id: Guid | None = Field(None, description="The workspace's own id, as its overview page shows.")
    ingestion_endpoint: HttpsUrl | None = Field(None, description="Logs ingestion endpoint of the DCR (or DCE).")
    dcr_immutable_id: str | None = Field(
        None, pattern=r"^dcr-[0-9a-f]{32}$", description="Immutable id of the data collection rule."
    )
    state_dir: Path = Field(Path(".apiward"), description="Folder of connector state, runs and dead letters.")
    state_container: ContainerUrl | None = Field(
        None, description="URL of a Blob container that holds connector state and dead letters instead of `state_dir`."
    )
    run_every_minutes: float = Field(
        60.0,
        gt=0,
        le=1440,
        description="Minutes from one run of the connector to the next; `ingest status` tells by it what is due.",
    )
    first_run: Literal["raise", "baseline"] = Field(
        "raise", description="`raise`: findings of the first run are New; `baseline`: they are only recorded."
    )
    guardrails_file: Path | None = Field(
        None, description="YAML file that says what may be changed and how; without one, apiward only reports."
    )
    plan_ttl_hours: float = Field(24.0, gt=0, le=720, description="Hours after which an unapplied plan expires.")
    confirm_timeout_hours: float = Field(
        72.0, gt=0, le=720, description="Hours to wait for Defender's agreement before somebody is told."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the TOML file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, DEFAULT_FILE)

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: Any) -> Any:
        for name in ("subscriptions", "management_groups", "allowed_scopes"):
            if isinstance(values, dict) and isinstance(values.get(name), str):
                values[name] = [part.strip() for part in values[name].split(",") if part.strip()]
        return values

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.cloud == "custom") != (self.arm_endpoint is not None):
            raise ValueError("cloud = 'custom' and arm_endpoint go together: set both or neither")
        if self.cloud != "custom" and self.logs_endpoint is not None:
            raise ValueError("logs_endpoint needs cloud = 'custom': tokens for Azure go to Azure's own endpoints only")
        needed = {
            "client_secret": ("tenant_id", "client_id", "client_secret"),
            "client_certificate": ("tenant_id", "client_id", "client_certificate"),
            "workload_identity": ("tenant_id", "client_id", "federated_token_file"),
        }.get(self.credential, ())
        if missing := [name for name in needed if getattr(self, name) is None]:
            raise ValueError(f"credential = {self.credential!r} also needs {', '.join(missing)}")
        for name in ("ca_bundle", "client_certificate", "federated_token_file"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{name}: there is no file {path}")
        return self

    @property
    def offset(self) -> timedelta:
        """`clock_offset` as a duration."""
        return timedelta(seconds=self.clock_offset)

    @property
    def change_scopes(self) -> list[ArmId]:
        """The scopes in which something may be changed."""
        scopes = self.allowed_scopes or [f"/subscriptions/{subscription}" for subscription in self.subscriptions]
        return [ArmId.parse(scope) for scope in scopes]

    def require(self, *names: str) -> None:
        """Check that each named setting has a value. Raises ConfigurationError that names those that have none."""
        missing = [name for name in names if getattr(self, name) in (None, [], "")]
        if missing:
            variables = ", ".join(f"APIWARD_{name.upper()}" for name in missing)
            raise ConfigurationError(
                f"Not set: {', '.join(missing)}.", remedy=f"Set it in apiward.toml or as {variables}."
            )

    @property
    def workspace(self) -> ArmId:
        """The workspace's ARM id. Raises ConfigurationError when it is not set."""
        self.require("workspace_id")
        return ArmId.parse(self.workspace_id or "")


class _ExplicitSettings(Settings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings() -> Settings:
    """The settings of this process. Raises ConfigurationError that names every wrong setting."""
    return _validated(Settings, {})


def explicit_settings(**values: Any) -> Settings:
    """Settings made of these values alone, whatever file and environment say. Raises ConfigurationError."""
    return _validated(_ExplicitSettings, values)


def _validated(kind: type[Settings], values: dict[str, Any]) -> Settings:
    try:
        return kind(**values)
    except ValidationError as error:
        faults = "; ".join(_describe(fault) for fault in error.errors(include_input=False, include_url=False))
        raise ConfigurationError(
            f"The settings are not valid: {faults}.", remedy="Correct apiward.toml or the APIWARD_* variables."
        ) from None  # pydantic's own error would print the values, secrets included
    except ValueError as error:
        raise ConfigurationError(
            f"{DEFAULT_FILE} cannot be read: {error}.", remedy="Correct its TOML, or remove it."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{DEFAULT_FILE} cannot be read: {error.strerror}.", remedy="Make it readable, or remove it."
        ) from error


def _describe(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"there is no setting {where}"
    said = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{where}: {said}" if where else said
