"""The services of Contoso Payments and of the sandbox, as data."""

from apiward_lab.estate.policies import CUT_OFF
from apiward_lab.estate.rows import BOTH, AllApisRow, ApiRow, BackendRow, ProductRow, ServiceRow

PAYMENTS = ServiceRow(
    name="apim-contoso-payments",
    group="rg-payments-api",
    sku="Premium",
    publisher="Contoso Payments",
    virtual_network_type="Internal",
    tags={"owner": "payments@contoso.example"},
    apis=(
        ApiRow(
            "payments-v3",
            "Payments",
            "payments/v3",
            entities=("payment",),
            views=("capture", "event"),
            is_sensitive=True,
        ),
        ApiRow(
            "payments-v2",
            "Payments",
            "payments/v2",
            entities=("payment",),
            silent={"create-payment": 95, "update-payment": 95},
            is_sensitive=True,
        ),
        ApiRow("refunds", "Refunds", "refunds", entities=("refund",), views=("reason",)),
        ApiRow("card-tokens", "Card Tokens", "tokens", entities=("token",), is_sensitive=True),
        ApiRow(
            "settlement", "Settlement", "settlement", BOTH, entities=("instruction",), views=("settlement", "batch")
        ),
        ApiRow("fraud-score", "Fraud Score", "fraud", entities=("rule",), views=("score",)),
        ApiRow(
            "exchange-rates",
            "Exchange Rates",
            "rates",
            subscription_required=False,
            views=("rate", "currency"),
        ),
        ApiRow("mandates", "Direct Debit Mandates", "mandates", entities=("mandate",), views=("debit",)),
        ApiRow("payouts", "Payouts", "payouts", entities=("payout",), views=("recipient",)),
        ApiRow("chargebacks", "Chargebacks", "chargebacks", entities=("dispute",), views=("evidence-file",)),
        ApiRow("ledger", "Ledger", "ledger", views=("account", "entry", "balance")),
        ApiRow("invoicing", "Invoicing", "invoicing", entities=("invoice", "line")),
        ApiRow("reconciliation", "Reconciliation", "reconciliation", views=("run", "difference"), is_onboarded=False),
        ApiRow(
            "wallet",
            "Wallet",
            "wallet",
            entities=("wallet",),
            views=("transaction",),
            silent={"delete-wallet": 29},
        ),
    ),
    products=(
        ProductRow(
            "checkout",
            "Checkout",
            ("payments-v3", "payments-v2", "refunds", "card-tokens", "fraud-score", "mandates", "wallet"),
            ("web-shop", "mobile-app"),
        ),
        ProductRow(
            "back-office",
            "Back Office",
            ("settlement", "payouts", "chargebacks", "ledger", "invoicing", "reconciliation", "exchange-rates"),
            ("finance-erp",),
        ),
    ),
    all_apis=(AllApisRow("checkout-backend", "Checkout Backend", ("payments-v3", "refunds", "card-tokens")),),
    backends=(
        BackendRow("acquirer", "https://acquirer.backend.contoso.example"),
        BackendRow("fraud-engine", "https://fraud.backend.contoso.example", checks_chain=False),
    ),
)

MERCHANT = ServiceRow(
    name="apim-contoso-merchant",
    group="rg-payments-api",
    sku="Standard",
    publisher="Contoso Merchant Services",
    apis=(
        ApiRow("merchants", "Merchants", "merchants", entities=("merchant", "contact"), is_sensitive=True),
        ApiRow("terminals", "Terminals", "terminals", entities=("terminal",), views=("model",)),
        ApiRow("statements", "Statements", "statements", views=("statement", "fee")),
        ApiRow("rate-card", "Rate Card", "rate-card", subscription_required=False, views=("plan", "fee")),
        ApiRow("kyc", "Know Your Customer", "kyc", entities=("application", "document"), is_sensitive=True),
        ApiRow("payout-schedules", "Payout Schedules", "payout-schedules", entities=("schedule",)),
        ApiRow("disputes", "Disputes", "disputes", entities=("dispute",), views=("message",)),
        ApiRow("store-locations", "Store Locations", "locations", entities=("location",), is_onboarded=False),
        ApiRow("tax-reports", "Tax Reports", "tax", views=("report", "filing")),
        ApiRow("hooks", "Webhooks", "hooks", entities=("webhook",), views=("delivery",), policy=CUT_OFF),
    ),
    products=(
        ProductRow(
            "merchant-portal",
            "Merchant Portal",
            ("merchants", "statements", "rate-card", "disputes", "store-locations", "hooks"),
            ("portal",),
        ),
        ProductRow("compliance", "Compliance", ("kyc", "tax-reports"), ("screening",)),
        ProductRow("devices", "Devices", ("terminals", "payout-schedules"), ("terminal-fleet",)),
    ),
    all_apis=(
        AllApisRow("reporting-hub", "Reporting Hub", ("merchants", "tax-reports")),
        AllApisRow("old-terminal", "Old Terminals", ("terminals",), state="suspended", silent_days=200),
    ),
    backends=(BackendRow("screening", "https://screening.backend.contoso.example"),),
)

SANDBOX = ServiceRow(
    name="apim-contoso-sandbox",
    group="rg-sandbox",
    sku="Developer",
    publisher="Contoso Engineering",
    apis=(
        ApiRow("echo-api", "Echo API", "echo", subscription_required=False, entities=("resource",)),
        ApiRow("petstore", "Swagger Petstore", "petstore", entities=("pet", "user")),
        ApiRow("hackathon-2025", "Hackathon 2025", "hackathon", subscription_required=False, entities=("team",)),
        ApiRow("chat-bot", "Chat Bot", "bot", views=("conversation",)),
        ApiRow("feature-flags", "Feature Flags", "flags", entities=("flag",)),
        ApiRow("mock-payments", "Mock Payments", "mock-payments", entities=("payment",)),
        ApiRow("load-test", "Load Test Targets", "load-test", views=("target",)),
    ),
    products=(
        ProductRow(
            "starter",
            "Starter",
            ("echo-api", "petstore", "hackathon-2025", "chat-bot", "feature-flags", "mock-payments", "load-test"),
            ("developers",),
        ),
    ),
)
