# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Grafana, Loki, Alloy, Promtail, Kibana, Logstash, Filebeat, kafka_exporter and Jenkins, without a
registry.

It is the program whose name it is started by, and does of it what a deployment meets: reads
its configuration, checks it, writes to its volume, answers health checks and a websocket, and
ends when it is told to. It keeps no logs and draws no curves, and says so at each start.
"""

from __future__ import annotations

import base64
import email
import glob
import hashlib
import html
import http.server
import json
import os
import pathlib
import re
import secrets
import shlex
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

import yaml

# RFC 6455, section 1.3.
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Wrong(Exception):
    """The configuration or the command line is not one of the program's."""


class Unresolved(Wrong):
    """A secret of Jenkins' configuration is not there: a failure that its plugin does not foresee."""


class NoJobs(Wrong):
    """The script of Jenkins' jobs fails, of which its page says no more."""


class StrictLoader(yaml.SafeLoader):
    """YAML without keys that occur twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _value in node.value]
        if len(keys) != len(set(keys)):
            raise Wrong(f"line {node.start_mark.line + 1}: a key occurs twice")
        return super().construct_mapping(node, deep)


def read_yaml(path: str) -> dict:
    """The mapping in a file."""
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, StrictLoader)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Wrong(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise Wrong(f"{path}: not a mapping")
    return content


def check_alloy(path: str) -> None:
    """Strings end on their line, and each bracket has its other one."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise Wrong(f"{path}: {error}") from error
    pairs, opened = {")": "(", "]": "[", "}": "{"}, []
    for token in re.finditer(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|`[^`]*`|\n|["`()\[\]{}]', text):
        line = text.count("\n", 0, token.start()) + 1
        if token[0] in ('"', "`"):
            raise Wrong(f"{path}:{line}: a string does not end")
        if token[0] in pairs.values():
            opened.append(token[0])
        elif token[0] in pairs and (not opened or opened.pop() != pairs[token[0]]):
            raise Wrong(f"{path}:{line}: {token[0]} closes nothing")
    if opened:
        raise Wrong(f"{path}: {opened[-1]} is not closed")


def options(arguments: list[str]) -> dict[str, str]:
    """``-name=value``, ``--name=value`` and ``-name`` by name."""
    pairs = (argument.lstrip("-").partition("=") for argument in arguments if argument.startswith("-"))
    return {name: value for name, _sign, value in pairs}


class Answer(http.server.BaseHTTPRequestHandler):
    """One request; ``pages`` of the server are what is answered by path, ``program`` who is played."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        prefix = self.server.prefix
        if self.server.jenkins and path.startswith(f"{prefix}/"):
            self.jenkins(path.removeprefix(prefix))
            return
        if prefix and not (path + "/").startswith(prefix + "/"):
            if self.server.root:
                self.send(301, "", Location=self.server.root)
            else:
                self.send(404, "not found\n")
        elif path == f"{prefix}/metrics":
            own = f'# TYPE standin_info gauge\nstandin_info{{program="{self.server.program}"}} 1\n'
            self.send(200, own + self.server.samples)
        elif path == f"{prefix}/api/live/ws" and self.server.program == "grafana":
            self.websocket()
        elif (path.removeprefix(prefix) or "/") in self.server.pages:
            kind, body = self.server.pages[path.removeprefix(prefix) or "/"]
            self.send(200, body, **{"Content-Type": kind})
        else:
            self.send(404, "not found\n")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urllib.parse.urlsplit(self.path).path.removeprefix(self.server.prefix)
        if self.server.jenkins:
            self.jenkins(path)
        elif self.server.program == "loki" and path == "/loki/api/v1/push":
            self.send(204, "")
        elif self.server.program == "alloy" and path == "/-/reload":
            self.send(200, "config reloaded\n")
        elif self.server.program == "grafana" and path == "/login":
            login = json.loads(body or b"{}")
            good = login.get("user") == "admin" and fingerprint(login.get("password", "")) == (
                json.loads(database().read_text())["admin"])
            self.send(200 if good else 401, json.dumps({"message": "Logged in" if good else "Invalid login"}))
        elif self.server.program == "kibana" and path.startswith("/api/saved_objects/"):
            if self.headers.get("kbn-xsrf"):
                self.saved_objects(path.removeprefix("/api/saved_objects/"), body)
            else:
                self.send(400, json.dumps({"statusCode": 400, "message": "Request must contain a kbn-xsrf header."}))
        else:
            self.send(404, "not found\n")

    def saved_objects(self, what: str, body: bytes) -> None:
        """_export says which are missing, _import keeps all; see the step kibana_objects."""
        place = self.server.objects
        kept = json.loads(place.read_text()) if place.exists() else {}
        if what == "_export":
            missing = [{**one, "error": {"statusCode": 404}} for one in json.loads(body)["objects"]
                       if f"{one['type']}/{one['id']}" not in kept]
            answer = {"statusCode": 400, "error": "Bad Request", "message": "Error fetching objects to export",
                      "attributes": {"objects": missing}}
            self.send(400 if missing else 200, json.dumps(answer if missing else {}))
        elif what == "_import":
            head = f"Content-Type: {self.headers.get('Content-Type')}\r\n\r\n".encode()
            (part,) = email.message_from_bytes(head + body).get_payload()
            given = [json.loads(line) for line in part.get_payload(decode=True).splitlines() if line.strip()]
            place.write_text(json.dumps(kept | {f"{one['type']}/{one['id']}": one for one in given}))
            self.send(200, json.dumps({"success": True, "successCount": len(given)}))
        else:
            self.send(404, "not found\n")

    def jenkins(self, path: str) -> None:
        """The page for a login is everybody's, a webhook has its token, and the rest is for users."""
        instance, posted = self.server.jenkins, self.command == "POST"
        kind, _slash, name = path.strip("/").partition("/")
        if path == "/login" and not posted:
            self.send(200, "<!doctype html><title>standin</title><p>This is not Jenkins: no registry gave its image. "
                      "It only answers as Jenkins does.</p>\n")
        elif kind == "project":
            job = name.partition("/")[0]
            known, token = job in instance.jobs, instance.jobs.get(job)
            given = self.headers.get("X-Gitlab-Token", "")
            # A job without a token has no trigger: there is nothing to refuse, and nothing begins. Whoever asks for the
            # state of a build, instead of starting one, is not asked who he is.
            self.send(404 if not known else 200 if not posted or not token or given == token else 401, "")
        elif not instance.login(self.headers.get("Authorization", "")):
            self.send(401 if "Authorization" in self.headers else 403, "")
        elif path == "/crumbIssuer/api/json":
            crumb, session = instance.crumb()
            self.send(200, json.dumps({"crumb": crumb, "crumbRequestField": "Jenkins-Crumb"}),
                      **{"Set-Cookie": f"JSESSIONID={session}; Path=/; HttpOnly"})
        elif path == "/configuration-as-code/reload" and posted:
            session = re.search(r"JSESSIONID=(\w+)", self.headers.get("Cookie", ""))
            if instance.crumbs.get(session[1] if session else "") != self.headers.get("Jenkins-Crumb", "none"):
                self.send(403, "No valid crumb was included in the request")
                return
            self.jenkins_reload()
        elif path == "/log/rss" and not posted:
            self.send(200, "<feed>" + "".join(f"<entry><content>{html.escape(entry)}</content>\n</entry>"
                                              for entry in reversed(instance.log)) + "</feed>\n")
        elif kind == "job" and not posted:
            self.send(200 if name.strip("/") in instance.jobs else 404, "")
        else:
            self.send(404, "not found\n")

    def jenkins_reload(self) -> None:
        """Of what is wrong the page only shows a part, and of what nobody foresaw nothing; the log has it all."""
        try:
            self.server.jenkins.read()
        except Unresolved as error:
            self.server.jenkins.log.append(
                "Caught unhandled exception with ID 1\njakarta.servlet.ServletException: of the standin\n"
                f"\tat standin\nCaused by: java.lang.IllegalStateException: {error}\n\tat standin\n")
            self.send(500, "<html><h1>Oops!</h1>\n<p>A problem occurred while processing the request.</p>"
                      "<p>Logging ID=1</p></html>\n")
        except NoJobs as error:
            self.server.jenkins.log.append(
                "Failed to reload configuration\nio.jenkins.plugins.casc.ConfiguratorException: Failed to execute "
                f"script\n\tat standin\nCaused by: javaposse.jobdsl.dsl.DslScriptException: {error}\n\tat standin\n")
            self.send(200, "<html><h1>Error loading configuration</h1>\n"
                      "<p>seedJob: Failed to execute script with hash 1</p></html>\n")
        except (Wrong, KeyError) as error:
            self.server.jenkins.log.append(f"Failed to reload configuration\n{error}\n")
            self.send(200, f"<html><h1>Error loading configuration</h1>\n<p>{error}</p></html>\n")
        else:
            self.send(302, "", Location=f"{self.server.prefix}/configuration-as-code/")

    def send(self, status: int, body: str, **headers: str) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in (101, 204):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def websocket(self) -> None:
        """The handshake; then each short text comes back as it was."""
        key = self.headers.get("Sec-WebSocket-Key")
        if "websocket" not in self.headers.get("Upgrade", "").lower() or not key:
            self.send(400, "a websocket is expected\n")
            return
        accept = base64.b64encode(hashlib.sha1((key + WEBSOCKET).encode()).digest()).decode()
        self.send(101, "", Upgrade="websocket", Connection="Upgrade", **{"Sec-WebSocket-Accept": accept})
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2 and head[0] & 0x0F == 1 and head[1] & 0x7F < 126:
            mask, masked = self.rfile.read(4), self.rfile.read(head[1] & 0x7F)
            text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
            self.wfile.write(bytes([0x81, len(text)]) + text)

    def log_message(self, *_arguments: object) -> None:
        """Health checks would fill the log."""


def serve(program: str, address: tuple[str, int], pages: dict[str, tuple[str, str]], prefix: str = "",
          root: str = "", objects: pathlib.Path | None = None, samples: str = "",
          instance: Jenkins | None = None) -> None:
    """Answer until SIGTERM or SIGINT; ``samples`` are metrics beside its own."""
    server = http.server.ThreadingHTTPServer(address, Answer)
    server.daemon_threads = True
    server.program, server.pages, server.prefix, server.root = program, pages, prefix, root
    server.objects, server.samples, server.jenkins = objects, samples, instance
    print(f"standin: this is not {program}, it only answers as {program} does, on port {address[1]}", flush=True)
    server.serve_forever()


def text(body: str) -> tuple[str, str]:
    return "text/plain; charset=utf-8", body


def document(value: object) -> tuple[str, str]:
    return "application/json", json.dumps(value)


def writable(directory: str) -> None:
    """What is written there is there after a restart, if it is a volume."""
    place = pathlib.Path(directory)
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "standin").write_text("")
    except OSError as error:
        raise Wrong(f"{directory}: {error}") from error


def loki(arguments: list[str]) -> None:
    """cmd/loki: -health (3.7), -verify-config, -config.file."""
    given = options(arguments)
    if "health" in given:
        try:
            with urllib.request.urlopen(given.get("health.url") or "http://localhost:3100/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            raise Wrong(f"Health check failed: {error}") from error
    config = read_yaml(given.get("config.file", ""))
    if "table_manager" in config:
        raise Wrong("field table_manager not found")
    if given.get("verify-config", "false") in ("", "true"):
        return
    writable(config["common"]["path_prefix"])
    empty = {"status": "success", "data": {"resultType": "streams", "result": []}}
    serve("loki", ("", config["server"]["http_listen_port"]), {
        "/ready": text("ready\n"), "/loki/api/v1/labels": document({"status": "success", "data": []}),
        "/loki/api/v1/query_range": document(empty), "/loki/api/v1/query": document(empty)})


def alloy(arguments: list[str]) -> None:
    """alloy validate FILE, alloy fmt FILE, alloy run FILE."""
    command, *rest = arguments or [""]
    given, files = options(rest), [one for one in rest if not one.startswith("-")]
    if command not in ("validate", "fmt", "run") or len(files) != 1:
        raise Wrong("usage: alloy validate|fmt|run [options] FILE")
    check_alloy(files[0])
    if command == "run":
        writable(given.get("storage.path", "data-alloy"))
        host, _colon, port = given.get("server.http.listen-addr", "127.0.0.1:12345").rpartition(":")
        serve("alloy", (host, int(port)), {
            "/-/ready": text("Alloy is ready.\n"), "/-/healthy": text("All Alloy components are healthy.\n")})


def promtail(arguments: list[str]) -> None:
    """clients/cmd/promtail: -check-syntax, -config.file."""
    given = options(arguments)
    config = read_yaml(given.get("config.file", ""))
    if "check-syntax" not in given:
        writable(str(pathlib.Path(config["positions"]["filename"]).parent))
        serve("promtail", ("", config["server"]["http_listen_port"]), {"/ready": text("Ready\n")})


def fingerprint(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def database() -> pathlib.Path:
    return pathlib.Path(os.environ.get("GF_PATHS_DATA", "/var/lib/grafana"), "grafana.db")


def set_password(password: str) -> None:
    database().write_text(json.dumps({"admin": fingerprint(password)}))


def grafana(arguments: list[str]) -> None:
    """The server, as /run.sh starts it, and the one command of its CLI that is used."""
    if arguments:
        if arguments[0] != "cli" or not {"reset-admin-password", "--password-from-stdin"} <= set(arguments):
            raise Wrong("usage: grafana cli admin reset-admin-password --password-from-stdin")
        set_password(sys.stdin.readline().rstrip("\n"))
        return
    # Read when the database is made, and never again.
    if not database().exists():
        set_password(pathlib.Path(os.environ["GF_SECURITY_ADMIN_PASSWORD__FILE"]).read_text().rstrip("\n"))
    provisioning = pathlib.Path(os.environ.get("GF_PATHS_PROVISIONING", "/etc/grafana/provisioning"))
    for path in sorted([*provisioning.glob("datasources/*.y*ml"), *provisioning.glob("dashboards/*.y*ml")]):
        for provider in read_yaml(str(path)).get("providers", []):
            for file in pathlib.Path(provider["options"]["path"]).glob("*.json"):
                json.loads(file.read_text())
    root = os.environ.get("GF_SERVER_ROOT_URL", "http://localhost:3000/")
    below = os.environ.get("GF_SERVER_SERVE_FROM_SUB_PATH") == "true"
    page = ("text/html; charset=utf-8", "<!doctype html><title>standin</title><p>This is not Grafana: no registry gave "
            "its image. It only answers as Grafana does.</p>\n")
    health = document({"database": "ok", "version": "standin", "commit": "standin"})
    serve("grafana", ("", int(os.environ.get("GF_SERVER_HTTP_PORT", "3000"))),
          {"/": page, "/login": page, "/api/health": health},
          urllib.parse.urlsplit(root).path.rstrip("/") if below else "", root)


def values(arguments: list[str], *names: str) -> list[str]:
    """What follows each of these options."""
    return [value for name, value in zip(arguments, arguments[1:], strict=False) if name in names]


def filebeat(arguments: list[str]) -> None:
    """filebeat test config -c FILE, filebeat -c FILE."""
    config = read_yaml("".join(values(arguments, "-c")))
    inputs = config.get("filebeat.inputs", [])
    if not inputs or not config.get("output.logstash", {}).get("hosts"):
        raise Wrong("no inputs, or no output")
    names = [one.get("id") for one in inputs]
    if None in names or len(set(names)) < len(names):
        raise Wrong("filestream inputs need unique ids")
    if [one["type"] for one in inputs if one["type"] != "filestream"]:
        raise Wrong("Log input is deprecated. Use Filestream input instead.")
    if arguments[:2] == ["test", "config"]:
        print("Config OK")
        return
    writable(config["path.data"])
    serve("filebeat", (config["http"]["host"], config["http"]["port"]), {"/": document({"beat": "filebeat"})})


def logstash(arguments: list[str]) -> None:
    """logstash --path.settings DIRECTORY [--config.test_and_exit]"""
    place = pathlib.Path("".join(values(arguments, "--path.settings")))
    settings = read_yaml(str(place / "logstash.yml"))
    store = place / "logstash.keystore"
    known = {**os.environ, **(json.loads(store.read_text()) if store.exists() else {})}
    pipelines = yaml.load((place / "pipelines.yml").read_text(), StrictLoader)
    for one in pipelines:
        paths = sorted(glob.glob(one["path.config"]))
        if not paths:
            raise Wrong(f"No config files found in path {one['path.config']}")
        for path in paths:
            check_pipeline(path, known)
    if "--config.test_and_exit" in arguments:
        print("Configuration OK")
        return
    writable(settings["path.data"])
    pages = {f"/_node/pipelines/{one['pipeline.id']}": document({"status": "green"}) for one in pipelines}
    serve("logstash", (settings["api.http.host"], settings["api.http.port"]),
          {"/": document({"status": "green"}), **pages})


def check_pipeline(path: str, known: dict[str, str]) -> None:
    """Brackets close, strings end, and what is taken from the keystore is there."""
    content = pathlib.Path(path).read_text(encoding="utf-8")
    opened = []
    # A regular expression stands behind =~ and may hold brackets too.
    for token in re.finditer(r"#[^\n]*|[=!]~\s*/(?:\\/|[^/])*/|\"(?:\\\"|[^\"])*\"|'(?:\\'|[^'])*'|[{}\"']", content):
        line = content.count("\n", 0, token.start()) + 1
        if token[0] in "\"'":
            raise Wrong(f"{path}:{line}: a string does not end")
        if token[0] == "{":
            opened.append(line)
        elif token[0] == "}" and not opened:
            raise Wrong(f"{path}:{line}: }} closes nothing")
        elif token[0] == "}":
            opened.pop()
    if opened:
        raise Wrong(f"{path}:{opened[-1]}: {{ is not closed")
    for name in re.findall(r"[$][{](\w+)[}]", content):
        if name not in known:
            raise Wrong(f"Cannot evaluate `${{{name}}}`: it is not in the keystore and not in the environment")


def logstash_keystore(arguments: list[str]) -> None:
    """logstash-keystore --path.settings DIRECTORY create|add KEY: answers and values come from standard input."""
    store = pathlib.Path("".join(values(arguments, "--path.settings")), "logstash.keystore")
    command, *rest = arguments[2:]
    answer = sys.stdin.readline().rstrip("\n")
    if command == "create" and answer == "y":
        store.write_text("{}")
    elif command == "add" and answer:
        store.write_text(json.dumps({**json.loads(store.read_text()), rest[0]: answer}))
    else:
        raise Wrong(f"nothing done: {command}")


def kibana(arguments: list[str]) -> None:
    """kibana --config FILE [--config FILE]: later files win."""
    config: dict = {}
    for path in values(arguments, "--config"):
        config.update(read_yaml(path))
    for name, value in config.items():
        if name.endswith("encryptionKey") and len(value) < 32:
            raise Wrong(f"[config validation of [{name}]]: value has length [{len(value)}] but it must have 32")
    base = config.get("server.basePath", "") if config.get("server.rewriteBasePath") else ""
    writable(config["path.data"])
    page = ("text/html; charset=utf-8", "<!doctype html><title>standin</title><p>This is not Kibana: no registry gave "
            "its image. It only answers as Kibana does.</p>\n")
    status = document({"status": {"overall": {"level": "available"}}})
    serve("kibana", (config["server.host"], config["server.port"]),
          {"/": page, "/app/home": page, "/api/status": status}, base, "",
          pathlib.Path(config["path.data"], "objects.json"))


def kafka_exporter(arguments: list[str]) -> None:
    """kafka_exporter with --kafka.server, --sasl.* and --web.listen-address.

    An argument @FILE stands for the lines of that file. It asks no broker: what it says is what version 1.9.0 said of
    one with one topic.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        given.update(options(pathlib.Path(argument[1:]).read_text().splitlines() if argument.startswith("@")
                             else [argument]))
    known = {"kafka.server", "sasl.enabled", "sasl.mechanism", "sasl.username", "sasl.password", "web.listen-address"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise Wrong(f"unknown long flag '--{unknown[0]}'")
    if "sasl.enabled" in given and not given.get("sasl.password"):
        raise Wrong("no password")
    samples = {
        "kafka_brokers": 1, 'kafka_topic_partitions{topic="orders"}': 1,
        'kafka_topic_partition_current_offset{partition="0",topic="orders"}': 3,
        'kafka_consumergroup_current_offset_sum{consumergroup="shop",topic="orders"}': 3,
        'kafka_consumergroup_lag_sum{consumergroup="shop",topic="orders"}': 0,
    }
    host, _colon, port = given.get("web.listen-address", ":9308").rpartition(":")
    serve("kafka_exporter", (host, int(port)), {"/healthz": text("ok")},
          samples="".join(f"{name} {value}\n" for name, value in samples.items()))


class Jenkins:
    """What configuration-as-code makes of its files: who may log in, and the pipelines with their tokens."""

    def __init__(self, place: pathlib.Path) -> None:
        self.place = place
        self.users: dict[str, str] = {}
        self.jobs: dict[str, str] = {}
        self.crumbs: dict[str, str] = {}
        self.log: list[str] = []
        self.read()

    def read(self) -> None:
        """All of it, or none: the old one is in force until the new one is read. Raises :class:`Wrong`."""
        files = sorted(self.place.glob("*.y*ml"))
        if not files:
            raise Wrong(f"{self.place}: no configuration")
        users, jobs = {}, {}
        for file in files:
            found = self.resolve(read_yaml(str(file)))
            for user in found["jenkins"]["securityRealm"]["local"]["users"]:
                users[user["id"]] = user["password"]
            for script in found["jobs"]:
                declared = pathlib.Path(script["file"]).with_suffix(".json")
                for job in json.loads(declared.read_text()):
                    try:
                        jobs[job["name"]] = self.secret(job["token"]).strip() if job["token"] else ""
                    except Unresolved as error:
                        raise NoJobs(f"(jobs.groovy, line 1) {error}") from error
        self.users, self.jobs = users, jobs

    def resolve(self, value: object) -> object:
        """The value with each ${reference} replaced by what it names; ^${ is none."""
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, str):
            return value
        return re.sub(r"(?<!\^)\$\{([^}]*)\}", lambda one: self.reference(one[1]), value).replace("^${", "${")

    def reference(self, text: str) -> str:
        kind, colon, rest = text.partition(":")
        try:
            if colon and kind == "readFileBase64":
                return base64.b64encode(pathlib.Path(rest).read_bytes()).decode()
            # Escaped in the file, and told apart no more once it is in.
            return pathlib.Path(rest).read_text() if colon and kind == "readFile" else self.secret(text).strip()
        except OSError as error:
            raise Unresolved(f"Unable to resolve variable '{text}'. Aborting configuration reload.") from error

    @staticmethod
    def secret(name: str) -> str:
        """A file of /run/secrets."""
        try:
            return pathlib.Path(os.environ.get("SECRETS", "/run/secrets"), name).read_text()
        except OSError as error:
            raise Unresolved(f"Unable to resolve variable '{name}'. Aborting configuration reload.") from error

    def login(self, header: str) -> bool:
        """Whether a header of basic authentication is one of the users'."""
        name, _colon, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return name in self.users and self.users[name] == password

    def crumb(self) -> tuple[str, str]:
        """A crumb and the session that it is of."""
        session, crumb = secrets.token_hex(16), secrets.token_hex(32)
        self.crumbs[session] = crumb
        return crumb, session


def jenkins(_arguments: list[str]) -> None:
    """jenkins.sh: everything comes from the environment."""
    given = options(shlex.split(os.environ.get("JENKINS_OPTS", "")))
    for option in shlex.split(os.environ.get("JENKINS_JAVA_OPTS", "")):
        if not re.match(r"-(D[\w.]+=|X)", option):
            raise Wrong(f"Unrecognized option: {option}")
    instance = Jenkins(pathlib.Path(os.environ["CASC_JENKINS_CONFIG"]))
    writable(os.environ.get("JENKINS_HOME", "/var/jenkins_home"))
    serve("jenkins", ("", int(given.get("httpPort", "8080"))), {}, given.get("prefix", ""), instance=instance)


PROGRAMS = {"loki": loki, "alloy": alloy, "promtail": promtail, "grafana": grafana, "run.sh": grafana,
            "filebeat": filebeat, "logstash": logstash, "logstash-keystore": logstash_keystore, "kibana": kibana,
            "kafka_exporter": kafka_exporter, "jenkins.sh": jenkins}


def main() -> int:
    """Be the program whose name this was started by."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # An exception would be lost where it meets a thread that is just begun; everything is written by then.
        signal.signal(number, lambda *_arguments: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    name = pathlib.Path(sys.argv[0]).name
    try:
        if name not in PROGRAMS:
            raise Wrong(f"start it as one of {', '.join(PROGRAMS)}")
        PROGRAMS[name](sys.argv[1:])
    except (Wrong, OSError, KeyError, ValueError) as error:
        print(f"standin {name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
