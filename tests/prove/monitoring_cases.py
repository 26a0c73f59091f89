# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of monitoring, one function each, on a node with the whole site; docstrings name it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import json
import pathlib
import time
import typing as t
import urllib.parse

import dashboards
import lab
import load
import logql
import yaml
from drift_site import EXTRA, IMAGES, NAME, PORT, ROOT, Failed, Site, expect

P = "/opt/mooring/monitoring"
C = "mooring-monitoring-"
MYSQL = "mooring-data_stores-mysql-1"
LISTENER = "mattermost"
HOOK = f"http://{LISTENER}:8065/hooks/proof"
HEARTBEAT = f"http://{LISTENER}:8065/heartbeat"
JOBS = {"prometheus", "alertmanager", "node", "node-network", "engine", "blackbox", "mysql", "redis", "proxy",
        "application", "probe"}
# Seconds from a fault to the message: a scrape, `for` of the rule, an evaluation, group_wait and some.
TOLD_WITHIN = 150
# From its end to the message: a scrape, an evaluation, group_interval.
OVER_WITHIN = 120
SMALL_DISK = "/srv/small"
VARIABLES: dict[str, t.Any] = {
    "monitoring_mattermost_webhook_url": HOOK, "monitoring_mattermost_channel": "operations",
    "monitoring_heartbeat_webhook_url": HEARTBEAT}
ROUTES = "inventories/local/group_vars/nginx_certbot/nginx_certbot.yml"
GRAFANA = {"path": "/grafana", "upstream": "http://grafana:3000", "access": "private", "websocket": True}
RULES = "roles/monitoring/templates/project/prometheus"


@dataclasses.dataclass
class Figures:
    """What the last line says."""

    up: int = 0
    targets: int = 0
    rules: int = 0
    rule_tests: int = 0
    delivered: int = 0
    resolved: int = 0
    expressions: int = 0
    unparsed: int = 0
    standins: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (f"targets={self.up}/{self.targets} rules={self.rules} rule_tests={self.rule_tests} "
                f"delivered={self.delivered} resolved={self.resolved} expressions={self.expressions} "
                f"unparsed={self.unparsed} standins={','.join(self.standins) or 'none'}")


class Place(Site):
    """The node with the whole site, and a listener on the platform network."""

    tags = ("--tags", "monitoring", "--skip-tags", "always")

    def __init__(self, scratch: pathlib.Path, figures: Figures, keeps: bool) -> None:
        declared = yaml.safe_load((ROOT / ROUTES).read_text())["__local_routes"]
        extra = {**EXTRA, "monitoring": dict(VARIABLES), "nginx_certbot": {
            **EXTRA["nginx_certbot"], "__local_routes": [*declared, GRAFANA]}}
        super().__init__(scratch, "monitoring", extra, (*IMAGES, "mooring.local/standin:1"))
        self.figures = figures
        self.keeps = keeps
        self.disk = scratch / "disk"

    def begin(self) -> None:
        """Everything from nothing; the disk is there before somebody looks at disks."""
        self.need_images()
        self.say("starting a bare node with systemd")
        self.node.start("trixie", "bare", "systemd", {SMALL_DISK: str(self.disk)})
        self.declare()
        self.say("converging it: the engine, the listener, the site")
        self.run("--tags", "docker_engine").good("installing the engine")
        self.node.load(self.images)
        self.listen()
        self.run().good("converging the site")

    @contextlib.contextmanager
    def small_disk(self) -> t.Iterator[None]:
        """A disk of 64 MiB, which is a file; unmounted in the end."""
        image = self.scratch / "disk.img"
        if not self.disk.is_mount():
            self.disk.mkdir(exist_ok=True)
            with image.open("wb") as file:
                file.truncate(64 * 2**20)
            lab.run("mkfs.ext4", "-q", str(image))
            lab.run("mount", "-o", "loop", str(image), str(self.disk))
        try:
            yield
        finally:
            if not self.keeps:
                lab.run("umount", "--lazy", str(self.disk), check=False)

    def again(self) -> None:
        """One run on what was left."""
        self.node.load(self.images)
        self.listen()
        self.run().good("converging the site")

    def listen(self) -> None:
        """Start the listener anew."""
        program = (ROOT / "tests/prove/monitoring_listener.py").read_text()
        lab.docker("exec", "-i", self.node.container, "tee", "/root/listener.py", data=program.encode())
        self.sh(f"docker rm --force {LISTENER} 2>/dev/null; "
                f"docker run --detach --no-healthcheck --name {LISTENER} --network mooring "
                "--volume /root/listener.py:/listener.py:ro --entrypoint python3 mooring.local/demo:1.0.0 /listener.py")

    # -- looking ------------------------------------------------------------

    def ask(self, path: str) -> tuple[int, t.Any]:
        """Status and answer of the proxy, asked as an operator does."""
        connection = load.Client(self.node.address(), PORT, NAME, plain=False)
        token = base64.b64encode(f"operator:{self.secret('operator_password')}".encode()).decode()
        try:
            connection.request("GET", path, headers={"Host": f"{NAME}:{PORT}", "Authorization": f"Basic {token}"})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        try:
            return response.status, json.loads(body)
        except ValueError:
            return response.status, body.decode("utf-8", "replace")

    def prometheus(self, question: str) -> t.Any:
        """``data`` of an answer of Prometheus."""
        status, document = self.ask(f"/prometheus/api/v1/{question}")
        expect(status == 200, f"Prometheus answers {question} with {status}:", document)
        return document["data"]

    def query(self, expression: str) -> list[dict[str, t.Any]]:
        """The samples of an expression now."""
        return self.prometheus("query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def messages(self, path: str = "/hooks/proof") -> list[dict[str, t.Any]]:
        """What the listener got there, in order."""
        lines = self.sh(f"docker logs {LISTENER} 2>&1").splitlines()
        return [found for line in lines if line.startswith("{") and (found := json.loads(line))["path"] == path]

    def until(self, what: str, limit: float, look: t.Callable[[], t.Any]) -> t.Any:
        """What ``look`` finds, once it finds something."""
        end = time.monotonic() + limit
        while True:
            try:
                found = look()
            except (OSError, http.client.HTTPException) as error:
                found, what = None, f"{what} ({error})"
            if found:
                return found
            if time.monotonic() > end:
                raise Failed(f"{what}: not within {limit:.0f} s; alerts are {self.alerts()}")
            time.sleep(1)

    def alerts(self) -> list[str]:
        """Name and state of the alerts."""
        return sorted(f"{one['labels']['alertname']} {one['state']}" for one in self.prometheus("alerts")["alerts"]
                      # The machine below has other work, and its clock is its own business.
                      if one["labels"].get("component") != "host" or SMALL_DISK in one["labels"].get("mountpoint", ""))

    def told(self, name: str, known: int, limit: float, over: bool = False) -> dict[str, t.Any]:
        """The next message about an alert after the first ``known``."""
        def look() -> dict[str, t.Any] | None:
            for one in self.messages()[known:]:
                (attachment,) = one["body"]["attachments"]
                if f"#{name.lower()}" in json.dumps(attachment) and not over:
                    return one
                if over and attachment["color"] == "good":
                    return one
            return None
        return self.until(f"a message about {name}", limit, look)


    def traffic(self, seconds: float) -> None:
        """Requests, some of them for nothing, so that there is something to measure."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for path in ("/api/hello", "/api/items", "/nowhere", "/health"):
                self.ask(path)
            time.sleep(0.5)


Case = t.Callable[[Place], None]


def sees_everything(place: Place) -> None:
    """Every declared target is up, every rule is loaded and can be evaluated"""
    def look() -> bool:
        found = place.prometheus("targets?state=active")["activeTargets"]
        place.figures.targets, place.figures.up = len(found), sum(one["health"] == "up" for one in found)
        return len(found) > 0 and all(one["health"] == "up" for one in found) and {
            one["labels"]["job"] for one in found} == JOBS
    place.until("every target is up", 90, look)
    rules = [rule for group in place.prometheus("rules")["groups"] for rule in group["rules"]]
    place.figures.rules = len(rules)
    place.until("every rule is evaluated", 60, lambda: all(
        rule["health"] == "ok" for group in place.prometheus("rules")["groups"] for rule in group["rules"]))
    declared = [rule for path in sorted((place.code / RULES / "rules").glob("*.yml"))
                for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    expect(len(declared) == len(rules), f"{len(declared)} rules are declared, {len(rules)} loaded")
    place.figures.rule_tests = sum(
        len(test.get("alert_rule_test") or []) + len(test.get("promql_expr_test") or [])
        for path in sorted((place.code / RULES / "tests").glob("*.yml"))
        for test in yaml.safe_load(path.read_text())["tests"])


def nothing_fires(place: Place) -> None:
    """On a healthy platform nothing fires but the heartbeat, which arrives"""  # defect 58: MySQLDown would
    place.until("only the heartbeat fires", 420, lambda: place.alerts() == ["Watchdog firing"])
    beats = place.until("a heartbeat", 60, lambda: place.messages("/heartbeat"))
    expect(beats[0]["body"]["alerts"][0]["labels"]["alertname"] == "Watchdog", "the heartbeat is another alert")


def nothing_is_published(place: Place) -> None:
    """Nothing of it is published, and the proxy shows it to those only who log in"""
    listening = place.sh("ss -Hltn").split("\n")
    ports = {line.split()[3].rpartition(":")[2] for line in listening if line.split()
             and not line.split()[3].startswith(("127.", "[::1]"))}
    expect(ports <= {"22", str(PORT), "8080"}, "other ports are open:", ports)
    connection = load.Client(place.node.address(), PORT, NAME, plain=False)
    for path in ("/prometheus/", "/alertmanager/", "/prometheus/api/v1/targets"):
        connection.request("GET", path, headers={"Host": f"{NAME}:{PORT}"})
        response = connection.getresponse()
        response.read()
        expect(response.status == 401, f"{path} answers a stranger with {response.status}")
    connection.close()
    for path in ("/prometheus/api/v1/targets", "/alertmanager/"):
        expect(place.ask(path)[0] == 200, f"{path} does not answer an operator:", place.ask(path))


def mysql_stops(place: Place) -> None:
    """A stopped MySQL is one readable message, and one when it is back; neither is repeated"""
    known = len(place.messages())
    place.sh(f"docker stop {MYSQL}")
    begun = time.time()
    message = place.told("MySQLDown", known, TOLD_WITHIN)
    place.say(f"       told after {message['at'] - begun:.0f} s")
    rule = next(rule for group in yaml.safe_load((place.code / RULES / "rules/mysql.yml").read_text())["groups"]
                for rule in group["rules"] if rule.get("alert") == "MySQLDown")
    expect(message["type"] == "application/json", "the type is", message["type"])
    alert = next(one for one in place.prometheus("alerts")["alerts"] if one["labels"]["alertname"] == "MySQLDown")
    title = f"CRITICAL: {alert['annotations']['summary']}"
    expect(message["body"] == {
        "channel": "operations", "username": NAME, "attachments": [{
            "title": title, "title_link": f"https://{NAME}:{PORT}/alertmanager/#/alerts?receiver=mattermost",
            "text": f"{alert['annotations']['description']} [What to do]({rule['annotations']['runbook_url']})\n",
            "fallback": title, "callback_id": "", "footer": "", "color": "danger",
            "mrkdwn_in": ["fallback", "pretext", "text"]}]}, "the message is another one:", message["body"])
    # Whatever follows from it would have fired by now.
    time.sleep(90)
    place.sh(f"docker start {MYSQL}")
    begun = time.time()
    over = place.told("MySQLDown", known + 1, OVER_WITHIN + 60, over=True)
    place.say(f"       its end told after {over['at'] - begun:.0f} s")
    (attachment,) = over["body"]["attachments"]
    expect(attachment["title"] == f"Over: {alert['annotations']['summary']}", "its end reads", attachment)
    expect(attachment["text"].startswith("It lasted "), "its end reads", attachment)
    time.sleep(75)
    told = place.messages()[known:]
    expect(len(told) == 2, f"{len(told)} messages instead of 2:", [one["body"]["attachments"][0] for one in told])
    place.figures.delivered += 1
    place.figures.resolved += 1


def disk_fills(place: Place) -> None:
    """A small disk that fills is told, and its end"""
    known = len(place.messages())
    place.sh(f"head -c 100M /dev/zero > {SMALL_DISK}/filler", check=False)
    message = place.told("HostDiskNearlyFull", known, 600)
    expect(SMALL_DISK in json.dumps(message["body"]), "the message does not say which disk:", message["body"])
    place.sh(f"rm {SMALL_DISK}/filler")
    place.told("HostDiskNearlyFull", known + 1, OVER_WITHIN, over=True)
    place.figures.delivered += 1
    place.figures.resolved += 1


def webhook_breaks(place: Place) -> None:
    """A webhook that nobody answers is seen in a metric, an alert, the drift report and `make status`"""
    run = place.converge(monitoring_mattermost_webhook_url=f"http://{LISTENER}:8065/hooks/gone",
                         monitoring_heartbeat_webhook_url=HEARTBEAT)
    expect(run.changed > 0, "the new webhook was no change")
    place.sh(f"docker stop {MYSQL}")
    failed = "sum(alertmanager_notifications_failed_total{integration=\"slack\"})"
    place.until("the metric counts", TOLD_WITHIN, lambda: [
        one for one in place.query(failed) if float(one["value"][1]) > 0])
    place.until("AlertDeliveryFails fires", 420, lambda: "AlertDeliveryFails firing" in place.alerts())
    place.sh(f"docker start {MYSQL}")
    place.sh(f"until [ $(docker inspect -f '{{{{.State.Health.Status}}}}' {MYSQL}) = healthy ]; do sleep 1; done")
    status = place.run(playbook=place.code / "playbooks/status.yml").output
    expect("AlertDeliveryFails" in status, "status does not say so:", status[-1500:])
    mended = place.attempt("--check", monitoring_mattermost_webhook_url=f"http://{LISTENER}:8065/hooks/gone",
                           monitoring_heartbeat_webhook_url=HEARTBEAT)
    expect("alerts could not be delivered (slack" in str(mended.notices), "the report does not say so:", mended.notices)
    before = place.started()
    place.converge()
    expect(place.started() == before, "the repaired webhook restarted something")
    known = len(place.messages())
    place.sh(f"docker stop {MYSQL}")
    place.told("MySQLDown", known, TOLD_WITHIN)
    place.sh(f"docker start {MYSQL}")


OWN = {"name": "own", "rules": [{"alert": "Own", "expr": "vector(1) > 2", "labels": {"severity": "warning"}}]}


def rules_change(place: Place) -> None:
    """A run without a change restarts nothing, a new rule is read without a restart, a wrong one never arrives"""
    before = place.started()
    expect(place.converge().changed == 0, "a run without a change changes something")
    run = place.converge(monitoring_rules=[OWN])
    expect(run.changed == 1, "the new rule was no change")
    names = {rule["name"] for group in place.prometheus("rules")["groups"] for rule in group["rules"]}
    expect("Own" in names, "the new rule is not loaded")
    wrong = {"name": "own", "rules": [{"alert": "Own", "expr": "vector(1", "labels": {"severity": "warning"}}]}
    held = place.sh(f"cat {P}/prometheus/rules/own.yml")
    refused = place.attempt(monitoring_rules=[wrong])
    expect(refused.status != 0 and "own.yml" in refused.output and "was not put in place" in refused.output,
           "a wrong rule was taken:", refused.output[-1500:])
    expect(place.sh(f"cat {P}/prometheus/rules/own.yml") == held, "a wrong rule lies on the host")
    expect(place.converge().changed == 1, "the rule did not go")
    expect(not [one for one in place.started().items() if before.get(one[0]) != one[1]], "something was restarted")


def prometheus_dies(place: Place) -> None:
    """Prometheus killed while it works comes back by itself, with its data"""
    begun = time.time()
    seen = place.query("min_over_time(timestamp(up{job=\"node\"})[10m:15s])")
    expect(bool(seen), "there is nothing to keep")
    oldest = float(seen[0]["value"][1])
    for _kill in range(3):
        # By its process: the engine would not restart what it was told to kill.
        place.sh(f"kill -KILL $(docker inspect -f '{{{{.State.Pid}}}}' {C}prometheus-1)")
        place.wait(f"[ \"$(docker inspect -f '{{{{.State.Health.Status}}}}' {C}prometheus-1)\" = healthy ]", 120)
    kept = place.query(f"up{{job=\"node\"}} @ {oldest + 1:.0f}")
    expect(bool(kept), f"samples of {begun - oldest:.0f} s ago are gone")
    expect(place.converge().changed == 0, "a run had to mend something")


def dashboards_find_something(place: Place) -> None:
    """Each expression of the dashboards is PromQL or LogQL, and finds something where it must"""
    # It leaves its figures for Prometheus; that it ends with 2 for drift is its own business.
    place.run("--check", playbook=place.code / "playbooks/drift.yml")
    place.traffic(90)
    asked = dashboards.expressions("demo")
    found = []
    for one in asked:
        if one.language == "promql":
            try:
                samples = place.query(one.expression)
            except Failed as error:
                place.figures.unparsed += 1
                found.append(f"{one.file}, {one.panel}: {error}")
                continue
            if not samples and not one.may_be_empty:
                found.append(f"{one.file}, {one.panel}: nothing for {one.expression}")
    verdicts = logql.verdicts([one.expression for one in asked if one.language == "logql"])
    found += [verdict for verdict in verdicts if verdict]
    place.figures.unparsed += sum(verdict != "" for verdict in verdicts)
    place.figures.expressions = len(asked)
    expect(not found and not place.figures.unparsed, "expressions that are wrong or find nothing:", "\n".join(found))


def stand_ins_take_their_places(place: Place) -> None:
    """Grafana, Loki and Alloy are deployed, healthy and left alone, with stand-ins for them"""
    image = "mooring.local/standin:1"
    values = {"monitoring_grafana_image": image, "monitoring_loki_image": image, "monitoring_alloy_image": image}
    first = place.converge(**values)
    expect(first.changed == 1, "they were no change")
    expect(place.converge(**values).changed == 0, "the run after changes something")
    for path, status in (("/grafana/api/health", 200), ("/grafana/", 200), ("/loki/ready", 404)):
        expect(place.ask(path)[0] == status, f"{path} answers", place.ask(path))
    names = {one["labels"]["job"] for one in place.prometheus("targets?state=active")["activeTargets"]}
    expect(names == JOBS | {"grafana", "loki", "alloy"}, "the targets are", names)
    place.figures.standins = ("grafana", "loki", "alloy")
    expect(place.converge().changed == 1, "they did not go again")


def certificate_ages(place: Place) -> None:
    """A certificate that nobody renews is told of, and its renewal"""
    known = len(place.messages())
    extra = ("--tags", "acme_test_ca,nginx_certbot", "--skip-tags", "always")
    place.sh("systemctl stop mooring-nginx_certbot.timer")
    # A new CA signs for ten minutes; what is not renewed when a quarter of them is left, is told.
    place.run(*extra, "-e", json.dumps({"acme_test_ca_certificate_validity": 600})).good("a CA for short lifetimes")
    message = place.told("CertificateNotRenewed", known, 700)
    expect("platform" in json.dumps(message["body"]), "the message does not say which certificate", message["body"])
    place.run(*extra).good("the usual CA")
    place.until("the alert is over", 240, lambda: not [
        one for one in place.alerts() if one.startswith("Certificate")])
    place.told("Certificate", known + 1, OVER_WITHIN, over=True)
    place.figures.delivered += 1
    place.figures.resolved += 1


CASES: tuple[Case, ...] = (
    sees_everything, nothing_fires, nothing_is_published, rules_change, dashboards_find_something, mysql_stops,
    disk_fills, certificate_ages, prometheus_dies, stand_ins_take_their_places, webhook_breaks)
