# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the only place that talks to a Kafka broker.

The broker has a listener on its container's own loopback address, which asks for no
login because nobody but root of the host and the container itself gets there. This
thread enters the container's network for as long as it speaks to it: nothing has to be
published, and what the broker advertises (localhost) is right from there.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._docker import Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._kafka_topics import Topic
from ansible_collections.mooring.stack.plugins.module_utils._kafka_users import Acl, Users
from ansible_collections.mooring.stack.plugins.module_utils._namespace import Gone

TIMEOUT_MS = 15_000
# A login that is refused is tried again for as long as the time lasts, so it is short.
LOGIN_MS = 3_000
MECHANISM = "SCRAM-SHA-512"
ITERATIONS = 8192


class BrokerGone(MooringError):
    """No broker answers."""


class NoAuthorizer(MooringError):
    """The broker runs without what keeps users' rights."""


def _library() -> t.Any:
    """The library; raises :class:`MooringError` where it is missing."""
    try:
        import kafka
        import kafka.admin
        import kafka.errors
    except ImportError as error:
        raise MooringError(
            "The Python library kafka-python (3 or newer) is missing on this host. The module "
            "mooring.stack.component brings it along; without it, install it with pip.") from error
    # What it logs of a broker that is not there, the exception says too.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    return kafka


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class Broker:
    """A session of the broker's administrator at a listener that asks for no login."""

    def __init__(self, address: str) -> None:
        self._kafka = _library()
        self._address = address
        try:
            self._client = self._kafka.admin.KafkaAdminClient(
                bootstrap_servers=address, request_timeout_ms=TIMEOUT_MS, bootstrap_timeout_ms=TIMEOUT_MS)
        except self._kafka.errors.KafkaError as error:
            raise BrokerGone(f"Kafka does not answer at {address} of its container: {_text(error)}.") from error

    def close(self) -> None:
        """End the session."""
        self._client.close()

    @contextlib.contextmanager
    def _asking(self, what: str) -> t.Iterator[None]:
        try:
            yield
        except self._kafka.errors.KafkaError as error:
            raise MooringError(f"Kafka could not be asked {what}: {_text(error)}.") from error

    # -- topics -----------------------------------------------------------------

    def topics(self) -> dict[str, Topic]:
        """All topics but the broker's own, with what was set for each of them."""
        kinds = self._kafka.admin
        with self._asking("to list the topics"):
            described = [one for one in self._client.describe_topics() if not one["is_internal"]]
            asked = [kinds.ConfigResource(kinds.ConfigResourceType.TOPIC, one["name"]) for one in described]
            answers = self._client.describe_configs(asked).get("topic", {}) if asked else {}
        found = {}
        for one in described:
            # What comes from the broker's own configuration is nobody's declaration for this topic.
            config = {name: value["value"] for name, value in answers.get(one["name"], {}).items()
                      if value["config_source"] == "DYNAMIC_TOPIC_CONFIG"}
            partitions = one["partitions"]
            found[one["name"]] = Topic(
                len(partitions), len(partitions[0]["replica_nodes"]) if partitions else 0, config)
        return found

    def create(self, topics: t.Mapping[str, Topic], only_validate: bool = False) -> list[str]:
        """Create topics; what the broker says against each that it refuses."""
        if not topics:
            return []
        with self._asking("to create topics"):
            answer = self._client.create_topics(
                {name: {"num_partitions": one.partitions, "replication_factor": one.replication,
                        "configs": one.config} for name, one in topics.items()},
                validate_only=only_validate, raise_errors=False)
        return self._refusals(answer["topics"])

    def grow(self, counts: t.Mapping[str, int], only_validate: bool = False) -> list[str]:
        """Bring topics to a number of partitions; what the broker says against each that it refuses."""
        if not counts:
            return []
        with self._asking("to add partitions"):
            answer = self._client.create_partitions(dict(counts), validate_only=only_validate, raise_errors=False)
        return self._refusals(answer.to_dict()["results"])

    def configure(self, changes: t.Mapping[str, t.Mapping[str, str | None]], only_validate: bool = False) -> list[str]:
        """Set values of topics, None takes one back; what the broker says against each that it refuses."""
        if not changes:
            return []
        kinds = self._kafka.admin
        resources = [
            kinds.ConfigResource(kinds.ConfigResourceType.TOPIC, topic, {
                name: ("DELETE", None) if value is None else ("SET", value) for name, value in config.items()})
            for topic, config in changes.items()]
        with self._asking("to configure topics"):
            answer = self._client.alter_configs(resources, validate_only=only_validate, raise_on_unknown=False)
        return [f"{topic}: {said}" for topic, said in sorted(answer.get("topic", {}).items()) if said != "OK"]

    def delete(self, topics: t.Sequence[str]) -> list[str]:
        """Delete topics with their records; what the broker says against each that it refuses."""
        if not topics:
            return []
        with self._asking("to delete topics"):
            answer = self._client.delete_topics(list(topics), raise_errors=False)
        return self._refusals(answer["topics"])

    def wait_for(self, topics: t.Sequence[str]) -> None:
        """Until these topics can be used."""
        with self._asking("to lead new topics"):
            self._client.wait_for_topics(topics, timeout_ms=TIMEOUT_MS)

    def _refusals(self, answers: t.Iterable[dict[str, t.Any]]) -> list[str]:
        return [f"{one['name']}: {one.get('error_message') or self._kafka.errors.for_code(one['error_code']).__name__}"
                for one in answers if one["error_code"]]

    # -- users ------------------------------------------------------------------

    def users(self) -> Users:
        """Who has a password, and who may do what; raises :class:`NoAuthorizer` where nobody's rights are kept."""
        kinds = self._kafka.admin
        anything = kinds.ACLFilter(
            principal=None, host=None, operation=kinds.ACLOperation.ANY, permission_type=kinds.ACLPermissionType.ANY,
            resource_pattern=kinds.ResourcePatternFilter(
                kinds.ResourceType.ANY, None, kinds.ACLResourcePatternType.ANY))
        with self._asking("to list users"):
            credentials = self._client.describe_user_scram_credentials()
            try:
                acls, _error = self._client.describe_acls(anything)
            except self._kafka.errors.SecurityDisabledError as error:
                raise NoAuthorizer(
                    "The broker runs with a configuration in which nobody has rights, so its users follow once it was "
                    "restarted with the declared one.") from error
        mechanism = kinds.ScramMechanism[MECHANISM.replace("-", "_")]
        return Users(
            frozenset(name for name, one in credentials.items()
                      if any(info["mechanism"] == mechanism for info in one["credential_infos"])),
            frozenset(Acl(one.principal, one.resource_pattern.resource_type.name.lower(),
                          one.resource_pattern.resource_name, one.resource_pattern.pattern_type.name.lower(),
                          one.operation.name.lower(), one.host, one.permission_type.name.lower()) for one in acls))

    def set_passwords(self, passwords: t.Mapping[str, str], gone: t.Iterable[str]) -> None:
        """Give users these passwords, and take the others' away."""
        kinds = self._kafka.admin
        alterations = [
            *(kinds.UserScramCredentialUpsertion(name, MECHANISM, password, iterations=ITERATIONS)
              for name, password in passwords.items()),
            *(kinds.UserScramCredentialDeletion(name, MECHANISM) for name in gone)]
        if alterations:
            with self._asking("to set passwords"):
                self._client.alter_user_scram_credentials(alterations)

    def allow(self, acls: t.Iterable[Acl]) -> None:
        """Create ACLs."""
        wanted = [self._acl(one, self._kafka.admin.ACL, self._kafka.admin.ResourcePattern) for one in acls]
        if wanted:
            with self._asking("to allow something"):
                failed = self._client.create_acls(wanted)["failed"]
            if failed:
                raise MooringError(f"Kafka refused {len(failed)} of {len(wanted)} ACLs: "
                                   f"{', '.join(sorted({one.__name__ for one in failed}))}.")

    def disallow(self, acls: t.Iterable[Acl]) -> None:
        """Remove ACLs."""
        unwanted = [self._acl(one, self._kafka.admin.ACLFilter, self._kafka.admin.ResourcePatternFilter)
                    for one in acls]
        if unwanted:
            with self._asking("to take something back"):
                self._client.delete_acls(unwanted)

    def _acl(self, acl: Acl, kind: t.Any, pattern: t.Any) -> t.Any:
        kinds = self._kafka.admin
        return kind(
            principal=acl.principal, host=acl.host, operation=kinds.ACLOperation[acl.operation.upper()],
            permission_type=kinds.ACLPermissionType[acl.permission.upper()],
            resource_pattern=pattern(kinds.ResourceType[acl.kind.upper()], acl.name,
                                     kinds.ACLResourcePatternType[acl.pattern.upper()]))

    def refuses(self, name: str, password: str, address: str, protocol: str) -> str:
        """Why a user cannot log in at a listener; "" if it can."""
        context = None
        if protocol == "SASL_SSL":
            # The container's own loopback address: who is asked is known without a certificate.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self._kafka.admin.KafkaAdminClient(
                bootstrap_servers=address, bootstrap_timeout_ms=LOGIN_MS, security_protocol=protocol,
                sasl_mechanism=MECHANISM, sasl_plain_username=name, sasl_plain_password=password,
                ssl_context=context).close()
        except self._kafka.errors.KafkaError as error:
            return _text(error)
        return ""

    # -- records ----------------------------------------------------------------

    def passes(self, topic: str, value: bytes) -> str:
        """Produce a record that every replica has to acknowledge, and read it back; its place, such as ``0@17``."""
        kafka = self._kafka
        with self._asking(f"to pass a record of {topic}"):
            with contextlib.closing(kafka.KafkaProducer(
                    bootstrap_servers=self._address, acks="all", request_timeout_ms=TIMEOUT_MS)) as producer:
                written = producer.send(topic, value).get(timeout=TIMEOUT_MS / 1000)
            place = kafka.TopicPartition(topic, written.partition)
            with contextlib.closing(kafka.KafkaConsumer(
                    bootstrap_servers=self._address, group_id=None, enable_auto_commit=False)) as consumer:
                consumer.assign([place])
                consumer.seek(place, written.offset)
                deadline = time.monotonic() + TIMEOUT_MS / 1000
                while time.monotonic() < deadline:
                    for record in consumer.poll(timeout_ms=1000).get(place, ()):
                        if record.offset == written.offset and record.value == value:
                            return f"{written.partition}@{written.offset}"
        raise MooringError(f"Kafka acknowledged a record of {topic} and did not give it back within "
                           f"{TIMEOUT_MS // 1000} seconds.")


@contextlib.contextmanager
def session(docker: Docker, container: str, address: str) -> t.Iterator[Broker]:
    """The broker in a container; raises :class:`BrokerGone` where it does not run or answer."""
    try:
        with docker.inside(container), contextlib.closing(Broker(address)) as broker:
            yield broker
    except Gone as error:
        raise BrokerGone(str(error)) from error
