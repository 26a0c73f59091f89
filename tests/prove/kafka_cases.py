# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is promised of Kafka, one function each, on a node of the proof's own; the docstrings name it."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import json
import os
import pathlib
import ssl
import subprocess
import sys
import time
import typing as t

from ansible_collections.mooring.stack.plugins.plugin_utils import _library
from component_site import KILLS, ComponentSite
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from drift_site import ROOT, expect

IMAGES = tuple(f"mooring.local/{image}" for image in ("kafka:4", "demo:1.0.0", "kafka-zookeeper:3.9"))
BROKER = "mooring-kafka-broker-1"
VOLUME = "mooring-kafka-data"
RECORD = "/opt/mooring/kafka/.kafka-data.json"
LISTENER = "kafka:9092"
TOOLS = "/opt/kafka/bin"
TOPICS = [{"name": "orders", "partitions": 3, "config": {"retention.ms": 86400000}}, {"name": "invoices"}]
# What the role declares for its own proof.
OWN = ["mooring.record"]
MANY = 200
PASSWORDS = {"shop": "sentinel-kafka'\"1", "report": "sentinel-kafka-2"}
USERS = [
    {"name": "shop", "password": PASSWORDS["shop"], "acls": [
        {"resource": "topic:orders*", "operations": ["read", "write", "describe"]},
        {"resource": "group:shop", "operations": ["read"]}]},
    {"name": "report", "password": PASSWORDS["report"], "acls": [
        {"resource": "topic:invoices", "operations": ["read", "describe"]}]},
]
AUTHENTICATED = {"kafka_users": USERS, "kafka_authentication": True, "mooring_allow_stateful_restart": True}


Options = dict[str, str]


@dataclasses.dataclass
class Figures:
    """What the last line says; -1 is what was not measured."""

    topics: int = -1
    lost: int = -1


class Place(ComponentSite):
    """The node with an engine and a broker."""

    server, volume, record = BROKER, VOLUME, RECORD
    title, client_image = "Kafka", IMAGES[1]
    client_options = ("--env", "PYTHONPATH=/client/kafka-python.zip")

    def __init__(self, directory: pathlib.Path, figures: Figures) -> None:
        super().__init__(directory, "kafka", {
            "kafka_image": IMAGES[0], "kafka_memory": "1g", "kafka_topics": TOPICS}, IMAGES)
        self.figures = figures

    # -- clients ------------------------------------------------------------------

    def client_files(self) -> dict[str, bytes]:
        """With the library that it uses."""
        return {**super().client_files(), "kafka-python.zip": _library.archive("kafka-python")}

    def ask(self, *arguments: str, **options: str) -> tuple[int, list[str], str]:
        """Status, lines and complaints of a client that ends by itself."""
        done = subprocess.run(
            self.client_argv(*arguments), input=json.dumps({"bootstrap_servers": LISTENER, **options}) + "\n",
            capture_output=True, text=True, check=False)
        self.write(f"$ {' '.join(arguments)}\n{done.stdout[-500:]}{done.stderr}")
        return done.returncode, done.stdout.splitlines(), done.stderr

    def outside(self, action: str, address: str, **options: str) -> tuple[int, list[str]]:
        """Status and lines of a client on this machine, which comes through the node's published port."""
        given = {"bootstrap_servers": f"{address}:9094", **options}
        done = subprocess.run([sys.executable, str(ROOT / "tests/prove/kafka_client.py"), action], text=True,
                              input=json.dumps(given) + "\n", capture_output=True, check=False,
                              # Or the proof of the same name would be the library.
                              env={**os.environ, "PYTHONSAFEPATH": "1"})
        self.write(f"$ outside {action}\n{done.stdout}{done.stderr}")
        return done.returncode, done.stdout.split()

    def write_for(self, topic: str, meanwhile: t.Callable[[], None], **options: str) -> list[str]:
        """Values that were acknowledged to a producer while something happened."""
        return self.acknowledged_while(self.client_argv("write", topic), {"bootstrap_servers": LISTENER, **options},
                                       meanwhile)

    # -- the broker's own view ---------------------------------------------------------

    def tool(self, name: str, *arguments: str, check: bool = True) -> str:
        """Output of one of the broker's own tools."""
        return self.sh(f"docker exec {BROKER} {TOOLS}/{name}.sh --bootstrap-server localhost:19092 "
                       f"{' '.join(arguments)} 2>/dev/null", check=check)

    def described(self) -> dict[str, tuple[int, dict[str, str]]]:
        """Partitions and overrides of each topic, as kafka-topics.sh says it."""
        found = {}
        for line in self.tool("kafka-topics", "--describe", "--exclude-internal").splitlines():
            words = dict(part.split(": ", 1) if ": " in part else (part.rstrip(":"), "")
                         for part in line.strip().split("\t") if part)
            if "PartitionCount" in words:
                overrides = dict(one.split("=", 1) for one in words.get("Configs", "").split(",") if "=" in one)
                # What the broker's own configuration sets is listed too.
                found[words["Topic"].strip()] = (int(words["PartitionCount"]), overrides)
        return found


Case = t.Callable[[Place], None]


# -- what a user sees ------------------------------------------------------------------------


def it_comes_up(place: Place) -> None:
    """A bare host gets a broker as check mode had said, and a second run changes nothing."""
    if place.bare:
        expect(place.bare.changed > 0, "check mode on a bare node predicted nothing", place.bare.output[-500:])
        objects = {one["object"] for found in place.bare.differences.values() for one in found}
        expect({"topic orders", "topic invoices"} <= objects, "check mode on a bare node named no topics", objects)
    place.expect_still()
    found = place.described()
    expect(sorted(found) == sorted([*OWN, "invoices", "orders"]), "other topics are there", found)


def nothing_is_open(place: Place) -> None:
    """Nothing is published, and the platform network sees one listener."""
    expect(place.sh(f"docker port {BROKER}").strip() == "", "a port is published")
    listening = place.sh("ss -Hltn | awk '{print $4}'").split()
    expect(not [one for one in listening if one.endswith((":9092", ":9094", ":19092", ":19093"))],
           "the host listens", listening)
    address = place.sh(f"docker inspect -f '{{{{.NetworkSettings.Networks.mooring.IPAddress}}}}' {BROKER}").strip()
    answers = {port: place.sh(f"timeout 3 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo open || true"
                              ).strip() for port in (9092, 9094, 19092, 19093)}
    expect(answers == {9092: "open", 9094: "", 19092: "", 19093: ""}, "other ports are open", answers)


def containers_use_it(place: Place) -> None:
    """A container of the platform produces and consumes at kafka:9092, and makes no topic by using it."""
    # defects 76, 79
    written = place.write_for("invoices", lambda: place.until_acknowledged(20))
    status, read, said = place.ask("read", "invoices")
    expect(status == 0 and len(written) > 20 and set(written) <= set(read), "records did not pass",
           f"{len(written)} written, {len(read)} read: {said}")
    expect(not place.write_for("typo", lambda: time.sleep(5)), "records of a topic that nobody declared were taken")
    expect("typo" not in place.described(), "using a topic made it")


def the_broker_compresses(place: Place) -> None:
    """A topic whose records the broker compresses takes and gives them; the library for it is unpacked in /tmp."""
    packed = {"name": "packed", "config": {"compression.type": "zstd"}}
    place.converge(kafka_topics=[*TOPICS, packed])
    written = place.write_for("packed", lambda: place.until_acknowledged(20))
    read = place.tool("kafka-console-consumer", "--topic packed --from-beginning --timeout-ms 10000 --max-messages",
                      str(len(written))).split()
    expect(written and set(written) <= set(read), "records did not pass", f"{len(written)} written, {len(read)} read")
    place.converge(kafka_topics=[*TOPICS, {**packed, "state": "absent"}])


# -- topics ----------------------------------------------------------------------------------


def topics_follow(place: Place) -> None:
    """Topics are made, grown, configured and deleted, as the broker's own tools see it."""
    steps: list[tuple[list[dict[str, t.Any]], dict[str, tuple[int, dict[str, str]]]]] = [
        ([{"name": "matrix", "partitions": 2}], {"matrix": (2, {})}),
        ([{"name": "matrix", "partitions": 5}], {"matrix": (5, {})}),
        ([{"name": "matrix", "partitions": 5, "config": {"max.message.bytes": 2000000, "cleanup.policy": "compact"}}],
         {"matrix": (5, {"max.message.bytes": "2000000", "cleanup.policy": "compact"})}),
        ([{"name": "matrix", "partitions": 5, "config": {"cleanup.policy": "delete"}}],
         {"matrix": (5, {"cleanup.policy": "delete"})}),
        ([{"name": "matrix", "partitions": 6}, {"name": "second", "config": {"min.compaction.lag.ms": 10}}],
         {"matrix": (6, {}), "second": (1, {"min.compaction.lag.ms": "10"})}),
        ([{"name": "matrix", "state": "absent"}, {"name": "second", "state": "absent"}], {}),
    ]
    for declared, expected in steps:
        everything = [*TOPICS, *declared]
        ahead = place.attempt("--check", kafka_topics=everything).good("looking ahead")
        run = place.converge(kafka_topics=everything)
        expect(ahead.differences == run.differences and run.differences, "check mode predicted something else",
               f"{ahead.differences} and {run.differences}")
        place.expect_still(kafka_topics=everything)
        found = place.described()
        seen = {name: (found[name][0], {key: value for key, value in found[name][1].items()
                                        if key in ("max.message.bytes", "cleanup.policy", "min.compaction.lag.ms")})
                for name in ("matrix", "second") if name in found}
        expect(seen == expected, "the broker's own tools see something else", f"{seen}, not {expected}")


def topics_are_refused(place: Place) -> None:
    """Fewer partitions, a typo, a wrong value and a second replica are refused, and nothing else is changed."""
    before = place.described()
    refused = {
        "has 3 partitions, and 2 are declared: Kafka cannot take": {"name": "orders", "partitions": 2},
        "has replication 1, and 2 is declared": {"name": "orders", "partitions": 3, "replication": 2},
        "Unknown topic config name: retention.mss": {"name": "new", "config": {"retention.mss": 1}},
        "Invalid value soon for configuration retention.ms": {"name": "new", "config": {"retention.ms": "soon"}},
        "Unable to replicate the partition 3 time": {"name": "new", "replication": 3},
    }
    wrong = place.attempt(kafka_config_overrides={"num.network.threads": "four"}, mooring_allow_stateful_restart=True)
    expect(wrong.status != 0 and "Invalid value four for configuration num.network.threads" in wrong.output,
           "a wrong setting was not refused", wrong.output[-1500:])
    for reason, declared in refused.items():
        topics = [one for one in TOPICS if one["name"] != declared["name"]]
        for mode in (("--check",), ()):
            run = place.attempt(*mode, kafka_topics=[*topics, declared, {"name": "beside"}])
            expect(run.status != 0 and reason in run.output, f"'{reason}' was not said", run.output[-1500:])
    expect(place.described() == before, "a refusal changed something", place.described())
    place.expect_still()


def topics_are_healed(place: Place) -> None:
    """What somebody set by hand is seen and put back; a topic that somebody made is named and left."""
    place.tool("kafka-configs", "--alter --entity-type topics --entity-name orders "
               "--add-config retention.ms=1000,max.message.bytes=5000")
    place.tool("kafka-topics", "--create --topic stranger --partitions 1")
    seen = place.attempt("--check").good("looking")
    fields = {(one["object"], one["field"]) for found in seen.differences.values() for one in found}
    expect(fields == {("topic orders", "retention.ms"), ("topic orders", "max.message.bytes")},
           "something else was seen", fields)
    expect(any("nobody declares the topic stranger" in one for one in seen.notices), "no notice", seen.notices)
    place.converge()
    found = place.described()
    expect(found["orders"][1].get("retention.ms") == "86400000" and "max.message.bytes" not in found["orders"][1]
           and "stranger" in found, "it was not healed", found)
    place.tool("kafka-topics", "--delete --topic stranger")
    place.tool("kafka-topics", "--delete --topic invoices")
    expect(place.converge().changed > 0 and "invoices" in place.described(), "a deleted topic did not come back")
    place.expect_still()


def many_topics(place: Place) -> None:
    """200 topics are one call."""
    few = min(place.converge().seconds for _turn in range(3))
    declared = [*TOPICS, *({"name": f"many-{number}", "config": {"retention.ms": 1000 * (number + 1)}}
                           for number in range(MANY))]
    made = place.converge(kafka_topics=declared)
    many = min(place.converge(kafka_topics=declared).seconds for _turn in range(3))
    place.expect_still(kafka_topics=declared)
    place.figures.topics = len(place.described())
    place.say(f"       {MANY} topics made in {made.seconds:.1f} s; without a change {many:.1f} s, "
              f"{few:.1f} s without them (goal: at most 3 s more)")
    gone = [*TOPICS, *({"name": f"many-{number}", "state": "absent"} for number in range(MANY))]
    place.converge(kafka_topics=gone)
    expect(len(place.described()) == len(TOPICS) + len(OWN), "they were not deleted")


# -- data ------------------------------------------------------------------------------------


def nothing_is_lost(place: Place) -> None:
    """Records that were acknowledged survive kill -9 of the broker; a run heals it when nobody else does."""
    # defect 77
    acknowledged = place.write_for("orders", lambda: place.kill_again_and_again(4))
    place.converge()
    status, read, said = place.ask("read", "orders")
    lost = set(acknowledged) - set(read)
    place.figures.lost = max(place.figures.lost, 0) + len(lost)
    expect(status == 0 and not lost and len(acknowledged) > 100, "acknowledged records are lost",
           f"{len(lost)} of {len(acknowledged)}: {said}")
    place.say(f"       {len(acknowledged)} acknowledged, {KILLS + 1} kills")


def half_made(place: Place) -> None:
    """A lost volume is refused; a broker killed again and again while it is first made is finished by the next run."""
    place.lose_the_data()
    for moment in (0.3, 0.8, 1.4, 2.0, 2.8, 3.6):
        process = place.spawn(*place.tags, *place.declared({}))
        place.wait(f"docker inspect -f '{{{{.State.Running}}}}' {BROKER} | grep true", 60)
        time.sleep(moment)
        place.sh(f"docker kill {BROKER}", check=False)
        process.terminate()
        process.communicate()
        place.sh(f"docker rm --force {BROKER}", check=False)
    place.converge()
    place.expect_still()
    status, _read, said = place.ask("read", "orders")
    expect(status == 0, "it does not work", said)


def restarts_wait(place: Place) -> None:
    """A configuration that needs a restart waits for permission, and topics do not wait for it."""
    before = place.started()
    declared = {"kafka_config_overrides": {"num.network.threads": 4}, "kafka_topics": [*TOPICS, {"name": "meanwhile"}]}
    run = place.attempt(**declared)
    expect(run.status != 0 and "mooring_allow_stateful_restart=true" in run.output, "it was not held back",
           run.output[-1500:])
    expect(place.started() == before and "meanwhile" in place.described(), "it restarted, or the topics waited")
    place.converge(mooring_allow_stateful_restart=True, **declared)
    expect(place.started() != before, "it was not restarted with permission")
    place.expect_still(**declared)
    place.converge(mooring_allow_stateful_restart=True,
                   kafka_topics=[*TOPICS, {"name": "meanwhile", "state": "absent"}])


# -- users -----------------------------------------------------------------------------------


def login(name: str, password: str = "") -> Options:
    """Options of a client that logs in."""
    return {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": name,
            "sasl_plain_password": password or PASSWORDS[name]}


def users_are_exact(place: Place) -> None:
    """Users log in and may do exactly what is declared; what somebody changed by hand is put back."""
    # The broker knows no rights yet. Looking is no failure, and topics do not wait.
    held = {"kafka_users": USERS, "kafka_authentication": True, "kafka_topics": [*TOPICS, {"name": "before"}]}
    place.attempt("--check", **held).good("looking at users that wait")
    run = place.attempt(**held)
    for words in ("its users follow once it was restarted", "mooring_allow_stateful_restart=true"):
        expect(run.status != 0 and words in " ".join(run.output.split()), f"it does not say '{words}'",
               run.output[-1500:])
    expect("before" in place.described(), "topics waited for users")
    place.converge(**AUTHENTICATED, kafka_topics=[*TOPICS, {"name": "before", "state": "absent"}])
    place.expect_still(**AUTHENTICATED)
    try:
        status, seen, said = place.ask("topics", **login("shop"))
        expect(status == 0 and seen == ["orders"], "shop sees something else", f"{seen} {said}")
        for options in (login("shop", "wrong"), login("nobody", "wrong"), {}):
            status, seen, said = place.ask("topics", **options)
            expect(status != 0, "it was let in without its password", options.get("sasl_plain_username"))
        place.write_for("orders", lambda: place.until_acknowledged(20), **login("shop"))
        expect(not place.write_for("invoices", lambda: time.sleep(4), **login("shop")), "shop may write to invoices")
        expect(place.ask("read", "invoices", **login("report"))[0] == 0, "report may not read")
        expect(not place.write_for("invoices", lambda: time.sleep(4), **login("report")), "report may write")
        place.tool("kafka-acls", "--add --allow-principal User:report --operation Write --topic invoices")
        place.tool("kafka-acls", "--remove --force --allow-principal User:shop --operation Read --group shop")
        place.tool("kafka-configs", "--alter --entity-type users --entity-name shop "
                   "--add-config SCRAM-SHA-512=[password=other]")
        place.tool("kafka-configs", "--alter --entity-type users --entity-name stranger "
                   "--add-config SCRAM-SHA-512=[password=other]")
        run = place.attempt("--check", **AUTHENTICATED).good("looking")
        objects = sorted(one["object"] for found in run.differences.values() for one in found)
        expect(objects == ["user report, allow write on topic invoices", "user shop",
                           "user shop, allow read on group shop"], "something else was seen", objects)
        expect(any("User:stranger" in one for one in run.notices), "no notice of a stranger", run.notices)
        place.converge(**AUTHENTICATED)
        place.expect_still(**AUTHENTICATED)
        expect(place.ask("topics", **login("shop"))[0] == 0, "shop cannot log in again")
    finally:
        place.converge(mooring_allow_stateful_restart=True)


def certificate(address: str) -> tuple[str, str]:
    """A new certificate for an address and its key (PKCS #8), as PEM texts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kafka.test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .sign(key, hashes.SHA256()))
    return (made.public_bytes(serialization.Encoding.PEM).decode(),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()).decode())


def clients_from_outside(place: Place) -> None:
    """Clients from outside get in with TLS and a password only; a new certificate costs no restart."""
    address = place.node.address()
    chain, key = certificate(address)
    declared = {"kafka_users": USERS, "kafka_external_bind": "0.0.0.0:9094", "kafka_external_host": address,
                "kafka_external_certificate": chain, "kafka_external_key": key, "mooring_allow_stateful_restart": True}
    secret = {**login("shop"), "security_protocol": "SASL_SSL"}
    try:
        place.converge(**declared)
        place.expect_still(**declared)
        expect(ssl.get_server_certificate((address, 9094)).strip() == chain.strip(), "another certificate is shown")
        expect(place.outside("topics", address, **secret) == (0, ["orders"]), "shop does not get in",
               place.outside("topics", address, **secret))
        for options in ({**secret, "sasl_plain_password": "wrong"}, {"security_protocol": "PLAINTEXT"},
                        {**secret, "security_protocol": "SASL_PLAINTEXT"}, {"security_protocol": "SSL"}):
            status, seen = place.outside("topics", address, **options)
            expect(status != 0 and not seen, "it was let in", options["security_protocol"])
        # Whoever is on the platform network is asked for nothing, as declared.
        expect(place.ask("topics")[0] == 0, "a container does not get in")
        before = place.started()
        declared["kafka_external_certificate"], declared["kafka_external_key"] = certificate(address)
        place.converge(**{**declared, "mooring_allow_stateful_restart": False})
        shown = ssl.get_server_certificate((address, 9094)).strip()
        expect(shown == declared["kafka_external_certificate"].strip(), "the new certificate is not shown")
        expect(place.started() == before, "a new certificate restarted the broker")
        place.expect_still(**declared)
        mode = place.sh("stat -c '%a %u' /opt/mooring/kafka/secrets/broker/external.pem").split()
        expect(mode == ["400", "1000"], "others may read the key", mode)
        nothing = place.attempt(**{**declared, "kafka_users": []})
        expect(nothing.status != 0 and "nobody could log in" in nothing.output, "it was not refused without users")
        nothing = place.attempt(**{**declared, "kafka_external_key": ""})
        expect(nothing.status != 0 and "kafka_external_key" in nothing.output, "it was not refused without a key",
               nothing.output[-1000:])
    finally:
        place.converge(mooring_allow_stateful_restart=True)


def no_secret_shows(place: Place) -> None:
    """A user's password is nowhere on the host; the broker itself keeps what it cannot be made from."""
    run = place.converge("-vvv", "--diff", **AUTHENTICATED)
    try:
        looked = run.output + place.sh(
            f"docker inspect {BROKER}; ps -eo args; docker logs {BROKER}; cat /opt/mooring/kafka/compose.yml; "
            # In brackets, or this command would show what it looks for.
            "grep -r 'sentinel[-]kafka' /opt/mooring/kafka; journalctl --no-pager -n 20000",
            check=False)
        expect("sentinel-kafka" not in looked, "a password shows",
               looked[max(looked.find("sentinel-kafka") - 300, 0):][:400])
    finally:
        place.converge(mooring_allow_stateful_restart=True)


def zookeeper_goes_on(place: Place) -> None:
    """Kafka 3 with ZooKeeper goes on with its topics; neither is started on the data of the other."""  # defect 78
    old = {"kafka_image": IMAGES[2], "kafka_zookeeper_image": IMAGES[2], "mooring_allow_stateful_restart": True}

    def refused(**values: t.Any) -> None:
        before = place.started()
        run = place.attempt(**values)
        expect(run.status != 0 and "are of a cluster with ZooKeeper" in " ".join(run.output.split()),
               "it was not refused", run.output[-1500:])
        expect(place.started() == before, "a refused run restarted something")

    def start_empty() -> None:
        place.sh(f"docker rm --force {BROKER} mooring-kafka-zookeeper-1; docker volume rm {VOLUME} "
                 f"mooring-zookeeper-data; rm {RECORD}", check=False)

    refused(**old)
    start_empty()
    try:
        place.converge(**old)
        place.expect_still(**old)
        found = {name: partitions for name, (partitions, _overrides) in place.described().items()}
        expect({"orders": 3, "invoices": 1}.items() <= found.items(), "topics are not as declared", found)
        grown = [{**TOPICS[0], "partitions": 4, "config": {"retention.ms": 1000}}, TOPICS[1]]
        place.converge(kafka_topics=grown, **old)
        place.expect_still(kafka_topics=grown, **old)
        written = place.write_for("invoices", lambda: place.until_acknowledged(20))
        place.kill("mooring-kafka-zookeeper-1")
        place.converge(kafka_topics=grown, **old)
        status, read, said = place.ask("read", "invoices")
        expect(status == 0 and set(written) <= set(read), "records are lost", said)
        users = place.attempt(**{**old, "kafka_users": USERS, "kafka_authentication": True})
        expect(users.status != 0 and "past which everybody could give himself rights" in " ".join(users.output.split()),
               "users were not refused", users.output[-1000:])
        refused(mooring_allow_stateful_restart=True)
    finally:
        start_empty()
        place.converge(mooring_allow_stateful_restart=True)
    expect("zookeeper" not in place.sh("docker ps -a --format '{{.Names}}'"), "ZooKeeper was left")
    place.expect_still()


CASES: tuple[Case, ...] = (
    it_comes_up, nothing_is_open, containers_use_it, the_broker_compresses, topics_follow, topics_are_refused,
    topics_are_healed, many_topics, restarts_wait, nothing_is_lost, users_are_exact, clients_from_outside,
    no_secret_shows, zookeeper_goes_on, half_made)
