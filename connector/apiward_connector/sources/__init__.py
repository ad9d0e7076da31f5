"""What the connector reads from Azure: findings, what is joined onto them, and which subscriptions there are.

A source of findings has a `name` and gives the raw assessments of a subscription page by page. The others give items of
one kind, or say why an item is none. None of them takes what is left out in silence for an answer.
"""
