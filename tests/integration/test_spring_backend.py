"""The Spring example as its README deploys it: built by distro_images, against a real MySQL and Redis."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import time
import typing as t

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))

import jmespath  # noqa: E402
import lab  # noqa: E402
import mysql  # noqa: E402
import pymysql  # noqa: E402
import spring  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._release import Colour, Readiness  # noqa: E402
from ansible_collections.mooring.stack.plugins.module_utils._release_host import _refusal  # noqa: E402

# A quote and a backslash: what a file of secrets has to survive.
PASSWORDS = {"vault_shop_mysql_password": "sentinel-\"mysql\\'#1", "vault_shop_redis_password": "sentinel-redis-1"}
README = spring.variables(**PASSWORDS)
(APPLICATION,) = README["app_blue_green_applications"]
RELEASES = ("1.0.0", "1.1.0")
UID = 10001
START_LIMIT = 120

# What Maven 3.9 said, shortened; the first line of each is the same.
SAID = ("[FATAL] Non-resolvable parent POM: Could not transfer artifact parent:pom:3 from/to central: transfer failed\n"
        "[ERROR] Could not transfer artifact parent:pom:3 from/to central: transfer failed: ")


@pytest.mark.parametrize(("cause", "skips"), [
    ("Unknown host mirror.example.com: Temporary failure in name resolution", True),
    ("Connect to mirror.example.com:443 failed: Connection refused", True),
    ("(certificate_unknown) PKIX path building failed: unable to find valid certification path", False),
])
def test_only_a_repository_out_of_reach_skips_the_tests(cause: str, skips: bool) -> None:
    assert bool(spring.UNREACHABLE.search(SAID + cause)) is skips


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image without its tag, built by the role distro_images from the README's declaration."""
    (application,) = README["distro_images_applications"]
    playbook = tmp_path_factory.mktemp("build") / "build.yml"
    playbook.write_text(json.dumps([{
        "hosts": "distro_images", "gather_facts": False, "become": True,
        "roles": [{"role": "mooring.stack.distro_images"}]}]))
    declared = {
        "distro_images_build": [application["name"]],
        "distro_images_applications": [
            {**application, "tag": release, "args": {"RELEASE": release}} for release in RELEASES]}
    done = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "tests/lab/inventory.yml", str(playbook),
         "-e", json.dumps(declared)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    if done.returncode and (unreachable := spring.UNREACHABLE.search(done.stdout)):
        pytest.skip(f"Maven reaches no repository to build it: ...{unreachable[0][-160:]}")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return APPLICATION["image"]


class Stores:
    """MySQL and Redis on a network of their own, with the README's accounts."""

    def __init__(self, server: mysql.Server, directory: pathlib.Path) -> None:
        self.mysql = server
        self.network = f"{server.name}-net"
        self.redis = f"{server.name}-redis"
        self._directory = directory

    def __enter__(self) -> Stores:
        (self._directory / "redis.conf").write_text("\n".join([
            "bind 0.0.0.0", "user default off", *(
                f"user {one['name']} on >{one['password']} {one['rules']}"
                for one in README["data_stores_redis_accounts"]), ""]))
        self._directory.chmod(0o755)
        lab.docker("network", "create", "--label", "mooring.test=1", self.network)
        try:
            lab.docker("network", "connect", "--alias", "mysql", self.network, self.mysql.name)
            lab.docker("run", "--detach", "--name", self.redis, "--label", "mooring.test=1", "--memory", "200m",
                       "--network", self.network, "--network-alias", "redis",
                       "--volume", f"{self._directory}:/conf:ro", "mooring.local/redis:8", "/conf/redis.conf")
        except lab.LabError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_unused: object) -> None:
        lab.docker("rm", "--force", "--volumes", self.redis, check=False)
        lab.docker("network", "disconnect", "--force", self.network, self.mysql.name, check=False)
        lab.docker("network", "rm", self.network)

    def address(self, container: str) -> str:
        """Of a container on the network."""
        networks = json.loads(lab.docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", container))
        return networks[self.network]["IPAddress"]

    @contextlib.contextmanager
    def without(self, name: str) -> t.Iterator[None]:
        """Nobody reaches this store, and packets to it vanish."""
        container = {"mysql": self.mysql.name, "redis": self.redis}[name]
        lab.docker("network", "disconnect", self.network, container)
        try:
            yield
        finally:
            lab.docker("network", "connect", "--alias", name, self.network, container)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Stores]:
    """Both stores, without a schema."""
    with mysql.Server(tmp_path_factory.mktemp("mysql")) as server, \
            Stores(server, tmp_path_factory.mktemp("redis")) as running:
        server.converge(README["data_stores_mysql_accounts"], schemas=README["data_stores_mysql_schemas"]).good()
        yield running


@pytest.fixture(scope="module")
def migrated(image: str, stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """The stores after the migration, which an earlier test may have run."""
    if not stores.mysql.sql("SHOW TABLES IN shop LIKE 'visits'"):
        Backend(image, stores, tmp_path_factory.mktemp("migration")).migrate()
    return stores


class Answer(t.NamedTuple):
    """Status, headers in lower case, text."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> t.Any:
        return json.loads(self.text)


class Backend:
    """A container of the application, restricted as the role app_blue_green restricts it."""

    def __init__(self, image: str, stores: Stores, directory: pathlib.Path, release: str = RELEASES[0],
                 passwords: t.Mapping[str, str] = PASSWORDS, **environment: str) -> None:
        self.name = f"mooringtest{secrets.token_hex(3)}-backend"
        self._image, self._stores, self._directory = f"{image}:{release}", stores, directory
        (declared,) = spring.variables(**passwords)["app_blue_green_applications"]
        self._secrets: dict[str, str] = declared["secrets"]
        self._environment = {**declared["env"], "COLOUR": "blue", **environment}
        self._readiness = declared["readiness"]

    def arguments(self) -> list[str]:
        """What `docker run` is told; the secrets are files of the application's user only."""
        folder = self._directory / self.name
        folder.mkdir()
        for name, content in self._secrets.items():
            file = folder / name
            file.write_text(content)
            os.chown(file, UID, UID)
            file.chmod(0o400)
        return ["--name", self.name, "--label", "mooring.test=1", "--memory", "512m", "--read-only", "--tmpfs", "/tmp",
                "--user", f"{UID}:{UID}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
                "--network", self._stores.network, "--volume", f"{folder}:/run/secrets:ro",
                *(part for item in self._environment.items() for part in ("--env", "=".join(item))), self._image]

    def run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """A container that ends by itself."""
        try:
            return lab.run("timeout", str(START_LIMIT), "docker", "run", *self.arguments(), *command, check=False)
        finally:
            self.__exit__()

    def migrate(self) -> None:
        """The README's migration, which has to succeed."""
        done = self.run(*APPLICATION["migrate"])
        assert done.returncode == 0, done.stdout.decode()

    def __enter__(self) -> Backend:
        lab.docker("run", "--detach", *self.arguments())
        try:
            lab.wait_for(f"{self.name} lives", START_LIMIT, self._lives, self.logs)
        except lab.LabError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_unused: object) -> None:
        lab.docker("rm", "--force", "--volumes", self.name, check=False)

    @property
    def address(self) -> str:
        return self._stores.address(self.name)

    def colour(self) -> Colour:
        """What the release switch reads of it."""
        (document,) = json.loads(lab.docker("inspect", self.name))
        return Colour.from_inspect(document, self._stores.network)

    def connection(self, port: int = 8080) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, port, timeout=60)

    def ask(self, path: str, port: int = 8080) -> Answer:
        with contextlib.closing(self.connection(port)) as connection:
            return exchange(connection, path)

    def readiness(self) -> Answer:
        """What app_blue_green asks before a switch."""
        return self.ask(self._readiness["path"], self._readiness["port"])

    def down(self) -> dict[str, str]:
        """The stores that cannot be used, and why."""
        parts = self.readiness().json["components"]
        return {name: part["details"]["reason"] for name, part in parts.items()
                if part["status"] != "UP" and "details" in part}

    def wait_until_ready(self) -> None:
        lab.wait_for(f"{self.name} is ready", 60, lambda: self.readiness().status == 200, self.logs)

    def _lives(self) -> bool:
        try:
            return self.ask("/actuator/health/liveness", 8081).status == 200
        except OSError:
            return False

    def logs(self) -> str:
        done = lab.run("docker", "logs", self.name, check=False)
        return (done.stdout + done.stderr).decode()

    def exit_code(self) -> int:
        """Waits for the end."""
        return int(lab.run("timeout", "60", "docker", "wait", self.name).stdout)


def exchange(connection: http.client.HTTPConnection, path: str) -> Answer:
    connection.request("GET", path)
    answer = connection.getresponse()
    return Answer(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read().decode())


@pytest.fixture(scope="module")
def backend(image: str, migrated: Stores, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Backend]:
    """The application with everything that it needs, for tests that do not stop it."""
    with Backend(image, migrated, tmp_path_factory.mktemp("backend")) as running:
        running.wait_until_ready()
        yield running


def expect_no_password(text: str) -> None:
    assert "sentinel" not in text


def test_releases_of_the_same_sources_share_their_layers(image: str) -> None:
    layers = [lab.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", f"{image}:{release}")
              for release in RELEASES]
    assert layers[0] == layers[1]


def test_it_is_ready_only_with_tables_and_both_stores(image: str, stores: Stores, tmp_path: pathlib.Path) -> None:
    stores.mysql.sql("DROP TABLE IF EXISTS shop.visits, shop.flyway_schema_history")
    with Backend(image, stores, tmp_path) as backend:
        lab.wait_for("only the tables are missing", 30, lambda: list(backend.down()) == ["db"] and
                     "visits' doesn't exist" in backend.down()["db"], backend.logs)
        for _time in range(2):
            Backend(image, stores, tmp_path).migrate()
        backend.wait_until_ready()
        assert backend.readiness().json["status"] == "UP"
        for name, component in (("redis", "redis"), ("mysql", "db")):
            with stores.without(name):
                started = time.monotonic()
                answer = backend.readiness()
                assert (answer.status, answer.json["status"]) == (503, "DOWN")
                # The role waits 5 s for an answer.
                assert time.monotonic() - started < 5
                assert list(backend.down()) == [component]
                assert backend.ask("/api/hello").status == 503
                assert backend.ask("/actuator/health/liveness", 8081).status == 200
            backend.wait_until_ready()
        assert "MySQL cannot be used" in backend.logs()


def test_every_visit_is_counted_over_tls(backend: Backend, migrated: Stores) -> None:
    def total() -> int:
        return migrated.mysql.sql("SELECT total FROM shop.visits")[0][0]

    before = total()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _number: backend.ask("/api/hello"), range(80)))
    assert {(answer.status, answer.json["release"], answer.json["colour"]) for answer in answers} == {
        (200, "1.0.0", "blue")}
    assert sorted(answer.json["visits"] for answer in answers) == list(range(before + 1, before + 81))
    assert len({answer.json["answers"] for answer in answers}) == 80
    assert total() == before + 80
    assert migrated.mysql.sql("SELECT DISTINCT connection_type FROM performance_schema.threads "
                              "WHERE processlist_user = 'shop'") == [("SSL/TLS",)]
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):  # defect 30
        pymysql.connect(host=migrated.address(migrated.mysql.name), user="shop", ssl_disabled=True,
                        password=PASSWORDS["vault_shop_mysql_password"])


@pytest.mark.parametrize(("path", "status"), [
    ("/api/hello", 200), ("/api/slow?seconds=0.1", 200), ("/api/slow?seconds=61", 400), ("/api/nothing", 404),
    ("/actuator/health", 404), ("/actuator/prometheus", 404), ("/readyz", 404),  # defect 49
])
def test_the_port_that_the_proxy_knows(backend: Backend, path: str, status: int) -> None:
    answer = backend.ask(path)
    assert answer.status == status
    assert answer.headers["x-release"] == "1.0.0"


@pytest.mark.parametrize(("path", "status", "words"), [
    ("/actuator/prometheus", 200, ["jvm_memory_used_bytes", 'release="1.0.0"', "hikaricp_connections_max"]),
    ("/actuator/env", 404, []), ("/actuator/configprops", 404, []), ("/api/hello", 404, []),
])
def test_the_management_port(backend: Backend, path: str, status: int, words: list[str]) -> None:
    answer = backend.ask(path, 8081)
    assert answer.status == status
    assert [word for word in words if word not in answer.text] == []


def test_who_is_ready_waits_for_no_login(backend: Backend) -> None:
    # It is idle, and yet has all the connections that it may have: a switch sends it everything at once.
    def pool(what: str) -> float:
        text = backend.ask("/actuator/prometheus", 8081).text
        found = re.search(rf"^hikaricp_{what}{{.*}} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else -1

    lab.wait_for("the pool is full", 30, lambda: pool("connections") == pool("connections_max") > 1, backend.logs)


def test_no_password_is_seen_from_outside(backend: Backend) -> None:  # defects 8, 14
    expect_no_password(lab.docker("inspect", backend.name))
    expect_no_password(lab.docker("top", backend.name, "-eo", "pid,args"))
    expect_no_password(lab.docker("history", "--no-trunc", APPLICATION["image"] + ":1.0.0"))
    expect_no_password(backend.logs())


def test_the_role_s_question_is_answered(backend: Backend) -> None:
    readiness = Readiness(**APPLICATION["readiness"])
    replica = backend.colour()
    assert _refusal(replica, 8080, readiness, jmespath.search) is None
    elsewhere = dataclasses.replace(readiness, port=None)
    assert "status 404" in _refusal(replica, 8080, elsewhere, jmespath.search)


def test_logs_are_one_json_object_per_line(backend: Backend) -> None:
    lines = [line for line in backend.logs().splitlines() if not line.startswith("NOTE: Picked up JDK_JAVA_OPTIONS")]
    assert [json.loads(line)["service"]["version"] for line in lines] == ["1.0.0"] * len(lines)
    assert len(lines) > 3


def test_its_health_check_needs_nothing_from_outside(backend: Backend) -> None:
    lab.wait_for("the engine calls it healthy", 60, lambda: lab.docker(
        "inspect", "--format", "{{.State.Health.Status}}", backend.name) == "healthy", backend.logs)


def test_sigterm_ends_it_after_every_request(image: str, migrated: Stores, tmp_path: pathlib.Path) -> None:  # defect 48
    with Backend(image, migrated, tmp_path, DRAIN_SECONDS="2", DRAIN_LIMIT_SECONDS="10") as backend:
        backend.wait_until_ready()
        slow, kept = backend.connection(), backend.connection()
        assert exchange(kept, "/api/hello").status == 200
        slow.request("GET", "/api/slow?seconds=6")
        began = time.monotonic()
        lab.docker("kill", "--signal", "TERM", backend.name)
        lab.wait_for("readiness is refused", 2, lambda: backend.readiness().status == 503, backend.logs)
        # Still accepted, on an open connection and on a new one.
        assert exchange(kept, "/api/hello").status == 200
        assert backend.ask("/api/hello").status == 200
        answer = slow.getresponse()
        assert (answer.status, json.loads(answer.read())["seconds"]) == (200, 6.0)
        assert time.monotonic() - began > 5.5
        assert backend.exit_code() in (0, 143)
        assert time.monotonic() - began < 12
        assert "Graceful shutdown complete" in backend.logs()


def test_a_request_that_lasts_longer_than_the_limit_is_cut_off(
    image: str, migrated: Stores, tmp_path: pathlib.Path,
) -> None:
    with Backend(image, migrated, tmp_path, DRAIN_SECONDS="1", DRAIN_LIMIT_SECONDS="1") as backend:
        backend.wait_until_ready()
        with contextlib.closing(backend.connection()) as connection:
            connection.request("GET", "/api/slow?seconds=50")
            began = time.monotonic()
            lab.docker("kill", "--signal", "TERM", backend.name)
            assert backend.exit_code() in (0, 143)
            assert time.monotonic() - began < 20
            with pytest.raises((OSError, http.client.HTTPException)):
                connection.getresponse()


def test_a_wrong_password_is_not_ready_and_says_so_once(
    image: str, migrated: Stores, tmp_path: pathlib.Path,
) -> None:
    wrong = {name: f"{password}-wrong" for name, password in PASSWORDS.items()}
    with Backend(image, migrated, tmp_path, passwords=wrong) as backend:
        # The first login of a cold JVM may take longer than a probe waits.
        lab.wait_for("MySQL refuses the password", 30, lambda: "Access denied for user 'shop'" in backend.down()["db"],
                     backend.logs)
        for _time in range(3):
            answer = backend.readiness()
        assert answer.status == 503
        assert sorted(backend.down()) == ["db", "redis"]
        assert "WRONGPASS" in backend.down()["redis"]
        assert backend.ask("/api/hello").status == 503
        logs = backend.logs()
        for said in ("MySQL cannot be used: SQLException: Access denied", "Redis cannot be used: .*WRONGPASS"):
            # Once, and again after a busy machine has let the probe wait too long for an answer in between.
            late = logs.count(f"{said.split()[0]} cannot be used: no answer within")
            story = re.findall(r'[A-Za-z]+ can(?:not)? be used[^"]*', logs)
            assert 1 <= len(re.findall(said, logs)) <= 1 + late, story
        expect_no_password(logs + answer.text)


def test_a_migration_that_fails_says_why(image: str, stores: Stores, tmp_path: pathlib.Path) -> None:
    wrong = {**PASSWORDS, "vault_shop_mysql_password": "sentinel-wrong"}
    done = Backend(image, stores, tmp_path, passwords=wrong).run(*APPLICATION["migrate"])
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1, said
    assert "The migration failed: SQLException: Access denied for user 'shop'" in said
    expect_no_password(said)


def test_a_url_that_undermines_tls_is_refused_at_the_start(  # defects 25, 30
    image: str, stores: Stores, tmp_path: pathlib.Path,
) -> None:
    url = "jdbc:mysql://mysql/:3306/shop?useSSL=false&allowPublicKeyRetrieval=true"
    done = Backend(image, stores, tmp_path, SPRING_DATASOURCE_URL=url).run()
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1, said
    for words in ("slash between server and port", "needs sslMode=REQUIRED", "has useSSL",
                  "has allowPublicKeyRetrieval", "/run/secrets/application-secret.yml"):
        assert words in said
    expect_no_password(said)
