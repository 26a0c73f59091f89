#!/usr/bin/env python3
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write Grafana's dashboards from short descriptions, so that all of them look alike.

    tests/lab/dashboard_files.py

The files in roles/monitoring are what is deployed; a test compares them with what this
writes. Grafana's classic model, schema version 42, the last of it and what Grafana 12.2
and 13 read (its migrations, LATEST_VERSION). There are five kinds of panels: one figure,
curves, table, log lines, and a row's title. On a phone Grafana puts panels below each other.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "roles/monitoring/templates/project/grafana/dashboards"
# As provisioning/datasources has them.
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}

Json = dict[str, t.Any]
# An expression, and the name of its curves.
Query = tuple[str, str]


class Dashboard:
    """One dashboard; panels flow from left to right over 24 columns."""

    def __init__(self, name: str, title: str, description: str, *variables: Json, since: str = "now-6h") -> None:
        self.name = name
        self._x = self._y = self._height = 0
        self._panels: list[Json] = []
        self.content = {
            "uid": f"mooring-{name}", "title": title, "description": description, "tags": ["mooring"],
            "schemaVersion": 42, "editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
            "time": {"from": since, "to": "now"},
            "links": [{"title": "Dashboards", "type": "dashboards", "tags": ["mooring"], "asDropdown": True,
                       "keepTime": True}],
            # A container of a release starts when it is deployed; the sample is that time.
            "annotations": {"list": [{
                "name": "Releases", "datasource": PROMETHEUS, "enable": True, "iconColor": "blue",
                "target": {"refId": "Anno", "interval": "60s",
                           "expr": 'max by (application, colour, release) '
                                   '(mooring_container_start_time_seconds{application!=""}) * 1000'},
                "useValueForTime": True, "titleFormat": "{{application}} {{release}}",
                "textFormat": "starts as {{colour}}"}]},
            "templating": {"list": list(variables)}, "panels": self._panels,
        }

    def figure(self, title: str, expression: str, unit: str, steps: list[Json] | None = None, text: str = "",
               legend: str = "", **defaults: t.Any) -> None:
        """The last value, large; ``steps`` are the colours from which value on."""
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none", "colorMode": "value"}
        if legend:
            options["textMode"] = "value_and_name"
        self._add("stat", title, [(expression, legend)], 6, 4, text, {"instant": True, "range": False}, options,
                  {"unit": unit, "color": {"mode": "thresholds"},
                   "thresholds": {"mode": "absolute", "steps": steps or colours(green=None)}, **defaults})

    def curves(self, title: str, unit: str, *queries: Query, stacked: bool = False, text: str = "",
               source: Json = PROMETHEUS, **defaults: t.Any) -> None:
        """Values over time; ``min=None`` for those that may be negative."""
        custom: Json = {"fillOpacity": 30 if stacked else 8, "showPoints": "never"}
        if stacked:
            custom["stacking"] = {"mode": "normal"}
        self._add("timeseries", title, queries, 12, 8, text, {}, {
            "legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"},
        }, {"unit": unit, "min": 0, "custom": custom, **defaults}, source=source)

    def table(self, title: str, columns: dict[str, str], *overrides: Json, width: int = 24, height: int = 8,
              without: tuple[str, ...] = (), text: str = "", unit: str = "short") -> None:
        """The present state: an expression for each column beside the labels. Name "": no column of its own."""
        names = list(columns)
        value = "Value" if len(names) == 1 else "Value #{}"
        renamed = {value.format("ABCDEFGH"[place]): name for place, name in enumerate(names) if name}
        hidden = {"Time": True, **dict.fromkeys(without, True), **({} if renamed else {"Value": True})}
        self._add("table", title, [(expression, "") for expression in columns.values()], width, height, text,
                  {"instant": True, "range": False, "format": "table"}, {"cellHeight": "sm"}, {"unit": unit},
                  overrides=overrides, transformations=[
                      *([{"id": "merge", "options": {}}] if len(names) > 1 else []),
                      {"id": "organize", "options": {"excludeByName": hidden, "renameByName": renamed}}])

    def lines(self, title: str, expression: str, height: int = 8, text: str = "") -> None:
        """Log lines, the newest first."""
        self._add("logs", title, [(expression, "")], 24, height, text, {}, {
            "showTime": True, "wrapLogMessage": True, "enableLogDetails": True, "sortOrder": "Descending",
            "dedupStrategy": "none"}, source=LOKI)

    def row(self, title: str) -> None:
        """A heading."""
        self._break()
        self._panels.append({"id": len(self._panels) + 1, "type": "row", "title": title, "collapsed": False,
                             "gridPos": {"x": 0, "y": self._y, "w": 24, "h": 1}, "panels": []})
        self._y += 1

    def _break(self) -> None:
        self._x, self._y, self._height = 0, self._y + self._height, 0

    def _add(self, kind: str, title: str, queries: t.Sequence[Query], width: int, height: int, text: str, how: Json,
             options: Json, defaults: Json | None = None, overrides: t.Sequence[Json] = (),
             transformations: t.Sequence[Json] = (), source: Json = PROMETHEUS) -> None:
        if self._x + width > 24:
            self._break()
        if source is LOKI:
            how = {"queryType": "range"}
        panel: Json = {
            "id": len(self._panels) + 1, "type": kind, "title": title, **({"description": text} if text else {}),
            "gridPos": {"x": self._x, "y": self._y, "w": width, "h": height}, "datasource": source,
            "targets": [{"refId": "ABCDEFGH"[place], "datasource": source, "expr": expression, **how,
                         **({"legendFormat": legend} if legend else {})}
                        for place, (expression, legend) in enumerate(queries)],
            "options": options,
        }
        if defaults:
            panel["fieldConfig"] = {"defaults": {key: value for key, value in defaults.items() if value is not None},
                                    "overrides": list(overrides)}
        if transformations:
            panel["transformations"] = transformations
        self._panels.append(panel)
        self._x, self._height = self._x + width, max(self._height, height)

    def text(self) -> str:
        """The file."""
        return _format(self.content) + "\n"


def _format(value: t.Any, indent: int = 0, before: int = 0) -> str:
    """JSON with each object on one line that fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + before + len(line) < 150 or not value or not isinstance(value, dict | list):
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f'{inner}"{key}": {_format(one, indent + 2, len(key) + 4)}' for key, one in value.items()]
    else:
        parts = [inner + _format(one, indent + 2) for one in value]
    first, last = "{}" if isinstance(value, dict) else "[]"
    return f"{first}\n" + ",\n".join(parts) + f"\n{' ' * indent}{last}"


def colours(**since: float | None) -> list[Json]:
    """From which value on a figure has a colour; None is the smallest."""
    return [{"color": colour, "value": value} for colour, value in since.items()]


def much(orange: float, red: float) -> list[Json]:
    """Colours of what should not be much."""
    return colours(green=None, orange=orange, red=red)


def words(**by_value: str) -> list[Json]:
    """Words for the values 0 and 1, each with a colour: ``no="red", yes="green"``."""
    return [{"type": "value", "options": {
        str(value): {"text": word.replace("_", " "), "color": colour}
        for value, (word, colour) in enumerate(by_value.items())}}]


def column(name: str, **properties: t.Any) -> Json:
    """What is special of a table's column."""
    if "mappings" in properties:
        properties["custom.cellOptions"] = {"type": "color-text"}
    return {"matcher": {"id": "byName", "options": name},
            "properties": [{"id": key, "value": value} for key, value in properties.items()]}


def choice(name: str, label: str, query: str, multi: bool = True) -> Json:
    """A variable with the values of a label in Prometheus."""
    everything = {"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if multi else {}
    return {"name": name, "label": label, "type": "query", "datasource": PROMETHEUS, "refresh": 2, "sort": 1,
            "multi": multi, "includeAll": multi, **everything,
            "query": {"qryType": 1, "query": query, "refId": "variable"}}


def log_choice(name: str, label: str, stream: str = "", everything: str = ".+") -> Json:
    """A variable with the values of the label of that name in Loki; ``everything`` stands for all of them."""
    return {"name": name, "label": label, "type": "query", "datasource": LOKI, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": everything, "current": {"text": "All", "value": "$__all"},
            "query": {"type": 1, "label": name, "stream": stream, "refId": "variable"}}


def field(name: str, label: str) -> Json:
    """A variable to type in."""
    return {"name": name, "label": label, "type": "textbox", "query": "", "current": {"text": "", "value": ""}}


YES_NO = words(no="red", yes="green")
NO_YES = words(no="green", yes="red")
DOWN_UP = words(down="red", up="green")
ZERO_IS_GOOD = colours(green=None, red=1)
ONE_IS_GOOD = colours(red=None, green=1)


def rate(metric: str, selector: str = "", by: str = "") -> str:
    """Per second; summed ``by`` labels if that is given."""
    inner = f"rate({metric}{{{selector}}}[$__rate_interval])"
    return f"sum by ({by}) ({inner})" if by else inner


def requests(selector: str, by: str = "") -> str:
    """Requests a second at the proxy."""
    inner = rate("mooring_proxy_requests_total", selector)
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


def failed(selector: str, by: str = "") -> str:
    """Part of the answers that are 5xx; 0 where there are requests and no such answer."""
    every, bad = requests(selector, by), requests(selector + ', status="5xx"', by)
    return f"({bad} or {every} * 0) / ({every} > 0)"


def within(part: float, selector: str, by: str = "") -> str:
    """Seconds in which that part of the answers begins."""
    buckets = rate("mooring_proxy_request_seconds_bucket", selector, by=f"le, {by}" if by else "le")
    return f"histogram_quantile({part}, {buckets})"


def host() -> Dashboard:
    """One machine."""
    one = Dashboard("host", "Host", "The machine: processors, memory, disks, network, clock.",
                    choice("host", "Host", 'label_values(up{job="node"}, host)', multi=False))
    node = 'job="node", host=~"$host"'
    network = 'job="node-network", host=~"$host"'
    disk = f'{node}, fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|nsfs|fuse.*"'
    card = f'{network}, device!~"lo|veth.*|br-.*|docker.*"'
    idle = f'{node}, mode=~"idle|iowait"'
    full = f"1 - node_filesystem_avail_bytes{{{disk}}} / node_filesystem_size_bytes{{{disk}}}"
    used = f"node_memory_MemTotal_bytes{{{node}}} - node_memory_MemAvailable_bytes{{{node}}}"
    one.figure("Processors busy", f'1 - sum({rate("node_cpu_seconds_total", idle)})'
               f' / sum({rate("node_cpu_seconds_total", node)})', "percentunit", much(.8, .95), decimals=0)
    one.figure("Memory used", f"({used}) / node_memory_MemTotal_bytes{{{node}}}", "percentunit", much(.85, .95),
               decimals=0)
    one.figure("Fullest file system", f"max({full})", "percentunit", much(.8, .9), decimals=0)
    one.figure("Running since", f"node_boot_time_seconds{{{node}}} * 1000", "dateTimeFromNow")
    one.curves("Processors", "none", (rate("node_cpu_seconds_total", f'{node}, mode!="idle"', "mode"), "{{mode}}"),
               stacked=True, text="Processors that are busy, by what they do. iowait waits for disks; steal is "
                                  "what the machine below takes.")
    one.curves("Load", "short", (f"node_load1{{{node}}}", "1 min"), (f"node_load5{{{node}}}", "5 min"),
               (f"node_load15{{{node}}}", "15 min"),
               (f'count(node_cpu_seconds_total{{{node}, mode="idle"}})', "processors"))
    one.curves("Memory", "bytes", (used, "used"),
               (f"node_memory_Cached_bytes{{{node}}} + node_memory_Buffers_bytes{{{node}}}", "file cache"),
               (f"node_memory_SwapTotal_bytes{{{node}}} - node_memory_SwapFree_bytes{{{node}}}", "swap used"),
               (f"node_memory_MemTotal_bytes{{{node}}}", "total"))
    one.curves("File systems: used", "percentunit", (full, "{{mountpoint}}"), max=1)
    one.curves("File systems: free", "bytes", (f"node_filesystem_avail_bytes{{{disk}}}", "{{mountpoint}}"))
    one.curves("File systems: inodes used", "percentunit",
               (f"1 - node_filesystem_files_free{{{disk}}} / (node_filesystem_files{{{disk}}} > 0)",
                "{{mountpoint}}"), max=1, text="Without a free inode there is no new file, whatever space is free.")
    one.curves("Disks: bytes", "Bps", (rate("node_disk_read_bytes_total", node), "{{device}} read"),
               (rate("node_disk_written_bytes_total", node), "{{device}} written"))
    one.curves("Disks: busy", "percentunit", (rate("node_disk_io_time_seconds_total", node), "{{device}}"),
               text="Part of the time in which the disk had something to do.")
    one.curves("Network: bytes", "Bps", (rate("node_network_receive_bytes_total", card), "{{device}} in"),
               (rate("node_network_transmit_bytes_total", card), "{{device}} out"))
    one.curves("Network: connections", "short", (f"node_netstat_Tcp_CurrEstab{{{network}}}", "established"),
               (f"node_sockstat_TCP_tw{{{network}}}", "closed, port not free yet"),
               (rate("node_netstat_Tcp_RetransSegs", network), "segments sent again, a second"))
    one.curves("Clock", "s", (f"node_timex_offset_seconds{{{node}}}", "offset"),
               (f"node_timex_maxerror_seconds{{{node}}}", "largest error"), min=None)
    one.curves("Files and processes", "short", (f"node_filefd_allocated{{{node}}}", "open files"),
               (f"node_procs_running{{{node}}}", "processes that run"),
               (f"node_procs_blocked{{{node}}}", "processes that wait for a disk"))
    return one


def state_of(selector: str) -> dict[str, str]:
    """Columns of a table of containers."""
    return {name: f"max by (host, container, release) (mooring_container_{metric}{{{selector}}}){factor}"
            for name, metric, factor in (("running", "running", ""), ("healthy", "healthy", ""),
                                         ("restarts", "restarts_total", ""), ("out of memory", "oom_killed", ""),
                                         ("started", "start_time_seconds", " * 1000"))}


STATE = (column("running", mappings=YES_NO), column("healthy", mappings=YES_NO),
         column("out of memory", mappings=NO_YES), column("started", unit="dateTimeFromNow"))


def containers() -> Dashboard:
    """What each container uses."""
    one = Dashboard(
        "containers", "Containers", "What each container of the platform uses, and whether it is well.",
        choice("host", "Host", "label_values(mooring_container_running, host)"),
        choice("project", "Project", 'label_values(mooring_container_running{host=~"$host"}, project)'),
        choice("container", "Container",
               'label_values(mooring_container_running{host=~"$host", project=~"$project"}, container)'))
    chosen = 'host=~"$host", project=~"$project", container=~"$container"'
    name = "{{host}} {{container}}"
    one.figure("Running", f"sum(mooring_container_running{{{chosen}}})", "none")
    one.figure("Not running", f"sum(1 - mooring_container_running{{{chosen}}})", "none", much(1, 3),
               "Stopped ones count, such as a colour that is not kept warm.")
    one.figure("Unhealthy", f"count(mooring_container_healthy{{{chosen}}} == 0) or vector(0)", "none", ZERO_IS_GOOD)
    one.figure("Restarts", f"sum(increase(mooring_container_restarts_total{{{chosen}}}[$__range]))", "none",
               much(1, 5), "By the engine, within the time shown.", decimals=0)
    one.table("State", state_of(chosen), *STATE, height=10)
    one.curves("Processors", "none", (rate("mooring_container_cpu_seconds_total", chosen), name),
               text="1 is one processor.")
    one.curves("Memory", "bytes", (f"mooring_container_memory_bytes{{{chosen}}}", name),
               text="Without the file cache that can be given up.")
    one.curves("Memory, part of the limit", "percentunit", (
        f"mooring_container_memory_bytes{{{chosen}}} / (mooring_container_memory_limit_bytes{{{chosen}}} > 0)", name))
    one.curves("Processes and threads", "short", (f"mooring_container_pids{{{chosen}}}", name))
    for title, metric in (("Network: in", "network_receive"), ("Network: out", "network_transmit"),
                          ("Disks: read", "block_read"), ("Disks: written", "block_write")):
        one.curves(title, "Bps", (rate(f"mooring_container_{metric}_bytes_total", chosen), name))
    return one


def proxy() -> Dashboard:
    """Requests as clients see them."""
    one = Dashboard("proxy", "Proxy", "Requests as clients see them, by route.",
                    choice("route", "Route", "label_values(mooring_proxy_requests_total, route)"))
    chosen = 'route=~"$route"'
    one.figure("Requests a second", requests(chosen), "reqps")
    one.figure("Server errors", failed(chosen), "percentunit", much(.01, .05), decimals=2)
    one.figure("95 % are answered within", within(.95, chosen), "s", much(.5, 2))
    one.figure("Connections", 'mooring_proxy_connections{state="active"}', "none")
    one.curves("Requests by status", "reqps", (requests(chosen, "status"), "{{status}}"), stacked=True)
    one.curves("Requests by route", "reqps", (requests(chosen, "route"), "{{route}}"),
               text="The empty name stands for what no route took.")
    one.curves("Server errors by route", "percentunit", (failed(chosen, "route"), "{{route}}"))
    one.curves("Refused by route", "reqps", (requests(chosen + ', status="4xx"', "route"), "{{route}}"),
               text="Answers 400 to 499: bad requests, missing logins, wrong paths, too many requests.")
    one.curves("Time to answer", "s", *[(within(part, chosen), f"{part:.0%}") for part in (.5, .95, .99)])
    one.curves("Time to answer by route, 95 %", "s", (within(.95, chosen, "route"), "{{route}}"))
    one.curves("Connections", "short", ('sum by (state) (mooring_proxy_connections{state!="active"})', "{{state}}"),
               stacked=True)
    one.curves("Requests by release", "reqps", (
        requests(chosen + ', application!=""', "application, release"), "{{application}} {{release}}"), stacked=True)
    return one


def mysql() -> Dashboard:
    """The database."""
    one = Dashboard("mysql", "MySQL", "Load, connections, memory and locks of the database.")

    def now(name: str, kind: str = "status") -> str:
        return f'mysql_global_{kind}_{name}{{job="mysql"}}'

    def speed(name: str, more: str = "", by: str = "") -> str:
        return rate(f"mysql_global_status_{name}", 'job="mysql"' + more, by)

    one.figure("Server", 'mysql_up{job="mysql"}', "none", ONE_IS_GOOD, mappings=DOWN_UP)
    one.figure("Connections used", f'{now("threads_connected")} / {now("max_connections", "variables")}',
               "percentunit", much(.7, .9), decimals=0)
    one.figure("Queries a second", speed("queries"), "ops", decimals=1)
    one.figure("Running for", now("uptime"), "s", decimals=0)
    one.curves("Queries", "ops", (speed("queries"), "all"), (speed("questions"), "sent by clients"))
    one.curves("Slow queries", "ops", (speed("slow_queries"), "a second"), text="Each is an entry of the slow log.")
    one.curves("Statements", "ops", (f'topk(8, {speed("commands_total")} > 0)', "{{command}}"), stacked=True)
    one.curves("Rows", "ops", (speed(
        "handlers_total", ', handler=~"read_(rnd_next|key|next|first)|write|update|delete"', "handler"),
        "{{handler}}"), text="read_rnd_next is a scan of a whole table: an index may be missing.")
    one.curves("Connections", "short", (now("threads_connected"), "open"), (now("threads_running"), "at work"),
               (now("max_connections", "variables"), "limit"))
    one.curves("Connections that failed", "ops", (speed("aborted_connects"), "at login"),
               (speed("aborted_clients"), "later, without a goodbye"),
               (f'sum({speed("connection_errors_total")})', "errors of the server"))
    one.curves("Buffer pool", "bytes", (
        f'{now("buffer_pool_pages")} * on (instance) group_left () {now("innodb_page_size")}', "{{state}}"),
        stacked=True)
    one.curves("Reads that the buffer pool did not have", "percentunit", (
        f'{speed("innodb_buffer_pool_reads")} / {speed("innodb_buffer_pool_read_requests")}', "from disk"),
        text="More than a few percent for long: the pool is too small for what is in use.")
    one.curves("Row locks", "short", (speed("innodb_row_lock_waits"), "waits a second"),
               (now("innodb_row_lock_current_waits"), "waiting now"))
    one.curves("Temporary tables", "ops", (speed("created_tmp_tables"), "all"),
               (speed("created_tmp_disk_tables"), "on disk"))
    one.curves("Network", "Bps", (speed("bytes_received"), "in"), (speed("bytes_sent"), "out"))
    one.curves("Disk", "Bps", (speed("innodb_data_read"), "read"), (speed("innodb_data_written"), "written"),
               (speed("innodb_os_log_written"), "redo log"))
    return one


def redis() -> Dashboard:
    """The cache."""
    one = Dashboard("redis", "Redis", "Memory, keys, commands and clients.")

    def now(name: str) -> str:
        return f'redis_{name}{{job="redis"}}'

    def speed(name: str, by: str = "") -> str:
        return rate(f"redis_{name}", 'job="redis"', by)

    hits, misses = speed("keyspace_hits_total"), speed("keyspace_misses_total")
    commands, seconds = speed("commands_total", "cmd"), speed("commands_duration_seconds_total", "cmd")
    one.figure("Server", now("up"), "none", ONE_IS_GOOD, mappings=DOWN_UP)
    one.figure("Memory used", f'{now("memory_used_bytes")} / ({now("memory_max_bytes")} > 0)', "percentunit",
               much(.8, .95), decimals=0)
    one.figure("Commands a second", speed("commands_processed_total"), "ops", decimals=1)
    one.figure("Running for", now("uptime_in_seconds"), "s", decimals=0)
    one.curves("Memory", "bytes", (now("memory_used_bytes"), "used"), (now("memory_used_rss_bytes"), "of the process"),
               (now("memory_max_bytes"), "limit"))
    one.curves("Keys", "short", (f'sum by (db) ({now("db_keys")}) > 0', "{{db}}"), (f'sum({now("db_keys")})', "all"))
    one.curves("Commands", "ops", (f"topk(8, {commands} > 0)", "{{cmd}}"), stacked=True)
    one.curves("Time a command takes", "s", (f"topk(8, {seconds} / ({commands} > 0))", "{{cmd}}"))
    one.curves("Keys found", "percentunit", (f"{hits} / ({hits} + {misses})", "found"), max=1)
    one.curves("Keys that went", "ops", (speed("evicted_keys_total"), "evicted: no memory left"),
               (speed("expired_keys_total"), "expired"))
    one.curves("Clients", "short", (now("connected_clients"), "connected"), (now("blocked_clients"), "blocked"),
               (speed("rejected_connections_total"), "refused, a second"))
    one.curves("Network", "Bps", (speed("net_input_bytes_total"), "in"), (speed("net_output_bytes_total"), "out"))
    one.curves("Changes not yet saved", "short", (now("rdb_changes_since_last_save"), "changes"),
               text="What a crash costs where no append-only file is kept.")
    one.curves("Slow commands", "short", (now("slowlog_length"), "remembered by SLOWLOG"))
    return one


def application() -> Dashboard:
    """One application."""
    one = Dashboard(
        "application", "Application",
        "One application: each release as its clients see it, its containers, and what it says of itself.",
        choice("application", "Application", 'label_values(mooring_container_running{application!=""}, application)',
               multi=False))
    chosen, container = 'application="$application"', "{{container}} {{release}}"
    one.figure("Releases that answer", requests(chosen + ', release!=""', "release") + " > 0", "reqps",
               legend="{{release}}", text="Two while a release is tried on a share of the requests.")
    one.figure("Server errors", failed(chosen), "percentunit", much(.01, .05), decimals=2)
    one.figure("95 % are answered within", within(.95, chosen), "s", much(.5, 2))
    one.figure("Containers running", f"sum(mooring_container_running{{{chosen}}})", "none", ONE_IS_GOOD)
    one.curves("Requests by release", "reqps", (requests(chosen, "release"), "{{release}}"), stacked=True)
    one.curves("Requests by status", "reqps", (requests(chosen, "status"), "{{status}}"), stacked=True)
    one.curves("Server errors by release", "percentunit", (failed(chosen, "release"), "{{release}}"))
    one.curves("Time to answer by release", "s", (within(.5, chosen, "release"), "{{release}} 50 %"),
               (within(.95, chosen, "release"), "{{release}} 95 %"))
    one.curves("Processors", "none", (rate("mooring_container_cpu_seconds_total", chosen), container),
               text="1 is one processor.")
    one.curves("Memory", "bytes", (f"mooring_container_memory_bytes{{{chosen}}}", container),
               (f"max(mooring_container_memory_limit_bytes{{{chosen}}})", "limit"))
    one.table("Containers", state_of(chosen), *STATE, height=6)
    one.row("What it says of itself")
    one.curves("Metrics are read", "none", (f'up{{job="application", {chosen}}}', "{{instance}} {{release}}"), max=1)
    one.curves("Requests (Spring)", "reqps", (
        rate("http_server_requests_seconds_count", chosen, "release, outcome"), "{{release}} {{outcome}}"))
    one.curves("Heap (JVM)", "bytes", (
        f'sum by (instance) (jvm_memory_used_bytes{{{chosen}, area="heap"}})', "{{instance}}"),
        (f'max(sum by (instance) (jvm_memory_max_bytes{{{chosen}, area="heap"}}))', "limit"))
    one.curves("Pauses for garbage collection (JVM)", "percentunit", (
        rate("jvm_gc_pause_seconds_sum", chosen, "instance"), "{{instance}}"),
        text="Part of the time in which the application stood still.")
    one.curves("Database connections (HikariCP)", "short", (
        f"sum by (instance) (hikaricp_connections_active{{{chosen}}})", "{{instance}} in use"),
        (f"sum by (instance) (hikaricp_connections_pending{{{chosen}}})", "{{instance}} waited for"),
        (f"max(hikaricp_connections_max{{{chosen}}})", "limit"))
    one.curves("Threads (JVM)", "short", (f"jvm_threads_live_threads{{{chosen}}}", "{{instance}}"))
    return one


def platform() -> Dashboard:
    """Whether the platform itself is in order."""
    one = Dashboard("platform", "Platform", "Whether the platform itself is in order: targets, alerts, probes, "
                    "certificates, drift, backups, Prometheus.", since="now-24h")
    ends, begins = (f"mooring_certificate_not_{word}_timestamp_seconds" for word in ("after", "before"))
    one.figure("Targets down", "count(up == 0) or vector(0)", "none", ZERO_IS_GOOD)
    one.figure("Alerts", 'count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)', "none", ZERO_IS_GOOD)
    one.figure("Drift", "sum(mooring_drift_items)", "none", ZERO_IS_GOOD,
               "Things that were not as declared at the last check.")
    one.figure("Next certificate ends", f"min({ends}) * 1000", "dateTimeFromNow")
    one.table("Alerts", {"": 'sum by (alertname, severity, alertstate, host, instance, container, name) '
                             '(ALERTS{severity!="none"})'}, height=6, text="Empty is good.")
    one.table("Targets", {"state": "min by (host, job, instance) (up)"}, column("state", mappings=DOWN_UP))
    one.curves("Probes: answered", "none", ('probe_success{job="probe"}', "{{probe}}"), max=1)
    one.curves("Probes: time", "s", ('probe_duration_seconds{job="probe"}', "{{probe}}"))
    one.table("Certificates", {
        "ends": f"max by (host, name) ({ends}) * 1000",
        "left of its lifetime": f"max by (host, name) (({ends} - time()) / ({ends} - {begins}))",
        "only a placeholder": "max by (host, name) (mooring_certificate_placeholder)",
    }, column("ends", unit="dateTimeFromNow"), column("left of its lifetime", unit="percentunit", decimals=0),
        column("only a placeholder", mappings=NO_YES), width=12, height=6)
    looks = [f'label_replace({expression}, "what", "{what}", "{label}", "(.*)") * 1000' for expression, what, label in (
        ("max by (host) (mooring_certificates_last_good_run_timestamp_seconds)", "certificates, without a failure", ""),
        ("max by (host) (mooring_drift_last_check_timestamp_seconds)", "drift", ""),
        ("max by (host, backup) (mooring_backup_last_success_timestamp_seconds)", "backup $1", "backup"))]
    one.table("Done last", {"when": " or ".join(looks)}, without=("backup",), width=12, height=6,
              unit="dateTimeFromNow")
    one.curves("Drift", "short", ("sum by (host, component) (mooring_drift_items)", "{{host}} {{component}}"),
               ("sum(mooring_drift_notices)", "notices"))
    one.curves("Age of backups", "s", ("time() - mooring_backup_last_success_timestamp_seconds", "{{host}} {{backup}}"))
    one.curves("Notifications", "ops", *[
        (rate(f"alertmanager_notifications_{metric}", 'job="alertmanager"', "integration"), "{{integration}} " + word)
        for metric, word in (("total", "sent"), ("failed_total", "failed"))])
    one.curves("Rules that could not be evaluated", "short", (
        'sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total{job="prometheus"}'
        '[$__rate_interval]))', "{{rule_group}}"))
    one.curves("Prometheus: series", "short", ('prometheus_tsdb_head_series{job="prometheus"}', "in memory"),
               ("topk(5, sum by (job) (scrape_series_added))", "new of {{job}}"))
    one.curves("Prometheus: disk", "bytes", ('prometheus_tsdb_storage_blocks_bytes{job="prometheus"}', "blocks"),
               ('prometheus_tsdb_wal_storage_size_bytes{job="prometheus"}', "write-ahead log"))
    one.curves("Time that a scrape takes", "s", ("max by (job) (scrape_duration_seconds)", "{{job}}"))
    one.curves("Samples of a scrape", "short", ("sum by (job) (scrape_samples_scraped)", "{{job}}"))
    return one


def logs() -> Dashboard:
    """Find the line."""
    one = Dashboard("logs", "Logs", "Find the line: by container, by text, by the id of a request.",
                    # Lines from before there was the label have it empty.
                    log_choice("host", "Host", everything=".*"), log_choice("project", "Project"),
                    log_choice("service", "Service", '{project=~"$project"}'),
                    field("search", "Text"), field("request", "Request id"), since="now-1h")
    chosen = '{job="containers", host=~"$host", project=~"$project", service=~"$service"}'
    bad = 'detected_level=~"error|critical|fatal"'
    loki, alloy = 'job="loki"', 'job="alloy"'
    for title, filters in (("Lines by service", ""), ("Errors by service", f" | {bad}")):
        one.curves(title, "cps", (f"sum by (project, service) (rate({chosen}{filters} |~ `$search` [$__auto]))",
                                  "{{project}} {{service}}"), stacked=True, source=LOKI)
    one.lines("Containers", f"{chosen} |~ `$search`", 16, "The text is a regular expression.")
    one.lines("One request", '{job="containers", host=~"$host"} |= `request_id` |= `$request`', text="What the proxy "
              "says of it, and an application that logs the header X-Request-Id as request_id.")
    one.lines("Requests that failed", '{job="containers", host=~"$host", service="proxy", stream="stdout"} | json '
              '| __error__=`` | status >= 500')
    one.lines("Slow queries of MySQL", '{job="files", host=~"$host", filename=~".+/slow[.]log"} |~ `$search`')
    one.lines("Host: warnings and worse",
              '{job="journal", host=~"$host", level=~"emerg|alert|crit|err|error|warning"} |~ `$search`')
    one.lines("Host: files", '{job="files", host=~"$host"} |~ `$search`')
    one.row("The logs themselves")
    one.curves("Taken in", "Bps", (f'sum({rate("loki_distributor_bytes_received_total", loki)})', "bytes"))
    one.curves("Streams", "short", ('sum(loki_ingester_memory_streams{job="loki"})', "streams"),
               text="Each combination of labels is one; limits_config says how many there may be.")
    one.curves("Lost on the way", "cps",
               (rate("loki_discarded_samples_total", loki, "reason"), "refused by Loki: {{reason}}"),
               (f'sum({rate("loki_write_dropped_entries_total", alloy)})', "given up by Alloy"))
    one.curves("Last deletion of what is too old", "s", (
        'time() - loki_compactor_apply_retention_last_successful_run_timestamp_seconds{job="loki"}', "ago"))
    return one


DASHBOARDS = (host, containers, proxy, mysql, redis, application, platform, logs)


def main() -> None:
    """Write all files."""
    for make in DASHBOARDS:
        dashboard = make()
        (DIRECTORY / f"{dashboard.name}.json").write_text(dashboard.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
