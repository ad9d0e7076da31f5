"""KQL functions that the engine lacks and shipped content uses, as rows of its registry.

The registry is private to duckdb-kql, which is why its version is pinned.
"""

from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, SCALAR_FUNCTIONS, AggregateSpec, FunctionSpec

from apiward_lab.loganalytics.store import ARRIVED

_ARRAY = "CAST(coalesce({%d}, '[]') AS JSON[])"
_LEFT, _RIGHT = _ARRAY % 0, _ARRAY % 1

_SCALARS = {
    "ingestion_time": (f'"{ARRIVED}"', 0),
    "new_guid": ("uuid()", 0),
    "set_union": (f"to_json(list_distinct(list_concat({_LEFT}, {_RIGHT})))", 2),
    "set_intersect": (f"to_json(list_distinct(list_intersect({_LEFT}, {_RIGHT})))", 2),
    "set_difference": (f"to_json(list_filter(list_distinct({_LEFT}), lambda _x: NOT list_contains({_RIGHT}, _x)))", 2),
    "bag_keys": ("to_json(json_keys({0}))", 1),
    "bag_has_key": ("json_contains(to_json(json_keys({0})), to_json({1}))", 2),
    "bag_merge": ("json_merge_patch({1}, {0})", 2),
    "unixtime_seconds_todatetime": ("make_timestamp(CAST({0} * 1000000 AS BIGINT))", 1),
    "unixtime_milliseconds_todatetime": ("make_timestamp(CAST({0} * 1000 AS BIGINT))", 1),
    "strcmp": ("CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 ELSE 0 END", 2),
    "url_decode": ("url_decode({0})", 1),
    "url_encode": ("url_encode({0})", 1),
    "url_encode_component": ("url_encode({0})", 1),
    "bin_at": ("time_bucket({1}, {0}, {2})", 3),
}
_LISTED = "list({0}) FILTER (WHERE {0} IS NOT NULL AND {1})"
_AGGREGATES = {
    "make_list_if": (f"to_json(coalesce({_LISTED}, []))", 2, "list"),
    "make_set_if": (f"to_json(coalesce(list_distinct({_LISTED}), []))", 2, "set"),
    "minif": ("min({0}) FILTER (WHERE {1})", 2, "minif"),
    "maxif": ("max({0}) FILTER (WHERE {1})", 2, "maxif"),
    "take_anyif": ("any_value({0}) FILTER (WHERE {1})", 2, "take_anyif"),
    "count_distinct": ("count(DISTINCT {0})", 1, "count_distinct"),
    "count_distinctif": ("count(DISTINCT {0}) FILTER (WHERE {1})", 2, "count_distinctif"),
}


def register() -> None:
    """Teach the engine. Doing it twice changes nothing."""
    for name, (template, arity) in _SCALARS.items():
        SCALAR_FUNCTIONS.setdefault(name, FunctionSpec(name, "template", template, (arity,)))
    for name, (template, arity, prefix) in _AGGREGATES.items():
        AGGREGATE_FUNCTIONS.setdefault(name, AggregateSpec(name, template, (arity,), prefix))
