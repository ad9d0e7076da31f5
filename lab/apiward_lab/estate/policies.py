"""Policy documents of APIs, as they are written by hand."""

VALIDATED = """<policies>
    <inbound>
        <base />
        <validate-jwt header-name="Authorization" failed-validation-httpcode="401">
            <openid-config url="https://login.contoso.example/.well-known/openid-configuration" />
        </validate-jwt>
    </inbound>
    <backend><base /></backend>
    <outbound><base /></outbound>
    <on-error><base /></on-error>
</policies>
"""
WITH_RATE_LIMIT = """<policies>
    <inbound><base /><rate-limit calls="300" renewal-period="60" /></inbound>
    <backend><base /></backend>
    <outbound><base /></outbound>
    <on-error><base /></on-error>
</policies>
"""
CUT_OFF = """<policies>
    <inbound><set-header name="X-Served-By" exists-action="override"><value>gateway</value></set-header></inbound>
    <backend><forward-request timeout="10" /></backend>
    <outbound />
    <on-error />
</policies>
"""
