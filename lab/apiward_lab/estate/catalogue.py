"""The hand-written part of the estate, as data: 3 subscriptions, 6 API Management services, 60 APIs.

What is wrong with it:

- Six APIs offer an unencrypted protocol: two of apim-contoso-retail (one of them revision 2 of the catalogue API), two
  of apim-contoso-orders, one (websocket) of apim-contoso-partner and one of apim-contoso-payments.
- Four active subscriptions reach all APIs: search-widget calls one API, checkout-backend three of one product,
  reporting-hub two that share no product, legacy-erp none for months. old-terminal is suspended.
- Direct management is enabled on apim-contoso-retail and apim-contoso-partner.
- stores, exchange-rates and rate-card ask for no key and no token; reviews asks for a token by its policy.
- Operations without calls for more than 30 days are in apim-contoso-retail, -partner and -payments; delete-wallet joins
  them a day later.
- search and hooks cut off the policies above theirs.
"""

from apiward_lab.estate.payments import MERCHANT, PAYMENTS, SANDBOX
from apiward_lab.estate.retail import ORDERS, PARTNER, RETAIL

# name, display name, name of the group above, "" for the tenant's root group
MANAGEMENT_GROUPS = (
    ("mg-contoso-production", "Contoso Production", ""),
    ("mg-contoso-payments", "Contoso Payments", "mg-contoso-production"),
    ("mg-contoso-sandbox", "Contoso Sandbox", ""),
)

# name, management group
SUBSCRIPTIONS = (
    ("Contoso Retail Production", "mg-contoso-production"),
    ("Contoso Payments", "mg-contoso-payments"),
    ("Contoso Sandbox", "mg-contoso-sandbox"),
)

# name, index of the subscription, location
GROUPS = (
    ("rg-retail-api", 0, "westeurope"),
    ("rg-retail-web", 0, "westeurope"),
    ("rg-security", 0, "westeurope"),
    ("rg-payments-api", 1, "northeurope"),
    ("rg-payments-data", 1, "northeurope"),
    ("rg-sandbox", 2, "eastus2"),
)

SERVICES = (RETAIL, ORDERS, PARTNER, PAYMENTS, MERCHANT, SANDBOX)

# name, resource group, https only, public blobs allowed
STORAGE = (
    ("stcontosoretail", "rg-retail-web", True, False),
    ("stcontosomedia", "rg-retail-web", True, True),
    ("stcontosopayments", "rg-payments-data", True, False),
    ("stcontosolegacy", "rg-payments-data", False, True),
    ("stcontososandbox", "rg-sandbox", False, False),
)

# name, resource group, management ports closed
MACHINES = (
    ("vm-retail-web-01", "rg-retail-web", True),
    ("vm-retail-web-02", "rg-retail-web", False),
    ("vm-payments-batch", "rg-payments-data", True),
    ("vm-sandbox-dev", "rg-sandbox", False),
)
