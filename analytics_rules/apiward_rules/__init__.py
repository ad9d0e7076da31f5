"""Analytics rules and KQL functions: shipped as data, checked when loaded, deployed as content."""
