# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of Elasticsearch and the log lines, one function each; the docstrings name it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import time
import typing as t

import test_elk_pipelines as pipelines
from component_site import KILLS, ComponentSite
from drift_site import Failed, expect

IMAGES = tuple(f"mooring.local/{image}" for image in ("elasticsearch:9.5.2", "standin:1", "demo:1.0.0"))
SERVER = "mooring-elk-elasticsearch-1"
PARTS = ("elasticsearch", "logstash", "filebeat", "kibana")
CONTAINERS = " ".join(f"mooring-elk-{part}-1" for part in PARTS)
# The lab's Elasticsearch is the server, its security and Lucene's analyser; these are not the programs themselves.
STANDINS = ("kibana", "logstash", "filebeat", "x-pack-ilm", "data-streams")
NAMESPACE = "prod"
SECRETS = {"admin": "sentinel-elk'\"1", "writer": "sentinel-elk\\2", "kibana": "sentinel-elk-3-kibana",
           "kibana_encryption_key": "sentinel-elk-4-of-32-characters-or-more"}
USERS = [{"name": "kim", "password": "sentinel-elk-kim", "roles": ["mooring_reader"]}]
QUICK = {
    "elk_policies": [{"name": "quick", "body": {"phases": {
        "hot": {"actions": {"rollover": {"max_age": "2s"}}}, "delete": {"min_age": "3s", "actions": {"delete": {}}}}}}],
    "elk_index_templates": [{"name": "logs-quick", "body": {
        "index_patterns": ["logs-quick-*"], "priority": 300, "data_stream": {}, "composed_of": ["mooring-logs"],
        "template": {"settings": {"index.lifecycle.name": "quick"}}}}],
}
# What a field's values are; of those that no template names Elasticsearch has to guess right.
TYPES = {
    "@timestamp": "date", "message": "text", "log.level": "keyword", "error.stack_trace": "text",
    "event.duration": "long", "mysql.slowlog.query_time.sec": "float", "mysql.slowlog.rows_examined": "long",
    "mysql.slowlog.rows_sent": "long", "mysql.slowlog.query": "keyword", "mysql.thread_id": "long", "source.ip": "ip",
    "http.response.status_code": "long", "http.response.body.bytes": "long", "http.request.method": "keyword",
    "url.path": "keyword", "service.version": "keyword",
}
Login = tuple[str, str]
ADMIN: Login = ("mooring", SECRETS["admin"])
WRITER: Login = ("mooring_writer", SECRETS["writer"])
READER: Login = ("kim", "sentinel-elk-kim")
LINE = {"@timestamp": "2026-11-26T00:00:00Z", "message": "a line"}


@dataclasses.dataclass
class Figures:
    """What the last line says; -1 is what was not measured."""

    documents: int = -1
    vectors: int = -1
    passed: int = -1
    lost: int = -1


class Place(ComponentSite):
    """The node with an engine and the role's four services."""

    server, volume, record = SERVER, "mooring-elasticsearch-data", "/opt/mooring/elk/.elasticsearch-data.json"
    title, seconds, client_image = "Elasticsearch", 240, IMAGES[2]

    def __init__(self, directory: pathlib.Path, figures: Figures) -> None:
        super().__init__(directory, "elk", {
            **{f"elk_{part}_image": IMAGES[0] if part == "elasticsearch" else IMAGES[1] for part in PARTS},
            **{f"elk_{name}" if name.endswith("key") else f"elk_{name}_password": value
               for name, value in SECRETS.items()},
            # Nothing else is on this node.
            "elk_components": [], "elk_namespace": NAMESPACE, "elk_users": USERS,
            "elk_config_overrides": {"indices.lifecycle.poll_interval": "2s"}}, IMAGES)
        self.figures = figures
        self._client: subprocess.Popen[str] | None = None

    def stop(self) -> None:
        """The client goes with the proof."""
        if self._client:
            self._client.kill()
        super().stop()

    # -- clients ------------------------------------------------------------------

    def ask(self, method: str, path: str, body: t.Any = None, login: Login | None = ADMIN) -> tuple[int, t.Any]:
        """Status and body of an answer."""
        if self._client is None or self._client.poll() is not None:
            self._client = subprocess.Popen(self.client_argv("ask"), text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE)
        user, password = login or ("", "")
        self._client.stdin.write(json.dumps({"method": method, "path": path, "body": body, "user": user,
                                             "password": password}) + "\n")
        self._client.stdin.flush()
        line = self._client.stdout.readline()
        self.write(f"$ {method} {path} as {user or 'nobody'}\n{line[:1000]}")
        if not line:
            raise Failed("the client ended")
        status, answer = json.loads(line)
        return status, answer

    def good(self, method: str, path: str, body: t.Any = None, login: Login = ADMIN) -> t.Any:
        """The body of an answer that has to be good."""
        status, answer = self.ask(method, path, body, login)
        expect(status in (200, 201), f"{method} {path} was refused:", f"{status} {json.dumps(answer)[:800]}")
        return answer

    def found(self, stream: str, query: dict[str, t.Any], login: Login = READER) -> int:
        """Documents of a data stream that a query finds."""
        answer = self.good("POST", f"/{stream}/_search", {"query": query, "size": 0, "track_total_hits": True}, login)
        return answer["hits"]["total"]["value"]

    def write_while(self, stream: str, meanwhile: t.Callable[[], None]) -> list[str]:
        """Ids of the documents that were acknowledged to a writer while something happened."""
        user, password = WRITER
        return self.acknowledged_while(self.client_argv("write"), {
            "method": "POST", "path": f"/{stream}/_doc", "body": LINE, "user": user, "password": password}, meanwhile)


Case = t.Callable[[Place], None]


def stream(dataset: str) -> str:
    """The name of a data stream of log lines."""
    return f"logs-{dataset}-{NAMESPACE}"


def it_comes_up(place: Place) -> None:
    """A bare host gets Elasticsearch as check mode had said, and a second run changes nothing."""
    if place.bare:
        expect(place.bare.changed > 0, "check mode on a bare node predicted nothing", place.bare.output[-500:])
        objects = {one["object"] for found in place.bare.differences.values() for one in found}
        expect({"lifecycle policy mooring-logs", f"data stream {stream('spring.log')}", "user kim"} <= objects,
               "check mode on a bare node named something else", objects)
    place.expect_still()
    health = place.sh(f"docker inspect -f '{{{{.State.Health.Status}}}}' {CONTAINERS}")
    expect(health.split() == ["healthy"] * len(PARTS), "not everything is healthy", health)


def nothing_is_open(place: Place) -> None:
    """Nothing is published, every request logs in, and an account may do what it is for."""  # defects 65, 67
    listening = place.sh("ss -Hltn | awk '{print $4}'").split()
    expect(not [one for one in listening if one.endswith((":9200", ":9300", ":5601", ":5044", ":9600"))],
           "the host listens", listening)
    address = place.sh(f"docker inspect -f '{{{{.NetworkSettings.Networks.mooring.IPAddress}}}}' {SERVER}").strip()
    answers = {port: place.sh(f"timeout 3 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo open || true"
                              ).strip() for port in (9200, 9300)}
    expect(answers == {9200: "open", 9300: ""}, "other ports are open", answers)
    refused: list[tuple[int, Login | None, str, str]] = [
        (401, None, "GET", "/_cat/indices"), (401, ("mooring", "wrong"), "GET", "/_cat/indices"),
        (401, ("elastic", "changeme"), "GET", "/_cat/indices"),
        (403, WRITER, "GET", f"/{stream('spring.log')}/_search"), (403, WRITER, "POST", f"/{stream('other')}/_doc"),
        (403, WRITER, "DELETE", f"/_data_stream/{stream('spring.log')}"), (403, WRITER, "GET", "/_security/user"),
        (403, READER, "POST", f"/{stream('spring.log')}/_doc"), (403, READER, "GET", "/_ilm/policy"),
    ]
    for status, login, method, path in refused:
        seen, answer = place.ask(method, path, LINE if method == "POST" else None, login)
        expect(seen == status, f"{method} {path} as {login and login[0]} was answered with {seen}", answer)


def lines_land(place: Place) -> None:
    """Lines that Spring, MySQL and nginx have written become documents, each field of its type."""  # defects 71, 72
    written: dict[str, list[dict[str, t.Any]]] = {}
    vectors = passed = 0
    for sample, (name, _path) in pipelines.SAMPLES.items():
        expected = json.loads((pipelines.DATA / name.replace(".log", ".json")).read_text())
        documents = pipelines.documents(sample)
        vectors += len(expected)
        passed += sum(pipelines.seen(one) == other for one, other in zip(documents, expected, strict=False))
        for document in documents:
            written.setdefault(stream(document["data_stream"]["dataset"]), []).append(document)
    place.figures.vectors, place.figures.passed = vectors, passed
    expect(passed == vectors, "lines became other documents", f"{passed} of {vectors}")
    kept = 0
    for name, documents in written.items():
        before = place.found(name, {"match_all": {}})
        ids = {place.good("POST", f"/{name}/_doc?refresh=true", one, WRITER)["_id"]: one for one in documents}
        answer = place.good("POST", f"/{name}/_search", {
            "query": {"ids": {"values": list(ids)}}, "size": len(ids), "stored_fields": ["_source", "_ignored"]})
        hits = answer["hits"]["hits"]
        ignored = {field for hit in hits for field in hit.get("fields", {}).get("_ignored", ())}
        expect(not ignored, f"{name} does not index", ignored)
        kept += sum(ids[hit["_id"]] == hit["_source"] for hit in hits)
        expect(place.found(name, {"match_all": {}}) == before + len(ids), f"{name} has another number of documents")
    place.figures.documents = kept
    expect(kept == sum(map(len, written.values())), "documents are not what was written", kept)
    caps = place.good("GET", f"/logs-*-{NAMESPACE}/_field_caps?fields=*", None, READER)["fields"]
    wrong = {field: list(caps.get(field, {})) for field, kind in TYPES.items() if list(caps.get(field, {})) != [kind]}
    expect(not wrong, "fields have other types", wrong)
    mixed = {field: list(kinds) for field, kinds in caps.items() if len(kinds.keys() - {"unmapped"}) > 1}
    expect(not mixed, "fields have more than one type", mixed)


def korean_is_found(place: Place) -> None:
    """A query in one form of a Korean word finds the others, and particles are no words."""
    name = stream("spring.log")
    for text in ("주문 처리에 실패했습니다", "서버를 다시 시작했다", "배송이 늦어지고 있다"):
        place.good("POST", f"/{name}/_doc?refresh=true", {**LINE, "message": text}, WRITER)
    forms = {"처리하고": "처리에", "실패한": "실패했습니다", "시작합니다": "시작했다", "서버가": "서버를",
             "늦은": "늦어지고", "배송을": "배송이"}
    for inflected, form in forms.items():
        answer = place.good("POST", f"/{name}/_search", {"query": {"match": {"message": inflected}}}, READER)
        messages = [hit["_source"]["message"] for hit in answer["hits"]["hits"]]
        expect(messages and all(form in one for one in messages), f"{inflected} finds", messages)
    expect(place.found(name, {"match": {"message": "를 이 에"}}) == 0, "particles are words")


def documents_age_out(place: Place) -> None:
    """Documents go when they are old enough, and their data stream goes on; what is absent goes in order."""
    # defect 75
    place.converge(**QUICK)
    name = "logs-quick-default"
    place.good("POST", f"/{name}/_doc?refresh=true", LINE)
    expect(place.found(name, {"match_all": {}}) == 1, "it was not written")
    end = time.monotonic() + 90
    while place.found(name, {"match_all": {}}):
        expect(time.monotonic() < end, "it was not deleted in 90 s")
        time.sleep(1)
    found = place.good("GET", f"/_data_stream/{name}")["data_streams"][0]
    expect(found["generation"] > 1, "the data stream did not go on", found)
    place.expect_still(**QUICK)
    gone: dict[str, t.Any] = {variable: [{"name": one["name"], "state": "absent"} for one in entries]
                              for variable, entries in QUICK.items()}
    gone["elk_data_streams"] = [{"name": name, "state": "absent"}]
    place.converge(**gone)
    expect(place.ask("GET", "/_ilm/policy/quick")[0] == 404, "the policy is still there")
    place.expect_still()


def drift_is_healed(place: Place) -> None:
    """What somebody changed by hand is named field by field and put back; what somebody made is named and left."""
    body = {"index_patterns": [f"{stream('spring.log')}*"], "priority": 400, "data_stream": {}}
    changes: list[tuple[str, str, t.Any]] = [
        ("PUT", "/_ilm/policy/mooring-logs", {"policy": {"phases": {"hot": {"actions": {"rollover": {
            "max_age": "1d"}}}}}}),
        ("PUT", "/_component_template/mooring-logs", {
            "template": {"settings": {"index.lifecycle.name": "mooring-logs"}}}),
        ("PUT", "/_index_template/mooring-logs-spring.log", body),
        ("PUT", "/_snapshot/mooring", {
            "type": "fs", "settings": {"location": "/usr/share/elasticsearch/snapshots/x"}}),
        ("PUT", "/_security/role/mooring_writer", {"indices": [{"names": ["*"], "privileges": ["all"]}]}),
        ("PUT", "/_security/user/kim/_password", {"password": "changed-by-hand"}),
        ("PUT", "/_security/user/stranger", {"password": "stranger-password", "roles": ["superuser"]}),
        ("DELETE", f"/_data_stream/{stream('mooring.dead_letter')}", None),
    ]
    for method, path, given in changes:
        place.good(method, path, given)
    seen = place.attempt("--check", "--diff").good("looking")
    objects = {one["object"] for found in seen.differences.values() for one in found}
    expect(objects == {"lifecycle policy mooring-logs", "component template mooring-logs",
                       "index template mooring-logs-spring.log", "snapshot repository mooring", "role mooring_writer",
                       "user kim", f"data stream {stream('mooring.dead_letter')}"}, "something else was seen", objects)
    expect(any("stranger" in one for one in seen.notices), "no notice of a stranger", seen.notices)
    run = place.converge()
    expect(run.differences == seen.differences, "check mode predicted something else",
           f"{seen.differences} and {run.differences}")
    place.expect_still()
    policy = place.good("GET", "/_ilm/policy/mooring-logs")["mooring-logs"]["policy"]
    expect(policy["phases"]["delete"]["min_age"] == "7d", "the policy was not healed", policy)
    expect(place.ask("GET", f"/{stream('spring.log')}/_search", None, READER)[0] == 200, "kim cannot log in again")
    expect(place.ask("GET", "/_security/user/stranger")[0] == 200, "the stranger was removed")
    place.good("DELETE", "/_security/user/stranger")


def nothing_is_lost(place: Place) -> None:
    """Documents that were acknowledged survive kill -9 of the server; a run heals it when nobody else does."""
    name = stream("nginx.access")
    acknowledged = place.write_while(name, lambda: place.kill_again_and_again(6))
    place.converge()
    place.good("POST", f"/{name}/_refresh")
    lost = len(acknowledged)
    for start in range(0, len(acknowledged), 5000):
        lost -= place.found(name, {"ids": {"values": acknowledged[start:start + 5000]}})
    place.figures.lost = max(place.figures.lost, 0) + lost
    expect(lost == 0 and len(acknowledged) > 100, "acknowledged documents are lost", f"{lost} of {len(acknowledged)}")
    place.say(f"       {len(acknowledged)} acknowledged, {KILLS + 1} kills")


def small_hosts_are_refused(place: Place) -> None:
    """A wrong heap, a small host and a small disk are refused with the remedy; low kernel limits are raised."""
    # defect 68
    before = place.started()
    place.expect_refusal("elk_elasticsearch_memory", elk_elasticsearch_memory="512m")
    place.expect_refusal("are too much: a heap of more than 31g", elk_elasticsearch_memory="64g")
    place.expect_refusal("GiB that elk is for. Take the host out of the group elk", elk_host_memory_minimum="4000g")
    place.expect_refusal("Lower monitoring_disk or elk_disk_reserve", elk_disk_reserve="100t")
    # The disk could have it, but not once more beside what is on it.
    disk = int(place.sh("df --block-size=1G --output=size /var/lib/docker | tail -n 1"))
    place.expect_refusal(f"and Elasticsearch needs {disk * 3 // 4 * 2}.0 GiB to start",
                         elk_disk_reserve=f"{disk * 3 // 4}g")
    expect(place.started() == before, "a refusal restarted something")
    kept = int(place.sh("sysctl --values vm.max_map_count"))
    place.sh("sysctl --write vm.max_map_count=65530")
    try:
        seen = place.attempt("--check").good("looking")
        objects = {one["object"] for found in seen.differences.values() for one in found}
        expect("kernel parameter vm.max_map_count" in objects, "something else was seen", objects)
        place.converge()
        expect(int(place.sh("sysctl --values vm.max_map_count")) >= 262144, "it was not raised")
    finally:
        place.sh(f"sysctl --write vm.max_map_count={max(kept, 262144)}")
    place.expect_still()


def restarts_wait(place: Place) -> None:
    """A configuration that needs a restart waits for permission, and what Elasticsearch keeps does not wait for it."""
    before = place.started()[SERVER]
    declared: dict[str, t.Any] = {
        "elk_config_overrides": {"indices.lifecycle.poll_interval": "3s"}, "elk_retention": "9d"}
    run = place.attempt(**declared)
    expect(run.status != 0 and "mooring_allow_stateful_restart=true" in run.output, "it was not held back",
           run.output[-1500:])
    policy = place.good("GET", "/_ilm/policy/mooring-logs")["mooring-logs"]["policy"]
    expect(place.started()[SERVER] == before and policy["phases"]["delete"]["min_age"] == "9d",
           "it restarted, or the policy waited", policy)
    place.converge(mooring_allow_stateful_restart=True, **declared)
    expect(place.started()[SERVER] != before, "it was not restarted with permission")
    place.expect_still(**declared)
    place.converge(mooring_allow_stateful_restart=True)


def passwords_change(place: Place) -> None:
    """A new password counts without a restart, and the old one is refused."""
    before = place.started()[SERVER]
    declared = {"elk_admin_password": "sentinel-elk-other", "elk_writer_password": "sentinel-elk-another"}
    try:
        place.converge(**declared)
        expect(place.started()[SERVER] == before, "a new password restarted the server")
        for (user, old), new in zip((ADMIN, WRITER), declared.values(), strict=True):
            for password, status in ((new, 200), (old, 401)):
                seen, _answer = place.ask("GET", "/_security/_authenticate", None, (user, password))
                expect(seen == status, f"{user} was answered with {seen} instead of {status}")
        place.expect_still(**declared)
    finally:
        place.converge()


def a_shipper_reads(place: Place) -> None:
    """Filebeat reads what an application's container writes, and neither its definition nor which others there are."""
    run = "docker run --detach --rm --entrypoint sh"
    # As Compose sets them for a colour of an application.
    labels = " ".join(f"--label {one}" for one in (
        "mooring.application=shop", "com.docker.compose.project=mooring-shop-blue", "com.docker.compose.oneoff=False"))
    place.sh(f"{run} --name shop-blue-app-1 {labels} {IMAGES[1]} -c 'echo a line; sleep 900'")
    place.sh(f"{run} --name somebody {IMAGES[1]} -c 'echo a secret; sleep 900'")
    try:
        place.converge()
        place.expect_still()
        links = place.sh("ls /opt/mooring/elk/containers").split()
        # The second is for what the engine rotates away.
        expect(links == ["shop-blue-app-1.log", "shop-blue-app-1.log.1"], "other containers are linked", links)
        read = place.sh("docker exec mooring-elk-filebeat-1 cat /var/log/containers/shop-blue-app-1.log")
        expect("a line" in read, "it cannot read it", read)
        log = pathlib.PurePosixPath(place.sh("docker inspect -f '{{.LogPath}}' shop-blue-app-1").strip())
        for command in (f"cat {log.parent}/config.v2.json", f"ls {log.parent}", f"ls {log.parent.parent}"):
            denied = place.sh(f"docker exec mooring-elk-filebeat-1 {command}", check=False)
            expect("Permission denied" in denied, f"it may do '{command}'", denied)
    finally:
        place.sh("docker rm --force shop-blue-app-1 somebody", check=False)
    place.converge()
    expect(place.sh("ls /opt/mooring/elk/containers").split() == [], "a link to nothing is left")


def no_secret_shows(place: Place) -> None:
    """A password is in files of mode 0400 of the container's user, and nowhere else on the host."""
    run = place.converge("-vvv", "--diff", elk_users=[{**USERS[0], "password": "sentinel-elk-new"}])
    looked = run.output + place.sh(
        f"docker inspect {CONTAINERS}; ps -eo args; for one in {CONTAINERS}; do docker logs $one; done; "
        # In brackets, or this command would show what it looks for.
        "grep -r 'sentinel[-]elk' /opt/mooring/elk --exclude-dir=secrets; journalctl --no-pager -n 20000", check=False)
    expect("sentinel-elk" not in looked, "a password shows", looked[max(looked.find("sentinel-elk") - 300, 0):][:400])
    modes = set(place.sh("find /opt/mooring/elk/secrets -type f -printf '%m %U\\n'").splitlines())
    expect(modes == {"400 1000"}, "others may read the secrets", modes)
    place.converge()


def half_made(place: Place) -> None:
    """A lost volume is refused; a run that is killed again and again while it is first made is finished by the next."""
    place.lose_the_data()
    for moment in (3, 8, 14, 20):
        process = place.spawn(*place.tags, *place.declared({}))
        try:
            process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            place.stop()
            process.communicate()
        place.sh(f"docker kill {SERVER}", check=False)
    place.converge()
    place.expect_still()
    place.good("POST", f"/{stream('spring.log')}/_doc", LINE, WRITER)


CASES: tuple[Case, ...] = (
    it_comes_up, nothing_is_open, lines_land, korean_is_found, documents_age_out, drift_is_healed, nothing_is_lost,
    small_hosts_are_refused, restarts_wait, passwords_change, a_shipper_reads, no_secret_shows, half_made)
