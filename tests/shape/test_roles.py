# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All roles have one shape, and the faults of the manual that they replace cannot come back."""

from __future__ import annotations

import ipaddress
import pathlib
import re
import sys
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.action.component import OWN_TASK
from ansible_collections.mooring.stack.plugins.module_utils._component import NAMES
from ansible_collections.mooring.stack.plugins.module_utils._preflight import service_names
from ansible_collections.mooring.stack.plugins.plugin_utils._compose_file import complete

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import templates  # noqa: E402

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
SERVICES = [role for role in ROLES if (role / "templates" / "project").is_dir()]
# platform is nothing but variables; preflight explains in its meta why it does not depend on it.
WITHOUT_TASKS = {"platform"}
WITHOUT_PLATFORM = {"platform", "preflight"}
PUBLISHES = {"nginx_certbot"}
# Who has the engine's socket, and why nobody else needs it.
SOCKET = {
    ("monitoring", "engine"): "lets through what changes nothing and shows nothing secret, for all others",
    ("jenkins_dood", "jenkins"): "builds use the engine; its README says who is root by that",
}

COMPONENT = "mooring.stack.component"

MAY_HOLD = {"defaults", "files", "meta", "tasks", "templates", "vars", "README.md"}
# Modules whose use is a sign that a concept is missing.
REFUSED_MODULES = {"shell", "raw", "script", "lineinfile", "blockinfile", "replace"}

each_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
each_service = pytest.mark.parametrize("role", SERVICES, ids=lambda role: role.name)


def load(path: pathlib.Path) -> t.Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def required(path: pathlib.Path) -> t.Any:
    """A file that every role has."""
    if not path.exists():
        pytest.fail(f"{path.relative_to(ROOT)} is missing; docs/adding-a-component.md shows one", pytrace=False)
    return load(path)


def options(role: pathlib.Path) -> dict[str, dict[str, t.Any]]:
    (spec,) = required(role / "meta" / "argument_specs.yml")["argument_specs"].values()
    return spec.get("options") or {}


def defaults(role: pathlib.Path) -> dict[str, t.Any]:
    return load(role / "defaults" / "main.yml") or {}


def prefix(role: pathlib.Path) -> str:
    return "mooring_" if role.name == "platform" else f"{role.name}_"


def texts(role: pathlib.Path, *folders: str) -> list[tuple[pathlib.Path, str]]:
    paths = [path for folder in folders for path in sorted((role / folder).rglob("*")) if path.is_file()]
    return [(path, path.read_text(encoding="utf-8", errors="replace")) for path in paths]


def tasks(role: pathlib.Path) -> list[tuple[pathlib.Path, dict[str, t.Any]]]:
    """Every task of a role, those in blocks too."""

    def walk(entries: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
        for entry in entries:
            yield entry
            for part in ("block", "rescue", "always"):
                yield from walk(entry.get(part) or [])

    return [
        (path, task)
        for path in sorted((role / "tasks").glob("*.yml"))
        for task in walk(load(path) or [])
    ]


def module_of(task: dict[str, t.Any]) -> str:
    """The module that a task calls; empty for a block."""
    return next((key for key in task if "." in key), "")


def steps(role: pathlib.Path) -> list[str]:
    """Names of the steps that a role's component calls run."""
    calls = [task[COMPONENT]["steps"] for _path, task in tasks(role) if module_of(task) == COMPONENT]
    # A list that two tasks share lies in the role's vars.
    path = role / "vars" / "main.yml"
    shared = yaml.safe_load(path.read_text()) if path.exists() else {}

    def lists(value: t.Any) -> t.Iterator[list[t.Any]]:
        if isinstance(value, list):
            yield value
        else:
            for name in re.findall(r"\w+_steps", value):
                yield from lists(shared.get(name, []))

    return [name for call in calls for one in lists(call) for step in one for name in step]


# ---------------------------------------------------------------- files and variables


@each_role
def test_files(role):
    assert {path.name for path in role.iterdir()} - MAY_HOLD == set(), "a role has nothing of this name"
    wanted = ["meta/main.yml", "meta/argument_specs.yml"]
    if role.name not in WITHOUT_TASKS:
        wanted += ["tasks/main.yml", "README.md", "defaults/main.yml"]
    assert [name for name in wanted if not (role / name).exists()] == [], "missing; see docs/adding-a-component.md"


@each_role
def test_no_file_is_empty(role):
    for path in role.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            assert any(line.strip() not in ("", "---") for line in text.splitlines()), path


@each_role
def test_defaults_are_the_argument_spec(role):
    optional = {name for name, spec in options(role).items() if not spec.get("required")}
    found = set(defaults(role))
    assert found - optional == set(), "in defaults/main.yml, but not (or as required) in meta/argument_specs.yml"
    assert optional - found == set(), "in meta/argument_specs.yml and not required, but not in defaults/main.yml"


@each_role
def test_the_documented_default_is_the_default(role):
    found = defaults(role)
    documented = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert {name: found.get(name) for name in documented} == documented


@each_role
def test_the_documented_default_of_an_item_s_key_is_the_default(role):
    """Where items of a list are completed, the role's vars say with what."""
    path = role / "vars" / "main.yml"
    completed = (yaml.safe_load(path.read_text()) or {}).get(f"__{prefix(role)}defaults") if path.exists() else None
    if completed is None:
        return
    (keys,) = [spec["options"] for spec in options(role).values() if spec.get("elements") == "dict"]
    assert completed == {name: spec["default"] for name, spec in keys.items() if "default" in spec}
    text = (role / "defaults" / "main.yml").read_text()
    for name in keys:
        assert re.search(rf"^#   {name}:", text, re.MULTILINE), name


@each_role
def test_required_variables_stand_commented_in_defaults(role):
    text = (role / "defaults" / "main.yml").read_text() if defaults(role) or options(role) else ""
    for name, spec in options(role).items():
        if spec.get("required"):
            assert re.search(rf"^# {name}:", text, re.MULTILINE), name


@each_role
def test_every_option_is_described(role):
    def walk(specs, path):
        for name, spec in specs.items():
            assert spec.get("description"), f"{path}{name}"
            assert spec.get("type"), f"{path}{name}"
            walk(spec.get("options") or {}, f"{path}{name}.")

    walk(options(role), "")


@each_role
def test_a_role_has_few_variables(role):
    # About 15, or 8 for each service: the long tail goes through <role>_config_overrides.
    path = role / "templates" / "project" / "compose.yml.j2"
    services = service_names(path.read_text()) if path.exists() else set()
    assert len(options(role)) <= max(20, 8 * len(services))


@each_role
def test_prefixes(role):
    assert [name for name in options(role) if not name.startswith(prefix(role))] == []
    internals = load(role / "vars" / "main.yml") or {}
    assert [name for name in internals if not name.startswith(f"__{prefix(role)}")] == []
    for path, task in tasks(role):
        names = [task.get("register"), (task.get("loop_control") or {}).get("loop_var"), *(task.get("vars") or {})]
        assert [name for name in names if name and not name.startswith(f"__{prefix(role)}")] == [], (path, task["name"])


@each_role
def test_meta(role):
    meta = required(role / "meta" / "main.yml")
    assert meta["galaxy_info"]["license"] == "GPL-3.0-or-later"
    depends = [entry["role"] for entry in meta["dependencies"]]
    assert depends == ([] if role.name in WITHOUT_PLATFORM else ["mooring.stack.platform"])


@each_role
def test_a_role_knows_no_groups_and_no_other_role(role):
    # One without argument specs is told so by tests of its own.
    specified = [other for other in ROLES if (other / "meta" / "argument_specs.yml").exists()]
    others = {name for other in specified if other not in (role, ROOT / "roles/platform") for name in options(other)}
    for path, text in texts(role, "defaults", "tasks", "templates", "vars"):
        assert not re.search(r"\bgroups\s*[\[.]|\bhostvars\s*\[|\bgroup_names\b", text), path
        assert sorted(others & set(re.findall(r"\b[a-z]\w+", text))) == [], path


# ---------------------------------------------------------------- tasks


@each_role
def test_tasks(role):
    inputs = set(options(role))
    for path, task in tasks(role):
        where = f"{path.relative_to(ROOT)}: {task.get('name')}"
        module = module_of(task)
        assert re.match(r"[A-Z]", task.get("name", "")), where
        assert module.rpartition(".")[2] not in REFUSED_MODULES, where
        assert "ignore_errors" not in task, where  # defect 16
        assert task.get("when") is not False, where
        if module == "ansible.builtin.set_fact":
            assert not inputs & set(task[module]), where
        assert module != "ansible.builtin.pause", where


@each_role
def test_commands_say_why_whether_and_what_in_check_mode(role):
    for path, task in tasks(role):
        if module_of(task) not in ("ansible.builtin.command", "community.docker.docker_container_exec"):
            continue
        where = f"{path.relative_to(ROOT)}: {task['name']}"
        assert "changed_when" in task, where
        assert "check_mode" in task or "ansible_check_mode" in str(task.get("when")), where
        lines = path.read_text().splitlines()
        number = next(index for index, line in enumerate(lines) if line.strip() == f"- name: {task['name']}")
        assert lines[number - 1].strip().startswith("#"), f"{where}: no comment says why a command is needed"


@each_service
def test_service_roles_leave_compose_to_its_module(role):
    used = [module_of(task) for _path, task in tasks(role)]
    assert "compose_project" in steps(role)
    assert not any(name.startswith(("ansible.builtin.template", "ansible.builtin.copy")) for name in used)


@each_service
def test_a_component_is_one_call(role):
    """Each call costs half a second; only what an earlier one has to decide may be another."""
    calls = [task for _path, task in tasks(role) if module_of(task) == COMPONENT]
    # Monitoring proves in a second one what only is when all hosts have done the first.
    assert len(calls) == (2 if role.name in ("app_blue_green", "monitoring") else 1)


@each_role
def test_a_step_is_no_task(role):
    """As a task of its own beside others it would be packed and sent once more."""
    alone = {f"mooring.stack.{name}" for name in NAMES if name not in OWN_TASK}
    found = [module_of(task) for _path, task in tasks(role)]
    assert len(found) == 1 or not alone & set(found)


# ---------------------------------------------------------------- compose files


def sample(role: pathlib.Path) -> dict[str, t.Any]:
    """Values for a role's template: its defaults, the local inventory and constants for secrets."""
    values: dict[str, t.Any] = {"inventory_dir": str(ROOT / "inventories" / "local"), "role_path": str(role),
                                "inventory_hostname": "platform-1", "group_names": [other.name for other in ROLES]}
    for path in (ROOT / "roles" / "platform" / "defaults" / "main.yml", role / "defaults" / "main.yml"):
        values.update(templates.load(path) or {})
    for path in sorted((ROOT / "inventories" / "local" / "group_vars").rglob("*.yml")):
        values.update(templates.load(path) or {})
    if (role / "vars" / "main.yml").exists():
        values.update(templates.load(role / "vars" / "main.yml") or {})
    values.update({name: "sample-of-a-secret" for name in values if name.startswith("vault_")})
    values.update({f"__{prefix(role)}colour": "blue", f"__{prefix(role)}seal": "none"})
    if role.name == "app_blue_green":
        declared = values | {"ansible_search_path": [str(role)]}
        values["__app_blue_green_application"] = evaluate("__app_blue_green_applications", declared)[0]
    return values


def evaluate(name: str, values: dict[str, t.Any]) -> t.Any:
    """What a variable is where these are set."""
    return Templar(loader=DataLoader(), variables=values).template(templates.trust_as_template(f"{{{{ {name} }}}}"))


def render(role: pathlib.Path, path: str, **changes: t.Any) -> str:
    """A file of a role's project as the local inventory renders it."""
    text = (role / "templates" / "project" / f"{path}.j2").read_text()
    templar = Templar(loader=DataLoader(), variables={"ansible_managed": "", **sample(role), **changes})
    return templar.template(templates.trust_as_template(text))


def compose(role: pathlib.Path, **changes: t.Any) -> dict[str, t.Any]:
    """A role's compose file as the local inventory renders it."""
    return yaml.safe_load(render(role, "compose.yml", **changes))


# What the local inventory leaves out: with it, each service of a role is there once.
MORE: dict[str, list[dict[str, t.Any]]] = {
    "data_stores": [{"data_stores_postgres_databases": [{"name": "shop", "password": "sample-of-a-secret"}]}],
    "kafka": [{"kafka_zookeeper_image": "confluentinc/cp-zookeeper:7.9.0"}],
    "nginx_certbot": [{"nginx_certbot_renewal": "container"}],
    "monitoring": [{}, {"monitoring_log_shipper": "promtail"}],
    "elk": [{}],
}


def projects(role: pathlib.Path) -> list[dict[str, t.Any]]:
    """The role's compose file as the local inventory renders it, and with what that leaves out."""
    images = {name: templates.trust_as_template(value) for name, value in defaults(role).items()
              if name.endswith("_image") and value}
    return [compose(role), *(compose(role, **{**images, **changes}) for changes in MORE.get(role.name, []))]


def services(role: pathlib.Path) -> list[tuple[str, dict[str, t.Any]]]:
    """Every service of every project of :func:`projects`."""
    return [pair for project in projects(role) for pair in project["services"].items()]


@each_service
def test_every_service_of_a_role_is_looked_at_here(role):
    written = service_names((role / "templates" / "project" / "compose.yml.j2").read_text())
    assert written <= {name for name, _service in services(role)}


def test_a_client_cannot_tell_an_application_who_it_is():
    """nginx fills $remote_user from any Authorization header, also where nobody checks the password."""
    role = ROOT / "roles" / "nginx_certbot"
    routes = [{"path": "/open", "application": "demo", "access": "public"},
              {"path": "/closed", "application": "demo", "access": "private"}]
    blocks = [block for block in render(role, "nginx/routes.conf", nginx_certbot_routes=routes).split("location ")
              if "proxy_pass" in block]
    assert len(blocks) >= 4
    for block in blocks:
        assert block.count("X-Remote-User") == 1
        if not block.startswith("@"):  # which nobody can ask for, and which follows a location that checked
            assert ("X-Remote-User $remote_user" in block) == ("auth_basic " in block), block
    again = {"open": False, "closed": True}
    for (path, checked), block in zip(again.items(), [one for one in blocks if one.startswith("@")], strict=True):
        assert ("X-Remote-User $remote_user" in block) == checked, path
    assert "X-Remote-User" not in render(role, "nginx/proxy.conf")


def directives(path: str) -> str:
    """A file of the proxy, rendered if it is a template, without its comments."""
    tree = ROOT / "roles" / "nginx_certbot" / "templates" / "project"
    whole = (tree / path).read_text() if (tree / path).exists() else render(ROOT / "roles" / "nginx_certbot", path)
    return re.sub(r"^\s*#.*$", "", whole, flags=re.MULTILINE)


PROXY = [f"nginx/{name}.conf" for name in ("nginx", "tls", "headers", "routes", "proxy", "errors", "error_pages")]


def test_the_proxy_reads_no_file_that_nobody_writes():  # defects 37, 46
    tree = ROOT / "roles" / "nginx_certbot" / "templates" / "project"
    assert sorted(path.name.removesuffix(".j2") for path in (tree / "nginx").glob("*.conf*")) == sorted(
        path.removeprefix("nginx/") for path in PROXY)
    for path in PROXY:
        text = directives(path)
        included = re.findall(r"\binclude (\S+);", text)
        assert {f"nginx/{pathlib.Path(name).name}" for name in included} <= set(PROXY), path
        assert all(name.startswith("/etc/mooring/") for name in included), path
        assert not re.search(r"letsencrypt|ssl_dhparam|ssl_stapling|ssl_trusted_certificate", text), path
    tls = directives("nginx/tls.conf")
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in tls
    assert set(re.findall(r"ssl_ciphers (\S+);", tls)[0].replace(":", "-").split("-")) >= {"ECDHE", "GCM", "POLY1305"}
    assert all(suite.startswith("ECDHE-") for suite in re.findall(r"ssl_ciphers (\S+);", tls)[0].split(":"))


def test_the_proxy_leaves_answers_and_long_urls_alone():  # defects 43, 44
    for path in PROXY:
        text = directives(path)
        # nginx's own buffers take 8 KiB of an address; the manual's rule refused 500 characters.
        assert not re.search(r"proxy_intercept_errors|large_client_header_buffers|\b414\b|\.\{\d+,", text), path


def test_a_certificate_that_is_missing_keeps_no_server_from_starting():  # defect 38
    text = directives("nginx/nginx.conf")
    # With a variable in its name it is read at a handshake, and not at the start.
    assert set(re.findall(r"ssl_certificate(?:_key)? (\S+)/\w+\.pem;", text)) == {"$mooring_certificate"}
    challenge = text.index("location ^~ /.well-known/acme-challenge/")
    assert challenge < text.index("ssl_certificate ") and "listen 80;" in text[:challenge]


def test_redis_asks_everybody_who_they_are():  # defects 33, 34
    role = ROOT / "roles" / "data_stores"
    assert compose(role)["services"]["redis"]["command"] == ["redis-server", "/etc/mooring/conf.d/redis.conf"]
    settings = render(role, "redis/conf.d/redis.conf").splitlines()
    assert {"protected-mode yes", "aclfile /run/secrets/users.acl"} <= set(settings)
    assert not any(line.startswith("requirepass") for line in settings)
    accounts = render(role, "secrets/redis/users.acl")
    assert accounts.startswith("user default off\n") and "sample-of-a-secret" not in accounts


def kafka_settings(**changes: t.Any) -> dict[str, str]:
    """Of the broker, as its role renders them."""
    text = render(ROOT / "roles" / "kafka", "broker/config/server.properties", **changes)
    return dict(line.split("=", maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))


def test_a_listener_of_kafka_is_for_those_who_can_reach_it():  # defects 76, 79
    inside = kafka_settings(kafka_users=[], kafka_authentication=False, kafka_external_bind="")
    assert inside["advertised.listeners"] == "INTERNAL://kafka:9092,ADMIN://localhost:19092"
    assert inside["auto.create.topics.enable"] == "false"
    outside = kafka_settings(kafka_external_bind="0.0.0.0:9094", kafka_external_host="kafka.example.com")
    assert outside["advertised.listeners"].endswith(",EXTERNAL://kafka.example.com:9094")
    assert outside["listener.security.protocol.map"].endswith(",EXTERNAL:SASL_SSL")


def test_kafka_has_no_zookeeper():  # defect 78
    role = ROOT / "roles" / "kafka"
    assert defaults(role)["kafka_zookeeper_image"] is None
    assert set(compose(role)["services"]) == {"broker"}
    settings = kafka_settings()
    assert settings["process.roles"] == "broker,controller"
    assert not any("zookeeper" in line.lower() for line in [*settings, *settings.values()])


def test_what_exporters_of_the_host_and_of_mysql_look_at():  # defects 57, 58
    role = ROOT / "roles" / "monitoring"
    found = compose(role)["services"]
    assert {"/proc:/host/proc:ro", "/sys:/host/sys:ro", "/:/host/root:ro"} == set(found["node"]["volumes"])
    assert {"--path.procfs=/host/proc", "--path.sysfs=/host/sys", "--path.rootfs=/host/root"} <= set(
        found["node"]["command"])
    # Of the first process of the host, not of its own network.
    assert "--path.procfs=/host/proc/1" in found["node-network"]["command"]
    assert "--config.my-cnf=/run/secrets/my.cnf" in found["mysql-exporter"]["command"]
    assert "DATA_SOURCE_NAME" not in found["mysql-exporter"]["environment"]
    assert "user = exporter\n" in render(role, "secrets/mysql-exporter/my.cnf")


def test_what_is_of_one_release_has_one_version():  # defect 66
    images = {name: value for name, value in defaults(ROOT / "roles" / "elk").items() if name.endswith("_image")}
    assert len(images) == 4
    assert {value.rpartition(":")[2] for value in images.values()} == {"{{ elk_version }}"}


@each_service
def test_compose_file_holds_services_and_volumes_only(role):
    assert set(compose(role)) <= {"services", "volumes"}


APPLICATION = {
    "name": "shop", "image": "registry.example.com/shop", "release": "1.4.2",
    "volumes": ["uploads:/srv/uploads", "/srv/shared:/srv/shared:ro", "uploads:/srv/again"], "networks": ["partner"],
    "jvm_options": ["-Xss512k", "-XX:MaxRAMPercentage=70"], "log_directory": "/var/log/shop",
    "readiness": {"path": "/actuator/health/readiness", "timeout": 5},
    "config_overrides": {"labels": {"mine": "yes"}, "volumes": ["./more:/more"]}}


def application_steps(*entries: dict[str, t.Any], **changes: t.Any) -> list[tuple[str, dict[str, t.Any]]]:
    """The steps of the first call for these applications."""
    role = ROOT / "roles" / "app_blue_green"
    values = sample(role) | {"app_blue_green_applications": list(entries), "ansible_search_path": [str(role)]}
    found = evaluate("__app_blue_green_all_steps", {**values, **changes})
    return [pair for step in found for pair in step.items()]


def test_what_the_colours_of_an_application_share():  # defect 50
    role = ROOT / "roles" / "app_blue_green"
    ((_name, decide), (_shared, log), (_project, project), _switch) = application_steps(APPLICATION)
    whole = {"__app_blue_green_application": project["variables"]["__app_blue_green_application"]}
    blue, green = (compose(role, **whole, __app_blue_green_colour=colour) for colour in ("blue", "green"))
    assert blue["volumes"] == green["volumes"] == {
        "uploads": {"name": "mooring-shop-uploads", "labels": {"mooring.application": "shop"}}}
    assert blue["networks"] == {"partner": {"external": True, "name": "partner"}}
    service = blue["services"]["app"]
    assert service["networks"] == {"default": {"aliases": ["shop-blue", "shop-blue-1"]}, "partner": {}}
    assert service["environment"]["JAVA_TOOL_OPTIONS"] == "-Xss512k -XX:MaxRAMPercentage=70"
    assert service["volumes"] == [*APPLICATION["volumes"], f"{log['path']}:/var/log/shop", "./more:/more"]
    # What a template makes of a number is a text in 2.18; the argument specs of the steps turn it into a number.
    log["owner"] = int(log["owner"])
    assert log == {"path": "/opt/mooring/app_blue_green/shop/log", "owner": 10001, "mode": "0750"}
    assert service["labels"]["mine"] == "yes" and service["labels"]["mooring.release"] == "1.4.2"
    # All of it is part of what makes a release another one.
    assert decide["definition"]["service"]["volumes"] == blue["volumes"]
    assert decide["definition"]["service"]["services"]["app"]["volumes"] == service["volumes"]


def test_an_application_s_labels_say_where_its_metrics_are():
    role = ROOT / "roles" / "app_blue_green"
    shop = {"name": "shop", "image": "shop", "release": "1"}
    for metrics, expected in (({}, {}), ({"port": 9000}, {"port": "9000", "path": "/metrics"}),
                              ({"port": 9000, "path": "/actuator"}, {"port": "9000", "path": "/actuator"})):
        (_decide, (_project, project), _switch) = application_steps({**shop, "metrics": metrics})
        whole = {"__app_blue_green_application": project["variables"]["__app_blue_green_application"]}
        labels = compose(role, **whole, __app_blue_green_colour="blue")["services"]["app"]["labels"]
        assert {name.removeprefix("mooring.metrics."): value for name, value in labels.items()
                if name.startswith("mooring.metrics.")} == expected


def test_a_replica_is_a_service_with_a_name_of_its_own():
    role = ROOT / "roles" / "app_blue_green"
    (_decide, (_project, project), (_name, switch)) = application_steps(
        {"name": "shop", "image": "shop", "release": "1", "replicas": 3, "canary": {"steps": [10]}})
    whole = {"__app_blue_green_application": project["variables"]["__app_blue_green_application"]}
    services = compose(role, **whole, __app_blue_green_colour="green")["services"]
    names = {name: service.pop("networks")["default"]["aliases"] for name, service in services.items()}
    assert names == {"app": ["shop-green", "shop-green-1"], "app-2": ["shop-green", "shop-green-2"],
                     "app-3": ["shop-green", "shop-green-3"]}
    assert services["app"] == services["app-2"] == services["app-3"]
    assert services["app"]["labels"]["mooring.replicas"] == "3"
    assert int(switch["replicas"]) == 3
    assert switch["canary"] == {"steps": [10], "hold": 60, "errors": 0.01, "minimum": 20, "sticky": False}


def test_each_application_has_its_own_chain_in_one_call():
    other = {"name": "crm", "image": "crm", "release": "7", "port": 9000}
    steps = application_steps(APPLICATION, other)
    assert [name for name, _arguments in steps] == [
        "release_info", "shared_directory", "compose_project", "release_switch",
        "release_info", "compose_project", "release_switch"]
    assert [int(arguments["port"]) for name, arguments in steps if name == "release_switch"] == [8080, 9000]
    assert [arguments["image"] for name, arguments in steps if name == "release_info"] == [
        "registry.example.com/shop:1.4.2", "crm:7"]
    switch = steps[3][1]
    assert switch["readiness"] == {
        "path": "/actuator/health/readiness", "timeout": 5, "status": 200, "condition": "status == 'UP'",
        "successes": 3, "interval": 0.2, "watch": 10}


def test_the_command_line_names_one_application_and_its_release():
    other = {"name": "crm", "image": "crm", "release": "7"}
    steps = application_steps(APPLICATION, other, app_blue_green_only="crm", app_blue_green_release="8")
    assert [(arguments["name"], arguments["release"]) for name, arguments in steps if name == "release_info"] == [
        ("crm", "8")]
    (decide, *_others) = application_steps(other, app_blue_green_release="9")
    assert decide[1]["image"] == "crm:9"
    with pytest.raises(AnsibleError, match="app_blue_green_release is of one application"):
        application_steps(APPLICATION, other, app_blue_green_release="8")


def test_a_release_that_is_taken_as_it_ran_is_not_rendered_anew():
    back = {"release": "1.4.1", "reference": "sha256:1", "as_it_ran": "1.salt.digest"}
    decide, switch = application_steps({**APPLICATION, "migrate": ["x"]}, __app_blue_green_instead=back)
    assert (decide[0], switch[0]) == ("release_info", "release_switch")
    assert (decide[1]["release"], decide[1]["image"], decide[1]["as_it_ran"]) == tuple(back.values())
    assert (switch[1]["release"], switch[1]["start"], switch[1]["migrate"]) == ("1.4.1", True, [])


@each_service
def test_every_service_can_be_judged_and_is_limited(role):
    for name, service in services(role):
        # An application's image may bring its own health check; release_switch asks for readiness in any case.
        if role.name != "app_blue_green":
            assert service.get("healthcheck", {}).get("test"), name  # defects 9 and 35
        assert service.get("mem_limit"), name  # defect 4
        assert ":" in service["image"] and not service["image"].endswith(":latest"), name  # defect 1


@each_service
def test_services_have_no_names_and_no_privileges(role):
    for name, service in services(role):
        assert "container_name" not in service, name  # defect 47
        assert "network_mode" not in service, name
        assert not service.get("privileged"), name
        # Shared settings are declared once, see mooring_service_defaults.
        assert not {"restart", "logging", "security_opt"} & set(service), name
        # It counts threads, and Jenkins has those of whatever it builds.
        assert "pids_limit" not in service or role.name == "jenkins_dood", name
        # Without a user the image's own counts, which for ours is not root.
        assert str(service.get("user", "")).split(":")[0] not in ("0", "root"), name


@each_service
def test_nothing_but_the_proxy_is_published(role):  # defects 2, 19, 28, 34, 42, 67
    for name, service in services(role):
        for port in service.get("ports") or []:
            address = str(port).rpartition(":")[0].rpartition(":")[0].strip("[]")
            assert address, f"{name}: {port} binds every interface"
            assert role.name in PUBLISHES or ipaddress.ip_address(address).is_loopback, f"{name}: {port}"


@each_service
def test_secrets_are_files(role):  # defects 8, 33
    for name, service in services(role):
        for variable in service.get("environment") or {}:
            if re.search(r"PASS|SECRET|TOKEN|CREDENTIAL", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
    assert "sample-of-a-secret" not in str(projects(role))


@each_service
def test_directories_are_mounted_not_files(role):
    project = role / "templates" / "project"
    for name, service in services(role):
        for volume in service.get("volumes") or []:
            source = str(volume).split(":")[0]
            if "docker.sock" in source:  # defect 63
                assert str(volume).endswith(":ro") and (role.name, name) in SOCKET, name
            assert not (project / source).is_file() and not (project / f"{source}.j2").is_file(), f"{name}: {volume}"


@each_service
def test_data_lies_in_named_volumes(role):  # defects 53, 59, 64, 77
    for rendered in projects(role):
        used = {
            str(volume).split(":")[0]
            for service in rendered["services"].values() for volume in service.get("volumes") or []
            if not str(volume).startswith((".", "/"))
        }
        assert used == set(rendered.get("volumes") or {})


def words(service: dict[str, t.Any]) -> list[str]:
    """What a service is started and judged with."""
    given = [service.get("entrypoint") or [], service.get("command") or [], service.get("healthcheck", {}).get("test")]
    return [str(word) for part in given for word in part or []] + list((service.get("environment") or {}).values())


def told(role: pathlib.Path, service: dict[str, t.Any]) -> t.Iterator[pathlib.Path]:
    """The files of the role's tree that stand in what a service is started and judged with, templates without ``.j2``.

    Secrets are left out, which may come from the role's task, and directories that a run makes empty.
    """
    project = role / "templates" / "project"
    mounts = [str(volume).split(":")[:2] for volume in service.get("volumes") or []]
    for path in re.findall(r"(?<![\w.])/[\w./-]+", " ".join(words(service))):
        for source, target in mounts:
            known = re.match(r"\./(?!secrets/)", source) and (project / source).is_dir()
            if known and path.startswith(f"{target}/"):
                yield project / source / path.removeprefix(f"{target}/")


@each_service
def test_a_file_that_a_service_is_told_of_is_there(role):  # defects 61, 74
    for name, service in services(role):
        for path in told(role, service):
            assert path.exists() or path.with_name(f"{path.name}.j2").exists(), f"{name}: {path}"


@each_service
def test_a_service_is_its_container_s_first_process(role):  # defects 40, 48
    """A shell in front of it would keep the signal that ends it, and a loop would hide that it died."""
    for name, service in services(role):
        started = [str(word) for word in [*(service.get("entrypoint") or []), *(service.get("command") or [])]]
        assert not any(re.search(r"\bwhile\b|\bsleep\b|&", word) for word in started), name
        if set(started[:3]) & {"sh", "bash"}:
            (script,) = (path for path in told(role, {**service, "healthcheck": {}}) if path.suffix == ".sh")
            lines = script.read_text().replace("\\\n", " ").rstrip().splitlines()
            # tool.sh of Kafka ends with an error if it finds none of the places where its program may be.
            assert any(line.lstrip().startswith("exec ") for line in lines), f"{name}: {script}"
            assert lines[-1].startswith(("exec ", "exit ")), f"{name}: {script}"


@each_service
def test_a_component_is_one_project_on_the_platform_s_network(role):  # defect 6
    assert [path.name for path in (role / "templates").rglob("*compose*")] == ["compose.yml.j2"]
    platform = {"name": "mooring", "external": True}
    for given in projects(role):
        project = complete(given, name="x", component=role.name, network="mooring", defaults={})
        assert project["networks"] == {"default": platform}
        assert all(set(service.get("networks") or {}) <= {"default"} for service in project["services"].values())


def test_commands_for_backups_name_what_there_is():
    text = (ROOT / "docs" / "operations.md").read_text().partition("\n## Backups\n")[2].partition("\n## ")[0]
    containers = {f"mooring-{role.name}-{name}-1" for role in SERVICES for name, _service in services(role)}
    volumes = {volume["name"] for role in SERVICES for project in projects(role)
               for volume in (project.get("volumes") or {}).values()}
    assert set(re.findall(r"\bmooring-[\w-]+-1\b", text)) <= containers
    copied = set(re.findall(r"\bmooring-[a-z-]+-data\b", text))
    # What people have put there and nobody makes anew; MySQL, PostgreSQL and Elasticsearch have tools for theirs.
    assert {f"mooring-{name}-data" for name in ("redis", "kafka", "jenkins", "grafana")} <= copied <= volumes
    stores = dict(services(ROOT / "roles" / "data_stores"))
    assert "./secrets/mysql:/run/secrets:ro" in stores["mysql"]["volumes"]
    assert "cat /run/secrets/root_password" in text


def test_a_volume_that_is_adopted_is_not_made_by_compose():
    rendered = compose(ROOT / "roles" / "data_stores", data_stores_mysql_volume="by-hand")
    assert rendered["volumes"]["by-hand"] == {"external": True, "name": "by-hand"}
    assert "by-hand:/var/lib/mysql" in rendered["services"]["mysql"]["volumes"]


@each_service
def test_what_every_service_shares(role):
    shared = defaults(ROOT / "roles" / "platform")["mooring_service_defaults"]
    for given in projects(role):
        project = complete(given, name="x", component=role.name, network="mooring", defaults=shared)
        for service in project["services"].values():
            assert service["restart"] == "unless-stopped"  # defect 35
            assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}  # defects 3, 50
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["pids_limit"]  # defect 4


@each_role
def test_nobody_joins_the_group_of_docker(role):  # defect 7
    """Whoever is in it is root of the host without a password and without a trace."""
    for path, task in tasks(role):
        assert module_of(task) not in ("ansible.builtin.user", "ansible.builtin.group"), path
    for path, text in texts(role, "defaults", "files", "tasks", "templates", "vars"):
        assert not re.search(r"\b(usermod|gpasswd|adduser|newgrp)\b", text), path


@each_role
def test_images_are_pinned(role):  # defect 1
    for name, value in defaults(role).items():
        # Null leaves a part out.
        if name.endswith("_image") and value is not None:
            # Several images of one version have it from a variable.
            image = re.sub(r"[{]{2} (\w+_version) [}]{2}$", lambda found: str(defaults(role)[found[1]]), value)
            assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", image) and not image.endswith(":latest"), name
    for path, text in texts(role, "defaults", "templates", "tasks", "vars", "files"):
        assert not re.search(r"[\w/]:latest\b", text), path
        # Of a base that a build is not told.
        for base in re.findall(r"^(?:ARG \w*(?:BASE|IMAGE)=|FROM )([^$\s]+)", text, re.MULTILINE):
            assert path.name != "Dockerfile" or ":" in base, f"{path}: {base}"
