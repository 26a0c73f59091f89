# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad inventories: each is refused, with a line that names variable and remedy, before a host is touched."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils import _preflight
from ansible_collections.mooring.stack.plugins.module_utils import _preflight_facts as facts_parsers
from ansible_collections.mooring.stack.plugins.module_utils._collection_version import Collection, Note
from ansible_collections.mooring.stack.plugins.module_utils._preflight import (
    Host,
    Inventory,
    Literal,
    Role,
    Setting,
    check_for,
    judge,
    merge,
    mount_of,
    parse_bind,
    placeholder,
    record_due,
    service_names,
    size_in_bytes,
)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ("drift", "platform", "preflight", "status")
NOW = 1_800_000_000.0
HASH = "$2y$10$abcdefghijklmnopqrstuuQ8m3v9c1JbUqzGm0yWmM6pS6u4k0L5e"
PUBLISHED = [{"project": "mooring-nginx_certbot", "container": "mooring-nginx_certbot-proxy-1", "address": "127.0.0.1",
              "port": 8443}]


def roles():
    """The collection's own roles, as the action reads them."""
    found = {}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        role = path.parents[1]
        (spec,) = yaml.safe_load(path.read_text())["argument_specs"].values()
        template = role / "templates" / "project" / "compose.yml.j2"
        services = service_names(template.read_text()) if template.exists() else set()
        found[role.name] = Role(role.name, spec["options"], services)
    return found


ROLES = roles()
GOOD = {
    "mooring_domain": "platform.our.test",
    "mooring_network_subnet": "172.31.250.0/24",
    "mooring_root": "/opt/mooring",
    "mooring_prefix": "mooring",
    "mooring_timezone": "Europe/Berlin",
    "preflight_disk_minimum": "2g",
    "preflight_memory_minimum": "2g",
    "preflight_clock_skew_maximum": 300,
    "acme_test_ca_image": "mooring.local/pebble:2",
    "acme_test_ca_resolve_to": "172.31.250.10",
    "data_stores_mysql_image": "mysql:8.4.11",
    "data_stores_mysql_root_password": "a-secret",
    "data_stores_mysql_health_password": "a-secret",
    "data_stores_mysql_memory": "1g",
    "data_stores_mysql_publish": "127.0.0.1:3306",
    "data_stores_mysql_schemas": ["demo", "shop"],
    "data_stores_mysql_accounts": [
        {"name": "demo", "host": "%", "password": "a-secret", "grants": {"demo.*": ["SELECT"]}},
        {"name": "shop", "password": "a-secret"},
    ],
    "data_stores_redis_image": "redis@sha256:" + "0" * 64,
    "data_stores_redis_health_password": "a-secret",
    "data_stores_redis_accounts": [{"name": "demo", "password": "a-secret", "rules": "~demo:* +@all"}],
    "data_stores_postgres_databases": [{"name": "shop", "password": "a-secret"}, {"name": "crm", "password": "other"}],
    "data_stores_postgres_admin_password": "a-secret",
    "data_stores_postgres_memory": "512m",
    "nginx_certbot_http_bind": "127.0.0.1:8080",
    "nginx_certbot_https_bind": "127.0.0.1:8443",
    "nginx_certbot_certificates": [{"name": "platform", "domains": ["platform.our.test"]}],
    "nginx_certbot_acme_directory": "https://acme-ca:14000/dir",
    "nginx_certbot_acme_email": "",
    "nginx_certbot_routes": [
        {"path": "/api", "application": "demo", "access": "public"},
        {"path": "/db", "upstream": "http://mysql:3306", "allow": ["10.0.0.0/8"], "max_body": "10m", "rate": "10r/s"},
    ],
    "nginx_certbot_users": [{"name": "operator", "password_hash": HASH}],
    "app_blue_green_applications": [
        {"name": "demo", "image": "registry.our.test:5000/demo", "release": "1.0.0", "memory": "256m",
         "secrets": {"password": "a-secret"}, "readiness": {"path": "/readyz", "port": 8081, "timeout": 5},
         "volumes": ["uploads:/srv/uploads", "/srv/shared:/srv/shared:ro"], "networks": ["partner"],
         "jvm_options": ["-Xss512k"], "log_directory": "/var/log/demo", "replicas": 2,
         "canary": {"steps": [10, 50], "latency": 0.5}, "url": "https://platform.our.test/api"},
        {"name": "crm", "image": "registry.our.test:5000/crm", "release": 2, "env": {"JAVA_TOOL_OPTIONS": "-Xmx64m"}},
    ],
    "kafka_memory": "1g",
    "kafka_retention": "7d",
    "kafka_topics": [{"name": "orders", "partitions": 3, "config": {"retention.ms": 1000}}],
    "kafka_users": [
        {"name": "shop", "password": "a-secret", "acls": [{"resource": "topic:o*", "operations": ["read"]}]}],
    "kafka_authentication": True,
    "kafka_external_bind": "0.0.0.0:9094",
    "kafka_external_certificate": "-----BEGIN CERTIFICATE-----\n...",
    "kafka_external_key": "-----BEGIN PRIVATE KEY-----\n...",
    "elk_host_memory_minimum": "8g",
    "elk_elasticsearch_memory": "1g",
    "elk_disk_reserve": "5g",
    "elk_retention": "30d",
    "elk_elasticsearch_image": "registry.our.test/elasticsearch-nori:9.5.2",
    "elk_kibana_image": "docker.elastic.co/kibana/kibana:9.5.2",
    "elk_logstash_image": "docker.elastic.co/logstash/logstash:9.5.2",
    "elk_filebeat_image": "docker.elastic.co/beats/filebeat:9.5.2",
    "elk_kibana_password": "a-secret",
    "elk_kibana_encryption_key": "k" * 32,
    "mattermost_notifier_webhooks": {"default": "https://chat.our.test/hooks/a-secret", "ops": "http://10.1.2.3/hooks/b"},
    "mattermost_notifier_gitlab_tokens": ["t" * 32],
    "mattermost_notifier_signing_tokens": [],
    "mattermost_notifier_deploy_tokens": [],
    "mattermost_notifier_routes": [{"events": ["pipeline.*"], "webhook": "ops"}, {}],
    "monitoring_components": ["data_stores", "nginx_certbot", "monitoring"],
    "monitoring_kafka_exporter_image": "danielqsj/kafka-exporter:v1.9.0",
    "monitoring_kafka_password": None,
    "monitoring_memory": "1g",
    "monitoring_disk": "20g",
    "monitoring_retention": "30d",
    "monitoring_mysql_password": "a-secret",
    "monitoring_redis_password": "a-secret",
    "monitoring_grafana_image": "grafana/grafana:13.2.0",
    "monitoring_grafana_admin_password": "a-secret",
    "jenkins_dood_admin_password": "a-secret",
    "jenkins_dood_base_image": "jenkins/jenkins:2.568.2-jdk21",
    "jenkins_dood_image": "mooring.local/jenkins:2.568.2",
    "jenkins_dood_docker_image": "docker:29.7.2-cli",
    "jenkins_dood_memory": "1g",
    "jenkins_dood_executors": 2,
    "jenkins_dood_plugins": ["matrix-auth:3.3"],
    "jenkins_dood_directories": ["/srv/builds"],
    "jenkins_dood_credentials": [
        {"id": "api", "type": "gitlabApiToken", "secret": "a-secret"},
        {"id": "deploy", "type": "usernamePassword", "username": "jenkins", "secret": "a-secret"}],
    "jenkins_dood_gitlab": [{"name": "gitlab", "url": "https://gitlab.our.test", "credential": "api"}],
    "jenkins_dood_jobs": [
        {"name": "shop", "repository": "https://gitlab.our.test/shop.git", "credential": "deploy",
         "webhook_token": "a-secret-of-a-webhook", "gitlab": "gitlab", "environment": {"APPLICATION": "crm"}}],
    "elk_admin_password": "a-secret",
    "elk_users": [{"name": "lee", "password": "a-secret"}],
    "elk_writer_password": "a-secret",
    "monitoring_mattermost_webhook_url": "https://chat.our.test/hooks/a-secret",
    "monitoring_probes": [{"name": "api", "url": "https://platform.our.test/api"}],
    "monitoring_rules": [{"name": "shop", "rules": [{"alert": "ShopClosed", "expr": "vector(1)"}]}],
    "monitoring_scrape_configs": [{"job_name": "shop"}],
    "app_blue_green_only": "",
    "app_blue_green_release": "",
    "app_blue_green_notify_url": "http://notifier:8080/hooks/deploys",
    "app_blue_green_notify_token": "a-secret",
}
FACTS = {
    "os": {"id": "debian", "version": "13"},
    "architecture": "x86_64",
    "memory": 8 * 1024**3,
    "mounts": {"/": 50 * 1024**3, "/var": 20 * 1024**3},
    "time": NOW,
    "listening": [{"address": "0.0.0.0", "port": 22, "process": "sshd"},
                  {"address": "127.0.0.1", "port": 8443, "process": "docker-proxy"}],
    "published": PUBLISHED,
    "prefixes": ["mooring"],
    "platforms": {"mooring": '{"version": "0.2.0"}'},
    "docker": {"installed": True, "answers": True, "root": "/var/lib/docker"},
}
MISSING = object()


COLLECTION = Collection("0.3.0", (Note("0.2.0", ("kafka - other topics.",)), Note("0.3.0", ("kafka - other users.",))))


def inventory(changes=None, facts=None, groups=None, literals=(), unresolved=(), errors=None, unreadable="",
              collection=None):
    """One good host with ``changes``: a variable, or a path such as ``nginx_certbot_routes.0.path``."""
    values = copy.deepcopy(GOOD)
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = values
        for key in parents:
            place = place[int(key) if isinstance(place, list) else key]
        if value is MISSING:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    settings = {name: Setting(value, f"group_vars/{name}.yml:1") for name, value in values.items()}
    for name, error in (errors or {}).items():
        settings[name].errors[""] = error
    shared = Role("platform", {key: spec for name in SHARED for key, spec in ROLES[name].options.items()})
    host = Host(
        "one",
        set(ROLES) - set(SHARED) if groups is None else groups,
        settings,
        list(literals),
        None if unreadable else {**FACTS, **(facts or {})},
        unreadable,
    )
    components = {name: role for name, role in ROLES.items() if name not in SHARED}
    return Inventory("inv", [host], components, shared, NOW, {name: [] for name in unresolved}, collection=collection)


def test_the_release_of_the_command_line_is_not_for_an_inventory():
    found = inventory({"app_blue_green_only": "crm", "app_blue_green_release": "7"})
    assert not list(judge(found))
    found.hosts[0].settings["app_blue_green_release"].source = "inv/group_vars/app_blue_green/app_blue_green.yml:3"
    (problem,) = judge(found)
    assert "would replace what the list declares" in problem.line()


def lines(*args, **kwargs):
    return [problem.line() for problem in judge(inventory(*args, **kwargs))]


def test_a_good_inventory_has_no_problem():
    assert lines() == []


def test_a_store_that_nothing_is_declared_for_needs_nothing():
    assert lines({"data_stores_postgres_databases": [], "data_stores_postgres_admin_password": None,
                  "data_stores_postgres_memory": "9g"}) == []


def test_the_image_of_jenkins_is_built_by_its_own_role():
    groups = {"docker_engine", "jenkins_dood"}
    assert not [line for line in lines(groups=groups) if "jenkins_dood_image" in line]
    (line,) = [line for line in lines({"jenkins_dood_base_image": None}, groups=groups) if "jenkins_dood_image" in line]
    assert "'mooring.local/jenkins:2.568.2' is built by distro_images, which this host does not run" in line


ROUTE = "nginx_certbot_routes.0"
SHOP = "data_stores_postgres_databases."
APP, CRM = "app_blue_green_applications.0.", "app_blue_green_applications.1."
CASES = [
    # missing and empty
    ({"mooring_domain": MISSING}, "mooring_domain (inv/group_vars/all/platform.yml): is not set. It is required"),
    ({"data_stores_mysql_root_password": MISSING},
     "data_stores_mysql_root_password (inv/group_vars/data_stores/data_stores.yml): is not set"),
    ({"data_stores_mysql_root_password": ""}, "data_stores_mysql_root_password (group_vars/"),  # defect 27
    ({"data_stores_mysql_root_password": "  "}, "is empty. Set a password."),
    ({"data_stores_mysql_accounts.0.password": ""}, "data_stores_mysql_accounts[0].password"),  # defect 27
    ({"data_stores_redis_accounts.0.password": ""}, "data_stores_redis_accounts[0].password"),
    ({"app_blue_green_applications": MISSING},
     "app_blue_green_applications (inv/group_vars/app_blue_green/app_blue_green.yml): is not set"),
    ({"app_blue_green_applications": []}, "app_blue_green_applications.yml:1): is empty. It is required"),
    ({APP + "image": ""}, "app_blue_green_applications[0].image (group_vars/app_blue_green_applications.yml:1): is em"),
    ({APP + "image": MISSING},
     "app_blue_green_applications[0] (group_vars/app_blue_green_applications.yml:1): has no image. Add image."),
    ({APP + "name": MISSING},
     "app_blue_green_applications[0] (group_vars/app_blue_green_applications.yml:1): has no name. Add name."),
    ({APP + "release": MISSING}, "app_blue_green_applications[0].release (group_vars/app_blue_green_applications.yml:1"
     "): is not set. Set it to the image's tag, or give app_blue_green_release on the command line."),
    ({APP + "release": None}, "app_blue_green_applications[0].release"),
    ({APP + "secrets.password": ""}, "app_blue_green_applications[0].secrets.password"),
    # form
    ({"mooring_domain": "https://platform.our.test"}, "'https://platform.our.test' is not a domain name"),
    ({"mooring_domain": "platform"}, "'platform' is not a domain name"),
    ({"mooring_domain": "under_score.our.test"}, "is not a domain name"),
    ({"mooring_domain": "10.1.2.3"}, "'10.1.2.3' is not a domain name"),
    ({"nginx_certbot_certificates.0.domains": ["*.our.test"]}, "'*.our.test': a wildcard needs the challenge dns-01"),
    ({"nginx_certbot_certificates.0.name": "../x"}, "nginx_certbot_certificates[0]"),
    ({"nginx_certbot_certificates.0.domains": []}, "The certificate 'platform' has no domains"),
    ({"nginx_certbot_certificates.0.domains": ["a.our.test", "a.our.test"]}, "names a domain twice"),
    ({"nginx_certbot_certificates.0.profile": "a b"}, "which is no name of one"),
    ({"nginx_certbot_certificates": []}, "the proxy would answer to no name"),
    ({"nginx_certbot_acme_directory": "http://acme-ca:14000/dir"}, "is not encrypted"),
    ({APP + "url": "https://other.our.test/api"},
     "app_blue_green_applications[0].url (group_vars/app_blue_green_applications.yml:1): the name 'other.our.test' is"),
    ({"nginx_certbot_certbot_options": {"--foo": "x"}}, "'--foo' is not how certbot writes a long option"),
    ({"nginx_certbot_certbot_options": {"eab_kid": "x"}}, "'eab_kid' is not how certbot writes a long option"),
    ({"nginx_certbot_certbot_options": {"webroot-path": "/tmp"}}, "'webroot-path' is given to certbot by the role"),
    ({"nginx_certbot_certbot_options": {"eab-kid": "x"}}, "needs both eab-kid and eab-hmac-key"),
    ({"nginx_certbot_certbot_files": {"../a": "x"}}, "'../a' cannot name a file there"),
    ({"nginx_certbot_certbot_files": {"cli.ini": "x"}}, "'cli.ini' cannot name a file there"),
    ({"nginx_certbot_certificates.0.challenge": "dns-01"}, "but nobody is named who sets the records"),
    ({"nginx_certbot_certificates.0.renew_at": 2.0}, "The certificate 'platform' has renew_at 2"),
    ({"nginx_certbot_certificates": [{"name": "one", "domains": ["a.our.test"]},
                                     {"name": "two", "domains": ["A.our.test"]}]},
     "'A.our.test' is in the certificate 'one' too"),
    ({"nginx_certbot_routes.0.burst": 5}, "the route '/api' has a burst, but no rate"),
    ({"nginx_certbot_routes.1.rate": "10r/s", "nginx_certbot_routes.1.burst": 0}, "has the burst 0"),
    ({"nginx_certbot_certificates.0.domains": ["a.our.test", "b..test"]}, "nginx_certbot_certificates[0].domains[1]"),
    ({"nginx_certbot_acme_email": "operator"}, "'operator' is not an e-mail address"),
    ({"mooring_network_subnet": "172.31.250.0/33"}, "is not a network in CIDR notation"),
    ({"mooring_network_subnet": "172.31.250.1/24"}, "has host bits set"),
    ({"nginx_certbot_routes.1.allow": ["office"]}, "nginx_certbot_routes[1].allow[0]"),
    ({"acme_test_ca_resolve_to": "proxy"}, "'proxy' is not an IP address"),
    ({"data_stores_mysql_memory": "one gigabyte"}, "'one gigabyte' is not a size"),
    ({"data_stores_mysql_memory": "512"}, "Did you forget the unit?"),
    ({"data_stores_mysql_memory": "512mb"}, "'512mb' is not a size"),
    ({"data_stores_mysql_slow_log_size": "16q"}, "'16q' is not a size"),
    ({"preflight_memory_minimum": "lots"}, "'lots' is not a size"),
    ({"docker_engine_upstream_repository": "nonsense"}, "is not an http or https URL"),
    ({"nginx_certbot_routes.1.max_body": "much"}, "nginx_certbot_routes[1].max_body"),
    ({"nginx_certbot_routes.1.max_body": "500 m"}, "nginx_certbot_routes[1].max_body"),
    ({"nginx_certbot_routes.1.rate": "10/s"}, "'10/s' is not a rate. Write it like 10r/s"),
    ({"nginx_certbot_http_bind": "8080"}, "'8080' is not an address with a port"),
    ({"nginx_certbot_http_bind": "127.0.0.1:99999"}, "is not an address with a port"),
    ({"nginx_certbot_http_bind": ""}, "nginx_certbot_http_bind"),
    ({"data_stores_mysql_publish": "0.0.0.0:3306"}, "can be reached from outside"),  # defects 2 and 28
    ({APP + "port": 70000}, "app_blue_green_applications[0].port (group_vars/app_blue_green_applications.yml:1): '70"),
    ({APP + "port": "web"}, "app_blue_green_applications[0].port"),
    ({APP + "readiness.port": 70000}, "app_blue_green_applications[0].readiness.port"),
    ({APP + "readiness.timeout": "soon"}, "'soon' is not a number. Expected: "),
    ({APP + "memory": "12"}, "app_blue_green_applications[0].memory"),
    ({APP + "url": "shop"}, "app_blue_green_applications[0].url"),
    ({"data_stores_mysql_image": "mysql"}, "'mysql' has no tag"),  # defect 1
    ({"data_stores_mysql_image": "mysql:latest"}, "has the tag latest"),  # defect 1
    ({"data_stores_mysql_image": "MySQL 8"}, "is not an image reference"),
    ({APP + "image": "registry.our.test/demo:1.0"},
     "[0].image (group_vars/app_blue_green_applications.yml:1): 'registry.our.test/demo:1.0' is not an image without"),
    ({APP + "release": "latest"}, "[0].release (group_vars/app_blue_green_applications.yml:1): 'latest' is another"),
    ({APP + "release": "a release"}, "'a release' cannot be a tag"),
    # applications
    ({APP + "name": "Demo"}, "[0].name (group_vars/app_blue_green_applications.yml:1): 'Demo' cannot name an applicat"),
    ({APP + "name": "data_stores"}, "'data_stores' cannot name an application"),
    ({APP + "name": "-demo"}, "'-demo' cannot name an application"),
    ({APP + "name": "d" * 56}, "cannot name an application"),
    ({CRM + "name": "demo"}, "app_blue_green_applications[1].name (group_vars/app_blue_green_applications.yml:1): the"),
    ({"app_blue_green_only": "shop"}, "app_blue_green_only (group_vars/app_blue_green_only.yml:1): no host runs an "
     "application 'shop'. Known applications: crm, demo."),
    ({"app_blue_green_release": "1.1.0"}, "app_blue_green_release (group_vars/app_blue_green_release.yml:1): is set, "
     "but one has several: demo, crm. Name the one that it is for, for instance with -e app_blue_green_only=demo."),
    ({"app_blue_green_only": "crm", "app_blue_green_release": "latest"}, "'latest' is another image each day"),
    ({"app_blue_green_only": "crm", CRM + "release": MISSING}, "app_blue_green_applications[1].release"),
    ({CRM + "jvm_options": ["-Xmx64m"]},
     "[1].env.JAVA_TOOL_OPTIONS (group_vars/app_blue_green_applications.yml:1): is set beside jvm_options"),
    ({APP + "jvm_options": ["-Xmx64m -Xms64m"]}, "[0].jvm_options[0] (group_vars/"),
    ({APP + "jvm_options": "-Xmx64m -Xms64m", APP + "networks": ["a b"]}, "'a b' cannot name a Docker network"),
    ({APP + "canary.steps": [10, 5]}, "[0].canary (group_vars/app_blue_green_applications.yml:1): of 'demo': each"),
    ({APP + "canary.steps": [100]}, "steps are percent from 1 to 99"),
    ({APP + "canary.steps": ["ten"]}, "steps"),
    ({APP + "canary.errors": 5}, "errors is a part of the answers"),
    ({APP + "replicas": 10}, "replicas"),
    ({APP + "replicas": 9, APP + "memory": "1g"}, "app_blue_green_applications[0].memory"),
    # defect 2
    ({APP + "config_overrides": {"ports": ["8081:8081"]}},
     "[0].config_overrides.ports (group_vars/app_blue_green_applications.yml:1): would be ports of both colours"),
    # defect 47
    ({APP + "config_overrides": {"container_name": "spring"}}, "would be the name of both colours"),
    ({APP + "config_overrides": {"image": "our.test/demo:latest"}}, "would be another image than the release"),
    ({APP + "config_overrides": {"network_mode": "host"}}, "takes it from the platform's network"),
    ({APP + "config_overrides": {"privileged": True}}, "would make the application root of the host"),
    ({APP + "networks": ["mooring"]}, "[0].networks[0] (group_vars/app_blue_green_applications.yml:1): 'mooring' is"),
    ({APP + "log_directory": "log"}, "[0].log_directory (group_vars/app_blue_green_applications.yml:1): 'log' is not"),
    ({APP + "log_directory": "/tmp"}, "'/tmp' is a directory which the container has already"),
    ({APP + "volumes": ["./data:/data"]}, "[0].volumes[0] (group_vars/app_blue_green_applications.yml:1): './data:/da"),
    ({APP + "volumes": ["Data:/data"]}, "'Data' names neither a volume nor a path on the host"),
    ({APP + "volumes": ["/srv/../etc:/data"]}, "'/srv/../etc' names neither a volume nor a path on the host"),
    ({APP + "volumes": ["data"]}, "'data' does not say where in the container"),
    ({APP + "volumes": ["data:/run/secrets"]}, "'/run/secrets' is a directory which the container has already"),
    ({APP + "volumes": ["data:/var/log/demo"]}, "'/var/log/demo' is a directory that log_directory names"),
    ({APP + "volumes": ["one:/data", "two:/data"]}, "'/data' is a directory that another volume has"),
    ({CRM + "name": "demo-x", CRM + "volumes": ["y:/y"], APP + "volumes": ["x-y:/y"]},
     "the engine would know it as <prefix>-demo-x-y, which is a volume of demo. Give it another name."),
    ({APP + "name": "mysql", APP + "volumes": ["data:/data"]}, "which is a volume of another component"),
    ({"nginx_certbot_acme_directory": "acme-ca:14000"}, "is not an http or https URL"),
    ({"nginx_certbot_users.0.password_hash": "plain-text"}, "is not a bcrypt hash"),
    ({"mooring_root": "opt/mooring"}, "is not an absolute path"),
    ({"mooring_root": "/opt/../etc"}, "is not an absolute path"),
    ({"mooring_prefix": "My Platform"}, "cannot name Docker objects"),
    ({"mooring_timezone": "Berlin, Germany"}, "is not a time zone"),
    # Jenkins
    ({"jenkins_dood_admin_password": MISSING},
     "jenkins_dood_admin_password (inv/group_vars/jenkins_dood/jenkins_dood.yml): is not set"),
    ({"jenkins_dood_admin_password": " "}, "jenkins_dood_admin_password"),
    ({"jenkins_dood_base_image": "jenkins/jenkins:latest"}, "has the tag latest"),  # defect 1
    ({"jenkins_dood_base_image": None, "jenkins_dood_image": "registry.our.test/jenkins"}, "has no tag"),
    ({"jenkins_dood_memory": "512m"}, "are too little: half of it is Java's heap. Give at least 1g."),
    ({"jenkins_dood_executors": 0}, "jenkins_dood_executors (group_vars/jenkins_dood_executors.yml:1): is 0 and there"),
    ({"jenkins_dood_plugins": ["matrix-auth"]}, "'matrix-auth' is no plugin with a version"),
    ({"jenkins_dood_plugins": {"matrix-auth": "3.3"}}, "jenkins_dood_plugins (group_vars/jenkins_dood_plugins.yml:1)"),
    ({"jenkins_dood_jobs": "shop", "jenkins_dood_agents": {"a": 1}}, "jenkins_dood_jobs (group_vars/"),
    ({"jenkins_dood_plugins": ["matrix-auth:latest"]}, "jenkins_dood_plugins[0] (group_vars/"),
    ({"jenkins_dood_directories": ["builds"]}, "jenkins_dood_directories[0] (group_vars/jenkins_dood_directories.yml:"),
    ({"jenkins_dood_jobs.0.name": "shop'); x('"},
     "jenkins_dood_jobs[0].name (group_vars/jenkins_dood_jobs.yml:1): 'shop'); x('' cannot be a name in Jenkins"),
    ({"jenkins_dood_jobs.0.credential": "api"}, "the credential 'api' has another type. Declare it as"),
    ({"jenkins_dood_jobs.0.event": "tag"}, "'tag' is not one of push, merge_request"),
    ({"jenkins_dood_gitlab.0.url": "gitlab.our.test"}, "is not an http or https URL"),
    ({"jenkins_dood_credentials.1.username": MISSING}, "jenkins_dood_credentials[1].username"),
    ({"jenkins_dood_credentials.1.type": "password"}, "'password' is not one of string, usernamePassword, file"),
    # types, by the roles' argument specs
    ({"nginx_certbot_routes": "all"}, "nginx_certbot_routes"),
    ({"nginx_certbot_routes.0.access": "everybody"}, "'everybody' is not one of public, private"),
    ({"nginx_certbot_routes.0.paht": "/x"}, "has the unknown key paht. Did you mean path?"),
    ({"data_stores_redis_accounts.0.rules": MISSING},
     "data_stores_redis_accounts[0] (group_vars/data_stores_redis_accounts.yml:1): has no rules"),
    ({"data_stores_mysql_schemas": {"demo": 1}}, "data_stores_mysql_schemas"),
    ({APP + "drain_seconds": "soon"}, "'soon' is not a whole number. Expected: "),
    ({APP + "relase": "1"}, "has the unknown key relase. Did you mean release?"),
    ({APP + "readiness.successes": "many"}, "app_blue_green_applications"),
    # monitoring
    ({"monitoring_components": MISSING},
     "monitoring_components (inv/group_vars/monitoring/monitoring.yml): is not set"),
    ({"monitoring_mysql_password": None}, "monitoring_mysql_password (group_vars/monitoring_mysql_password.yml:1): is "
     "not set, but the exporter of mysql has to log in"),
    ({"monitoring_redis_password": ""}, "monitoring_redis_password"),
    ({"monitoring_grafana_admin_password": None}, "is not set, but there is a Grafana"),
    ({"monitoring_components": ["kafka"]}, "monitoring_kafka_password (group_vars/monitoring_kafka_password.yml:1)"),
    ({"monitoring_memory": "512m"}, "are too little for all its services"),
    # defect 32
    ({"data_stores_mysql_accounts.1.name": "exporter"}, "data_stores_mysql_accounts[1].name (group_vars/data_stores_my"
     "sql_accounts.yml:1): the account 'exporter' may take every connection of MySQL. Give it max_user_connections: 3"),
    # elk
    ({"elk_elasticsearch_memory": "512m"},
     "elk_elasticsearch_memory (group_vars/elk_elasticsearch_memory.yml:1): 512 MiB are too little"),
    ({"elk_elasticsearch_memory": "64g"}, "elk_elasticsearch_memory (group_vars/elk_elasticsearch_memory.yml:1): 64.0"),
    ({"elk_disk_reserve": "much"}, "'much' is not a size"),
    ({"elk_retention": "a month"}, "'a month' is not a number of days"),
    ({"elk_kibana_password": None}, "elk_kibana_password (group_vars/elk_kibana_password.yml:1): is not set, but"),
    ({"elk_kibana_encryption_key": ""}, "is not set, but there is a Kibana"),
    ({"elk_kibana_encryption_key": "short"}, "is shorter than 32 characters. Make one with: openssl rand -hex 32"),
    ({"elk_logstash_image": None}, "is set, but there is no Logstash"),
    # defect 66
    ({"elk_kibana_image": "docker.elastic.co/kibana/kibana:8.13.4"}, "elk_kibana_image (group_vars/elk_kibana_image.ym"
     "l:1): is of version 8.13.4, but Elasticsearch of 9.5.2. Give both one version"),
    ({"elk_filebeat_image": f"beats/filebeat:8.19.20@sha256:{'0' * 64}"}, "is of version 8.19.20, but Elasticsearch"),
    ({"elk_kibana_image": "docker.elastic.co/kibana/kibana"}, "has no tag"),
    # kafka
    ({"kafka_memory": "512m"}, "kafka_memory (group_vars/kafka_memory.yml:1): 512 MiB are too little for a broker"),
    ({"kafka_retention": "1w"}, "'1w' is not a number of days"),
    ({"kafka_topics.0.name": "or ders"}, "kafka_topics (group_vars/kafka_topics.yml:1): Topics are declared wrong"),
    ({"kafka_topics.0.partitions": 0}, "orders needs at least one partition"),
    ({"kafka_users.0.password": None}, "kafka_users (group_vars/kafka_users.yml:1): Users are declared wrong"),
    ({"kafka_users.0.acls.0.resource": "orders"}, "shop: 'orders' is no resource"),
    ({"kafka_users": []}, "kafka_external_bind (group_vars/kafka_external_bind.yml:1): is set, but nobody"),
    ({"kafka_users.0.state": "absent"}, "kafka_authentication (group_vars/kafka_authentication.yml:1): is set, but no"),
    ({"kafka_external_bind": "", "kafka_authentication": False}, "is set, but no listener asks for a login"),
    # defect 78
    ({"kafka_zookeeper_image": "confluentinc/cp-zookeeper:7.9.2"}, "is set, but there is a ZooKeeper, past"),
    ({"elk_users": [{"name": "kim", "roles": ["mooring_reader"]}]}, "elk_users[0] (group_vars/elk_users.yml:1): The "
     "user kim needs a password. Give it one"),
    ({"elk_users": [{"name": "kim", "password": "short"}]}, "is shorter than the six characters"),
    # the notifier
    ({"app_blue_green_notify_token": None}, "app_blue_green_notify_token (group_vars/app_blue_green_notify_token.yml:1)"
     ": is not set, so nobody would believe what is told"),
    ({"app_blue_green_notify_url": "notifier"}, "'notifier' is not an http or https URL"),
    ({"mattermost_notifier_webhooks": MISSING}, "mattermost_notifier_webhooks (inv/group_vars/mattermost_notifier/"),
    ({"mattermost_notifier_gitlab_tokens": []}, "mattermost_notifier_gitlab_tokens (group_vars/mattermost_notifier_gitl"
     "ab_tokens.yml:1): is empty, so anybody could have anything told"),  # defect 85
    ({"mattermost_notifier_gitlab_tokens.0": "short"}, "[0] (group_vars/mattermost_notifier_gitlab_tokens.yml:1): is "
     "shorter than 16 characters"),
    ({"mattermost_notifier_deploy_tokens": ["short"]}, "mattermost_notifier_deploy_tokens[0]"),
    ({"mattermost_notifier_webhooks.ops": "chat.our.test"}, "mattermost_notifier_webhooks.ops (group_vars/mattermost_n"
     "otifier_webhooks.yml:1): is no URL"),
    ({"mattermost_notifier_webhooks.ops": ""}, "mattermost_notifier_webhooks.ops"),
    ({"mattermost_notifier_webhooks": {"ops": "https://chat.our.test/hooks/b"}}, "mattermost_notifier_routes[1] (group"
     "_vars/mattermost_notifier_routes.yml:1): there is no webhook 'default'. Name one of ops in mattermost_not"),
    ({"mattermost_notifier_routes.0.webhook": "dev"}, "there is no webhook 'dev'"),
    ({"mattermost_notifier_routes.0.chanel": "x"}, "has the unknown key chanel. Did you mean channel?"),
    ({"mattermost_notifier_language": "de"}, "mattermost_notifier_language"),
    ({"kafka_external_bind": "9094"}, "'9094' is not an address with a port"),
    ({"kafka_external_certificate": ""}, "has to begin with -----BEGIN CERTIFICATE-----"),
    # defect 76
    ({"kafka_external_key": "-----BEGIN EC PRIVATE KEY-----"}, "openssl pkcs8 -topk8 -nocrypt writes it so"),
    ({"monitoring_disk": "much"}, "'much' is not a size"),
    ({"monitoring_retention": "4w"}, "'4w' is not a number of days. Write it like 30d"),
    ({"monitoring_prometheus_image": "prom/prometheus"}, "has no tag"),  # defect 1
    ({"monitoring_mattermost_webhook_url": "chat.our.test/hooks"}, "is not an http or https URL"),
    ({"monitoring_probes": [{"name": "a", "url": "https://a.our.test"}, {"name": "a", "url": "https://b.our.test"}]},
     "monitoring_probes[1].name (group_vars/monitoring_probes.yml:1): the probe 'a' is declared again"),
    ({"monitoring_probes.0.url": "api"}, "is not an http or https URL"),
    ({"monitoring_rules": [{"rules": []}]}, "monitoring_rules[0]"),
    ({"monitoring_rules": [{"name": "shop"}]}, "is no group of rules"),
    ({"monitoring_scrape_configs": [{"static_configs": []}]}, "monitoring_scrape_configs[0] (group_vars/monitoring_sc"),
    # routes
    ({ROUTE + ".path": "api"}, "does not start with '/'"),
    ({ROUTE + ".path": "/a b"}, "characters that a path cannot have"),
    ({ROUTE + ".path": "/db/"}, "the path '/db' was given before, in nginx_certbot_routes[0]"),
    ({ROUTE + ".application": "shop"}, "to the application 'shop', which no host runs. Known applications: crm, demo."),
    ({ROUTE + ".application": MISSING}, "needs either an upstream or an application"),
    ({ROUTE + ".upstream": "http://mysql:3306"}, "needs either an upstream or an application"),
    ({"nginx_certbot_routes.1.upstream": "http://wiki:3000"}, "'wiki', which no component of this host has"),
    ({"nginx_certbot_users": []}, "the route '/db' is private, but nginx_certbot_users is empty"),
    # names that differ by capitals only
    ({"data_stores_mysql_accounts.1.name": "Demo"}, "declared again with other capitals than 'demo'"),  # defect 26
    ({"data_stores_mysql_accounts.1.name": "demo"}, "the account 'demo' is declared again"),  # defect 26
    ({"data_stores_mysql_accounts.1.name": "health"},
     "data_stores_mysql_accounts[1].name (group_vars/data_stores_mysql_accounts.yml:1): the name 'health' is taken: "
     "the health check's account has it, and each start of the server gives that one its password. Give it another"),
    ({"data_stores_mysql_accounts.1.name": "Health", "data_stores_mysql_accounts.1.host": "10.0.0.1"},
     "the name 'Health' is taken"),
    ({"data_stores_redis_accounts.0.name": "health"}, "data_stores_redis_accounts[0].name (group_vars/"),
    ({"data_stores_redis_accounts.0.name": "default"}, "is taken: it is who has not logged in"),
    ({"data_stores_mysql_schemas": ["demo", "Demo"]}, "the schema 'Demo' differs from 'demo'"),
    ({"data_stores_mysql_accounts.0.grants": {"DEMO.*": ["SELECT"]}},
     "grant on 'DEMO.*', but the schema is 'demo'. Write demo.*."),  # defect 24
    # accounts that MySQL or the module would refuse
    ({"data_stores_mysql_accounts.1.password": MISSING},
     "data_stores_mysql_accounts[1] (group_vars/data_stores_mysql_accounts.yml:1): The account 'shop'@'%' has an"),
    ({"data_stores_mysql_accounts.0.grants": {"*.*": ["ALL"]}}, "'demo'@'%' asks for ALL on *.*"),  # defect 31
    ({"data_stores_mysql_accounts.0.grants": {"demo": ["SELECT"]}}, "The grant level 'demo' is not valid"),
    ({"data_stores_mysql_accounts.0.grants": {"demo.*": "SELECT"}}, "must be a list of privileges. Correct the"),
    ({"data_stores_mysql_accounts.0.grants": "demo"}, "data_stores_mysql_accounts"),
    ({"data_stores_mysql_accounts.0.role": True}, "is a role, which has no password"),
    ({"data_stores_mysql_accounts.0.without": {"mysql.*": ["SELECT"]}}, "but 'grants' does not give it on *.*"),
    ({"data_stores_mysql_accounts.0.name": "root", "data_stores_mysql_accounts.0.host": "localhost"},
     "'root'@'localhost' belongs to the server and is never managed"),
    # databases
    ({SHOP + "0.password": ""}, "data_stores_postgres_databases[0].password (group_vars/"),
    ({SHOP + "1": {"name": "shop", "password": "another"}}, "The database shop is declared twice. Correct the entry."),
    ({SHOP + "0.owner": 5, SHOP + "1.owner": "postgres"}, "The role postgres belongs to the server"),
    ({SHOP + "0.owner": None, SHOP + "1.name": "shop"}, "The database shop is declared twice"),
    ({SHOP + "0.connection_limit": "many"}, "'many' is not a whole number"),
    ({SHOP + "1": {"name": "archive", "owner": "shop", "password": "another"}}, "role shop is declared twice, with an"),
    ({SHOP + "0.owner": "health"}, "The role health is reserved"),
    ({SHOP + "0.owner": "postgres"}, "The role postgres belongs to the server and cannot be declared. Correct the"),
    ({SHOP + "0.port": 1}, "has the unknown key port. Known are connection_limit, "),
    ({"data_stores_postgres_admin_password": None},
     "data_stores_postgres_admin_password (group_vars/data_stores_postgres_databases.yml:1): is not set, but"),
    ({"data_stores_postgres_admin_password": ""}, "data_stores_postgres_admin_password.yml:1): is empty"),
    ({"data_stores_postgres_memory": "9g"}, "but the host has 8.0 GiB: data_stores_postgres_memory 9.0 GiB, "),
    # ports
    ({"nginx_certbot_http_bind": "0.0.0.0:22"}, "port 22 is taken by the process sshd"),
    ({"data_stores_mysql_publish": "127.0.0.1:8080"}, "port 8080 is already declared by data_stores_mysql_publish"),
    ({"mooring_prefix": "two"}, "port 8443 is taken by the container mooring-nginx_certbot-proxy-1"),
    # memory of all together
    ({APP + "memory": "9g"}, "app_blue_green_applications[0].memory 36.0 GiB, "),  # both colours, two replicas
    ({"data_stores_mysql_memory": "9g"}, "but the host has 8.0 GiB: data_stores_mysql_memory 9.0 GiB, "),
]


@pytest.mark.parametrize("changes, expected", CASES, ids=[f"{list(c)[0]}={list(c.values())[0]}"[:60] for c, _ in CASES])
def test_bad_variables(changes, expected):
    found = lines(changes)
    assert any(expected in line for line in found), found
    assert all(re.fullmatch(r"one(/\w+)?: .+: .+\. .+[.?]", line) for line in found), found


@pytest.mark.parametrize("changes", [
    {"app_blue_green_only": "crm", "app_blue_green_release": "2.1"},
    {"app_blue_green_only": "demo", CRM + "release": MISSING},
    {"app_blue_green_applications": [{"name": "demo", "image": "our.test/demo"}], "app_blue_green_release": 1.1},
    {ROUTE + ".application": "crm"},
    {APP + "log_directory": "", APP + "volumes": [], CRM + "jvm_options": []},
    {CRM + "volumes": ["uploads:/srv/uploads"]},
    {CRM + "config_overrides": {"shm_size": "64m", "privileged": False}},
])
def test_good_applications(changes):
    assert lines(changes) == []


def test_a_tag_of_one_s_own_is_no_other_version():
    assert lines({"elk_kibana_image": "our.test/kibana:2026-11", "elk_logstash_image": "our.test/logstash:9"}) == []


def test_an_exporter_that_is_to_go_needs_no_limit():
    gone = {"name": "exporter", "state": "absent"}
    assert [line for line in lines({"data_stores_mysql_accounts.1": gone}) if "every connection" in line] == []


def test_a_part_of_an_application_without_a_value_is_said_once():
    judged = inventory({APP + "image": None, APP + "release": None})
    judged.hosts[0].settings["app_blue_green_applications"].errors = {
        "[0].image": "'registry' is undefined", "[0].release": "'vault_x' is undefined"}
    found = [one.line() for one in judge(judged)]
    assert len(found) == 2
    assert "_applications[0].image (group_vars/app_blue_green_applications.yml:1): has no value: 'regis" in found[0]


def test_an_application_of_another_host_is_known():
    judged, other = inventory({"app_blue_green_only": "shop", ROUTE + ".application": "shop"}), inventory().hosts[0]
    other.name, other.settings["app_blue_green_applications"].value = "two", [
        {"name": "shop", "image": "our.test/shop", "release": "1"}]
    assert lines({"app_blue_green_only": "shop", ROUTE + ".application": "shop"}) != []
    judged.hosts.append(other)
    assert [one.line() for one in judge(judged) if one.where == "one"] == []


def monitored(**hosts):
    """An inventory of these hosts, which have a part of the monitoring each: its variables without ``monitoring_``."""
    judged = inventory(groups={"docker_engine", "monitoring"})
    (first,) = judged.hosts
    judged.hosts[:] = []
    for name, given in hosts.items():
        settings = {key: one for key, one in first.settings.items() if not key.startswith("acme_test_ca_")}
        settings |= {f"monitoring_{key}": Setting(value, f"host_vars/{name}.yml:1") for key, value in given.items()}
        judged.hosts.append(Host(name.replace("_", "-"), {*first.groups, "eu"}, settings, [], first.facts))
    return judged


SERVER = {"components": ["monitoring"], "agents": {"data": ["data_stores", "eu"], "app": ["nginx_certbot", "kafka"]}}
DATA = {"server": False, "components": ["data_stores", "monitoring"], "memory": "384m", "grafana_admin_password": None}
PROXY = {"server": False, "components": ["nginx_certbot", "kafka"], "kafka_password": "a-secret"}


@pytest.mark.parametrize("hosts", [
    {"obs": SERVER, "data": DATA, "app": PROXY},
    # Each for itself, as ever.
    {"one": {}, "two": {}},
])
def test_hosts_that_are_looked_at(hosts):
    assert [one.line() for one in judge(monitored(**hosts))] == []


@pytest.mark.parametrize("hosts, expected", [
    ({"data": DATA, "app": PROXY}, "app: monitoring_server (host_vars/app.yml:1): is false on every host, so nobody"),
    ({"obs": {**SERVER, "agents": {}}, "data": DATA},
     "data: monitoring_server (host_vars/data.yml:1): is false, and obs does not know of it. Add it to monitoring_age"),
    ({"obs": SERVER, "second": {}, "data": DATA, "app": PROXY}, "second: monitoring_server: is true here and on obs"),
    ({"obs": {"agents": {"data": ["data_stores"]}}, "second": {}}, "is true here and on obs, whose network it shares"),
    ({"obs": {**SERVER, "agents": {"data": ["data_store"]}}, "data": DATA},
     "obs: monitoring_agents.data[0] (host_vars/obs.yml:1): 'data_store' is no component. Name those that data runs"),
    ({"obs": {**SERVER, "agents": {"data": ["kafka"]}}, "data": DATA},
     "monitoring_components of data says something else of data_stores, kafka. Let both say what it runs."),
    ({"obs": {**SERVER, "agents": {"data": "data_stores"}}, "data": DATA}, "monitoring_agents.data (host_vars/ob"),
    ({"obs": {**SERVER, "agents": {"data": [{"data_stores": 1}]}}, "data": DATA}, "1}' is no component"),
    ({"obs": {**SERVER, "agents": 5}, "data": DATA}, "obs: monitoring_agents"),
    ({"obs": SERVER, "data": DATA}, "'app' is no host of the group monitoring. Name hosts with agents only."),
    ({"obs": {**SERVER, "agents": {"obs": []}}}, "'obs' is the server itself"),
    ({"obs": {**SERVER, "agents": {"Data": ["data_stores"], "data": ["data_stores"]}}, "Data": DATA, "data": DATA},
     "data: inventory_hostname: in the names of services this host is called like Data. Give it another name"),
    ({"obs": {**SERVER, "agents": {"network-1": ["data_stores"]}}, "network_1": DATA}, "be called 'network-1'"),
    ({"obs": {**SERVER, "agents": {"d" * 41: ["data_stores"]}}, "d" * 41: DATA}, "this host cannot be called 'ddd"),
    ({"obs": {**SERVER, "agents": {"\ub370": ["data_stores"]}}, "\ub370": DATA}, "this host cannot be called ''"),
    ({"obs": {**SERVER, "memory": "512m"}, "data": DATA, "app": PROXY}, "obs: monitoring_memory"),
    ({"obs": SERVER, "data": {**DATA, "memory": "300m"}, "app": PROXY}, "for all its services. Give at least 384m"),
    ({"obs": {**SERVER, "agents": ["data"]}, "data": DATA}, "monitoring_agents"),
])
def test_hosts_that_nobody_looks_at_or_two(hosts, expected):
    found = [one.line() for one in judge(monitored(**hosts))]
    assert any(expected in line for line in found), found


def test_what_the_server_knows_cannot_be_told():
    judged = monitored(obs=SERVER, data=DATA)
    judged.hosts[0].settings["monitoring_agents"].errors[""] = "'groups' is undefined"
    assert [one.variable for one in judge(judged)] == ["monitoring_agents"]


def test_two_servers_in_one_network():
    judged = monitored(one={}, two={})
    for host in judged.hosts:
        host.settings["docker_engine_swarm"] = Setting({"one": "10.20.0.11", "two": "10.20.0.12"}, "")
    assert any("two: monitoring_server: is true here and on one" in one.line() for one in judge(judged))


def test_a_run_without_the_monitoring_does_not_judge_it():
    judged = monitored(data=DATA)
    del judged.roles["monitoring"]
    assert not [one.line() for one in judge(judged) if "monitoring_server" in one.line()]


def test_the_volumes_of_other_components_are_known():
    """Each that has a name of its own, which an application's volume could have too."""
    texts = "\n".join(path.read_text() for path in ROOT.glob("roles/*/*/**/*") if path.suffix in (".yml", ".j2"))
    named = re.findall(r"mooring_prefix(?: }}| ~ ')-(\w+-data)", texts)
    assert set(named) == _preflight.PLATFORM_VOLUMES


def test_the_memory_of_an_application_that_does_not_say_is_the_role_s():
    options = ROLES["app_blue_green"].options["app_blue_green_applications"]["options"]
    assert options["memory"]["default"] == _preflight.DEFAULT_MEMORY


def test_what_is_no_domain_is_said_once():
    found = lines({"nginx_certbot_certificates.0.domains": ["a.our.test", "b..test"]})
    assert len([line for line in found if "b..test" in line]) == 1, found



@pytest.mark.parametrize("facts, expected", [
    ({"os": {"id": "debian", "version": "11"}}, "debian 11 is not supported"),
    ({"os": {"id": "fedora", "version": "44"}}, "fedora 44 is not supported"),
    ({"os": {"id": "", "version": ""}}, "unknown  is not supported"),
    ({"architecture": "riscv64"}, "riscv64 is not supported"),
    ({"memory": 1024**3}, "the host has 1.0 GiB, less than 2.0 GiB"),
    ({"memory": 6 * 1024**3}, "the host has 6.0 GiB, less than the 8.0 GiB that elk is for. Take the host out"),
    ({"mounts": {"/": 1024**3}}, "disk (/opt/mooring and /var/lib/docker): 1.0 GiB are free on /, less than 2.0 GiB"),
    ({"mounts": {"/": 50 * 1024**3, "/var": 1024**3}}, "disk (/var/lib/docker): 1.0 GiB are free on /var"),
    ({"time": NOW - 3600}, "clock: is 3600 s behind the controller"),
    ({"time": NOW + 3600}, "clock: is 3600 s ahead of the controller"),
    ({"listening": [{"address": "::", "port": 8080, "process": ""}]}, "port 8080 is taken by a process"),
    ({"published": [{"project": "shop", "container": "shop-web-1", "address": "0.0.0.0", "port": 8080}]},
     "port 8080 is taken by the container shop-web-1"),
])
def test_bad_hosts(facts, expected):
    found = lines(facts=facts)
    assert any(expected in line for line in found), found


def test_our_own_ports_are_no_problem_on_the_second_run():
    ours = [{**PUBLISHED[0], "port": port} for port in (8080, 8443, 3306)]
    held = [{"address": "127.0.0.1", "port": port, "process": "docker-proxy"} for port in (8080, 8443, 3306)]
    assert lines(facts={"published": ours, "listening": held}) == []


def test_another_address_of_the_same_port_is_no_problem():
    held = [{"address": "10.0.0.1", "port": 8080, "process": "nginx"}]
    assert lines(facts={"listening": held}) == []


@pytest.mark.parametrize("groups, expected", [
    (set(), "no component has a host"),
    ({"data_stores"}, "one/data_stores: inventory: data_stores needs docker_engine on the same host"),
    ({"docker_engine", "app_blue_green"}, "one/app_blue_green: inventory: app_blue_green needs nginx_certbot"),
    ({"docker_engine", "nginx_certbot", "app_blue_green", "data_stores"}, "leads to acme-ca, the test CA"),
])
def test_groups_without_hosts(groups, expected):
    found = lines(groups=groups)
    assert any(expected in line for line in found), found


SWARM = {"one": "10.20.0.11", "two": "10.20.0.12", "three": "10.20.0.13"}


def several(changes=None, groups=None, swarm=None, **others):
    """Lines about the good host as one of three; ``others`` are groups of the other two."""
    found = inventory(changes, groups=groups)
    (one,) = found.hosts
    for name in ("two", "three"):
        host = Host(name, {"docker_engine", *others.get(name, [])}, {}, [], FACTS)
        found.hosts.append(host)
    for host in found.hosts:
        host.settings["docker_engine_swarm"] = Setting(swarm or SWARM, "group_vars/docker_engine.yml:1")
    return [problem.line() for problem in judge(found)]


def test_three_hosts_are_one_network():
    groups = {"docker_engine", "nginx_certbot", "app_blue_green", "acme_test_ca"}
    route = {"nginx_certbot_routes": [{"path": "/shop", "application": "shop"},
                                      {"path": "/prometheus/", "upstream": "http://prometheus:9090"}]}
    (line,) = [line for line in several(route, groups) if "prometheus" in line]
    assert "leads to 'prometheus', which no component of this host has" in line
    assert not [line for line in several(route, groups, two=["monitoring"]) if "prometheus" in line and "leads" in line]


@pytest.mark.parametrize("swarm, expected", [
    ({"two": "10.20.0.12", "three": "10.20.0.13"}, "does not list one itself. Add one with its address"),
    ({**SWARM, "four": "10.20.0.14"}, "lists 'four', which is no host of the group docker_engine"),
    ({**SWARM, "two": ""}, "gives two no address. Write the one at which"),
    ({**SWARM, "two": "two.our.test"}, "gives two 'two.our.test', which is no IP address"),
    ({**SWARM, "two": "127.0.0.1"}, "gives two the address 127.0.0.1, at which no other host reaches it"),
    ({**SWARM, "two": "10.20.0.11"}, "gives two the address of one"),
    ({**SWARM, "two": "172.30.0.2"}, "gives two the address 172.30.0.2, which lies in docker_engine_swarm_pool"),
    ({f"h{number}": f"10.20.0.{number}" for number in range(1, 9)}, "lists 8 hosts, and a swarm of managers works"),
])
def test_bad_swarms(swarm, expected):
    found = several({"docker_engine_swarm_pool": "172.30.0.0/16"}, swarm=swarm)
    assert any("docker_engine_swarm" in line and f": {expected}" in line for line in found), found


@pytest.mark.parametrize("name", ["email", "image", "app_port", "web_domain"])
def test_the_name_of_a_host_is_no_word_that_asks_for_something(name):
    """A field of this name would not be an address."""
    (line,) = [line for line in several(swarm={**SWARM, name: "10.20.0.14"}) if f"docker_engine_swarm.{name} " in line]
    assert f"lists '{name}', which is no host of the group docker_engine" in line
    assert not [line for line in lines({"monitoring_agents": {name: ["kafka"]}}) if " is not " in line]


def test_a_component_is_on_one_host_of_a_network():
    found = several(two=["data_stores", "monitoring"])
    (line,) = [line for line in found if "as well" in line and "one/" in line]
    assert line.startswith("one/data_stores: inventory: data_stores is on two as well")


def test_pools_that_overlap():
    changes = {"docker_engine_swarm_pool": "172.29.0.0/16",
               "docker_engine_address_pools": [{"base": "172.28.0.0/15", "size": 24}]}
    assert any("172.29.0.0/16 overlaps docker_engine_address_pools (172.28.0.0/15)" in line
               for line in several(changes))
    assert not [line for line in lines(changes) if "overlaps" in line], "one host has no swarm"


@pytest.mark.parametrize("source, system, engine, mixed", [
    ("distro", ("debian", "12", "bookworm"), "", True),
    ("upstream", ("debian", "12", "bookworm"), "", False),
    ("distro", ("debian", "12", "bookworm"), "28.0.1", False),
    ("upstream", ("debian", "13", "trixie"), "20.10.24", True),
    ("distro", ("ubuntu", "22.04", "jammy"), "", False),
])
def test_engines_of_two_ages(source, system, engine, mixed):
    """The other two hosts have a new engine."""
    found = inventory({"docker_engine_source": source, "docker_engine_swarm": SWARM})
    found.hosts += [Host(name, {"docker_engine"}, {"docker_engine_swarm": Setting(SWARM, "g.yml:1")}, [],
                         {**FACTS, "docker": {**FACTS["docker"], "version": "26.1.5"}}) for name in ("two", "three")]
    found.hosts[0].facts = {**FACTS, "os": dict(zip(("id", "version", "codename"), system, strict=True)),
                            "docker": {**FACTS["docker"], "version": engine}}
    lines = [problem.line() for problem in judge(found)]
    assert any("cannot be in one swarm" in line for line in lines) is mixed, lines


def test_hosts_that_disagree_about_the_swarm():
    found = inventory({"docker_engine_swarm": SWARM})
    found.hosts += [Host(name, {"docker_engine"}, {}, [], FACTS) for name in ("two", "three")]
    assert any("is another on two" in problem.line() for problem in judge(found))


def test_a_deployment_says_nothing_of_other_components_of_the_host():
    """It reads their variables as little as it touches them."""
    found = inventory()
    found.roles = {"app_blue_green": found.roles["app_blue_green"]}
    read = {name for role in (*found.roles.values(), found.shared) for name in role.options}
    for host in found.hosts:
        assert {"kafka", "elk", "jenkins_dood", "mattermost_notifier", "monitoring"} <= host.groups
        host.settings = {name: one for name, one in host.settings.items() if name in read}
    assert [problem.line() for problem in judge(found)] == []


def test_a_machine_that_only_runs_the_drift_check_needs_no_engine_and_may_be_small():
    small = {"memory": 1024**3, "mounts": {"/": 1024**3}}
    found = lines(facts=small, groups={"drift_schedule"})
    assert not [line for line in found if "needs" in line or "less than" in line]


def test_an_image_that_nobody_builds():
    groups = set(ROLES) - {*SHARED, "distro_images"}
    found = lines({"data_stores_mysql_image": "mooring.local/mysql:9.7"}, groups=groups)
    assert any("is built by distro_images, which this host does not run" in line for line in found), found


def test_a_domain_without_an_address():
    found = lines(unresolved=["platform.our.test"])
    assert found == [
        "one: nginx_certbot_certificates[0] (group_vars/nginx_certbot_certificates.yml:1): 'platform.our.test' has no "
        "address, so no CA can validate it. Add the name to your DNS, or correct it."]


def test_an_unreadable_host_is_one_problem_among_others():
    found = lines({"mooring_domain": "x"}, unreadable="Task failed: ssh:\n no route to host.")
    assert len(found) == 2
    assert "ansible_host: the host cannot be read: ssh: no route to host. Check its address" in found[1]


@pytest.mark.parametrize("error, remedy", [
    ("'vault_x' is undefined", "Set vault_x in inv/group_vars/all/vault.yml, as vault.yml.example shows."),
    ("'other' is undefined", "Set other."),
    ("Attempting to decrypt but no vault secrets found.", "Give the vault password"),
    ("Syntax error in expression", "Correct the expression."),
])
def test_a_value_that_cannot_be_made(error, remedy):
    found = lines(errors={"mooring_domain": error})
    assert len(found) == 1
    assert remedy in found[0]


@pytest.mark.parametrize("value, is_one", [
    ("CHANGEME", True), ("change-me-please", True), ("<your domain>", True), ("https://<host>/x", True),
    ("platform.example.com", True), ("operator@example.org", True), ("https://registry.example.net/x", True),
    ("192.0.2.10", True), ("198.51.100.0/24", True), ("http://203.0.113.7:80", True),
    ("platform.our.test", False), ("example.com.au", False), ("192.0.20.10", False), ("1.192.0.2.10", False),
    ("~demo:* +@all -@dangerous", False), ("a < b", False), ("", False), ("exchange", False),
])
def test_placeholders(value, is_one):
    assert bool(placeholder(value)) is is_one


def test_a_placeholder_is_named_where_it_stands_and_a_secret_is_not_printed():
    found = lines(literals=[
        Literal("mooring_domain", "platform.example.com", "inv/platform.yml:2"),
        Literal("vault_password", "CHANGEME-now", "inv/vault.yml:3"),
    ])
    assert found == [
        "one: mooring_domain (inv/platform.yml:2): 'platform.example.com' is an example value. Put your own domain "
        "there.",
        "one: vault_password (inv/vault.yml:3): is still a placeholder. Fill it in.",
    ]


@pytest.mark.parametrize("changes", [
    {"data_stores_mysql_root_password": ["hunter2"]},
    {"nginx_certbot_users.0.password_hash": "hunter2"},
])
def test_no_secret_in_a_problem(changes):
    found = lines(changes)
    assert found
    assert "hunter2" not in "\n".join(found)


def test_what_hosts_have_in_common_is_said_once():
    problems = judge(inventory({"mooring_domain": "x"}))
    others = [type(problem)(name, *[getattr(problem, field) for field in ("variable", "source", "problem", "remedy")])
              for name in ("two", "three", "four") for problem in problems]
    assert [problem.where for problem in merge([*problems, *others])] == ["one, two, three and 1 more"]


@pytest.mark.parametrize("text, size", [
    ("512m", 512 * 1024**2), ("2G", 2 * 1024**3), ("64mb", None), ("100", 100), ("10b", 10), ("1k", 1024),
    ("1.5g", None), ("m", None), ("", None), ("-1m", None),
])
def test_sizes(text, size):
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text, bind", [
    ("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), ("0.0.0.0:443", ("0.0.0.0", 443)),
    ("localhost:80", None), ("127.0.0.1", None), ("127.0.0.1:0", None), ("127.0.0.1:65536", None), ("", None),
])
def test_binds(text, bind):
    assert parse_bind(text) == bind


def test_the_longest_ending_of_a_name_decides():
    assert check_for("nginx_certbot_users_password_hash") is not check_for("x_password")
    assert check_for("something_else") is None


@pytest.mark.parametrize("path, mount", [
    ("/opt/mooring", "/opt"), ("/opt", "/opt"), ("/optional", "/"), ("/var/lib/docker", "/var/lib/docker"), ("/", "/"),
])
def test_the_mount_of_a_path(path, mount):
    assert mount_of(path, ["/", "/opt", "/var", "/var/lib/docker"]) == mount


def test_services_are_found_in_every_compose_template():
    for template in ROOT.glob("roles/*/templates/project/compose.yml*"):
        assert service_names(template.read_text()), template
    text = "services:\n  web:\n    image: x\n  {{ y }}\n  db:  # data\n  agent{{ suffix }}:\nvolumes:\n  data:\n"
    assert service_names(text) == {"web", "db", "agent"}


# ---------------------------------------------------------------- what a host says

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
   2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 9
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 8
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="The sample is from a little-endian machine.")
def test_listening_sockets():
    assert facts_parsers.parse_sockets(TCP) == [
        {"address": "127.0.0.1", "port": 8080, "inode": "4711"},
        {"address": "0.0.0.0", "port": 22, "inode": "4712"},
    ]
    sockets = facts_parsers.parse_sockets(TCP6)
    assert [(entry["address"], entry["port"]) for entry in sockets] == [("::", 443), ("::1", 80)]
    assert facts_parsers.parse_sockets("") == []


@pytest.mark.parametrize("ports, expected", [
    ({}, []),
    (None, []),
    ({"80/tcp": None}, []),
    ({"443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8443"}, {"HostIp": "::", "HostPort": "8443"}]},
     [("0.0.0.0", 8443), ("::", 8443)]),
    ({"80/tcp": [{"HostIp": "", "HostPort": "80"}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}]},
     [("0.0.0.0", 80), ("127.0.0.1", 53)]),
])
def test_published_ports(ports, expected):
    container = {"Name": "/shop-web-1", "State": {"Running": True}, "NetworkSettings": {"Ports": ports},
                 "Config": {"Labels": {"com.docker.compose.project": "shop"}}}
    found = facts_parsers.published_ports([container])
    assert [(entry["address"], entry["port"]) for entry in found] == expected
    assert all((entry["project"], entry["container"]) == ("shop", "shop-web-1") for entry in found)
    assert facts_parsers.published_ports([{**container, "State": {"Running": False}}]) == []


def test_operating_system_memory_and_mounts():
    release = 'NAME="Debian"\nID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n'
    assert facts_parsers.parse_os_release(release) == {"id": "debian", "version": "13", "codename": "trixie"}
    assert facts_parsers.parse_os_release("") == {"id": "", "version": "", "codename": ""}
    assert facts_parsers.parse_meminfo("MemTotal:        2048 kB\nMemFree: 1 kB\n") == 2 * 1024**2
    assert facts_parsers.parse_meminfo("") == 0
    mounts = (
        "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n"
        "/dev/sda1 /my\\040data ext4 rw 0 0\noverlay /x overlay rw 0 0\n")
    assert facts_parsers.parse_mounts(mounts) == ["/", "/my data"]


def test_prefixes_of_platforms():
    def container(project, **labels):
        return {"Config": {"Labels": {"com.docker.compose.project": project, **labels}}}

    assert facts_parsers.prefixes([
        container("mooring-data_stores", **{"mooring.component": "data_stores"}),
        container("mooring-demo-blue", **{"mooring.component": "demo-blue"}),
        container("mooring-two-kafka", **{"mooring.component": "kafka"}),
        container("shop"), container("shop", **{"mooring.component": "kafka"}), {"Config": {"Labels": None}},
    ]) == ["mooring", "mooring-two"]


# ---------------------------------------------------------------- which version worked there


def test_a_version_that_another_one_has_to_follow_is_a_line():
    (line,) = lines(collection=COLLECTION, facts={"platforms": {"mooring": '{"version": "0.4.0"}'}})
    assert line.startswith("one: mooring_downgrade_acknowledged: mooring.stack 0.4.0 worked here last, as ")
    (line,) = lines(collection=COLLECTION)
    assert line.startswith("one: mooring_upgrade_acknowledged: mooring.stack 0.2.0 worked here last")
    assert "0.3.0: kafka - other users." in line and "other topics" not in line
    assert lines({"mooring_upgrade_acknowledged": "0.3.0"}, collection=COLLECTION) == []
    assert lines({"mooring_prefix": "two"}, facts={"published": [], "listening": []}, collection=COLLECTION) == []
    everywhere_else = lines(groups={"docker_engine"}, collection=COLLECTION)
    assert not any("worked here last" in line for line in everywhere_else)


def test_an_acknowledgement_is_a_version():
    (line,) = lines({"mooring_upgrade_acknowledged": "yes"})
    assert "'yes' is not a version. Write it like" in line


@pytest.mark.parametrize(("options", "due"), [
    ({}, True),
    ({"facts": {"platforms": {}}}, True),
    ({"facts": {"platforms": {"mooring": '{"version": "0.3.0"}'}}}, False),
    ({"groups": {"drift_schedule"}}, False),
    ({"unreadable": "no route"}, False),
])
def test_a_host_is_told_of_a_version_that_it_does_not_know(options, due):
    found = inventory(collection=COLLECTION, **options)
    assert record_due(found, found.hosts[0]) is due


# ---------------------------------------------------------------- through Ansible

PLAYBOOK = """\
- hosts: all
  gather_facts: false
  roles: [mooring.stack.preflight]
  post_tasks:
    - name: Touch the host
      ansible.builtin.file:
        path: "{{ touched }}"
        state: touch
        mode: "0644"
"""


def problems_of(output):
    """The lines of the report, each on a line of its own, which is nowhere else in the output."""
    report = re.search(r"FAILED! => (\{\n.*?\n\})", output, re.DOTALL)
    found = json.loads(report[1]).get("problems", []) if report else []
    assert [output.count(f"\n        {json.dumps(line, ensure_ascii=False)}") for line in found] == [1] * len(found)
    # Nowhere else in another form.
    assert all(output.count(line[:80]) == [one[:80] for one in found].count(line[:80]) for line in found)
    return found


def run(tmp_path, inventory_directory, *args):
    """One ansible-playbook; returns its status, the problem lines, the output and whether the host was touched."""
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory_directory), str(tmp_path / "play.yml"),
         "-e", f"touched={tmp_path / 'touched'}", *args],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )
    output = done.stdout + done.stderr
    found = problems_of(output)
    return done.returncode, found, output, (tmp_path / "touched").exists()


def write(directory, files):
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return directory


HOSTS = """\
all:
  hosts:
    one:
      ansible_connection: local
      ansible_python_interpreter: {python}
docker_engine: {{hosts: {{one: }}}}
data_stores: {{hosts: {{one: }}}}
nginx_certbot: {{hosts: {{one: }}}}
"""


@pytest.fixture()
def broken(tmp_path):
    return write(tmp_path / "broken", {
        "hosts.yml": HOSTS.format(python=sys.executable),
        "group_vars/all/platform.yml": "mooring_domain: not a domain\nmooring_network_subnet: '{{ nowhere }}'\n",
        "group_vars/data_stores/data_stores.yml": (
            "data_stores_mysql_image: mysql\n"
            "data_stores_mysql_root_password: '{{ vault_mysql_root }}'\n"
            "data_stores_mysql_accounts:\n"
            "  - {name: shop, password: ''}\n"
            "  - {name: Shop, password: CHANGEME}\n"
        ),
        "group_vars/nginx_certbot/nginx_certbot.yml": (
            "nginx_certbot_routes:\n"
            "  - {path: /api, application: demo}\n"
            "  - {path: /api/, upstream: 'http://mysql:3306'}\n"
        ),
    })


def test_everything_is_reported_at_once_with_file_and_line(tmp_path, broken):
    status, found, output, touched = run(tmp_path, broken)
    text = "\n".join(found)
    assert status == 2, output
    assert not touched
    for expected in (
        "platform.yml:1): 'not a domain' is not a domain name",
        "platform.yml:2): has no value: 'nowhere' is undefined. Set nowhere.",
        "data_stores.yml:1): 'mysql' has no tag",
        "data_stores.yml:2): has no value: 'vault_mysql_root' is undefined. Set vault_mysql_root in",
        "data_stores_mysql_accounts[0].password (",
        "data_stores.yml:4): is empty. Set a password.",
        "data_stores.yml:5): is still a placeholder. Fill it in.",
        "the account 'Shop' is declared again with other capitals than 'shop'",
        "data_stores_mysql_health_password (",
        "data_stores_redis_health_password (",
        "leads to the application 'demo', which no host runs. Known applications: none.",
        "the path '/api/' was given before, in nginx_certbot_routes[0]",
        "nginx_certbot_users is empty, so nobody can open it",
    ):
        assert expected in text, (expected, text)
    assert "Traceback" not in output


def test_a_host_without_an_answer_and_a_value_that_needs_the_vault_are_lines_too(tmp_path, broken):
    (broken / "hosts.yml").write_text(
        HOSTS.format(python=sys.executable)
        + "app_blue_green: {hosts: {gone: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    secret = subprocess.run(
        [sys.executable, "-m", "ansible", "vault", "encrypt_string", "--vault-password-file", "/dev/stdin", "geheim"],
        input="right", capture_output=True, text=True, check=True, cwd=ROOT).stdout
    with (broken / "group_vars/data_stores/data_stores.yml").open("a") as stream:
        stream.write(f"data_stores_mysql_health_password: {secret}\n")
    status, found, output, touched = run(tmp_path, broken)
    text = "\n".join(found)
    assert status != 0
    assert not touched
    assert "gone: ansible_host" in text, output
    assert "gone/app_blue_green: inventory: app_blue_green needs docker_engine on the same host" in text
    assert re.search(r"data_stores_mysql_health_password .*Give the vault password", text), text
    assert "geheim" not in output


def test_a_playbook_of_one_component_checks_that_one_only(tmp_path, broken):
    (broken / "hosts.yml").write_text(
        HOSTS.format(python=sys.executable) + "app_blue_green: {hosts: {one: }}\n")
    status, found, output, touched = run(tmp_path, broken, "-e", '{"preflight_components": ["app_blue_green"]}')
    assert status != 0 and not touched
    text = "\n".join(found)
    assert "app_blue_green_applications (" in text, output
    assert "nginx_certbot_" not in text and "data_stores_" not in text


def test_a_playbook_of_one_component_judges_no_other_by_variables_that_it_does_not_read(tmp_path):
    inventory = write(tmp_path / "sound", {
        "hosts.yml": HOSTS.format(python=sys.executable) + "app_blue_green: {hosts: {one: }}\n",
        "group_vars/all/platform.yml": "mooring_domain: mooring.test\n",
        "group_vars/app_blue_green/app_blue_green.yml": (
            "app_blue_green_applications:\n"
            "  - name: shop\n"
            "    image: registry.mooring.test/shop\n"
            "    release: 1.4.2\n"
            "    url: https://shop.mooring.test/\n"
        ),
    })
    # --check: nothing is recorded on the machine that runs the tests.
    _status, found, output, _touched = run(
        tmp_path, inventory, "--check", "-e", '{"preflight_components": ["app_blue_green"]}')
    assert [line for line in found if "app_blue_green" in line or "nginx_certbot" in line] == [], output


def test_a_vault_file_without_its_password_stops_ansible_itself(tmp_path, broken):
    """Ansible reads such a file before the first task, so it is no line among others; no host is touched either."""
    vault = broken / "group_vars" / "all" / "vault.yml"
    vault.write_text("vault_x: geheim\n")
    subprocess.run(
        [sys.executable, "-m", "ansible", "vault", "encrypt", "--vault-password-file", "/dev/stdin", str(vault)],
        input="right", capture_output=True, text=True, check=True, cwd=ROOT)
    status, found, output, touched = run(tmp_path, broken)
    assert status != 0
    assert "no vault secrets found" in output
    assert (found, touched) == ([], False)


def test_the_example_to_copy_names_every_placeholder(tmp_path):
    """Each CHANGEME, example domain and documentation address of inventories/prod is a line, and each unset secret."""
    status, found, output, touched = run(tmp_path, ROOT / "inventories" / "prod", "-e", "ansible_connection=local")
    text = "\n".join(found)
    assert status == 2, output
    assert not touched
    for path in sorted((ROOT / "inventories" / "prod").rglob("*.yml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("#", 1)[0]
            if placeholder(code.partition(":")[2] if ":" in code else code):
                assert f"({path.relative_to(ROOT)}:{number})" in text, (str(path), number, line)
    example = ROOT / "inventories" / "prod" / "group_vars" / "all" / "vault.yml.example"
    secrets = re.findall(r"^(vault_\w+):", example.read_text(), re.MULTILINE)
    assert len(secrets) > 4
    assert [name for name in secrets if name not in text] == []


def test_the_local_inventory_is_good(tmp_path):
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as server:
            return server.getsockname()[1]

    inventory_directory = tmp_path / "local"
    for path in (ROOT / "inventories" / "local").rglob("*.yml"):
        write(inventory_directory, {str(path.relative_to(ROOT / "inventories" / "local")): path.read_text()})
    status, found, output, touched = run(
        tmp_path, inventory_directory, "-e", f"nginx_certbot_http_bind=127.0.0.1:{free_port()}",
        "-e", f"nginx_certbot_https_bind=127.0.0.1:{free_port()}", "--check", "-e", "mooring_prefix=tried")
    assert (status, found) == (0, []), output
    # In check mode, because the machine that runs the tests shall not be told of a version.
    assert "mooring.stack: version is none, declared " in output.replace('"', "")
    assert "TASK [Touch the host]" in output and not touched
