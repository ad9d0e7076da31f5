"""The built-in policies and initiatives, as far as the lab's assessments and the catalogue's recommendations go.

Ids, effects, and reference ids of the API Management policies as in Microsoft's repository of built-in policies. There
only the virtual network policy of them has its effect as a parameter of the initiative; the others are switched off by
an override.
"""

from apiward_lab.policy.model import Member, PolicyDefinition, PolicySet

_AUDIT = ("Audit", "Disabled", "Deny")
_AUDIT_ONLY = ("Audit", "Disabled")
_EXISTENCE = ("AuditIfNotExists", "Disabled")

# reference id in the benchmark ("" when it is not in it), GUID, effects, the benchmark's parameter, display name
_POLICIES = (
    (
        "enableDefenderForApis",
        "7926a6d1-b268-4586-8197-e8ae90c877d7",
        _EXISTENCE,
        "",
        "Microsoft Defender for APIs should be enabled",
    ),
    (
        "unusedApisShouldbeDisabledAndRemovedFromApim",
        "c8acafaf-3d23-44d1-9624-978ef0f8652c",
        _EXISTENCE,
        "",
        "API endpoints that are unused should be disabled and removed from the Azure API Management service",
    ),
    (
        "apimApiEndpointsShouldbeAuthenticated",
        "8ac833bd-f505-48d5-887e-c993a1d3eea0",
        _EXISTENCE,
        "",
        "API endpoints in Azure API Management should be authenticated",
    ),
    (
        "aPIManagementServiceShouldNotHaveAllApisScopedSubscriptions",
        "3aa03346-d8c5-4994-a5bc-7652c2a2aef1",
        _AUDIT,
        "",
        "API Management subscriptions should not be scoped to all APIs",
    ),
    (
        "aPIManagementServiceShouldNotBypassCertificateValidation",
        "92bb331d-ac71-416a-8c91-02f2cb734ce4",
        _AUDIT,
        "",
        "API Management calls to API backends should not bypass certificate thumbprint or name validation",
    ),
    (
        "aPIManagementServiceShouldHaveDirectManagementEndpointDisabled",
        "b741306c-968e-4b67-b916-5675e5c709f4",
        _AUDIT,
        "",
        "API Management direct management endpoint should not be enabled",
    ),
    (
        "aPIManagementServiceShouldUseEncryptedProtocols",
        "ee7495e7-3ba7-40b6-bfee-c29e22cc75d4",
        _AUDIT,
        "",
        "API Management APIs should use only encrypted protocols",
    ),
    (
        "aPIManagementServiceShouldUseKeyVaultForSecretNamedValues",
        "f1cc7827-022c-473e-836e-5a51cae0b249",
        _AUDIT,
        "",
        "API Management secret named values should be stored in Azure Key Vault",
    ),
    (
        "aPIManagementServiceShouldDisableServiceConfigurationEndpoints",
        "df73bd95-24da-4a4f-96b9-4e8b94b402bd",
        _EXISTENCE,
        "",
        "API Management should disable public network access to the service configuration endpoints",
    ),
    (
        "",
        "549814b6-3212-4203-bdc8-1548d342fb67",
        ("Disabled", "Audit", "Deny"),
        "",
        "[Deprecated]: API Management minimum API version should be set to 2019-12-01 or higher",
    ),
    (
        "aPIManagementServiceShouldHaveBackendCallsAuthenticated",
        "c15dcc82-b93c-4dcb-9332-fbf121685b54",
        _AUDIT,
        "",
        "API Management calls to API backends should be authenticated",
    ),
    (
        "aPIManagementServicesShouldUseAVirtualNetworkMonitoringEffect",
        "ef619a2c-cc4d-4d03-b2ba-8c94a834d85b",
        _AUDIT_ONLY,
        "aPIManagementServicesShouldUseAVirtualNetworkMonitoringEffect",
        "API Management services should use a virtual network",
    ),
    (
        "aPIManagementServicePlatformVersionShouldBeStv2",
        "1dc2fc00-2245-4143-99f4-874c937f13ef",
        _AUDIT,
        "",
        "Azure API Management platform version should be stv2",
    ),
    (
        "",
        "d5448c98-e503-4fdd-bcd2-784960c00d04",
        _AUDIT_ONLY,
        "",
        "API Management policies should inherit parent scope policies using <base />",
    ),
    (
        "secureTransferToStorageAccountMonitoring",
        "404c3081-a854-4457-ae30-26a93ef643f9",
        _AUDIT,
        "secureTransferToStorageAccountMonitoringEffect",
        "Secure transfer to storage accounts should be enabled",
    ),
    (
        "disallowPublicBlobAccess",
        "4fa4b6c0-31ca-4c0d-b10d-24b96f62a751",
        _AUDIT,
        "disallowPublicBlobAccessEffect",
        "Storage account public access should be disallowed",
    ),
    (
        "restrictAccessToManagementPortsMonitoring",
        "22730e10-96f6-4aac-ad84-9383d35b5917",
        _EXISTENCE,
        "restrictAccessToManagementPortsMonitoringEffect",
        "Management ports should be closed on your virtual machines",
    ),
)

DEFINITIONS = {guid: PolicyDefinition(guid, name, effects) for _, guid, effects, _, name in _POLICIES}
"""By GUID."""

BENCHMARK = PolicySet(
    name="1f3afdf9-d0c9-4c3d-847f-89da613e70a8",
    display_name="Microsoft cloud security benchmark",
    members=[
        Member(reference, DEFINITIONS[guid], parameter) for reference, guid, _, parameter, _ in _POLICIES if reference
    ],
)
