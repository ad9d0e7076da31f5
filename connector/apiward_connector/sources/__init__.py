"""Where findings come from. A source has a `name` and gives the raw assessments of a subscription page by page."""
