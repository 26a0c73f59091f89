# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From lines of log files to documents: Filebeat's and Logstash's configuration as the role renders it, carried out on
lines that MySQL, nginx and Spring Boot have written. tests/unit/data/elk says what has to come out."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.module_utils import _step_container_logs as container_logs

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import filebeat_conf  # noqa: E402
import grok  # noqa: E402
import logstash_conf  # noqa: E402
from templates import trust_as_template  # noqa: E402

PROJECT = ROOT / "roles/elk/templates/project"
DATA = pathlib.Path(__file__).parent / "data/elk"
VARIABLES = {
    "ansible_managed": "Ansible managed", "inventory_hostname": "host-1", "mooring_root": "/opt/mooring",
    "mooring_prefix": "mooring", "mooring_timezone": "Asia/Seoul", "elk_components": ["data_stores", "app_blue_green"],
    "elk_container_logs": True, "elk_namespace": "prod", "__elk_logstash_workers": 2, "__elk_logstash_queue": "512mb",
    "__elk_elasticsearch_url": "http://elasticsearch:9200", "__elk_security": True, "__elk_writer": "mooring_writer",
}
# What was written, where it would lie, and which input is to read it.
SAMPLES = {
    "mysql-slow-log": ("slow.log", "/opt/mooring/data_stores/log/mysql/slow.log"),
    "application-files": ("spring.log", "/opt/mooring/app_blue_green/shop/log/spring.log"),
    "application-files documented": ("spring-documented.log", "/opt/mooring/app_blue_green/shop/log/shop.log"),
    "containers spring": ("spring-container-json.log", "/var/log/containers/mooring-shop-blue-app-1.log"),
    "containers nginx": ("nginx-container-json.log", "/var/log/containers/mooring-nginx_certbot-proxy-1.log"),
}


def render(path, **variables):
    """A file of the project's tree."""
    text = (PROJECT / path).read_text()
    return Templar(loader=DataLoader(), variables={**VARIABLES, **variables}).template(trust_as_template(text))


def files(directory, **variables):
    """The rendered files of a pipeline, in the order in which Logstash puts them together."""
    found = {path.name.removesuffix(".j2"): render(path.relative_to(PROJECT), **variables)
             if path.suffix == ".j2" else path.read_text()
             for path in (PROJECT / "logstash/pipelines" / directory).iterdir()}
    return dict(sorted(found.items()))


PATTERNS = grok.patterns(PROJECT / "logstash/patterns/mooring")
FILEBEAT = yaml.safe_load(render("filebeat/filebeat.yml.j2"))
INPUTS = {one["id"]: one for one in FILEBEAT["filebeat.inputs"]}


def documents(sample, *, kept_newlines=True):
    """What Elasticsearch would get of a sample."""
    one = INPUTS[sample.split()[0]]
    name, path = SAMPLES[sample]
    assert filebeat_conf.wants(one, path)
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    messages = filebeat_conf.read(one, (DATA / name).read_text(), kept_newlines=kept_newlines)
    found = [pipeline.run(filebeat_conf.event(one, path, message, "host-1")) for message in messages]
    return [document for document in found if document is not None]


def flat(document, before=""):
    """Fields by their whole names, as Elasticsearch has them."""
    found = {}
    for key, value in document.items():
        found.update(flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value})
    return found


# Of each document the same, and of no interest.
SAME = {"@version", "agent.type", "agent.version", "ecs.version", "host.name", "log.offset", "log.file.path",
        "data_stream.type", "data_stream.namespace"}


def seen(document):
    """A document without what all have."""
    return {key: value for key, value in sorted(flat(document).items()) if key not in SAME}


# ---------------------------------------------------------------- vectors


# defect 71, 72
@pytest.mark.parametrize("kept_newlines", [True, False], ids=["newlines", "no-newlines"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_lines_become_documents(sample, kept_newlines):
    expected = json.loads((DATA / SAMPLES[sample][0].replace(".log", ".json")).read_text())
    assert [seen(document) for document in documents(sample, kept_newlines=kept_newlines)] == expected


# defect 71
def test_a_stack_trace_is_one_document_with_its_causes():
    *_before, failure = documents("application-files")
    assert failure["message"] == "Application run failed"
    assert failure["error"]["type"] == "org.springframework.context.ApplicationContextException"
    assert failure["error"]["message"] == "Unable to start web server"
    assert "\nCaused by: java.lang.IllegalStateException: Unable to create the" in failure["error"]["stack_trace"]


# defect 71
@pytest.mark.parametrize("kept_newlines", [True, False])
@pytest.mark.parametrize("name", ["spring.log", "spring-documented.log"])
def test_what_is_written_to_a_container_s_output_is_understood_as_well(name, kept_newlines):
    lines = (DATA / name).read_text().splitlines()
    content = "".join(json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-26T14:40:00Z"}) + "\n"
                      for line in lines)
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    path = "/var/log/containers/mooring-shop-blue-app-1.log"
    found = [seen(pipeline.run(filebeat_conf.event(INPUTS["containers"], path, message, "host-1"))) for message in
             filebeat_conf.read(INPUTS["containers"], content, kept_newlines=kept_newlines)]
    assert {one.pop("container.name") for one in found} == {"mooring-shop-blue-app-1"}
    # Empty lines within a message are not kept.
    expected = json.loads((DATA / name.replace(".log", ".json")).read_text())
    assert found == [{field: value.replace("\n\n", "\n") if isinstance(value, str) else value
                      for field, value in one.items()} for one in expected]


# As some layouts and Kotlin's coroutines print them.
def test_a_stack_trace_may_be_indented_by_spaces():
    (message,) = filebeat_conf.read(INPUTS["application-files"], (
        "2026-11-26T14:40:00Z ERROR 7 --- [shop] [main] a.B : failed\n\na.b.C: no\n    at a.b.C.d(C.java:1)\n"))
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    found = pipeline.run(filebeat_conf.event(INPUTS["application-files"], "/x.log", message, "host-1"))
    assert (found["message"], found["error"]["type"], found["error"]["message"]) == ("failed", "a.b.C", "no")


# defect 72
def test_a_slow_query_says_how_long_who_and_what():
    first, lines, *_rest = documents("mysql-slow-log")
    slowlog = first["mysql"]["slowlog"]
    assert (slowlog["query_time"]["sec"], slowlog["rows_sent"], slowlog["rows_examined"]) == (0.303562, 1, 4)
    assert slowlog["schema"] == "shop"
    assert first["user"]["name"] == "shop"
    assert first["source"] == {"domain": "localhost", "ip": "127.0.0.1"}
    assert first["@timestamp"] == first["event"]["start"] == "2026-11-26T14:18:55.000Z"
    assert first["event"]["duration"] == 303_562_000
    assert lines["message"].count("\n") == 4
    assert "# Time: 2026-01-01" in lines["message"]


# defect 72
def test_lines_of_the_server_itself_are_no_query():
    found = documents("mysql-slow-log")
    assert not [one for one in found if "started with" in one["message"] or "Tcp port" in one["message"]]
    assert not [one for one in found if "tags" in one]


# A byte count below zero, which MySQL 9.7 writes for FLUSH STATUS, would make Elasticsearch refuse the document.
def test_a_number_that_no_long_can_hold_is_left_out():
    flush = next(one for one in documents("mysql-slow-log") if one["message"].startswith("FLUSH"))
    assert "18446744073709551446" in (DATA / "slow.log").read_text()
    assert "bytes_received" not in flush["mysql"]["slowlog"]
    assert flush["mysql"]["slowlog"]["read_rnd_next"] == 0
    numbers = [value for sample in SAMPLES for document in documents(sample) for value in flat(document).values()
               if isinstance(value, int)]
    assert max(numbers) < 2 ** 63


def test_what_a_client_writes_is_no_time_of_nginx():
    first = documents("containers nginx")[0]
    assert '"seconds":9.999' in first["url"]["original"]
    assert first["event"]["duration"] == 1_000_000
    assert first["user_agent"]["original"] == 'Mozilla/5.0 "quoted" \\ back'


def test_a_line_that_is_none_of_ours_keeps_its_text_and_is_marked():
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    for name, source in {"mysql-slow-log": "mysql.slowlog", "application-files": "spring.log"}.items():
        message = filebeat_conf.Message("something else")
        found = pipeline.run(filebeat_conf.event(INPUTS[name], "/x.log", message, "host-1"))
        assert (found["message"], found["tags"]) == ("something else", ["_unparsed"])
        assert found["data_stream"] == {"type": "logs", "dataset": source, "namespace": "prod"}


@pytest.mark.parametrize("line", ['{"@timestamp":"2026-11-26T14:40:00Z","log":{"level":', '{"time":"x","request_id":"'])
def test_json_that_was_cut_is_marked(line):
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    found = pipeline.run(filebeat_conf.event(INPUTS["containers"], "/x.log", filebeat_conf.Message(line), "host-1"))
    assert (found["message"], found["tags"]) == (line, ["_unparsed"])


# What an application writes is its own affair; where it goes is not.
def test_a_line_cannot_name_another_data_stream():
    line = json.dumps({"@timestamp": "2026-11-26T14:40:00Z", "log": {"level": "INFO", "logger": "x"}, "message": "m",
                       "data_stream": {"dataset": "other"}, "fields": {"source": "nginx"}, "orderId": "7"},
                      separators=(",", ":"))
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    found = pipeline.run(filebeat_conf.event(INPUTS["containers"], "/x.log", filebeat_conf.Message(line), "host-1"))
    assert found["data_stream"]["dataset"] == "spring.log"
    assert found["labels"] == {"data_stream": {"dataset": "other"}, "fields": {"source": "nginx"}, "orderId": "7"}


def test_spring_boot_3_4_writes_flat_names():
    line = ('{"@timestamp":"2026-11-26T14:40:00.5Z","log.level":"WARN","process.pid":1,"process.thread.name":"main",'
            '"service.name":"shop","log.logger":"a.B","message":"m","error.type":"x.Y","error.message":"no",'
            '"error.stack_trace":"x.Y: no\\n\\tat a.B.c(B.java:1)\\n","ecs.version":"8.11"}')
    (message,) = filebeat_conf.read(INPUTS["application-files"], line + "\n")
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    found = flat(pipeline.run(filebeat_conf.event(INPUTS["application-files"], "/x.log", message, "host-1")))
    assert found["log.level"] == "WARN"
    assert found["log.logger"] == "a.B"
    assert found["error.stack_trace"] == "x.Y: no\n\tat a.B.c(B.java:1)"
    assert not [name for name in found if name.startswith("labels")]


def test_what_comes_from_somebody_else_is_dropped():
    pipeline = logstash_conf.Pipeline(list(files("main").values()), PATTERNS)
    assert pipeline.run({"message": "hello", "fields": {"source": "mine"}}) is None
    assert pipeline.run({"message": "hello"}) is None


def test_a_document_that_was_refused_is_kept_as_text_with_the_reason():
    pipeline = logstash_conf.Pipeline(list(files("dead_letters").values()), PATTERNS)
    found = pipeline.run({"@timestamp": "2026-11-26T14:40:00Z", "message": "hello",
                          "http": {"version": {"not": "text"}},
                          "data_stream": {"type": "logs", "dataset": "spring.log", "namespace": "prod"}})
    assert "http" not in found
    assert found["event"]["provider"] == "spring.log"
    assert found["data_stream"]["dataset"] == "mooring.dead_letter"


# ---------------------------------------------------------------- containers that are none of ours


@pytest.mark.parametrize("line", [
    '{"@timestamp":"2026-11-26T14:40:00.000Z", "log.level": "INFO", "message":"Elasticsearch"}',
    '{"log.level":"info","@timestamp":"2026-11-26T14:40:00.000Z","message":"Filebeat"}',
    '{"ecs":{"version":"8.11.0"},"@timestamp":"2026-11-26T14:40:00.000+00:00","message":"Kibana"}',
    "[2026-11-26T14:40:00,000][INFO ][logstash.agent] Logstash", "2026-11-26T14:40:00.000000Z 0 [System] MySQL",
    "2026-11-26 14:40:00.000 UTC [1] LOG:  PostgreSQL", "ts=2026-11-26T14:40:00Z level=info msg=Prometheus",
    '127.0.0.1 - - [26/Nov/2026:14:40:00 +0000] "GET / HTTP/1.1" 200', "", "\tat alone.Without(Head.java)",
])
def test_lines_of_other_containers_stay_where_they_are(line):
    content = json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-26T14:40:00.000000001Z"})
    assert filebeat_conf.read(INPUTS["containers"], content + "\n") == []


def test_a_long_line_of_a_container_is_put_together_again():
    text = '{"time":"2026-11-26T14:40:00+00:00","request_id":"' + "x" * 40_000 + '"}\n'
    parts = [text[at:at + 16_384] for at in range(0, len(text), 16_384)]
    content = "".join(json.dumps({"log": part, "stream": "stdout", "time": f"2026-11-26T14:40:0{number}Z"}) + "\n"
                      for number, part in enumerate(parts))
    (message,) = filebeat_conf.read(INPUTS["containers"], content)
    assert message == filebeat_conf.Message(text, "2026-11-26T14:40:00Z")


# ---------------------------------------------------------------- Filebeat


# defect 70, 73, 74
@pytest.mark.parametrize("variables", [{}, {"elk_components": [], "elk_container_logs": True},
                                       {"elk_container_logs": False}])
def test_filebeat(variables):
    assert filebeat_conf.problems(yaml.safe_load(render("filebeat/filebeat.yml.j2", **variables))) == []


# defect 74
def test_paths_are_those_that_the_other_roles_write():
    assert filebeat_conf.wants(INPUTS["mysql-slow-log"], "/opt/mooring/data_stores/log/mysql/slow.log.4")
    stores = (ROOT / "roles/data_stores/templates/project/compose.yml.j2").read_text()
    assert "- ./log/mysql:/var/log/mysql" in stores
    assert "slow_query_log_file: /var/log/mysql/slow.log" in (ROOT / "roles/data_stores/vars/main.yml").read_text()
    applications = yaml.safe_load((ROOT / "roles/app_blue_green/vars/main.yml").read_text())
    assert applications["__app_blue_green_log"] == (
        "{{ mooring_root }}/app_blue_green/{{ __app_blue_green_application.name }}/log")
    application = INPUTS["application-files"]
    assert filebeat_conf.wants(application, "/opt/mooring/app_blue_green/shop/log/spring.log.2026-11-26.0")
    assert not filebeat_conf.wants(application, "/opt/mooring/app_blue_green/shop/log/spring.log.2026-11-26.0.gz")
    assert not filebeat_conf.wants(application, "/opt/mooring/app_blue_green/shop/secrets/x.log")
    for suffix in container_logs.SUFFIXES:
        assert filebeat_conf.wants(INPUTS["containers"], f"/var/log/containers/mooring-shop-blue-app-1{suffix}")


# The header of each slow log is the same: what tells two files apart stands behind it.
def test_rotated_slow_logs_are_different_files():
    one = INPUTS["mysql-slow-log"]
    header = ("/usr/sbin/mysqld, Version: 8.4.11 (MySQL Community Server - GPL). started with:\n"
              "Tcp port: 3306  Unix socket: /var/run/mysqld/mysqld.sock\nTime                 Id Command    Argument\n")
    entry = "# Time: 2026-11-26T14:40:00.00000{}Z\n# User@Host: shop[shop] @ localhost [127.0.0.1]  Id:    10\n"
    found = [filebeat_conf.fingerprint(one, (header + entry.format(number)).encode()) for number in (1, 2)]
    assert None not in found
    assert len(set(found)) == 2
    assert filebeat_conf.fingerprint(one, header.encode()) is None


def test_containers_of_one_image_are_different_files():
    times = ("2026-11-26T14:40:00.000000001Z", "2026-11-26T14:40:00.000000002Z")
    lines = [json.dumps({"log": "the same\n", "stream": "stdout", "time": time}) + "\n" for time in times]
    found = [filebeat_conf.fingerprint(INPUTS["containers"], (line * 4).encode()) for line in lines]
    assert None not in found
    assert len(set(found)) == 2


# What of the rotated file has not been read yet is read from the same place on.
def test_a_file_that_was_renamed_is_the_same_file():
    one = INPUTS["mysql-slow-log"]
    content = (DATA / "slow.log").read_bytes()
    assert filebeat_conf.fingerprint(one, content) == filebeat_conf.fingerprint(one, content + b"more\n")


@pytest.mark.parametrize(("change", "problem"), [
    (lambda d: d["filebeat.inputs"][0].update(type="log"), "filebeat.inputs[0].type: log is none of filestream"),
    (lambda d: d["filebeat.inputs"][0].pop("id"), "input None: id is missing"),
    (lambda d: d["filebeat.inputs"][1].update(id="mysql-slow-log"), "input mysql-slow-log: its id is not unique"),
    (lambda d: d["filebeat.inputs"][0].update(multiline={}), "filebeat.inputs[0].multiline: no such option"),
    (lambda d: d["filebeat.inputs"][0]["prospector.scanner"].pop("fingerprint"), "files are not told apart"),
    (lambda d: d["filebeat.inputs"][0]["parsers"][0]["multiline"].update(pattern="(?=x)"), "(?=x)"),
    (lambda d: d["filebeat.inputs"][2]["parsers"].reverse(), "container has to be the first parser"),
    (lambda d: d.pop("path.data"), "path.data: in the container"),
    (lambda d: d.update({"setup.kibana": {}}), "setup.kibana: no such option"),
    (lambda d: d["output.logstash"].update(index="x"), "output.logstash.index: no such option"),
])
def test_what_is_wrong_with_filebeat_is_named(change, problem):
    document = yaml.safe_load(render("filebeat/filebeat.yml.j2"))
    change(document)
    assert problem in "\n".join(filebeat_conf.problems(document))


# ---------------------------------------------------------------- Logstash


@pytest.mark.parametrize("variables", [
    {}, {"__elk_security": False}, {"__elk_elasticsearch_url": "https://elasticsearch:9200"}])
@pytest.mark.parametrize("directory", ["main", "dead_letters"])
def test_pipelines(directory, variables):
    for name, text in files(directory, **variables).items():
        assert logstash_conf.problems(text, PATTERNS, name) == []


# defect 65, 75
def test_documents_go_to_data_streams_with_a_password_out_of_the_keystore():
    text = "\n".join(files("main").values())
    (output,) = [one for kind, items in logstash_conf.parse(text) if kind == "output" for one in items]
    options = dict(output.options)
    assert options["data_stream"] == "true"
    assert options["password"] == "${ELASTICSEARCH_PASSWORD}"
    assert "index" not in options
    assert "user" not in dict(next(
        one for kind, items in logstash_conf.parse("\n".join(files("main", __elk_security=False).values()))
        if kind == "output" for one in items).options)


def test_events_are_on_the_disk_before_they_are_acknowledged():
    pipelines = {one["pipeline.id"]: one for one in yaml.safe_load(render("logstash/settings/pipelines.yml.j2"))}
    assert pipelines["main"]["queue.type"] == "persisted"
    assert pipelines["main"]["queue.checkpoint.writes"] == 1
    assert pipelines["main"]["dead_letter_queue.enable"] is True
    # Otherwise what cannot be kept as a dead letter would come back for ever.
    assert pipelines["dead_letters"]["dead_letter_queue.enable"] is False


SETTINGS = {
    "node.name", "path.data", "path.logs", "path.config", "pipeline.id", "pipeline.workers", "pipeline.batch.size",
    "pipeline.ecs_compatibility", "pipeline.unsafe_shutdown", "config.support_escapes", "queue.type", "queue.max_bytes",
    "queue.checkpoint.writes", "dead_letter_queue.enable", "dead_letter_queue.max_bytes",
    "dead_letter_queue.storage_policy", "api.http.host", "api.http.port", "log.level", "log.format",
}


@pytest.mark.parametrize("path", ["logstash/settings/logstash.yml.j2", "logstash/settings/pipelines.yml.j2"])
def test_settings_of_logstash_exist(path):
    document = yaml.safe_load(render(path))
    for one in document if isinstance(document, list) else [document]:
        assert set(one) <= SETTINGS


def test_every_pattern_is_used():
    used = set()
    for directory in ("main", "dead_letters"):
        for text in files(directory).values():
            for kind, items in logstash_conf.parse(text):
                for plugin in logstash_conf.walk(items) if kind == "filter" else []:
                    for _field, expression in plugin.get("match") if plugin.name == "grok" else []:
                        used |= grok.Expression(expression, PATTERNS).used
    assert used == set(PATTERNS)


@pytest.mark.parametrize(("text", "problem"), [
    ("filter { grok { match => { \"message\" => \"%{NUMBER:x}\" } } }", "no pattern NUMBER"),
    ("filter { grok { match => { \"message\" => \"(\" } } }", "grok"),
    ("filter { grok { macth => { \"message\" => \"x\" } } }", "no option macth"),
    ("filter { grok { } }", "match is missing"),
    ("filter { ruby { code => \"x\" } }", "no such filter here"),
    ("filter { mutate { gsub => [\"a\", \"b\"] } }", "gsub takes"),
    ("filter { mutate { convert => { \"a\" => \"long\" } } }", "cannot convert to long"),
    ("filter { mutate { rename => { \"[a\" => \"b\" } } }", "not a field: [a"),
    ("filter { mutate { strip => [\"a\"] strip => [\"b\"] } }", "strip is there twice"),
    ("filter { if [a] == { } }", "expected"), ("filter { drop { }", "expected"), ("filter { drop }", "expected"),
    ("filter { mutate { add_tag => [\"a\"]add_field => { } } }", "expected white space"),
    ("filter { if [a] and [b] or [c] { drop { } } }", "expected parentheses"),
    ("output { elasticsearch { hosts => [\"h\"] ssl => true data_stream => \"true\" } }", "no option ssl"),
    ("output { elasticsearch { hosts => [\"h\"] cacert => \"x\" data_stream => \"true\" } }", "no option cacert"),
    ("output { elasticsearch { hosts => [\"h\"] index => \"x-%{+M}\" data_stream => \"true\" } }", "no option index"),
    ("output { elasticsearch { hosts => [\"h\"] } }", "data_stream is not true"),
    ("input { beats { port => \"5044\" } }", "port has to be of type number"),
])
def test_what_is_wrong_with_a_pipeline_is_named(text, problem):
    assert problem in "\n".join(logstash_conf.problems(text, PATTERNS))


def test_numbers_are_not_read_as_octal_ones():
    pipeline = logstash_conf.Pipeline(['filter { mutate { convert => { "a" => "integer" } } }'], PATTERNS)
    with pytest.raises(logstash_conf.Wrong, match="octal"):
        pipeline.run({"a": "0303562000"})
    assert pipeline.run({"a": "0"}) == {"a": 0}


def test_both_engines_are_asked():
    with pytest.raises(grok.Wrong, match="differ"):
        # To Oniguruma a dollar is the end of a line, to RE2 that of the text.
        grok.Expression("%{A:a}$", {"A": "[a-z]+"}).match("one\n2")
