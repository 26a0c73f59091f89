# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: judges a whole inventory. No I/O; the action plugin preflight reads and reports.

What a value must look like follows from its name: ``..._memory`` is a size,
``domains`` holds domains. So a new role's variables are checked without a
change here, and the same word means the same everywhere.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mooring.stack.plugins.module_utils import (
    _collection_version,
    _docker_engine,
    _elasticsearch_objects,
    _grants,
    _jenkins,
    _kafka_topics,
    _kafka_users,
    _postgres,
    _preflight_host,
    _preflight_names,
    _preflight_types,
    _redis,
)
from ansible_collections.mooring.stack.plugins.module_utils._canary import CANARY_SPEC, Canary
from ansible_collections.mooring.stack.plugins.module_utils._certificates import BadRequest, Desired
from ansible_collections.mooring.stack.plugins.module_utils._docker_swarm import MOST_HOSTS, unlike
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, problem_and_remedy
from ansible_collections.mooring.stack.plugins.module_utils._names import dns_label

SUPPORTED_OS = {"debian": {"12", "13"}, "ubuntu": {"22.04", "24.04"}}
SUPPORTED_ARCHITECTURES = {"x86_64", "aarch64", "arm64"}

# Which component another one needs on its own host.
NEEDS = {
    "acme_test_ca": ["docker_engine"],
    "app_blue_green": ["docker_engine", "nginx_certbot"],
    "data_stores": ["docker_engine"],
    "distro_images": ["docker_engine"],
    "drift_schedule": [],
    "elk": ["docker_engine"],
    "jenkins_dood": ["docker_engine"],
    "kafka": ["docker_engine"],
    "mattermost_notifier": ["docker_engine"],
    "monitoring": ["docker_engine"],
    "nginx_certbot": ["docker_engine"],
}

# Components of which the monitoring asks more than what it asks of every host.
ASKED_FOR_METRICS = {"app_blue_green", "data_stores", "kafka", "mattermost_notifier", "nginx_certbot"}

SWARM = "docker_engine_swarm"
# Variables whose keys are names of hosts, which say nothing of what the value looks like.
BY_HOST = {SWARM, "monitoring_agents"}
LOCAL_IMAGES = "mooring.local/"
DOCUMENTATION_NETWORKS = [ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One thing to repair before anything is touched."""

    where: str  # host or group
    variable: str
    source: str  # file[:line] where it is or belongs
    problem: str
    remedy: str

    def line(self) -> str:
        """``host: variable (file): problem. Remedy.``"""
        place = f" ({self.source})" if self.source else ""
        subject = f"{self.variable or 'inventory'}{place}"
        return f"{self.where}: {subject}: {self.problem}. {self.remedy}{'?' if self.asks else '.'}"

    @property
    def asks(self) -> bool:
        """Whether the remedy is a guess."""
        return self.remedy.startswith("Did you mean ")


@dataclasses.dataclass
class Setting:
    """One variable of one host, templated."""

    value: t.Any = None
    source: str = ""
    sources: dict[str, str] = dataclasses.field(default_factory=dict)  # path inside the value -> file:line
    errors: dict[str, str] = dataclasses.field(default_factory=dict)  # path inside the value -> why it has no value

    def source_of(self, path: str) -> str:
        """Where the part of the value at ``path`` stands."""
        if not path or path in self.sources:
            return self.sources.get(path) or self.source
        # A list or a dictionary stands where its first part does; without any, where its entry's name does.
        inner = next((source for part, source in self.sources.items() if part.startswith((f"{path}.", f"{path}["))), "")
        entry = re.match(r"\[\d+\]", path)
        return inner or (self.sources.get(f"{entry[0]}.name", "") if entry else "") or self.source


@dataclasses.dataclass
class Literal:
    """A value as it stands in the inventory, before templating."""

    variable: str
    value: str
    source: str


@dataclasses.dataclass(frozen=True)
class Raw:
    """A variable as the inventory has it: where, and the texts in it."""

    source: str
    texts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class VariableFile:
    """A file or directory of group_vars or host_vars."""

    of: str  # group or host
    name: str
    path: str


@dataclasses.dataclass
class Host:
    """One host of the inventory."""

    name: str
    groups: set[str]
    settings: dict[str, Setting] = dataclasses.field(default_factory=dict)
    literals: list[Literal] = dataclasses.field(default_factory=list)
    facts: dict[str, t.Any] | None = None
    unreadable: str = ""  # why there are no facts
    raw: dict[str, Raw] = dataclasses.field(default_factory=dict)  # what the inventory sets, read by somebody or not

    def get(self, variable: str, default: t.Any = None) -> t.Any:
        """A variable's value; the default where it has none."""
        setting = self.settings.get(variable)
        if setting is None or setting.value is None or "" in setting.errors:
            return default
        return setting.value

    def setting(self, variable: str) -> Setting:
        """What is known of a variable; nothing, where nobody sets it."""
        return self.settings.get(variable, Setting())

    def lacks(self, variable: str) -> bool:
        """Whether a variable has no value, or an empty one. One whose value cannot be made is told of already."""
        return not self.get(variable) and not self.setting(variable).errors

    def problem(self, variable: str, text: str, remedy: str, path: str = "") -> Problem:
        """What is wrong with a variable, or with the part of its value at ``path``, and where that stands."""
        setting = self.setting(variable)
        source = setting.source_of(path) if path else setting.source
        return Problem(self.name, spell(variable, path), source, text, remedy)

    def items_of(self, variable: str) -> list[tuple[int, dict[str, t.Any]]]:
        """The dictionaries of a list with their index; whatever else is in there is the argument spec's business."""
        value = self.get(variable, [])
        return [(i, item) for i, item in enumerate(value) if isinstance(item, dict)] if isinstance(value, list) else []


@dataclasses.dataclass
class Role:
    """A component: its variables and the names under which other containers reach it."""

    name: str
    options: dict[str, dict[str, t.Any]]
    services: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Inventory:
    """Everything that is judged."""

    directory: str
    hosts: list[Host]
    roles: dict[str, Role]  # by group name
    shared: Role  # variables that every component reads
    now: float
    addresses: dict[str, list[str]] = dataclasses.field(default_factory=dict)  # of names; empty where one has none
    controller: list[_preflight_host.Finding] = dataclasses.field(default_factory=list)
    groups: set[str] = dataclasses.field(default_factory=set)  # all there are, also those without hosts
    files: list[VariableFile] = dataclasses.field(default_factory=list)
    collection: _collection_version.Collection | None = None  # None does not look at what worked there before

    @property
    def is_whole(self) -> bool:
        """Whether everything is judged, and not what a run for some components reads."""
        return bool(self.groups)

    def roles_of(self, host: Host) -> list[Role]:
        """The components of a host, and what they share."""
        return [self.shared, *(role for name, role in sorted(self.roles.items()) if name in host.groups)]

    def network_of(self, host: Host) -> list[Host]:
        """The hosts whose containers reach those of this one, itself among them."""
        swarm = host.get(SWARM, {})
        return [other for other in self.hosts if other is host or isinstance(swarm, dict) and other.name in swarm]

    def services_near(self, host: Host) -> set[str]:
        """The services that containers of this host can call by name."""
        return {service for other in self.network_of(host) for role in self.roles_of(other)
                for service in role.services}

    def file_for(self, role: Role, variable: str) -> str:
        """Where a variable that is not set yet belongs."""
        group = "all" if role is self.shared else role.name
        name = variable.split("_", 1)[0] if role is self.shared else role.name
        return f"{self.directory}/group_vars/{group}/{'platform' if name == 'mooring' else name}.yml"


# ---------------------------------------------------------------- what a value looks like

Check = t.Callable[[t.Any], "tuple[str, str] | None"]  # -> (problem, remedy)

_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
_EMAIL = re.compile(rf"[^@\s,;<>]+@(?:{_LABEL}\.)+{_LABEL}")
# What Docker, nginx and the roles all read: 512m, and neither 512mb nor 512 m.
_SIZE = re.compile(r"(\d+)([bkmgt]?)", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION = re.compile(r"\d+(ms|s|m|h|d)?")
_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[A-Za-z0-9./]{53}")
_IMAGE = re.compile(
    r"(?P<name>(?:[A-Za-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r":(\d+\.\d+\.\d+)(?:@|$)")


def size_in_bytes(value: t.Any) -> int | None:
    """``512m`` in bytes; None where it is not a size."""
    found = _SIZE.fullmatch(str(value).strip())
    return int(found.group(1)) * _UNITS[found.group(2).lower()] if found else None


def parse_bind(value: t.Any) -> tuple[str, int] | None:
    """Address and port of ``127.0.0.1:8080`` or ``[::1]:8080``; None where it is neither."""
    address, _colon, port = str(value).rpartition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return None
    return (address.strip("[]"), int(port)) if port.isdigit() and 0 < int(port) < 65536 else None


def _domain(value: t.Any) -> tuple[str, str] | None:
    if _DOMAIN.fullmatch(str(value)) and len(str(value)) <= 253:
        return None
    return f"'{value}' is not a domain name", "Write a full name without scheme, port and path"


def _certificate_domain(value: t.Any) -> tuple[str, str] | None:
    return _domain(str(value).removeprefix("*."))


def _email(value: t.Any) -> tuple[str, str] | None:
    if not value or _EMAIL.fullmatch(str(value)):
        return None
    return f"'{value}' is not an e-mail address", "Write one address, or leave it empty"


def _network(value: t.Any) -> tuple[str, str] | None:
    if not value:
        return None
    try:
        ipaddress.ip_network(str(value))
    except ValueError as error:
        return f"'{value}' is not a network in CIDR notation ({error})", "Write it like 10.20.0.0/24"
    return None


def _address(value: t.Any) -> tuple[str, str] | None:
    if not value:
        return None
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return f"'{value}' is not an IP address", "Write it like 10.20.0.10"
    return None


def _address_or_network(value: t.Any) -> tuple[str, str] | None:
    if _network(value):
        return f"'{value}' is neither an address nor a network", "Write it like 10.20.0.10 or 10.20.0.0/24"
    return None


def _size(value: t.Any) -> tuple[str, str] | None:
    if (size_in_bytes(value) or 0) > 0:
        return None
    return f"'{value}' is not a size", "Write a number with a unit, such as 512m or 2g"


def _memory(value: t.Any) -> tuple[str, str] | None:
    if _size(value):
        return _size(value)
    if (size_in_bytes(value) or 0) >= 6 * 1024**2:  # less is refused by Docker
        return None
    return f"'{value}' is less memory than a container can have", "Did you forget the unit? Write it like 512m"


def _duration(value: t.Any) -> tuple[str, str] | None:
    # A number is in seconds, and its argument spec has looked at it.
    if isinstance(value, (int, float)) or _DURATION.fullmatch(str(value)):
        return None
    return f"'{value}' is not a duration", "Write a number with a unit, such as 60s"


def _days(value: t.Any) -> tuple[str, str] | None:
    if re.fullmatch(r"[1-9][0-9]*d", str(value)):
        return None
    return f"'{value}' is not a number of days", "Write it like 30d"


def _bind(value: t.Any) -> tuple[str, str] | None:
    if parse_bind(value):
        return None
    return f"'{value}' is not an address with a port", "Write it like 127.0.0.1:8080"


def _bind_if_any(value: t.Any) -> tuple[str, str] | None:
    return _bind(value) if value else None


def _publish(value: t.Any) -> tuple[str, str] | None:
    if not value:
        return None
    if _bind(value):
        return _bind(value)
    address = ipaddress.ip_address((parse_bind(value) or ("::", 0))[0])
    if address.is_loopback:  # defects 2, 28, 34: only the proxy is published
        return None
    return f"'{value}' can be reached from outside", "Publish on 127.0.0.1, and only the proxy elsewhere"


def _port(value: t.Any) -> tuple[str, str] | None:
    if str(value).isdigit() and 0 < int(value) < 65536:
        return None
    return f"'{value}' is not a port", "Write a number from 1 to 65535"


def _image(value: t.Any) -> tuple[str, str] | None:
    found = _IMAGE.fullmatch(str(value))
    if not found:
        return f"'{value}' is not an image reference", "Write it like registry.your.org/name:1.2.3"
    if found.group("tag") == "latest" and not found.group("digest"):  # defect 1
        return f"'{value}' has the tag latest, which is another image each day", "Name a version"
    if not found.group("tag") and not found.group("digest"):
        return f"'{value}' has no tag, which means latest", "Name a version or a digest"
    return None


def _url(value: t.Any) -> tuple[str, str] | None:
    if not value:
        return None
    try:
        parts = urlsplit(str(value))
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    return None if well_formed else (f"'{value}' is not an http or https URL", "Write it like https://name:port/path")


def _password(value: t.Any) -> tuple[str, str] | None:
    if isinstance(value, str) and value.strip():
        return None
    return "is empty", "Set a password"  # defect 27


def _bcrypt(value: t.Any) -> tuple[str, str] | None:
    if _BCRYPT.fullmatch(str(value)):
        return None
    return "is not a bcrypt hash", "Make one with htpasswd -nbB; it starts with $2y$"


def _absolute(value: t.Any) -> tuple[str, str] | None:
    if re.fullmatch(r"(/[A-Za-z0-9._-]+)+", str(value)) and ".." not in str(value).split("/"):
        return None
    return f"'{value}' is not an absolute path below /", "Write it like /opt/mooring, in letters, digits, '.', '_', '-'"


def _name(value: t.Any) -> tuple[str, str] | None:
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]*", str(value)):
        return None
    return f"'{value}' cannot name Docker objects", "Use lower-case letters, digits, '-' and '_'"


def _rate(value: t.Any) -> tuple[str, str] | None:
    if re.fullmatch(r"[1-9][0-9]*r/[sm]", str(value)):
        return None
    return f"'{value}' is not a rate", "Write it like 10r/s or 30r/m"


def _timezone(value: t.Any) -> tuple[str, str] | None:
    if re.fullmatch(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", str(value)):
        return None
    return f"'{value}' is not a time zone", "Write it like Europe/Berlin"


def _version(value: t.Any) -> tuple[str, str] | None:
    if not value or re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", str(value)):
        return None
    return f"'{value}' is not a version", "Write it like \"0.2.0\""


# The last words of a name -> what it must look like. Longer endings win.
CHECKS: dict[str, Check] = {
    "acknowledged": _version,
    "acme_directory": _url,
    "address": _address,
    "allow": _network,
    "bind": _bind,
    "domain": _domain,
    "domains": _certificate_domain,
    "domain_addresses": _address_or_network,
    "email": _email,
    "image": _image,
    "max_body": _size,
    "elk_disk_reserve": _size,
    "elk_retention": _days,
    "memory": _memory,
    "kafka_external_bind": _bind_if_any,
    "kafka_retention": _days,
    "monitoring_disk": _size,
    "monitoring_retention": _days,
    "memory_minimum": _size,
    "disk_minimum": _size,
    "mooring_network": _name,
    "mooring_prefix": _name,
    "mooring_root": _absolute,
    "password": _password,
    "password_hash": _bcrypt,
    "port": _port,
    "log_size": _size,
    "publish": _publish,
    "rate": _rate,
    "resolve_to": _address,
    "subnet": _network,
    "swarm_pool": _network,
    "timeout": _duration,
    "timezone": _timezone,
    "upstream": _url,
    "upstream_repository": _url,
    "url": _url,
}


def check_for(name: str) -> Check | None:
    """The check that a name asks for."""
    words = name.split("_")
    for start in range(len(words)):
        check = CHECKS.get("_".join(words[start:]))
        if check:
            return check
    return None


def is_secret(name: str) -> bool:
    """Whether a value of this name must not be printed."""
    return re.search(r"passw|secret|token|private|hash|salt|credential|webhook|vault_", name, re.IGNORECASE) is not None


def leaves(value: t.Any, path: str = "", key: str = "") -> t.Iterator[tuple[str, str, t.Any]]:
    """Every scalar of a structure: its path, the name it goes by, and itself.

    An item of a list goes by the list's name: an element of ``domains`` is a domain.
    """
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else str(name), str(name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]", key)
    else:
        yield path, key, value


def spell(variable: str, path: str) -> str:
    """``routes`` and ``[0].path`` as ``routes[0].path``."""
    return variable + (path if not path or path.startswith("[") else f".{path}")


def placeholder(value: str) -> tuple[str, str] | None:
    """Whether a value was never filled in."""
    text = str(value)
    if re.search(r"change[-_ ]?me", text, re.IGNORECASE):
        return "is still a placeholder", "Fill it in"
    if re.search(r"<[A-Za-z][\w .-]*>", text):
        return f"'{text}' still has a placeholder in angle brackets", "Fill it in"
    if re.search(r"(^|[.@/])example\.(com|org|net)(?![\w.-]*\w)", text, re.IGNORECASE):
        return f"'{text}' is an example value", "Put your own domain there"
    for found in re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", text):
        try:
            address = ipaddress.ip_address(found)
        except ValueError:
            continue
        if any(address in network for network in DOCUMENTATION_NETWORKS):
            return f"'{text}' is an address from the documentation", "Put your own address there"
    return None


# What the role tells certbot on its command line.
OWN_CERTBOT_OPTIONS = {
    "agree-tos", "cert-name", "config", "config-dir", "domain", "domains", "dry-run", "elliptic-curve", "email",
    "force-renewal", "keep-until-expiring", "key-type", "logs-dir", "non-interactive", "preferred-challenges",
    "required-profile", "rsa-key-size", "server", "staging", "test-cert", "webroot", "webroot-path", "work-dir",
}


# ---------------------------------------------------------------- one variable


def check_settings(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """Each variable of the host's components by itself."""
    for role in inventory.roles_of(host):
        for variable, spec in role.options.items():
            setting = host.settings.get(variable)
            if setting is None or (setting.value is None and not setting.errors):
                if spec.get("required"):
                    yield Problem(host.name, variable, inventory.file_for(role, variable), "is not set",
                                  f"It is required: {_sentence(spec)}")
                continue
            yield from _check_setting(inventory, host, role, variable, spec, setting)


def _one_line(text: str) -> str:
    return " ".join(text.split()).removeprefix("Task failed: ").rstrip(".")


def _sentence(spec: dict[str, t.Any]) -> str:
    """An option's description on one line, without the full stop that a Problem adds."""
    description = spec.get("description") or "see the role's README"
    text = description[0] if isinstance(description, list) else description
    return " ".join(str(text).split()).rstrip(".")


def _undefined(error: str) -> str:
    """The variable that a value needs and nobody sets."""
    missing = re.search(r"'(\w+)' is undefined", error)
    return missing.group(1) if missing else ""


def _remedy_for(inventory: Inventory, host: Host, error: str) -> str:
    """What to do about a value that Ansible could not make."""
    missing = _undefined(error)
    twin = _preflight_names.slip(missing, host.raw) if missing else ""
    hint = f", or correct {twin} ({host.raw[twin].source})" if twin else ""
    if missing.startswith("vault_"):
        return (f"Set {missing} in {inventory.directory}/group_vars/all/vault.yml, as vault.yml.example shows"
                f"{hint}")
    if missing:
        return f"Set {missing}{hint}"
    if "vault" in error.lower() or "decrypt" in error.lower():
        return "Give the vault password, with --ask-vault-pass or --vault-password-file"
    return "Correct the expression"


def _check_setting(
    inventory: Inventory, host: Host, role: Role, variable: str, spec: dict[str, t.Any], setting: Setting
) -> t.Iterator[Problem]:
    for path, error in setting.errors.items():
        missing = _undefined(error)
        # What is required and not set is one problem, not as many as there are uses of it.
        if missing and any(missing in one.options and one.options[missing].get("required")
                           for one in inventory.roles_of(host)):
            continue
        yield Problem(host.name, spell(variable, path), setting.source_of(path), f"has no value: {error.rstrip('.')}",
                      _remedy_for(inventory, host, error))
    if setting.errors:
        return
    wrong = _preflight_types.check(variable, spec, setting.value, is_secret)
    for one in wrong:
        yield Problem(host.name, spell(variable, one.path), setting.source_of(one.path), one.problem,
                      one.remedy or f"Expected: {_sentence(_preflight_types.option_at(spec, one.path))}")
    if spec.get("required") and setting.value in ("", [], {}) and check_for(variable) is not _password:
        yield Problem(host.name, variable, setting.source, "is empty", f"It is required: {_sentence(spec)}")
        return
    # See check_swarm and check_agents.
    if variable in BY_HOST:
        return
    for path, key, value in leaves(setting.value):
        check = check_for(key or variable)
        # The tag of an application's image is its release, see check_applications.
        if check is None or value is None or (check is _image and variable == APPLICATIONS):
            continue
        # A part of the wrong type is said already.
        if any(path == one.path and not one.remedy for one in wrong):
            continue
        found = check(value)
        if found and not placeholder(str(value)):
            yield Problem(host.name, spell(variable, path), setting.source_of(path), *found)


def check_placeholders(host: Host) -> t.Iterator[Problem]:
    """What was never filled in, where it stands."""
    for literal in host.literals:
        found = placeholder(literal.value)
        if found:
            problem, remedy = found
            if is_secret(literal.variable):
                problem = "is still a placeholder"
            yield Problem(host.name, literal.variable, literal.source, problem, remedy)


# ---------------------------------------------------------------- variables together


def check_groups(inventory: Inventory) -> t.Iterator[Problem]:
    """Which components have hosts."""
    hosts_file = f"{inventory.directory}/hosts.yml"
    used = {group for host in inventory.hosts for group in host.groups if group in inventory.roles}
    if not used:
        yield Problem("all", "", "", "no component has a host",
                      f"Put a host into a group such as docker_engine in {hosts_file}")
    for host in inventory.hosts:
        if stray(inventory, host):
            continue
        if used and inventory.is_whole and host.groups <= {"ungrouped"}:
            yield Problem(host.name, "", hosts_file, "is in no group, so nothing would run there",
                          "Put it into the group of a component, or into one of your own, or take it out")
        for group in sorted(used & host.groups):
            for needed in NEEDS.get(group, ["docker_engine"] if group != "docker_engine" else []):
                if needed not in host.groups:
                    yield Problem(f"{host.name}/{group}", "", "", f"{group} needs {needed} on the same host",
                                  f"Put {host.name} into the group {needed} in {hosts_file}")


# Components that every host of a swarm may run: none of their services has a name that a network can hold only once.
ON_EVERY_HOST = {"docker_engine", "distro_images", "drift_schedule", "monitoring"}


def check_swarm(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """The hosts that share a network know each other, and each name in it belongs to one of them."""
    swarm = host.get(SWARM, {})
    if "docker_engine" not in host.groups or not isinstance(swarm, dict) or len(swarm) < 2:
        return

    def problem(text: str, remedy: str, path: str = "") -> Problem:
        return host.problem(SWARM, text, remedy, path)

    hosts = {other.name: other for other in inventory.hosts}
    if host.name not in swarm:
        yield problem(f"does not list {host.name} itself", f"Add {host.name} with its address, or leave it empty there")
    if len(swarm) > MOST_HOSTS:
        yield problem(f"lists {len(swarm)} hosts, and a swarm of managers works with {MOST_HOSTS} at most",
                      "Make several platforms of them")
    taken: dict[str, str] = {}
    pool = _network_of(host.get("docker_engine_swarm_pool"))
    for name, given in swarm.items():
        address = str(given or "")
        if name not in hosts or "docker_engine" not in hosts[name].groups:
            yield problem(f"lists '{name}', which is no host of the group docker_engine",
                          "Write names as the inventory has them", str(name))
        elif hosts[name].get(SWARM) != swarm:
            yield problem(f"is another on {name}", "Set it in group_vars/docker_engine, once for all", str(name))
        if _address(address) or not address:
            said = f"'{address}', which is no IP address" if address else "no address"
            yield problem(f"gives {name} {said}",
                          "Write the one at which the other hosts reach it, such as 10.20.0.11", str(name))
            continue
        if ipaddress.ip_address(address).is_loopback:
            yield problem(f"gives {name} the address {address}, at which no other host reaches it",
                          "Write the one of its private network", str(name))
        elif pool and ipaddress.ip_address(address) in pool:
            yield problem(f"gives {name} the address {address}, which lies in docker_engine_swarm_pool ({pool})",
                          "Choose another pool", str(name))
        if taken.setdefault(address, name) != name:
            yield problem(f"gives {name} the address of {taken[address]}", "Write its own", str(name))
    for entry in host.get("docker_engine_address_pools", []):
        base = _network_of(entry.get("base")) if isinstance(entry, dict) else None
        if pool and base and base.overlaps(pool):
            yield host.problem("docker_engine_swarm_pool", f"{pool} overlaps docker_engine_address_pools ({base})",
                               "Choose another, such as 172.30.0.0/16")
    if mixed := unlike({name: _engine(hosts[name]) for name in swarm if name in hosts}):
        text, remedy = problem_and_remedy(mixed)
        yield problem(text[0].lower() + text[1:], remedy)
    for group in sorted(host.groups & set(inventory.roles) - ON_EVERY_HOST):
        others = [other.name for other in inventory.network_of(host) if other is not host and group in other.groups]
        if others:
            yield Problem(f"{host.name}/{group}", "", "",
                          f"{group} is on {', '.join(others)} as well, and in one network its names can be there once",
                          f"Keep one host in the group {group}, or leave docker_engine_swarm empty")


def _engine(host: Host) -> str:
    """The version of a host's engine, or of what the distribution will bring; "" where nobody can tell yet."""
    facts = host.facts or {}
    found = str((facts.get("docker") or {}).get("version") or "")
    system = facts.get("os") or {}
    if not found and host.get("docker_engine_source") == "distro":
        release = _docker_engine.RELEASES.get((system.get("id", ""), system.get("codename", "")))
        return release.engine_version if release else ""
    return found


def _network_of(value: t.Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network that a text names; None where it names none, which is the business of its own check."""
    return None if not value or _network(value) else ipaddress.ip_network(str(value))


REACHED_BY = {"ansible_connection", "ansible_host"}


def check_names(inventory: Inventory, slips: t.Mapping[str, t.Mapping[str, str]]) -> t.Iterator[Problem]:
    """Groups, files and variables that nobody reads, because their names are nearly others.

    ``slips`` has what is :func:`misspelt`, by the names of hosts.
    """
    if not inventory.is_whole:
        return
    hosts_file = f"{inventory.directory}/hosts.yml"
    for group in sorted(inventory.groups - set(inventory.roles) - {"all", "ungrouped"}):
        meant = _preflight_names.slip(group, inventory.roles, _preflight_names.SHORT_SLIP)
        members = [host for host in inventory.hosts if group in host.groups and meant not in host.groups]
        # A group of one's own that is a part of the component's is in order.
        if meant and members:
            yield Problem(_list([host.name for host in members]), f"group {group}", hosts_file,
                          "is no component, so nothing would run for it", f"Did you mean {meant}")
    hosts = {host.name for host in inventory.hosts}
    for file in inventory.files:
        known = hosts if file.of == "host" else {*inventory.groups, *inventory.roles, "all"}
        meant = _preflight_names.slip(file.name, known, _preflight_names.SHORT_SLIP)
        if meant and file.name not in known:
            yield Problem("all", f"{file.of} {file.name}", file.path,
                          f"there is no such {file.of}, so nobody reads this", f"Did you mean {meant}")
    for host in inventory.hosts:
        if meant := stray(inventory, host):
            yield Problem(host.name, f"host {host.name}", hosts_file, "nothing says how to reach it",
                          f"Did you mean {meant}")
        mine = _prefixes(inventory, host)
        for variable, meant in slips[host.name].items():
            owner = next((name for name in sorted(mine, key=len, reverse=True) if variable.startswith(f"{name}_")), "")
            yield Problem(host.name, variable, host.raw[variable].source, "no role has a variable of this name",
                          f"Did you mean {meant}" if meant else
                          f"Remove it, or give it a name that does not begin with {owner}_ if it is your own")


def stray(inventory: Inventory, host: Host) -> str:
    """The host that was meant, where a group lists a name that only a slip has made a host of its own."""
    if not inventory.is_whole or REACHED_BY & set(host.raw):
        return ""
    return _preflight_names.slip(host.name, [one.name for one in inventory.hosts if REACHED_BY & set(one.raw)])


def _prefixes(inventory: Inventory, host: Host) -> set[str]:
    """Those behind which every name has to be one of a role's."""
    return {"mooring", *(group for group in host.groups if group in inventory.roles)}


def misspelt(inventory: Inventory, host: Host) -> dict[str, str]:
    """A host's variables that no role reads, and which one was perhaps meant."""
    if not inventory.is_whole:
        return {}
    options = {name for role in (inventory.shared, *inventory.roles.values()) for name in role.options}
    here = {name for role in inventory.roles_of(host) for name in role.options}
    found = _preflight_names.unread(
        {name: raw.texts for name, raw in host.raw.items()}, options, here, _prefixes(inventory, host))
    # What a play has set is its own.
    ours = (f"{inventory.directory}/", "command line")
    return {name: meant for name, meant in found.items() if host.raw[name].source.startswith(ours)}


def check_routes(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """Routes lead somewhere, each path once, and somebody can log in."""
    variable = "nginx_certbot_routes"
    # A run for one component reads no other's variables.
    if "nginx_certbot" not in host.groups or "nginx_certbot" not in inventory.roles:
        return
    source = host.setting(variable).source_of
    everywhere = {name for other in inventory.hosts for name in application_names(other)}
    services = inventory.services_near(host)
    # What is no list of applications says nothing about them.
    unknown = any(not isinstance(other.get(APPLICATIONS, []), list) for other in inventory.hosts)
    seen: dict[str, int] = {}
    for index, route in host.items_of(variable):
        name = f"{variable}[{index}]"

        def problem(text: str, remedy: str, name: str = name, index: int = index) -> Problem:
            return Problem(host.name, name, source(f"[{index}].path"), text, remedy)

        # What is no text is said already.
        if isinstance(route.get("path"), (list, dict)):
            continue
        path = str(route.get("path", ""))
        if not re.fullmatch(r"/[^\s{};\"'\\]*", path):
            yield problem(f"the path '{path}' does not start with '/' or has characters that a path cannot have",
                          "Write it like /api")
        elif (path.rstrip("/") or "/") in seen:
            yield problem(f"the path '{path}' was given before, in {variable}[{seen[path.rstrip('/') or '/']}]",
                          "Keep one of them")
        else:
            seen[path.rstrip("/") or "/"] = index
        upstream, application = route.get("upstream"), route.get("application")
        if bool(upstream) == bool(application):
            yield problem(f"the route '{path}' needs either an upstream or an application", "Give exactly one of them")
        elif application and application not in everywhere and not unknown:
            known = ", ".join(sorted(everywhere)) or "none"
            yield problem(f"the route '{path}' leads to the application '{application}', which no host runs",
                          f"Known applications: {known}")
        elif upstream and not _url(upstream):
            service = urlsplit(str(upstream)).hostname or ""
            if "." not in service and ":" not in service and service not in services:
                yield problem(f"the route '{path}' leads to '{service}', which no component of this host has",
                              f"Known services: {', '.join(sorted(services)) or 'none'}")
        if route.get("rate") is None and "burst" in route:
            yield problem(f"the route '{path}' has a burst, but no rate that it could exceed",
                          "Add rate, such as 10r/s")
        elif isinstance(route.get("burst"), int) and route["burst"] < 1:
            yield problem(f"the route '{path}' has the burst {route['burst']}", "Write 1 or more")
        if route.get("access", "private") == "private" and not host.get("nginx_certbot_users"):
            yield problem(f"the route '{path}' is private, but nginx_certbot_users is empty, so nobody can open it",
                          "Add a user, or set access: public if everybody may see it")


# Of an account's options, those of which a wrong type would keep it from being read.
_TYPES: dict[str, type] = {"dict": dict, "list": list}


# Of MySQL 8.4, those that are not spelled like constants; components bring more of the latter.
PRIVILEGES = (
    "ALL", "ALL PRIVILEGES", "ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROLE", "CREATE ROUTINE", "CREATE TABLESPACE",
    "CREATE TEMPORARY TABLES", "CREATE USER", "CREATE VIEW", "DELETE", "DROP", "DROP ROLE", "EVENT", "EXECUTE", "FILE",
    "GRANT OPTION", "INDEX", "INSERT", "LOCK TABLES", "PROCESS", "REFERENCES", "RELOAD", "REPLICATION CLIENT",
    "REPLICATION SLAVE", "SELECT", "SHOW DATABASES", "SHOW VIEW", "SHUTDOWN", "SUPER", "TRIGGER", "UPDATE", "USAGE",
)
SYSTEM_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys")

# Names that the role data_stores needs, and for what.
RESERVED_ACCOUNTS = {
    "data_stores_mysql_accounts": {
        "health": "the health check's account has it, and each start of the server gives that one its password"},
    "data_stores_redis_accounts": {
        "default": "it is who has not logged in, and is off",
        "health": "the health check's account has it"},
}


def check_accounts(host: Host) -> t.Iterator[Problem]:
    """Accounts and schemas are spelled one way. Names are case-sensitive, people are not: defects 24 and 26."""
    for variable, setting in host.settings.items():
        if variable.endswith("_accounts"):
            seen: dict[tuple[str, str], tuple[int, str]] = {}
            for index, account in host.items_of(variable):
                name, where = str(account.get("name", "")), str(account.get("host", "%"))
                known = seen.setdefault((name.lower(), where.lower()), (index, name))
                if known[0] != index:
                    how = "again" if known[1] == name else f"again with other capitals than '{known[1]}'"
                    yield Problem(host.name, f"{variable}[{index}].name", setting.source_of(f"[{index}].name"),
                                  f"the account '{name}' is declared {how}", "Keep one of them")
                if name.lower() in RESERVED_ACCOUNTS.get(variable, {}):
                    yield Problem(host.name, f"{variable}[{index}].name", setting.source_of(f"[{index}].name"),
                                  f"the name '{name}' is taken: {RESERVED_ACCOUNTS[variable][name.lower()]}",
                                  "Give it another name")
    variable = "data_stores_mysql_schemas"
    declared = host.get(variable, [])
    schemas = [str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in declared] \
        if isinstance(declared, list) else []
    for index, schema in enumerate(schemas):
        for other in schemas[:index]:
            if schema.lower() == other.lower():
                yield host.problem(variable, f"the schema '{schema}' differs from '{other}' by capitals at most",
                                   "Keep one of them", f"[{index}]")
    accounts = "data_stores_mysql_accounts"
    defaults = {name: spec.get("default") for name, spec in _grants.ACCOUNT_SPEC.items()}
    for index, account in host.items_of(accounts):
        grants = account.get("grants")
        source = host.settings[accounts].source_of(f"[{index}].name")
        # What is of another type, or no such option, the argument spec says better.
        well_formed = account.get("name") and all(
            isinstance(account.get(name, spec.get("default")), _TYPES[spec["type"]])
            for name, spec in _grants.ACCOUNT_SPEC.items() if spec["type"] in _TYPES)
        # An empty password is found among all others.
        known = {} if account.get("password", True) else {"password": "unknown"}
        try:
            if well_formed:
                _grants.desired_account({**defaults, **account, **known})
        except MooringError as error:
            yield Problem(host.name, f"{accounts}[{index}]", source, str(error).rstrip("."),
                          "Correct the entry; 'ansible-doc mooring.stack.mysql_grants' has what can be declared")
        for level, privileges in grants.items() if isinstance(grants, dict) else []:
            for privilege in privileges if isinstance(privileges, list) else ():
                name = str(privilege).partition("(")[0].strip().upper()
                meant = "" if "_" in name or name in PRIVILEGES else _preflight_names.nearest(name, PRIVILEGES)
                if meant:
                    yield host.problem(accounts, f"MySQL has no privilege {name}", f"Did you mean {meant}",
                                       f"[{index}].grants.{level}")
            schema = str(level).split(".", maxsplit=1)[0].strip("`")
            twin = next((known for known in schemas if known.lower() == schema.lower() and known != schema), None)
            rest = str(level).partition(".")[2]
            if twin and schema not in schemas:
                yield Problem(host.name, f"{accounts}[{index}].grants", source,
                              f"grant on '{level}', but the schema is '{twin}'", f"Write {twin}.{rest}")
                continue
            near = _preflight_names.slip(schema, schemas, _preflight_names.HINT)
            if near and schema not in (*schemas, *SYSTEM_SCHEMAS) and re.fullmatch(r"[\w$-]+", schema):
                yield Problem(host.name, f"{accounts}[{index}].grants", source,
                              f"grant on '{level}', but no such schema is declared",
                              f"Write {near}.{rest}, or add {schema} to {variable}")
    for index, account in host.items_of("data_stores_redis_accounts"):
        refused = _redis.refused_rule(account["rules"]) if isinstance(account.get("rules"), str) else None
        if refused:
            yield host.problem("data_stores_redis_accounts", *refused, f"[{index}].rules")


def check_databases(host: Host) -> t.Iterator[Problem]:
    """What PostgreSQL's databases need beside themselves, and what the module would refuse."""
    variable, administrator = "data_stores_postgres_databases", "data_stores_postgres_admin_password"
    # Whatever else is in there is the argument spec's business.
    entries = [{"connection_limit": -1, **entry, "owner": entry.get("owner") or entry["name"]}
               for _index, entry in host.items_of(variable) if isinstance(entry.get("name"), str)]
    entries = [entry for entry in entries if isinstance(entry["owner"], str) and isinstance(entry.get("password"), str)
               and isinstance(entry["connection_limit"], int)]
    if not entries:
        return
    source = host.settings[variable].source
    if host.get(administrator) is None:
        yield Problem(host.name, administrator, source, f"is not set, but {variable} is",
                      "Set it to the password that the superuser postgres is to have")
    # The role declares this one itself.
    health = {"name": "health", "password": "unknown", "connection_limit": -1}
    try:
        _postgres.declared(entries, [health], "postgres")
    except MooringError as error:
        yield Problem(host.name, variable, source, str(error).rstrip("."), "Correct the entry")


def check_images(host: Host) -> t.Iterator[Problem]:
    """Images that only this project builds are built somewhere."""
    images = {variable: (setting.value, setting.source) for variable, setting in host.settings.items()
              if variable.endswith("_image")}
    for index, entry in applications(host):
        images[spell(APPLICATIONS, f"[{index}].image")] = (
            entry.get("image"), host.settings[APPLICATIONS].source_of(f"[{index}].image"))
    for variable, (image, source) in images.items():
        # This one is built by its own role, unless it is told not to.
        if variable == "jenkins_dood_image" and host.get("jenkins_dood_base_image"):
            continue
        if str(image or "").startswith(LOCAL_IMAGES) and "distro_images" not in host.groups:
            yield Problem(host.name, variable, source,
                          f"'{image}' is built by distro_images, which this host does not run",
                          f"Put {host.name} into the group distro_images, or name an image of a registry")


# ---------------------------------------------------------------- applications

APPLICATIONS, ONLY, RELEASE = "app_blue_green_applications", "app_blue_green_only", "app_blue_green_release"

# What the proxy takes for a name (roles/nginx_certbot, njs/releases.js), and short enough for <name>-green-2 to be a
# host's name (RFC 1035). Components' names have no '-', so the directory of a colour is no other project's.
_APPLICATION = re.compile(r"[a-z0-9][a-z0-9-]{0,54}")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VOLUME = re.compile(r"[a-z][a-z0-9_.-]*")
# Of other components, without the prefix.
PLATFORM_VOLUMES = {"mysql-data", "redis-data", "postgres-data", "kafka-data", "prometheus-data",
                    "alertmanager-data", "loki-data", "grafana-data", "elasticsearch-data", "logstash-data",
                    "kibana-data", "zookeeper-data", "notifier-data", "jenkins-data"}
# Of an application whose entry does not say.
DEFAULT_MEMORY = "512m"
# Where the container has something already.
_TAKEN = ("/run/secrets", "/tmp")
# What an application's config_overrides must not take back of what makes a release one: defects 1, 2, 7 and 47.
_NOT_OVERRIDDEN = {
    "container_name": ("would be the name of both colours, and there is one of each name", "Leave it out"),
    "image": ("would be another image than the release", "Set image and release of the application"),
    "network_mode": ("takes it from the platform's network, where the proxy finds it", "Name more in networks"),
    "ports": ("would be ports of both colours, and open beside the proxy", "Give the proxy a route to the application"),
    "privileged": ("would make the application root of the host", "Leave it out"),
}


def applications(host: Host) -> list[tuple[int, dict[str, t.Any]]]:
    """The applications of a host with their index."""
    return host.items_of(APPLICATIONS) if "app_blue_green" in host.groups else []


def application_names(host: Host) -> list[str]:
    """Their names, those that are texts."""
    return [entry["name"] for _index, entry in applications(host) if isinstance(entry.get("name"), str)]


def check_monitoring(host: Host) -> t.Iterator[Problem]:
    """Its accounts have passwords, its probes different names, and what somebody else reads can be read."""
    if "monitoring" not in host.groups:
        return
    components = host.get("monitoring_components", [])
    if isinstance(components, list):
        for store in ("mysql", "redis") if "data_stores" in components else ():
            if host.lacks(f"monitoring_{store}_password"):
                yield host.problem(
                    f"monitoring_{store}_password", f"is not set, but the exporter of {store} has to log in",
                    "Give it the password of the account exporter that data_stores declares")
        if ("kafka" in components and host.get("monitoring_kafka_exporter_image") and host.get("kafka_authentication")
                and host.lacks("monitoring_kafka_password")):
            yield host.problem("monitoring_kafka_password", "is not set, but the exporter of Kafka has to log in",
                               "Give it the password of a user exporter in kafka_users")
    # When a server has no connection left, its exporter must not be who has them: defect 32.
    for index, account in host.items_of("data_stores_mysql_accounts"):
        limited = account.get("max_user_connections") or account.get("state") == "absent"
        if account.get("name") == "exporter" and not limited:
            yield host.problem(
                "data_stores_mysql_accounts", "the account 'exporter' may take every connection of MySQL",
                "Give it max_user_connections: 3", f"[{index}].name")
    server = host.get("monitoring_server", True)
    if server and host.get("monitoring_grafana_image") and host.lacks("monitoring_grafana_admin_password"):
        yield host.problem("monitoring_grafana_admin_password", "is not set, but there is a Grafana",
                           "Set it, or set monitoring_grafana_image to null")
    memory, least = size_in_bytes(host.get("monitoring_memory", "1g")) or 0, "1g" if server else "384m"
    if 0 < memory < (size_in_bytes(least) or 0):
        yield host.problem("monitoring_memory", f"{_human(memory)} are too little for all its services",
                           f"Give at least {least}")
    seen: dict[str, int] = {}
    for index, probe in host.items_of("monitoring_probes"):
        name = str(probe.get("name", ""))
        if name in seen:
            yield host.problem("monitoring_probes", f"the probe '{name}' is declared again", "Give each its own name",
                               f"[{index}].name")
        seen.setdefault(name, index)
    for index, group in host.items_of("monitoring_rules"):
        if not group.get("name") or not isinstance(group.get("rules"), list):
            yield host.problem("monitoring_rules", "is no group of rules", "Write it like {name: shop, rules: [...]}",
                               f"[{index}]")
    for index, job in host.items_of("monitoring_scrape_configs"):
        if not job.get("job_name"):
            yield host.problem("monitoring_scrape_configs", "has no job_name", "Give each job its own name",
                               f"[{index}]")


def check_agents(inventory: Inventory) -> t.Iterator[Problem]:
    """One server knows every host that has agents only, and what it runs. Hosts that share nothing are servers each."""
    # A run for one component reads no other's variables.
    if "monitoring" not in inventory.roles:
        return
    hosts = {host.name: host for host in inventory.hosts if "monitoring" in host.groups}
    servers = [host for host in hosts.values() if host.get("monitoring_server", True)]
    agents = [host for host in hosts.values() if host not in servers]
    for agent in agents:
        known = servers[0].get("monitoring_agents", {}) if len(servers) == 1 else None
        if not servers:
            yield agent.problem("monitoring_server", "is false on every host, so nobody looks at them",
                                "Leave it true on one host of the group monitoring")
        elif isinstance(known, dict) and agent.name not in known and not servers[0].setting("monitoring_agents").errors:
            yield agent.problem("monitoring_server", f"is false, and {servers[0].name} does not know of it",
                                f"Add it to monitoring_agents of {servers[0].name}, with its components")
    together = agents or any(
        server.get("monitoring_agents") or server.get(SWARM) for server in servers)
    for server in servers[1:] if together else ():
        yield server.problem("monitoring_server", f"is true here and on {servers[0].name}, whose network it shares",
                             "Set it to false on all hosts but one")
    used = {*inventory.roles, *NEEDS}.union(*(host.groups for host in inventory.hosts))
    for server in servers:
        given = server.get("monitoring_agents")
        for name, components in given.items() if isinstance(given, dict) else ():
            yield from _what_an_agent_is_said_to_have(server, str(name), components, hosts, used)
    labels: dict[str, str] = {}
    for agent in agents:
        label = dns_label(agent.name)
        other = labels.setdefault(label, agent.name)
        # A service has it behind its own name, and a name in the DNS has 63 characters at most.
        if not label or len(label) > 40 or label.split("-")[0] == "network" or other != agent.name:
            why = f"is called like {other}" if other != agent.name else f"cannot be called '{label}'"
            yield Problem(agent.name, "inventory_hostname", "", f"in the names of services this host {why}",
                          "Give it another name in the inventory: up to 40 letters, digits and hyphens")


def _what_an_agent_is_said_to_have(
    server: Host, name: str, components: t.Any, hosts: dict[str, Host], used: set[str],
) -> t.Iterator[Problem]:
    """An entry of monitoring_agents against the host that it is about."""
    agent = hosts.get(name)
    if agent is None or agent is server:
        yield server.problem("monitoring_agents", f"'{name}' is " + (
            "the server itself" if agent else "no host of the group monitoring"), "Name hosts with agents only", name)
        return
    if not isinstance(components, list):
        yield server.problem("monitoring_agents", "is no list of components", "Write it like [data_stores]", name)
        return
    for index, component in enumerate(map(str, components)):
        if component not in used:  # a group of your own is no mistake: an inventory may list all of a host
            yield server.problem("monitoring_agents", f"'{component}' is no component",
                                 f"Name those that {name} runs, such as data_stores", f"{name}[{index}]")
    there = agent.get("monitoring_components")
    differ = ASKED_FOR_METRICS & (set(map(str, components)) ^ set(map(str, there))) if isinstance(there, list) else ()
    if differ:
        yield server.problem("monitoring_agents", f"monitoring_components of {name} says something else of "
                             f"{', '.join(sorted(differ))}", "Let both say what it runs", name)


def check_kafka(host: Host) -> t.Iterator[Problem]:
    """Its topics and users are what a broker can have, and who comes from outside has a name."""
    if "kafka" not in host.groups:
        return
    topic = {"partitions": 1, "replication": 1, "config": {}, "state": "present"}
    user = {"password": "", "acls": [], "state": "present"}
    for variable, defaults, parse in (
            ("kafka_topics", topic, _kafka_topics.parse), ("kafka_users", user, _kafka_users.parse)):
        if host.setting(variable).errors:
            continue
        try:
            parse([{**defaults, **entry} for _index, entry in host.items_of(variable)])
        except MooringError as error:
            yield host.problem(variable, _one_line(str(error)).rstrip("."), "Correct it")
        except (KeyError, TypeError):
            # Not in shape, which its argument spec says.
            continue
    outside = host.get("kafka_external_bind")
    users = [entry for _index, entry in host.items_of("kafka_users") if entry.get("state") != "absent"]
    for variable in ("kafka_external_bind", "kafka_authentication"):
        if host.get(variable) and not users:
            yield host.problem(variable, "is set, but nobody could log in", "Declare who may in kafka_users")
    if users and not outside and not host.get("kafka_authentication"):
        yield host.problem("kafka_users", "is set, but no listener asks for a login",
                           "Set kafka_authentication or kafka_external_bind")
    if host.get("kafka_zookeeper_image"):
        for variable in ("kafka_users", "kafka_authentication", "kafka_external_bind"):
            if host.get(variable):
                yield host.problem(
                    variable, "is set, but there is a ZooKeeper, past which everybody could give himself rights",
                    "Do without, or come away from ZooKeeper first; the README of the role kafka says how")
    texts = (("kafka_external_certificate", "CERTIFICATE", "Give it as PEM text, the chain after it"),
             ("kafka_external_key", "PRIVATE KEY", "Give it as PEM text; openssl pkcs8 -topk8 -nocrypt writes it so"))
    for variable, word, remedy in texts:
        setting = host.setting(variable)
        if outside and not setting.errors and not str(setting.value or "").startswith(f"-----BEGIN {word}-----"):
            yield host.problem(variable, f"has to begin with -----BEGIN {word}-----, for clients from outside", remedy)
    memory = size_in_bytes(host.get("kafka_memory", "2g")) or 0
    if 0 < memory < 768 * 1024**2:
        yield host.problem("kafka_memory", f"{_human(memory)} are too little for a broker", "Give at least 768m")


def check_elk(host: Host) -> t.Iterator[Problem]:
    """Its memory is what Java can work with, and a Kibana has what it logs in and encrypts with."""
    if "elk" not in host.groups:
        return
    memory = size_in_bytes(host.get("elk_elasticsearch_memory", "2g")) or 0
    if 0 < memory < 1024**3:
        yield host.problem(
            "elk_elasticsearch_memory", f"{_human(memory)} are too little for Elasticsearch: half of it is its heap, "
            "and 512m is the least that it works with", "Give at least 1g")
    if memory > 62 * 1024**3:
        yield host.problem(
            "elk_elasticsearch_memory", f"{_human(memory)} are too much: a heap of more than 31g holds less than one "
            "of 31g, because its pointers are twice as long", "Give at most 62g")
    user = {"password": "", "roles": [], "full_name": None, "enabled": None, "state": "present"}
    for index, entry in host.items_of("elk_users"):
        try:
            _elasticsearch_objects.parse({
                **dict.fromkeys(_elasticsearch_objects.OPTIONS.values(), []), "users": [{**user, **entry}]})
        except MooringError as error:
            yield host.problem("elk_users", _one_line(str(error)).rstrip("."), "Give it one, or another", f"[{index}]")
        except (KeyError, TypeError):
            # Not in shape, which its argument spec says.
            continue
    if host.get("elk_kibana_image"):
        for variable in ("elk_kibana_password", "elk_kibana_encryption_key"):
            if host.lacks(variable):
                yield host.problem(variable, "is not set, but there is a Kibana",
                                   "Set it, or set elk_kibana_image to null")
        key = str(host.get("elk_kibana_encryption_key") or "")
        if 0 < len(key) < 32:
            yield host.problem("elk_kibana_encryption_key", "is shorter than 32 characters",
                               "Make one with: openssl rand -hex 32")
    # Tags of a registry of one's own may say something else, so only those that are versions count: defect 66.
    versions = {variable: _VERSION.search(str(host.get(variable) or "")) for variable in (
        "elk_elasticsearch_image", "elk_logstash_image", "elk_filebeat_image", "elk_kibana_image")}
    server, *others = versions.items()
    for variable, found in others:
        if found and server[1] and found[1] != server[1][1]:
            yield host.problem(variable, f"is of version {found[1]}, but Elasticsearch of {server[1][1]}",
                               "Give both one version; elk_version is that of all four")
    if host.get("elk_filebeat_image") and not host.get("elk_logstash_image"):
        yield host.problem("elk_filebeat_image", "is set, but there is no Logstash that it could send lines to",
                           "Set elk_logstash_image too, or both to null")


def check_jenkins(host: Host) -> t.Iterator[Problem]:
    """What is declared is what Jenkins can have, and somebody builds it."""
    if "jenkins_dood" not in host.groups:
        return
    prefix = "jenkins_dood_"
    # Of a value that cannot be made that is told already.
    settings = {name.removeprefix(prefix): setting.value for name, setting in host.settings.items()
                if name.startswith(prefix) and not setting.errors}
    for one in _jenkins.problems(settings):
        yield host.problem(prefix + one.variable, one.text, one.remedy, one.path)
    plugins = host.get("jenkins_dood_plugins", [])
    for index, plugin in enumerate(plugins if isinstance(plugins, list) else ()):
        version = re.fullmatch(r"[a-z0-9-]+:([A-Za-z0-9._-]+)", str(plugin))
        if not version or version[1] in ("latest", "experimental"):
            yield host.problem("jenkins_dood_plugins", f"'{plugin}' is no plugin with a version",
                               "Write it like matrix-auth:3.3", f"[{index}]")
    memory = size_in_bytes(host.get("jenkins_dood_memory", "2g")) or 0
    if 0 < memory < 1024**3:
        yield host.problem("jenkins_dood_memory", f"{_human(memory)} are too little: half of it is Java's heap",
                           "Give at least 1g")


def check_applications(host: Host) -> t.Iterator[Problem]:
    """Each application by itself, and all of them together."""
    setting = host.setting(APPLICATIONS)
    # A part without a value is no part that was left out.
    if setting.errors or not applications(host):
        return
    volumes: dict[str, str] = {}
    for index, entry in applications(host):
        def problem(key: str, text: str, remedy: str, index: int = index) -> Problem:
            path = f"[{index}].{key}"
            # Of a list that was left out, or of a key, the entry's name says where it is.
            source = setting.sources.get(path) or setting.source_of(f"[{index}].name")
            return Problem(host.name, spell(APPLICATIONS, path), source, text, remedy)

        name = entry.get("name")
        if isinstance(name, str) and not placeholder(name):
            if not _APPLICATION.fullmatch(name):
                yield problem("name", f"'{name}' cannot name an application",
                              "Use up to 55 lower-case letters, digits and '-', and begin with one of the former two")
            elif index != _first(host, name):
                yield problem("name", f"the application '{name}' is declared again",
                              "Give each its own name, or keep one of them")
        yield from _what_is_run(host, entry, problem)
        yield from _what_is_mounted(entry, problem, volumes)
        overrides = entry.get("config_overrides")
        for key in _NOT_OVERRIDDEN if isinstance(overrides, dict) else ():
            if overrides.get(key):
                yield problem(f"config_overrides.{key}", *_NOT_OVERRIDDEN[key])
        environment = entry.get("env")
        if entry.get("jvm_options") and isinstance(environment, dict) and "JAVA_TOOL_OPTIONS" in environment:
            yield problem("env.JAVA_TOOL_OPTIONS", "is set beside jvm_options, which are the same variable",
                          "Keep one of them")
        for number, option in _texts(entry, "jvm_options"):
            if re.search(r"\s", option):
                yield problem(f"jvm_options[{number}]", f"'{option}' has a space, at which Java divides it",
                              "Write each option as an item of its own")
        if said := _canary_refusal(entry.get("canary")):
            yield problem("canary", f"of '{name}': {said}", "Write it like {steps: [10, 50], hold: 300, errors: 0.01}")
        for number, network in _texts(entry, "networks"):
            if not _NETWORK.fullmatch(network):
                yield problem(f"networks[{number}]", f"'{network}' cannot name a Docker network",
                              "Use letters, digits, '.', '_' and '-'")
            elif network in ("default", host.get("mooring_network", host.get("mooring_prefix"))):
                yield problem(f"networks[{number}]", f"'{network}' is the platform's network, which each colour joins",
                              "Leave it out")


def _canary_refusal(value: t.Any) -> str | None:
    """Why shares cannot be given so; wrong types are the specification's business."""
    checked = ArgumentSpecValidator(CANARY_SPEC).validate(value if isinstance(value, dict) else {})
    if checked.error_messages:
        return None
    try:
        Canary.from_params(checked.validated_parameters)
    except ValueError as error:
        return str(error)
    return None


def _first(host: Host, name: str) -> int:
    """The index of the entry that has a name first."""
    return next(index for index, entry in applications(host) if entry.get("name") == name)


def _texts(entry: dict[str, t.Any], key: str) -> list[tuple[int, str]]:
    """The texts of a list with their index; whatever else is in there is the argument spec's business."""
    value = entry.get(key)
    return [(number, item) for number, item in enumerate(value) if isinstance(item, str)] \
        if isinstance(value, list) else []


def _what_is_run(host: Host, entry: dict[str, t.Any], problem: t.Callable[..., Problem]) -> t.Iterator[Problem]:
    """An image without a tag, and the tag: from the entry, or from the command line."""
    image = str(entry.get("image") or "")
    if not image and "image" in entry:
        yield problem("image", "is empty", "Write the image's name without its tag")
    elif image and not placeholder(image):
        found = _IMAGE.fullmatch(image)
        if not found or found.group("tag") or found.group("digest"):
            yield problem("image", f"'{image}' is not an image without a tag", "Put the tag into release")
    only, release = host.get(ONLY, ""), entry.get("release")
    if only and entry.get("name") != only:
        return
    if release in (None, "") and host.get(RELEASE, "") in (None, ""):
        yield problem("release", "is not set", f"Set it to the image's tag, or give {RELEASE} on the command line")
    elif release not in (None, "") and not placeholder(str(release)):
        yield from (problem("release", *found) for found in [_release(release)] if found)


def _release(value: t.Any) -> tuple[str, str] | None:
    if str(value) == "latest":  # defect 1
        return "'latest' is another image each day", "Name a version"
    if not _TAG.fullmatch(str(value)):
        return f"'{value}' cannot be a tag", "Use letters, digits, '.', '_' and '-'"
    return None


def _what_is_mounted(
    entry: dict[str, t.Any], problem: t.Callable[..., Problem], engine: dict[str, str],
) -> t.Iterator[Problem]:
    """Volumes and the log directory; ``engine`` gathers the host's named volumes and whose they are."""
    taken = dict.fromkeys(_TAKEN, "which the container has already")
    directory = entry.get("log_directory")
    if isinstance(directory, str) and directory:
        if _absolute(directory):
            yield problem("log_directory", *t.cast("tuple[str, str]", _absolute(directory)))
        elif directory in taken:
            yield problem("log_directory", f"'{directory}' is a directory {taken[directory]}", "Name another one")
        taken[directory] = "that log_directory names"
    for number, volume in _texts(entry, "volumes"):
        key = f"volumes[{number}]"
        source, _colon, rest = volume.partition(":")
        target = rest.partition(":")[0]
        if source.startswith("."):
            yield problem(key, f"'{volume}' lies in the directory of one colour, and the other one would have its own",
                          "Write a volume's name, or an absolute path on the host")
        elif _absolute(source) if source.startswith("/") else not _VOLUME.fullmatch(source):
            yield problem(key, f"'{source}' names neither a volume nor a path on the host",
                          "Use lower-case letters, digits, '.', '_' and '-', or write it like /srv/shop")
        elif _absolute(target):
            yield problem(key, f"'{volume}' does not say where in the container",
                          "Write it like uploads:/srv/uploads, or uploads:/srv/uploads:ro")
        elif target in taken:
            yield problem(key, f"'{target}' is a directory {taken[target]}", "Choose another one")
        else:
            taken[target] = "that another volume has"
            mine = str(entry.get("name", ""))
            name = f"{mine}-{source}"
            if not source.startswith("/"):
                owner = "another component" if name in PLATFORM_VOLUMES else engine.setdefault(name, mine)
                if owner != mine:
                    yield problem(key, f"the engine would know it as <prefix>-{name}, which is a volume of {owner}",
                                  "Give it another name")


def check_the_command_line(inventory: Inventory) -> t.Iterator[Problem]:
    """One application is named, if one has to be, and it exists."""
    hosts = [host for host in inventory.hosts if applications(host)]
    everywhere = sorted({name for host in hosts for name in application_names(host)})
    for host in hosts:
        only, release, names = host.get(ONLY, ""), host.get(RELEASE, ""), application_names(host)
        if only and only not in everywhere:
            yield host.problem(ONLY, f"no host runs an application '{only}'",
                               f"Known applications: {', '.join(everywhere)}")
        if release in (None, ""):
            continue
        source = host.settings[RELEASE].source
        if source.startswith(f"{inventory.directory}/"):
            yield Problem(host.name, RELEASE, source, "would replace what the list declares, in every run",
                          f"Write it as release into {APPLICATIONS}; this one is for the command line")
        if not only and len(names) > 1:
            yield Problem(host.name, RELEASE, source, f"is set, but {host.name} has several: {', '.join(names)}",
                          f"Name the one that it is for, for instance with -e {ONLY}={names[0]}")
        if not placeholder(str(release)):
            yield from (Problem(host.name, RELEASE, source, *found) for found in [_release(release)] if found)


def check_certificates(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """The CA can be reached and finds the names."""
    # A run for one component reads no other's variables.
    if "nginx_certbot" not in host.groups or "nginx_certbot" not in inventory.roles:
        return
    variable = "nginx_certbot_acme_directory"
    directory = host.get(variable, "")
    services = inventory.services_near(host)
    ca = (urlsplit(str(directory)).hostname or "") if directory and not _url(directory) else ""
    if ca == "acme-ca" and "acme_test_ca" not in host.groups:
        yield host.problem(variable, "leads to acme-ca, the test CA, which this host does not run",
                           f"Put {host.name} into the group acme_test_ca, or name the directory of another CA")
    elif ca and "." not in ca and ca != "acme-ca" and ca not in services:
        yield host.problem(variable, f"nobody answers to the name '{ca}'", "Write the CA's full name")
    elif str(directory).startswith("http:"):
        yield host.problem(variable, f"'{directory}' is not encrypted", "Every CA has an https:// address")
    yield from check_certbot_options(host)
    names: set[str] = set()
    serving: dict[str, str] = {}
    options = host.get("nginx_certbot_certbot_options") or {}
    authenticator = any(
        value and (name in ("authenticator", "manual") or re.fullmatch(r"dns-[a-z0-9]+", str(name)))
        for name, value in options.items()) if isinstance(options, dict) else True
    for index, certificate in host.items_of("nginx_certbot_certificates"):
        source = host.settings["nginx_certbot_certificates"].source_of(f"[{index}].name")
        label = f"nginx_certbot_certificates[{index}]"
        by_dns = certificate.get("challenge") == "dns-01"
        if by_dns and not authenticator:
            yield Problem(host.name, f"{label}.challenge", source,
                          "is dns-01, but nobody is named who sets the records",
                          "Give nginx_certbot_certbot_options an authenticator, as its role's README shows")
        yield from _what_a_certificate_cannot_be(host.name, label, source, certificate)
        if certificate.get("name") in names:
            yield Problem(host.name, label, source, f"the certificate '{certificate.get('name')}' is declared twice",
                          "Give each its own name")
        names.add(str(certificate.get("name")))
        for domain in certificate.get("domains") or []:
            other = serving.setdefault(str(domain).lower(), str(certificate.get("name")))
            if other != str(certificate.get("name")):
                yield Problem(host.name, label, source, f"'{domain}' is in the certificate '{other}' too",
                              "Keep it in one of them; nginx can show one for a name only")
            if not by_dns:
                yield from (Problem(host.name, label, source, *found)
                            for found in _where_a_domain_leads(inventory, host, str(domain)))

    if host.get("nginx_certbot_certificates") == []:
        yield host.problem("nginx_certbot_certificates", "is empty, so the proxy would answer to no name",
                           "Declare a certificate")
        return
    for index, entry in applications(host):
        url = entry.get("url")
        asked = (urlsplit(str(url)).hostname or "") if url and not _url(url) else ""
        # With a name that is none, nothing is known of those that are shown.
        known = not any(_certificate_domain(one) for one in serving)
        if asked and known and not {asked, f"*.{asked.partition('.')[2]}"} & set(serving):
            yield host.problem(APPLICATIONS, f"the name '{asked}' is in no certificate",
                               "Add it to a certificate of nginx_certbot_certificates, or correct the URL",
                               f"[{index}].url")


def _where_a_domain_leads(inventory: Inventory, host: Host, domain: str) -> t.Iterator[tuple[str, str]]:
    """A name that a CA will look up leads to the host, as far as can be known from here."""
    answers = inventory.addresses.get(domain)
    if answers is None:
        return
    if not answers:
        yield f"'{domain}' has no address, so no CA can validate it", "Add the name to your DNS, or correct it"
        return
    # Where the proxy does not take port 80 itself, something stands before it and leads there.
    bind = parse_bind(host.get("nginx_certbot_http_bind"))
    if host.facts is None or not bind or bind[1] != 80:
        return
    allowed = host.get("preflight_domain_addresses") or []
    target = str(host.get("ansible_host") or host.name)
    wrong = _preflight_host.elsewhere(answers, host.facts.get("addresses") or (), inventory.addresses.get(target) or (),
                                      allowed if isinstance(allowed, list) else ())
    if wrong:
        yield (f"'{domain}' leads to {', '.join(wrong)}, which is not this host, so no CA can validate it",
               "Correct the name in your DNS, or, where a load balancer or a firewall leads here, add its address to "
               "preflight_domain_addresses")


def _what_a_certificate_cannot_be(
    where: str, label: str, source: str, certificate: dict[str, t.Any],
) -> t.Iterator[Problem]:
    """What the module would refuse, said before anything is changed; wrong types are the specification's business."""
    kinds = {"name": str, "domains": list, "challenge": str, "profile": str, "renew_at": (int, float)}
    if any(not isinstance(certificate.get(key), kind) for key, kind in kinds.items() if key in certificate) or not (
            {"name", "domains"} <= set(certificate)) or not all(isinstance(one, str) for one in certificate["domains"]):
        return
    # What is no domain name is said by the check of that name.
    domains = [one for one in certificate["domains"] if not _certificate_domain(one)]
    if certificate["domains"] and not domains:
        return
    try:
        Desired.parse({"key_type": "ecdsa", **certificate, "domains": domains}, "")
    except BadRequest as error:
        yield Problem(where, label, source, str(error).rstrip("."), "Correct it")


def check_certbot_options(host: Host) -> t.Iterator[Problem]:
    """certbot would refuse what it does not know only when an order is due, weeks later."""
    variable = "nginx_certbot_certbot_options"
    options = host.get(variable) or {}
    source = host.setting(variable).source
    for name in options if isinstance(options, dict) else ():
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(name)):
            yield Problem(host.name, variable, source, f"'{name}' is not how certbot writes a long option",
                          "Write it without leading dashes and with '-' between words, such as eab-kid")
        elif name in OWN_CERTBOT_OPTIONS:
            yield Problem(host.name, variable, source, f"'{name}' is given to certbot by the role",
                          "Use the variables of nginx_certbot for it")
    if isinstance(options, dict) and ("eab-kid" in options) != ("eab-hmac-key" in options):
        yield Problem(host.name, variable, source, "an external account needs both eab-kid and eab-hmac-key",
                      "Give the other one too")
    files = host.get("nginx_certbot_certbot_files") or {}
    for name in files if isinstance(files, dict) else ():
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", str(name)) or name == "cli.ini":
            yield host.problem("nginx_certbot_certbot_files", f"'{name}' cannot name a file there",
                               "Use letters, digits, '.', '_' and '-'; cli.ini is the options themselves")


# ---------------------------------------------------------------- the host itself

# roles/elk/vars
ELASTICSEARCH_MAP_COUNT = 262144


def check_facts(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """What the machine itself says."""
    if host.unreadable:
        yield Problem(host.name, "ansible_host", "", f"the host cannot be read: {_one_line(host.unreadable)}",
                      "Check its address, the login, that it may use sudo, and that python3 is installed")
    facts = host.facts
    if facts is None:
        return
    system, version = facts["os"]["id"], facts["os"]["version"]
    if version not in SUPPORTED_OS.get(system, set()):
        yield Problem(host.name, "operating system", "", f"{system or 'unknown'} {version} is not supported",
                      "Use Debian 12 or 13, or Ubuntu 22.04 or 24.04")
    if facts["architecture"] not in SUPPORTED_ARCHITECTURES:
        yield Problem(host.name, "architecture", "", f"{facts['architecture']} is not supported", "Use x86-64 or arm64")
    # A machine that carries no containers, such as one that only runs the drift check, may be small.
    carries = "docker_engine" in host.groups
    minimum = (size_in_bytes(host.get("preflight_memory_minimum", "")) or 0) if carries else 0
    if facts["memory"] < minimum:
        yield Problem(host.name, "memory", "", f"the host has {_human(facts['memory'])}, less than {_human(minimum)}",
                      "Give it more, or lower preflight_memory_minimum")
    # A service that nothing is declared for, or that has no image, does not run.
    idle = set() if host.get("data_stores_postgres_databases") else {"data_stores_postgres_memory"}
    idle |= {f"elk_{part}_memory" for part in ("kibana", "logstash") if not host.get(f"elk_{part}_image")}
    if "elk" in host.groups:
        minimum = size_in_bytes(host.get("elk_host_memory_minimum", "")) or 0
        if facts["memory"] < minimum:
            yield Problem(host.name, "memory", "",
                          f"the host has {_human(facts['memory'])}, less than the {_human(minimum)} that elk is for",
                          "Take the host out of the group elk, give it more, or lower elk_host_memory_minimum")
    wanted = {
        variable: size_in_bytes(setting.value) or 0
        for variable, setting in host.settings.items()
        if variable.endswith("_memory") and variable not in idle and setting.value is not None and not setting.errors
    }
    for index, entry in applications(host):
        replicas = entry["replicas"] if isinstance(entry.get("replicas"), int) else 1
        # While a release is deployed both colours run.
        wanted[spell(APPLICATIONS, f"[{index}].memory")] = 2 * replicas * (
            size_in_bytes(entry.get("memory", DEFAULT_MEMORY)) or 0)
    if sum(wanted.values()) > facts["memory"]:
        # The largest first: that is where there is something to gain.
        parts = sorted(wanted.items(), key=lambda part: (-part[1], part[0]))
        yield Problem(host.name, "memory", "",
                      f"the limits of its components are {_human(sum(wanted.values()))} together, but the host has "
                      f"{_human(facts['memory'])}: "
                      + ", ".join(f"{name} {_human(size)}" for name, size in parts if size),
                      "Lower some of them (of an application, both colours and all replicas count), or give the host "
                      "more")
    minimum = (size_in_bytes(host.get("preflight_disk_minimum", "")) or 0) if carries else 0
    places: dict[str, list[str]] = {}
    for path in (str(host.get("mooring_root", "/")), facts["docker"]["root"]):
        places.setdefault(mount_of(path, facts["mounts"]), []).append(path)
    for mount, paths in places.items():
        free = facts["mounts"].get(mount, minimum)
        if free < minimum:
            yield Problem(host.name, "disk", " and ".join(paths),
                          f"{_human(free)} are free on {mount}, less than {_human(minimum)}",
                          "Free some space, or lower preflight_disk_minimum")
    # What may be written there in the end, whether it lies there already or not, against all that there is.
    bounds = {"monitoring": "monitoring_disk", "elk": "elk_disk_reserve"}
    bounds = {variable: size_in_bytes(host.get(variable, "")) or 0 for group, variable in bounds.items()
              if group in host.groups}
    mount = mount_of(facts["docker"]["root"], facts["mounts"])
    whole = facts.get("sizes", {}).get(mount, 0)
    if whole and sum(bounds.values()) > whole:
        yield Problem(host.name, "disk", facts["docker"]["root"],
                      f"{' and '.join(bounds)}: {_human(sum(bounds.values()))}, but {mount} has {_human(whole)} in all",
                      f"Lower {' or '.join(bounds)}, or give the host more")
    yield from check_machine(inventory, host, facts)
    skew = facts["time"] - inventory.now
    if abs(skew) > float(host.get("preflight_clock_skew_maximum", 300)):
        yield Problem(host.name, "clock", "",
                      f"is {_long(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the controller",
                      "Set the clock, for instance with systemd-timesyncd; certificates depend on it")


def check_machine(inventory: Inventory, host: Host, facts: dict[str, t.Any]) -> t.Iterator[Problem]:
    """Its kernel and its engine, where containers are to run."""
    if "docker_engine" not in host.groups:
        return
    # A run for one component neither needs what another one does nor reads its variables.
    searches = "elk" in host.groups and "elk" in inventory.roles
    found = list(_preflight_host.check_kernel(facts, ELASTICSEARCH_MAP_COUNT if searches else 0))
    if "docker_engine" in inventory.roles:
        found += _preflight_host.check_engine(
            facts, str(host.get("docker_engine_source")), str(host.get("docker_engine_compose_minimum")))
    for one in found:
        yield Problem(host.name, one.subject, "", one.problem, one.remedy)


def _long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


def platform(host: Host) -> str:
    """The prefix that tells a host's platform from others on it."""
    return str(host.get("mooring_prefix", "mooring"))


def record_due(inventory: Inventory, host: Host) -> bool:
    """Whether a host with nothing wrong has to be told which version of the collection works there from now on."""
    return (inventory.collection is not None and host.facts is not None and "docker_engine" in host.groups
            and _collection_version.due(inventory.collection, host.facts, platform(host)))


def check_collection(inventory: Inventory, host: Host) -> t.Iterator[Problem]:
    """This version of the collection may follow the one that worked on the host last."""
    if inventory.collection is None or host.facts is None or "docker_engine" not in host.groups:
        return
    refusal = _collection_version.judge(
        inventory.collection, host.facts, platform(host),
        {*NEEDS, "docker_engine"} - host.groups,
        _collection_version.Acknowledged(
            str(host.get(_collection_version.UPGRADE, "")), str(host.get(_collection_version.DOWNGRADE, ""))))
    if refusal:
        yield host.problem(refusal.variable, refusal.problem, refusal.remedy)


def mount_of(path: str, mounts: t.Iterable[str]) -> str:
    """The file system that holds a path, which need not exist yet."""
    return max((mount for mount in mounts if f"{path}/".startswith(f"{mount.rstrip('/')}/")), key=len, default="/")


def _human(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB" if size >= 1024**3 else f"{size / 1024**2:.0f} MiB"


def _overlaps(one: str, other: str) -> bool:
    """Whether two addresses cannot both be bound on one port."""
    first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    if first.is_unspecified or second.is_unspecified:
        return True
    return first == second


def check_ports(host: Host) -> t.Iterator[Problem]:
    """Ports are free, or ours."""
    prefix = str(host.get("mooring_prefix", "mooring")) + "-"
    taken: list[tuple[str, str, int]] = []
    for variable, setting in sorted(host.settings.items()):
        bind = parse_bind(setting.value) if variable.endswith(("_bind", "_publish")) and setting.value else None
        if bind is None:
            continue
        address, port = bind
        for other, other_address, other_port in taken:
            if port == other_port and _overlaps(address, other_address):
                yield Problem(host.name, variable, setting.source, f"port {port} is already declared by {other}",
                              "Choose another port")
        taken.append((variable, address, port))
        if not _preflight_host.can_be_bound(address, host.facts or {}):
            yield Problem(host.name, variable, setting.source, f"the host has no address {address}",
                          "Write one that it has, or 0.0.0.0 for all of them")
        owner = _foreign_owner(host.facts or {}, prefix, address, port)
        if owner:
            yield Problem(host.name, variable, setting.source, f"port {port} is taken by {owner}",
                          "Stop it, or choose another port")


def _foreign_owner(facts: dict[str, t.Any], prefix: str, address: str, port: int) -> str:
    """Who holds the port, unless it is one of our own containers."""
    for entry in facts.get("published", []):
        if entry["port"] == port and _overlaps(entry["address"], address):
            return "" if entry["project"].startswith(prefix) else f"the container {entry['container']}"
    for entry in facts.get("listening", []):
        if entry["port"] == port and _overlaps(entry["address"], address):
            return f"the process {entry['process']}" if entry["process"] else "a process"
    return ""


# ---------------------------------------------------------------- all of it


def check_notice(host: Host) -> t.Iterator[Problem]:
    """Deployments that tell of themselves are believed."""
    if "app_blue_green" in host.groups and host.get("app_blue_green_notify_url") and host.lacks(
            "app_blue_green_notify_token"):
        yield host.problem("app_blue_green_notify_token", "is not set, so nobody would believe what is told",
                           "Give it one of mattermost_notifier_deploy_tokens, or empty app_blue_green_notify_url")


def check_mattermost_notifier(host: Host) -> t.Iterator[Problem]:
    """Somebody is believed, and every route leads to a webhook; what routes ask is checked by the notifier itself."""
    if "mattermost_notifier" not in host.groups:
        return
    variable, tokens = "mattermost_notifier_webhooks", "mattermost_notifier_gitlab_tokens"
    if host.lacks(tokens) and host.lacks("mattermost_notifier_signing_tokens"):
        yield host.problem(tokens, "is empty, so anybody could have anything told",
                           "Make a token with openssl rand -hex 32, and give it to GitLab's webhook too")
    for name in ("gitlab_tokens", "deploy_tokens"):
        for index, token in enumerate(host.get(f"mattermost_notifier_{name}") or []):
            if isinstance(token, str) and len(token) < 16:
                yield host.problem(f"mattermost_notifier_{name}", "is shorter than 16 characters",
                                   "Make one with: openssl rand -hex 32", f"[{index}]")
    webhooks = host.get(variable)
    if not isinstance(webhooks, dict):
        return
    for name, url in webhooks.items():
        if not url or _url(url):
            # It is a secret, so it is not quoted.
            yield host.problem(variable, "is no URL", "Copy the one that Mattermost shows", str(name))
    for index, route in host.items_of("mattermost_notifier_routes"):
        webhook = route.get("webhook", "default")
        if webhook not in webhooks:
            yield host.problem("mattermost_notifier_routes", f"there is no webhook '{webhook}'",
                               f"Name one of {', '.join(map(str, webhooks)) or 'those'} in {variable}", f"[{index}]")


# What a component's variables have to be together.
OF_A_COMPONENT: dict[str, t.Callable[[Host], t.Iterator[Problem]]] = {
    "kafka": check_kafka, "elk": check_elk, "jenkins_dood": check_jenkins,
    "mattermost_notifier": check_mattermost_notifier, "monitoring": check_monitoring,
}


def judge(inventory: Inventory) -> list[Problem]:
    """Every problem of the inventory, once each, in the order of hosts."""
    problems = [Problem("controller", *one[:1], "", *one[1:]) for one in inventory.controller]
    slips = {host.name: misspelt(inventory, host) for host in inventory.hosts}
    problems += [*check_groups(inventory), *check_names(inventory, slips), *check_the_command_line(inventory),
                 *check_agents(inventory)]
    for host in inventory.hosts:
        # All else that is wrong with it follows from its name.
        if stray(inventory, host):
            continue
        problems += check_placeholders(host)
        problems += check_settings(inventory, host)
        problems += check_swarm(inventory, host)
        problems += check_routes(inventory, host)
        problems += check_accounts(host)
        problems += check_databases(host)
        problems += check_images(host)
        problems += check_applications(host)
        problems += check_notice(host)
        for component, check in OF_A_COMPONENT.items():
            # A run for one component reads no other's variables, so it says nothing of them.
            if component in inventory.roles:
                problems += check(host)
        problems += check_certificates(inventory, host)
        problems += check_facts(inventory, host)
        problems += check_collection(inventory, host)
        problems += check_ports(host)
    # Who wrote a name wrongly has not left out the right one as well.
    meant = {(host, name) for host, found in slips.items() for name in found.values()}
    problems = [one for one in problems
                if (one.where, one.variable) not in meant or not one.problem.startswith("is not set")]
    return merge(said_where_it_stands(inventory, problems))


def said_where_it_stands(inventory: Inventory, problems: list[Problem]) -> list[Problem]:
    """One line for a value that several variables take over: the one of the variable that it was written for."""
    written = {(host.name, one.source, one.variable): one.value for host in inventory.hosts for one in host.literals}
    texts = {(host.name, name): raw.texts for host in inventory.hosts for name, raw in host.raw.items()}
    alike: dict[tuple[str, str], list[Problem]] = {}
    for one in problems:
        alike.setdefault((one.where, one.problem), []).append(one)

    def stands_here(one: Problem) -> bool:
        others = [other for other in alike[one.where, one.problem] if other is not one]
        own = written.get((one.where, one.source, one.variable))
        elsewhere = any(other.source == one.source and (other.where, other.source, other.variable) in written
                        for other in others)
        name = _base(one.variable)
        # A value that stands here refers to what its own text names, not to what its variable names beside it.
        read = texts.get((one.where, name), ()) if own is None else (own,)
        words = {word for text in read for word in re.findall(r"\w+", text)} - {name}
        refers = any(_base(other.variable) in words for other in others)
        return not refers and (own is not None or not elsewhere)

    return [one for one in problems if stands_here(one)]


def _base(variable: str) -> str:
    """``routes`` of ``routes[0].path``."""
    return re.split(r"[.\[]", variable, maxsplit=1)[0]


def merge(problems: t.Iterable[Problem]) -> list[Problem]:
    """One line for what several hosts have in common, such as a variable of their group."""
    hosts: dict[Problem, list[str]] = {}
    for problem in problems:
        names = hosts.setdefault(dataclasses.replace(problem, where=""), [])
        if problem.where not in names:
            names.append(problem.where)
    return [dataclasses.replace(problem, where=_list(names)) for problem, names in hosts.items()]


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def service_names(compose: str) -> set[str]:
    """The services of a role's compose template, read as text because it may hold Jinja."""
    names: set[str] = set()
    section = ""
    for line in compose.splitlines():
        top = re.match(r"([a-z]+):\s*$", line)
        if top:
            section = top.group(1)
        # What differs from host to host stands behind the name; of one that does not end there, nobody knows the rest.
        name = re.match(r"  ([A-Za-z0-9_-]*[A-Za-z0-9])(?:\{\{[^}]*\}\})?:\s*(#.*)?$", line)
        if name and section == "services":
            names.add(name.group(1))
    return names
