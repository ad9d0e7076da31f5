"""The services of Contoso Retail Production, as data."""

from apiward_lab.estate.policies import CUT_OFF, VALIDATED, WITH_RATE_LIMIT
from apiward_lab.estate.rows import BOTH, AllApisRow, ApiRow, BackendRow, ProductRow, ServiceRow

RETAIL = ServiceRow(
    name="apim-contoso-retail",
    group="rg-retail-api",
    sku="Premium",
    publisher="Contoso Retail",
    virtual_network_type="External",
    direct_management=True,
    tags={"owner": "retail-platform@contoso.example", "cost-center": "4711", "environment": "production"},
    apis=(
        ApiRow("catalogue", "Catalogue", "catalogue", entities=("product", "category"), views=("brand",)),
        ApiRow("catalogue;rev=2", "Catalogue", "catalogue", BOTH, entities=("product", "category"), views=("brand",)),
        ApiRow(
            "stores",
            "Stores",
            "stores",
            BOTH,
            subscription_required=False,
            entities=("store",),
            views=("opening-hour",),
        ),
        ApiRow(
            "customers-v1",
            "Customers",
            "customers/v1",
            entities=("customer", "address"),
            silent={"delete-address": 62, "update-customer": 41},
            is_sensitive=True,
        ),
        ApiRow(
            "customers-v2",
            "Customers",
            "customers/v2",
            entities=("customer", "address"),
            views=("consent",),
            is_sensitive=True,
        ),
        ApiRow("loyalty", "Loyalty Points", "loyalty", entities=("member",), views=("reward", "tier")),
        ApiRow(
            "reviews",
            "Product Reviews",
            "reviews",
            subscription_required=False,
            entities=("review",),
            views=("rating",),
            policy=VALIDATED,
        ),
        ApiRow("search", "Search", "search", views=("result", "suggestion"), policy=CUT_OFF),
        ApiRow(
            "promotions",
            "Promotions",
            "promotions",
            entities=("coupon",),
            views=("campaign",),
            silent={"delete-coupon": 45},
        ),
        ApiRow("vouchers", "Vouchers", "vouchers", entities=("voucher",)),
        ApiRow("wishlists", "Wish Lists", "wishlists", entities=("wishlist",), views=("item",)),
        ApiRow("recommendations", "Recommendations", "recommendations", views=("recommendation",)),
        ApiRow("carts", "Shopping Carts", "carts", entities=("cart", "line")),
        ApiRow("notifications", "Notifications", "notifications", entities=("template",), views=("delivery",)),
        ApiRow("media", "Media Library", "media", entities=("image", "video"), is_onboarded=False),
    ),
    products=(
        ProductRow(
            "storefront",
            "Storefront",
            (
                "catalogue",
                "stores",
                "reviews",
                "search",
                "promotions",
                "vouchers",
                "wishlists",
                "recommendations",
                "carts",
            ),
            ("web-shop", "mobile-app"),
        ),
        ProductRow(
            "customer-care",
            "Customer Care",
            ("customers-v1", "customers-v2", "loyalty", "notifications"),
            ("call-centre",),
        ),
        ProductRow("content", "Content", ("media", "catalogue"), ("cms",)),
    ),
    all_apis=(AllApisRow("search-widget", "Search Widget", ("search",)),),
    backends=(
        BackendRow("catalogue", "https://catalogue.backend.contoso.example"),
        BackendRow("media-origin", "https://media.backend.contoso.example", checks_chain=False),
    ),
)

ORDERS = ServiceRow(
    name="apim-contoso-orders",
    group="rg-retail-api",
    sku="Standard",
    publisher="Contoso Retail",
    apis=(
        ApiRow("orders-v1", "Orders", "orders/v1", BOTH, entities=("order",), views=("line",)),
        ApiRow(
            "orders-v2", "Orders", "orders/v2", entities=("order", "line"), views=("event",), policy=WITH_RATE_LIMIT
        ),
        ApiRow("returns", "Returns", "returns", ("http",), entities=("return",)),
        ApiRow("shipments", "Shipments", "shipments", entities=("shipment",), views=("parcel",)),
        ApiRow(
            "legacy-soap",
            "Warehouse",
            "warehouse",
            api_type="soap",
            actions=("ReserveStock", "ReleaseStock", "GetStockLevel", "MoveStock", "CountStock", "ListBins"),
        ),
    ),
    products=(
        ProductRow(
            "order-desk",
            "Order Desk",
            ("orders-v1", "orders-v2", "returns", "shipments", "legacy-soap"),
            ("web-shop", "warehouse"),
        ),
    ),
    backends=(
        BackendRow("warehouse", "https://warehouse.backend.contoso.example", checks_chain=False, checks_name=False),
    ),
)

PARTNER = ServiceRow(
    name="apim-contoso-partner",
    group="rg-retail-web",
    sku="Basic",
    publisher="Contoso Partners",
    direct_management=True,
    apis=(
        ApiRow("stock-feed", "Stock Feed", "stock-feed", ("ws", "wss"), api_type="websocket"),
        ApiRow("partner-chat", "Partner Chat", "chat", ("wss",), api_type="websocket"),
        ApiRow("onboarding", "Partner Onboarding", "onboarding", entities=("application",), views=("document",)),
        ApiRow("price-lists", "<script>alert('Price Lists')</script>", "price-lists", views=("price-list", "price")),
        ApiRow("tenders", "Tenders", "tenders", entities=("tender", "bid"), silent={"delete-bid": 33}),
        ApiRow("contracts", "Contracts", "contracts", entities=("contract",), views=("clause",), is_onboarded=False),
        ApiRow(
            "edi-inbox",
            "EDI Inbox",
            "edi",
            entities=("message",),
            silent={
                "list-messages": 120,
                "create-message": 120,
                "get-message": 120,
                "update-message": 160,
                "delete-message": 160,
            },
        ),
        ApiRow("partner-profiles", "Partners", "partners", entities=("partner", "contact"), is_sensitive=True),
        ApiRow("delivery-slots", "Delivery Slots", "delivery-slots", entities=("slot",), views=("depot",)),
    ),
    products=(
        ProductRow(
            "partner-portal",
            "Partner Portal",
            ("onboarding", "price-lists", "tenders", "contracts", "partner-profiles"),
            ("portal",),
        ),
        ProductRow(
            "logistics",
            "Logistics",
            ("stock-feed", "partner-chat", "edi-inbox", "delivery-slots"),
            ("carrier-gateway",),
        ),
    ),
    all_apis=(AllApisRow("legacy-erp", "Legacy ERP", ("price-lists",), silent_days=140),),
    backends=(BackendRow("erp", "https://erp.backend.contoso.example", checks_name=False),),
)
