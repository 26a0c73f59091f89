# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the proxy measures, in a real nginx: every request once, labels that nobody outside chooses, bounded memory."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import pathlib
import re
import secrets
import subprocess
import time
import typing as t
import urllib.parse

import pytest
from conftest import docker
from nginx_proxy import NAME, NginxProxy, make_readable, start_replica
from prometheus_client.parser import text_string_to_metric_families

PORT = 9145
REQUESTS, SECONDS = "mooring_proxy_requests_total", "mooring_proxy_request_seconds"
UNCOUNTED = "mooring_proxy_uncounted_requests_total"
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
# These lead to nginx itself, which answers 404.
MANY = [f"/many{number}" for number in range(60)]
ITSELF = {"upstream": "http://127.0.0.1:8081", "access": "public"}
ROUTES = [
    {"path": "/app", "application": "shop", "access": "public"},
    {"path": "/ws", "application": "shop", "access": "public", "websocket": True},
    {"path": "/closed/", "application": "shop"},
    {"path": "/limited", "application": "shop", "access": "public", "rate": "1r/m", "burst": 1},
    {"path": "/unreleased", "application": "other", "access": "public"},
    {"path": "/gone", "upstream": "http://nobody:8080", "access": "public"},
    {"path": "/plain", "upstream": "http://shop-blue:8080", "access": "public"},
    *({"path": path, **ITSELF} for path in ("/a$b#c", "/größe", *MANY)),
]
# What the text format allows, and nothing that a lenient parser would take too.
LABEL = r'[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(r"# HELP [a-z_]+ [^\\\n]+|# TYPE [a-z_]+ (?:counter|gauge|histogram)"
                  rf"|[a-z_]+(?:{{{LABEL}(?:,{LABEL})*}})? \d+(?:\.\d+)?")


class Metrics(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """What was said at one time: values by name and labels."""

    @classmethod
    def parse(cls, text: str) -> Metrics:
        """The samples of a text; AssertionError where a parser could stumble."""
        lines = text.removesuffix("\n").split("\n")
        assert text.endswith("\n") and not [line for line in lines if not LINE.fullmatch(line)]
        names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
        assert len(names) == len(set(names)), "a metric's samples stand together"
        metrics = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in metrics, f"{key} comes twice"
                metrics[key] = sample.value
        return metrics

    def since(self, before: Metrics) -> Metrics:
        """What has been added."""
        return Metrics({key: value - before.get(key, 0) for key, value in self.items() if value != before.get(key, 0)})

    def requests(self) -> dict[tuple[str, str, str, str], float]:
        """Numbers by route, application, release and class of status, but for what did not come."""
        return {tuple(dict(labels)[name] for name in ("route", "application", "release", "status")): value
                for (metric, labels), value in self.items() if metric == REQUESTS and value}

    def of(self, name: str, **labels: str) -> float:
        """One of them; KeyError if it was not said."""
        return self[name, frozenset(labels.items())]

    def total(self, name: str = REQUESTS, **labels: str) -> float:
        """The sum of those that have these labels, and maybe others."""
        return sum(value for (metric, found), value in self.items() if metric == name and found >= labels.items())


class Platform(NginxProxy):
    """A proxy in front of one replica of an application, which has the release that a client wishes."""

    def http(self, method: str, path: str, host: str = "proxy") -> tuple[int, dict[str, str], str]:
        """Status, headers and body of an answer at the port of the metrics."""
        with contextlib.closing(http.client.HTTPConnection(self.address, PORT, timeout=30)) as connection:
            connection.request(method, path, headers={"Host": host})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, \
                response.read().decode()

    def metrics(self) -> Metrics:
        """What they are now."""
        status, headers, text = self.http("GET", "/metrics")
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return Metrics.parse(text)

    def ask(self, path: str, connection: http.client.HTTPSConnection | None = None, **headers: str) -> int:
        """Status of one request, on a connection of its own or on this one."""
        with contextlib.nullcontext(connection) if connection else contextlib.closing(self.connection()) as used:
            used.request("GET", urllib.parse.quote(path, "/?=;.%$"), headers={"Host": NAME, **headers})
            response = used.getresponse()
            response.read()
            return response.status

    def measured(self, before: Metrics, requests: int) -> Metrics:
        """What has been added once so many requests are counted, which is after they were answered."""
        limit = time.monotonic() + 20
        while True:
            added = self.metrics().since(before)
            if added.total() >= requests:
                return added
            assert time.monotonic() < limit, added.requests()
            time.sleep(0.05)

    def asked(self, *paths: str, **headers: str) -> Metrics:
        """What one request for each of these adds."""
        before = self.metrics()
        for path in paths:
            self.ask(path, **headers)
        return self.measured(before, len(paths))

    def errors(self) -> list[str]:
        """What nginx has complained of."""
        done = subprocess.run(["docker", "logs", self.container], capture_output=True, text=True, check=True)
        return [line for line in done.stderr.splitlines() if "[notice]" not in line]


@pytest.fixture(scope="module")
def network(image: str) -> t.Iterator[str]:
    """Its name, with the application in it."""
    prefix = f"mooringtest{secrets.token_hex(3)}"
    docker("network", "create", "--label", "mooring.test=1", prefix)
    try:
        start_replica(prefix, image, "blue")
        yield prefix
    finally:
        docker("rm", "--force", "--volumes", f"{prefix}-blue", check=False)
        docker("network", "rm", prefix, check=False)


@contextlib.contextmanager
def running(
    directory: pathlib.Path, prefix: str, name: str, change: t.Callable[[str], str] = str,
) -> t.Iterator[Platform]:
    make_readable(directory)
    platform = Platform(directory, prefix, ROUTES, name, change)
    try:
        platform.start()
        platform.serve("blue")
        yield platform
    finally:
        docker("rm", "--force", "--volumes", platform.container, check=False)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, network: str) -> t.Iterator[Platform]:
    with running(tmp_path_factory.mktemp("proxy"), network, "proxy") as platform:
        limit = time.monotonic() + 20
        asked = 1
        while platform.ask("/app/ok") != 200:
            assert time.monotonic() < limit, "the application does not answer"
            time.sleep(0.1)
            asked += 1
        platform.measured(Metrics(), asked)
        yield platform


def small(configuration: str) -> str:
    """The same with so little memory that a few dozen series fill it; what stays free in each zone is 64 KiB."""
    changed, count = re.subn(r"zone=(measured\w*):\d+k", r"zone=\1:80k", configuration)
    assert count == 2
    return changed


@pytest.fixture
def cramped(tmp_path: pathlib.Path, network: str) -> t.Iterator[Platform]:
    with running(tmp_path, network, "cramped", small) as platform:
        yield platform


def test_requests_count_by_route_status_and_release(platform):
    added = platform.asked(*["/app/ok?release=1.4.2"] * 3, "/app?release=1.4.2", "/app;x=1?release=1.4.2",
                           "/app/404?release=1.4.2", "/app/503?release=1.4.3+build.7", "/app/204", "/app/302")
    assert added.requests() == {
        ("/app", "shop", "1.4.2", "2xx"): 5, ("/app", "shop", "1.4.2", "4xx"): 1,
        ("/app", "shop", "1.4.3+build.7", "5xx"): 1, ("/app", "shop", "", "2xx"): 1, ("/app", "shop", "", "3xx"): 1}


def test_what_nginx_answers_itself_counts_for_the_route_that_took_it(platform):
    for path, status, expected in (
            ("/closed/x", 401, ("/closed/", "shop", "", "4xx")),
            ("/closed", 308, ("/closed/", "", "", "3xx")),
            ("/gone/x", 502, ("/gone", "", "", "5xx")),
            # Nothing was released of it.
            ("/unreleased", 502, ("/unreleased", "other", "", "5xx")),
            ("/app/drop", 502, ("/app", "shop", "", "5xx")),
            # No route took these.
            ("/nowhere", 404, ("", "", "", "4xx")),
            ("/app/metrics", 404, ("", "", "", "4xx")),
            ("/app/..;/x", 400, ("", "", "", "4xx")),
            ("/.mooring/404.html", 404, ("", "", "", "4xx"))):
        before = platform.metrics()
        assert platform.ask(path) == status, path
        assert platform.measured(before, 1).requests() == {expected: 1}, path
    added = platform.asked(*["/limited/ok"] * 4)
    assert added.requests() == {("/limited", "shop", "", "2xx"): 2, ("/limited", "shop", "", "4xx"): 2}


def test_a_request_that_was_sent_twice_is_one_of_the_release_that_answered(platform):
    platform.serve("green blue=0")
    try:
        # Nothing has the name of the first.
        assert platform.asked(*["/app/ok?release=2.0"] * 3).requests() == {("/app", "shop", "2.0", "2xx"): 3}
    finally:
        platform.serve("blue")


def test_a_release_is_only_that_of_an_application(platform):
    assert platform.asked("/plain/ok?release=9.9").requests() == {("/plain", "", "", "2xx"): 1}


@pytest.mark.parametrize("release", [
    'quo"te', 'x"} 9', "back\\slash", "1.0\tx", "a b", "a,b", "x" * 65, "x" * 300, "größe", "{}", "../../etc/passwd"])
def test_a_release_that_looks_like_none_is_none(platform, release):
    added = platform.asked(f"/app/ok?release={urllib.parse.quote(release)}")
    assert added.requests() == {("/app", "shop", "", "2xx"): 1}


def test_a_line_cannot_be_smuggled_into_the_metrics(platform):
    line = f'{REQUESTS}{{route="evil"}} 9'
    added = platform.asked("/app/ok?release=" + urllib.parse.quote(f"1.0\nX: {line}"))
    assert added.requests() == {("/app", "shop", "1.0", "2xx"): 1}
    # nginx takes this for no answer at all.
    added = platform.asked("/app/ok?release=" + urllib.parse.quote(f"1.0\n{line}"))
    assert [(route, status) for route, _application, _release, status in added.requests()] == [("/app", "5xx")]
    assert "evil" not in platform.http("GET", "/metrics")[2]


def test_a_release_that_looks_like_one_is_that(platform):
    for release in ("1", "2026.11.26-rc_1+7", "x" * 64):
        added = platform.asked(f"/app/ok?release={urllib.parse.quote(release)}")
        assert added.requests() == {("/app", "shop", release, "2xx"): 1}
    # Of two headers that an answer has, neither can be believed.
    added = platform.asked("/app/ok?release=" + urllib.parse.quote("1.0\r\nX-Release: 2.0"))
    assert added.requests() == {("/app", "shop", "", "2xx"): 1}


def test_nothing_of_a_client_becomes_a_label(platform):
    added = platform.asked("/app/ok", "/app/evil%22path", **{
        "X-Release": "6.6.6", "X-Mooring-Route": "/evil", "User-Agent": "evil", "Cookie": "evil=1",
        "X-Request-Id": "evilevilevil"})
    assert added.requests() == {("/app", "shop", "", "2xx"): 2}
    assert "evil" not in platform.http("GET", "/metrics")[2]


def test_a_path_of_unusual_characters_is_written_as_it_is(platform):
    added = platform.asked("/a$b%23c/x", "/größe")
    assert added.requests() == {("/a$b#c", "", "", "4xx"): 1, ("/größe", "", "", "4xx"): 1}


def test_labels_are_escaped(platform, tmp_path):
    """Preflight refuses such a path, and who does without it still gets text that Prometheus can read."""
    configuration = platform.directory / "nginx" / "routes.conf"
    original = configuration.read_text()
    configuration.write_text(original.replace('set $mooring_route "/many0";', 'set $mooring_route "/m\\"\\\\y\\n0";'))
    try:
        platform.reload()
        limit = time.monotonic() + 10
        while ("/m\"\\y\n0", "", "", "4xx") not in platform.asked("/many0").requests():
            assert time.monotonic() < limit
    finally:
        configuration.write_text(original)
        platform.reload()
    assert r'route="/m\"\\y\n0"' in platform.http("GET", "/metrics")[2]


def test_times_are_a_histogram(platform):
    labels = {"route": "/app", "application": "shop", "release": "slow-1"}
    added = platform.asked("/app/slow?release=slow-1", *["/app/ok?release=slow-1"] * 4)
    buckets = [added.get((f"{SECONDS}_bucket", frozenset({**labels, "le": bound}.items())), 0) for bound in BOUNDS]
    assert buckets == sorted(buckets), "each holds those before it"
    assert buckets[BOUNDS.index("0.25")] <= 4, "one took 0.3 s"
    assert buckets[-1] == added.of(f"{SECONDS}_count", **labels) == 5
    assert 0.3 <= added.of(f"{SECONDS}_sum", **labels) < 30
    # In whole seconds a later one would be in the same bucket.
    assert added.of(f"{SECONDS}_sum", **labels) != int(added.of(f"{SECONDS}_sum", **labels))


def test_every_series_is_complete(platform):
    platform.asked("/app/ok", "/nowhere")
    metrics = platform.metrics()
    series = {labels for name, labels in metrics if name == f"{SECONDS}_count"}
    assert len(series) >= 2
    for labels in map(dict, series):
        assert set(labels) == {"route", "application", "release"}
        assert all((REQUESTS, frozenset({**labels, "status": status}.items())) in metrics for status in CLASSES)
        buckets = [metrics.of(f"{SECONDS}_bucket", **labels, le=bound) for bound in BOUNDS]
        assert buckets == sorted(buckets) and buckets[-1] == metrics.of(f"{SECONDS}_count", **labels)
        assert metrics.of(f"{SECONDS}_sum", **labels) >= 0
        assert buckets[-1] == metrics.total(**labels) - metrics.of(REQUESTS, **labels, status="1xx")
    assert metrics.of(UNCOUNTED, what="release") == metrics.of(UNCOUNTED, what="route") == 0


def test_websockets_count_and_have_no_time(platform):
    before = platform.metrics()
    assert platform.ask("/ws/chat", Upgrade="websocket", Connection="Upgrade") == 101
    added = platform.measured(before, 1)
    assert added.requests() == {("/ws", "shop", "", "1xx"): 1}
    assert not added.total(f"{SECONDS}_count")


def test_a_client_that_gave_up_has_waited(platform):
    before = platform.metrics()
    with contextlib.closing(platform.connection()) as connection:
        connection.request("GET", "/app/slow", headers={"Host": NAME})
    added = platform.measured(before, 1)
    assert added.requests() == {("/app", "shop", "", "4xx"): 1}
    assert added.total(f"{SECONDS}_count") == 1


def test_a_status_that_is_none_is_an_error_of_the_server(platform):
    assert platform.asked("/app/999").requests() == {("/app", "shop", "", "5xx"): 1}


def test_connections_are_told(platform):
    before = platform.metrics()
    with contextlib.closing(platform.connection()) as connection:
        platform.ask("/app/ok", connection)
        platform.measured(before, 1)
        metrics = platform.metrics()
    states = {dict(labels)["state"]: value for (name, labels), value in metrics.items()
              if name == "mooring_proxy_connections"}
    assert set(states) == {"active", "reading", "writing", "waiting"}
    assert states["active"] >= 2 and states["waiting"] >= 1 and states["writing"] >= 1


def test_requests_side_by_side_are_counted_exactly(platform):
    before = platform.metrics()
    paths = [f"/app/{status}?release=par-{status}" for status in ("ok", 201, 404, 500)] * 50
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        assert len(list(pool.map(platform.ask, paths))) == 200
    added = platform.measured(before, 200)
    assert added.requests() == {("/app", "shop", f"par-{word}", status): 50 for word, status in (
        ("ok", "2xx"), ("201", "2xx"), ("404", "4xx"), ("500", "5xx"))}
    assert added.total(f"{SECONDS}_count") == 200


def test_the_port_serves_nothing_else(platform):
    for path in ("/", "/metrics/", "/metrics/x", "/healthz", "/stub_status", "/releases/shop", "/app/ok",
                 "/.mooring/404.html", "/.well-known/acme-challenge/x", "/metrics/../x"):
        for host in ("proxy", NAME, "127.0.0.1:8081", "control"):
            assert platform.http("GET", path, host)[0] == 404, (path, host)
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        assert platform.http(method, "/metrics")[0] == 405
    assert "9145" not in docker("port", platform.container), "the host does not publish it"
    assert platform.asked("/metrics").requests() == {("", "", "", "4xx"): 1}, "and clients cannot ask for it"


def test_to_ask_is_not_counted(platform):
    before = platform.metrics()
    for _turn in range(5):
        platform.http("GET", "/metrics")
        platform.http("GET", "/nothing")
    platform.asked("/nowhere")
    assert platform.metrics().since(before).requests() == {("", "", "", "4xx"): 1}
    assert not [line for line in docker("logs", platform.container).splitlines() if '"uri":"/metrics"' in line
                and json.loads(line)["host"] == "proxy"]


def test_a_reload_keeps_the_numbers_and_a_restart_does_not(platform):
    platform.asked("/app/ok?release=kept")
    before = platform.metrics()
    platform.reload()
    added = platform.asked("/app/ok?release=kept")
    assert platform.metrics().total() == before.total() + 1
    assert added.requests() == {("/app", "shop", "kept", "2xx"): 1}
    platform.restart()
    assert platform.metrics().requests() == {}
    assert platform.asked("/nowhere").requests() == {("", "", "", "4xx"): 1}


def test_releases_without_number_cost_no_request_and_no_route(cramped):
    """An application that says again what a client says lets clients name as many releases as they like."""
    with contextlib.closing(cramped.connection()) as connection:
        for number in range(300):
            assert cramped.ask(f"/app/ok?release=evil-{number}", connection) == 200
        # One request of a connection is counted before the next is read.
        cramped.ask("/nowhere", connection)
    metrics = cramped.metrics()
    assert metrics.total(route="/app") == 300
    without = metrics.of(UNCOUNTED, what="release")
    assert 0 < without < 300
    assert without == metrics.total(route="/app", release=""), "what has no place counts for its route"
    # To have said it makes room: releases begin anew, as after a restart, and nothing else does.
    assert cramped.metrics().total(route="/app") == without
    added = cramped.asked("/app/ok?release=1.4.2", "/many1")
    assert added.requests() == {("/app", "shop", "1.4.2", "2xx"): 1, ("/many1", "", "", "4xx"): 1}
    assert cramped.errors() == []


def test_memory_that_is_full_costs_no_request_and_is_told(cramped):
    before = cramped.metrics()
    with contextlib.closing(cramped.connection()) as connection:
        for path, _turn in itertools.product(MANY, range(3)):
            assert cramped.ask(path, connection) == 404
        added = cramped.measured(before, 1)
        # The last ones are counted after their answers.
        limit = time.monotonic() + 10
        while added.total() + added.total(UNCOUNTED) < 180:
            assert time.monotonic() < limit, added.requests()
            added = cramped.metrics().since(before)
        assert added.total() + added.of(UNCOUNTED, what="route") == 180
        assert 0 < added.of(UNCOUNTED, what="route") < 180
        # Series that it has go on.
        before = cramped.metrics()
        assert cramped.ask(MANY[0], connection) == 404
        assert cramped.measured(before, 1).requests() == {(MANY[0], "", "", "4xx"): 1}
    assert cramped.errors() == []
