# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configurations of Loki and Promtail, read strictly.

Both refuse a key that they do not know, and neither can be had everywhere. This knows the
keys that we use; names and types are facts of Loki's reference
(grafana.com/docs/loki/latest/configure) and of Promtail's (.../send-data/promtail/configuration).
"""

from __future__ import annotations

import re
import typing as t

DURATION = re.compile(r"(\d+(ns|us|ms|s|m|h|d|w|y))+")
BYTES = re.compile(r"\d+ ?([KMGT]i?)?B")
# Keys that Loki had once, and what became of them.
REMOVED = {
    "table_manager": "it does nothing for TSDB and is gone in the next major version: retention is the compactor's",
    "chunk_store_config.max_look_back_period": "it is limits_config.max_query_lookback",
    "limits_config.enforce_metric_name": "it is gone since 3.0",
    "ruler.enable_api": "there is no ruler here",
    "storage_config.boltdb_shipper": "the index is TSDB",
    "compactor.shared_store": "it is delete_request_store since 3.0",
    "ingester.max_transfer_retries": "it is gone since 3.0",
}

Schema = dict[str, t.Any]
LOKI: Schema = {
    "auth_enabled": "bool",
    "analytics": {"reporting_enabled": "bool"},
    "server": {"http_listen_address": "text", "http_listen_port": "int", "grpc_listen_address": "text",
               "grpc_listen_port": "int", "log_level": "level"},
    "common": {"instance_addr": "text", "path_prefix": "path", "replication_factor": "int",
               "ring": {"kvstore": {"store": "text"}},
               "storage": {"filesystem": {"chunks_directory": "path", "rules_directory": "path"}}},
    "schema_config": {"configs": [{"from": "day", "store": "text", "object_store": "text", "schema": "text",
                                   "index": {"prefix": "text", "period": "duration"}}]},
    "ingester": {"wal": {"replay_memory_ceiling": "bytes", "dir": "path", "enabled": "bool"}},
    "compactor": {"working_directory": "path", "retention_enabled": "bool", "delete_request_store": "text",
                  "compaction_interval": "duration", "retention_delete_delay": "duration"},
    "limits_config": {
        "retention_period": "duration", "reject_old_samples": "bool", "reject_old_samples_max_age": "duration",
        "max_query_lookback": "duration", "max_query_length": "duration", "ingestion_rate_mb": "number",
        "ingestion_burst_size_mb": "number", "per_stream_rate_limit": "bytes", "per_stream_rate_limit_burst": "bytes",
        "max_global_streams_per_user": "int", "max_label_names_per_series": "int", "max_line_size": "bytes",
        "max_line_size_truncate": "bool", "max_query_parallelism": "int", "tsdb_max_query_parallelism": "int",
        "query_timeout": "duration", "allow_structured_metadata": "bool"},
    "querier": {"max_concurrent": "int"},
}

_RELABEL: Schema = {"action": "text", "source_labels": ["text"], "regex": "regex", "target_label": "text",
                    "replacement": "text", "separator": "text"}
_STAGES: list[Schema] = [{
    "json": {"expressions": {"*": "text"}}, "structured_metadata": {"*": "nothing"},
    "multiline": {"firstline": "regex", "max_wait_time": "duration", "max_lines": "int"},
}]
_STAGES[0]["match"] = {"selector": "text", "stages": _STAGES}
PROMTAIL: Schema = {
    "server": {"http_listen_port": "int", "grpc_listen_port": "int", "log_level": "level"},
    "positions": {"filename": "path"},
    "clients": [{"url": "text", "external_labels": {"host": "text"}}],
    "limits_config": {"max_streams": "int"},
    "scrape_configs": [{
        "job_name": "text", "docker_sd_configs": [{"host": "text", "refresh_interval": "duration"}],
        "static_configs": [{"targets": ["text"], "labels": {"*": "text"}}],
        "relabel_configs": [_RELABEL], "pipeline_stages": _STAGES}],
}


def loki_problems(config: t.Any) -> list[str]:
    """What Loki would refuse, or would do otherwise than it looks."""
    found = [*_removed(config), *_shape(config, LOKI, "")]
    if found:
        return found
    compactor, limits = config.get("compactor", {}), config.get("limits_config", {})
    if not limits.get("retention_period"):
        found.append("limits_config.retention_period is missing: logs are kept for ever")
    elif not compactor.get("retention_enabled"):
        found.append("compactor.retention_enabled is not set: retention_period has no effect")
    if compactor.get("retention_enabled") and not compactor.get("delete_request_store"):
        found.append("compactor.delete_request_store is missing: Loki does not start with retention")
    if config.get("analytics", {}).get("reporting_enabled") is not False:
        found.append("analytics.reporting_enabled is not off: Loki calls home")
    for entry in config.get("schema_config", {}).get("configs", [{}]):
        if (entry.get("store"), entry.get("schema"), entry.get("index", {}).get("period")) != ("tsdb", "v13", "24h"):
            found.append("schema_config: structured metadata needs tsdb, v13 and a period of 24h")
    found += [f"{path} is {value}, which is not on the volume" for path, value in _paths(config, LOKI, "")
              if not (value + "/").startswith("/loki/")]
    return found


def promtail_problems(config: t.Any) -> list[str]:
    """What Promtail would refuse."""
    found = list(_shape(config, PROMTAIL, ""))
    if not found and not all(len(stage) == 1 for stage in _stages(config)):
        found.append("pipeline_stages: a stage is one thing")
    return found


def selectors(config: t.Any) -> list[str]:
    """The LogQL in Promtail's stages."""
    return [stage["match"]["selector"] for stage in _stages(config) if "match" in stage]


def _stages(config: t.Any) -> list[t.Any]:
    todo = [stage for job in config["scrape_configs"] for stage in job.get("pipeline_stages", [])]
    return todo + [inner for stage in todo for inner in stage.get("match", {}).get("stages", [])]


def _removed(config: t.Any) -> t.Iterator[str]:
    for path, what in REMOVED.items():
        value = config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            yield f"{path}: {what}"


def _shape(value: t.Any, schema: t.Any, path: str) -> t.Iterator[str]:
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            yield f"{path}: no mapping"
            return
        for key, inner in value.items():
            name = f"{path}.{key}" if path else str(key)
            if key not in schema and "*" not in schema:
                yield f"{name}: unknown key"
            else:
                yield from _shape(inner, schema.get(key, schema.get("*")), name)
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield f"{path}: no list"
            return
        for number, inner in enumerate(value):
            yield from _shape(inner, schema[0], f"{path}[{number}]")
    elif not _TYPES[schema](value):
        yield f"{path}: {value!r} is no {schema}"


def _paths(value: t.Any, schema: t.Any, path: str) -> t.Iterator[tuple[str, str]]:
    if isinstance(schema, dict):
        for key, inner in value.items():
            yield from _paths(inner, schema[key], f"{path}.{key}".lstrip("."))
    elif schema == "path":
        yield path, value


def _is_regex(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


_TYPES: dict[str, t.Callable[[t.Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str) and bool(value),
    "path": lambda value: isinstance(value, str) and value.startswith("/"),
    "day": lambda value: isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)),
    "duration": lambda value: isinstance(value, str) and bool(DURATION.fullmatch(value)),
    "bytes": lambda value: isinstance(value, str) and bool(BYTES.fullmatch(value)),
    "level": lambda value: value in ("debug", "info", "warn", "error"),
    "nothing": lambda value: value in (None, ""),
    "regex": _is_regex,
}
