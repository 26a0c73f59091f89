# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configurations of Loki, Alloy and Promtail as the role renders them, and that what is wrong with one is named."""

from __future__ import annotations

import copy
import pathlib
import re
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import alloy_conf  # noqa: E402
import loki_conf  # noqa: E402
from templates import trust_as_template  # noqa: E402

ROLE = ROOT / "roles/monitoring"
DEFAULTS = {
    "ansible_managed": "Ansible managed", "mooring_prefix": "mooring", "mooring_root": "/opt/mooring",
    "monitoring_retention": "30d", "monitoring_components": ["data_stores", "app_blue_green"],
    "inventory_hostname": "platform-1", "monitoring_server": True, "monitoring_agents": {},
}
LABELS = {"container", "project", "service", "application", "colour", "release", "stream"}


def render(path, **variables):
    """A file of the project's tree, with the role's own variables."""
    known = {**yaml.safe_load((ROLE / "vars/main.yml").read_text()), **DEFAULTS, **variables}

    def trusted(value):
        if isinstance(value, dict):
            return {key: trusted(one) for key, one in value.items()}
        if isinstance(value, list):
            return [trusted(one) for one in value]
        return trust_as_template(value) if isinstance(value, str) else value

    text = (ROLE / "templates/project" / path).read_text()
    return Templar(loader=DataLoader(), variables=trusted(known)).template(trust_as_template(text))


ALLOY, PROMTAIL, LOKI = (
    render(path) for path in ("alloy/config.alloy.j2", "promtail/promtail.yml.j2", "loki/loki.yml.j2"))


# ---------------------------------------------------------------- Loki


def test_loki():
    assert loki_conf.loki_problems(yaml.safe_load(LOKI)) == []


# defect 60
@pytest.mark.parametrize("retention", ["30d", "1w", "720h"])
def test_logs_are_kept_as_long_as_declared(retention):
    config = yaml.safe_load(render("loki/loki.yml.j2", monitoring_retention=retention))
    assert loki_conf.loki_problems(config) == []
    assert config["limits_config"]["retention_period"] == retention


WRONG_LOKI = {
    # defect 60
    "table_manager: it does nothing": ("table_manager", {"retention_deletes_enabled": True}),
    "compactor.shared_store: it is": ("compactor.shared_store", "filesystem"),
    "kept for ever": ("limits_config.retention_period", None),
    "has no effect": ("compactor.retention_enabled", None),
    "does not start": ("compactor.delete_request_store", None),
    # defect 59
    "not on the volume": ("common.path_prefix", "/tmp/loki"),
    "calls home": ("analytics.reporting_enabled", True),
    "needs tsdb": ("schema_config.configs", [{"from": "2024-01-01", "store": "boltdb-shipper", "schema": "v11"}]),
    "limits_config.retention: unknown": ("limits_config.retention", "30d"),
    "is no duration": ("limits_config.retention_period", "30 days"),
    "is no int": ("server.http_listen_port", "3100"),
    "no mapping": ("ingester", []),
}


@pytest.mark.parametrize("sentence", WRONG_LOKI)
def test_what_is_wrong_with_loki_is_named(sentence):
    config = yaml.safe_load(LOKI)
    path, value = WRONG_LOKI[sentence]
    *parents, name = path.split(".")
    place = config
    for one in parents:
        place = place[one]
    place.pop(name, None)
    if value is not None:
        place[name] = value
    assert any(sentence in one for one in loki_conf.loki_problems(config))


# ---------------------------------------------------------------- Alloy


def test_alloy():
    assert alloy_conf.problems(ALLOY) == []


def test_a_component_that_is_not_here_leaves_no_path():
    text = render("alloy/config.alloy.j2", monitoring_components=["data_stores"])
    assert alloy_conf.problems(text) == []
    assert "/opt/mooring/data_stores/log/**/*.log" in text
    assert "app_blue_green" not in text


def walk(text):
    return list(alloy_conf.parse(text).walk())


# defect 62
def test_each_container_has_its_own_labels_and_few():
    rules = {block.attributes["target_label"]: block.attributes.get("source_labels") for block in walk(ALLOY)
             if block.name == "rule" and "target_label" in block.attributes}
    assert set(rules) == LABELS | {"unit", "level"}
    assert all(rules[label] for label in LABELS)
    assert set(re.findall(r'"job" *= "(\w+)"', ALLOY)) == {"containers", "files", "journal"}
    # What differs from request to request is no label.
    assert not [block for block in walk(ALLOY) if block.name == "stage.labels"]
    (metadata,) = (block for block in walk(ALLOY) if block.name == "stage.structured_metadata")
    assert "request_id" in metadata.attributes["values"]


# defect 63
@pytest.mark.parametrize("text", [ALLOY, PROMTAIL], ids=["alloy", "promtail"])
def test_the_engine_is_asked_through_its_door(text):
    assert "docker.sock" not in text
    assert "tcp://engine:2375" in text


WRONG_ALLOY = {
    "is no token": ("tcp://engine:2375\"", "http://engine:2375\"; "),
    "where newline is expected": ("\"tcp://engine:2375\"\n", "\"http://engine:2375\" "),
    "where , is expected": ("\"job\"      = \"files\",\n", "\"job\"      = \"files\"\n"),
    "an escape that there is not": ("\\\\S", "\\S"),
    "is set twice": ("  level = \"warn\"", "  level = \"warn\"\n  level = \"warn\""),
    "is there twice": ("loki.process \"files\"", "loki.process \"containers\""),
    "which nothing exports": ("loki.write.loki.receiver", "loki.write.other.receiver"),
    "which is rules and not targets": ("containers.output", "containers.rules"),
    "is not a component": ("loki.source.docker \"", "loki.source.dockr \""),
    "is not an argument": ("max_streams", "max_stream"),
    "is not a block": ("endpoint {", "endpoints {"),
    "host is required": ("  host             =", "  port             ="),
    "needs a label": ("loki.source.journal \"journal\"", "loki.source.journal"),
    "takes no label": ("logging {", "logging \"x\" {"),
    "not an identifier": ("loki.source.journal \"journal\"", "loki.source.journal \"the-journal\""),
    "not a value of type duration": ("\"15s\"", "\"15 seconds\""),
    "not a value of type number": ("2000", "\"2000\""),
    "not a value of type regex": ("\"/(.+)\"", "\"/(.+\""),
    "which is receiver and not receivers": ("[loki.write.loki.receiver]", "loki.write.loki.receiver"),
    "not a receiver": ("[loki.write.loki.receiver]", "[\"loki\"]"),
    "nobody uses it": ("targets    = local.file_match.files.targets", "targets    = []"),
    "it depends on itself": ("targets = discovery.docker.engine.targets",
                             "targets = discovery.relabel.containers.output"),
    "only blocks": ("logging {", "level = \"warn\"\nlogging {"),
}


@pytest.mark.parametrize("sentence", WRONG_ALLOY)
def test_what_is_wrong_with_alloy_is_named(sentence):
    old, new = WRONG_ALLOY[sentence]
    assert old in ALLOY
    found = alloy_conf.problems(ALLOY.replace(old, new))
    assert any(sentence in one for one in found), found


# ---------------------------------------------------------------- Promtail


def test_promtail():
    assert loki_conf.promtail_problems(yaml.safe_load(PROMTAIL)) == []


# defect 62
def test_promtail_labels_as_alloy_does_and_says_that_its_time_is_over():
    (rules,) = (job["relabel_configs"] for job in yaml.safe_load(PROMTAIL)["scrape_configs"]
                if job["job_name"] == "containers")
    assert {rule["target_label"] for rule in rules if "target_label" in rule} == LABELS | {"job"}
    assert "2026-03-02" in PROMTAIL.partition("server:")[0]


def test_both_shippers_read_the_same():
    (files,) = (block for block in walk(ALLOY) if block.name == "local.file_match")
    (job,) = (job for job in yaml.safe_load(PROMTAIL)["scrape_configs"] if job["job_name"] == "files")
    assert ([one["__path__"] for one in files.attributes["path_targets"]]
            == [one["labels"]["__path__"] for one in job["static_configs"]])
    assert ([block.attributes["selector"] for block in walk(ALLOY) if block.name == "stage.match"]
            == loki_conf.selectors(yaml.safe_load(PROMTAIL)))
    assert ([block.attributes["firstline"] for block in walk(ALLOY) if block.name == "stage.multiline"]
            == [stage["match"]["stages"][0]["multiline"]["firstline"]
                for job in yaml.safe_load(PROMTAIL)["scrape_configs"] for stage in job["pipeline_stages"]
                if "multiline" in stage["match"]["stages"][0]])


WRONG_PROMTAIL = {
    "unknown key": lambda one: one["scrape_configs"][0].update(docker_config=[]),
    "is no path": lambda one: one["positions"].update(filename="positions.yml"),
    "is no regex": lambda one: one["scrape_configs"][0]["relabel_configs"][0].update(regex="("),
    "a stage is one thing": lambda one: one["scrape_configs"][0]["pipeline_stages"][0].update(json={}),
    "no list": lambda one: one.update(clients={"url": "http://loki:3100"}),
}


@pytest.mark.parametrize("sentence", WRONG_PROMTAIL)
def test_what_is_wrong_with_promtail_is_named(sentence):
    config = copy.deepcopy(yaml.safe_load(PROMTAIL))
    WRONG_PROMTAIL[sentence](config)
    assert any(sentence in one for one in loki_conf.promtail_problems(config))
