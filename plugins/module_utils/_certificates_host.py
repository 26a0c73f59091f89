# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: certificates on a host, the proxy that serves them, and certbot.

nginx reads ``<certificates>/<name>/``, a link to ``<name>.d/<fingerprint>/``.
A link changes in one step, so nginx never sees a key that belongs to another
certificate, whenever it is started and wherever a run is killed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import stat
import time
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils import _certificates as certs
from ansible_collections.mooring.stack.plugins.module_utils import _files as files
from ansible_collections.mooring.stack.plugins.module_utils import _x509 as x509
from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference
from ansible_collections.mooring.stack.plugins.module_utils._docker import CommandFailed, Docker
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._formats import LEDGER, ORIGIN
from ansible_collections.mooring.stack.plugins.module_utils._http import Unreachable, ask
from ansible_collections.mooring.stack.plugins.module_utils._namespace import Gone

KEPT_VERSIONS = 3
PLACEHOLDER_LIFETIME = dt.timedelta(days=3650)
CERTBOT_SECONDS = 300
RELOAD_SECONDS = 30
CHALLENGE_SECONDS = 10
CHALLENGES = ".well-known/acme-challenge"
STAGING = "staging"
# Options of certbot whose values are of use in a message.
NO_SECRET = re.compile(r"authenticator|.*-hook|.*-credentials|.*-seconds|account|email|server")
# As long as certbot may take for one order: whoever comes second finds it done.
LOCK_SECONDS = CERTBOT_SECONDS


def utcnow() -> dt.datetime:
    """Now, aware and to the second."""
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


@dataclasses.dataclass(frozen=True)
class Mode:
    """Mode and owner of a file, as found and as declared."""

    path: str
    mode: int
    uid: int
    declared_mode: int
    declared_uid: int

    def before(self) -> str:
        """As found."""
        return f"{self.path}: mode {self.mode:04o}, owner {self.uid}"

    def after(self) -> str:
        """As declared."""
        return f"{self.path}: mode {self.declared_mode:04o}, owner {self.declared_uid}"

    def differences(self) -> list[Difference]:
        """Mode and owner, where they differ."""
        fields = (("mode", f"{self.declared_mode:04o}", f"{self.mode:04o}"), ("owner", self.declared_uid, self.uid))
        return [Difference(f"file {self.path}", *field) for field in fields if field[1] != field[2]]


class Store:
    """The directory that nginx reads certificates from."""

    def __init__(self, directory: str, owner: int, roots: str = "") -> None:
        self.directory = directory
        self.owner = owner
        self.roots = roots

    def read(self, name: str) -> certs.Found:
        """What nginx would load for a certificate."""
        path = os.path.join(self.directory, name)
        problem = self._odd(name)
        if problem:
            return certs.Found(problem=problem)
        found = _found(path, self.roots)
        if found.pair is None:
            return found
        origin = os.path.join(path, "origin.json")
        directory, profile = _noted(_content(origin), origin)
        return certs.Found(dataclasses.replace(found.pair, directory=directory, profile=profile))

    def _odd(self, name: str) -> str:
        """What no run of ours makes, and what would lead out of here: a container may write here, too."""
        path = os.path.join(self.directory, name)
        if os.path.islink(path):
            target = os.readlink(path)
            if not re.fullmatch(rf"{re.escape(name)}\.d/[^./][^/]*", target):
                return f"{path} leads to {target} instead of a version in {name}.d."
            for part in (f"{path}.d", os.path.join(self.directory, target)):
                if os.path.islink(part):
                    return f"{part} is a link, but a directory belongs there."
        for file in ("fullchain.pem", "privkey.pem"):
            if os.path.islink(os.path.join(path, file)):
                return f"{os.path.join(path, file)} is a link, but a file belongs there."
        return ""

    def wrong_modes(self, name: str) -> list[Mode]:
        """Files whose owner or mode is not what :meth:`put` gave them."""
        modes = []
        for path, mode, uid in self._layout(name):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                status = os.lstat(path)
                modes.append(Mode(path, stat.S_IMODE(status.st_mode), status.st_uid, mode, uid))
        return [mode for mode in modes if mode.before() != mode.after()]

    def correct_modes(self, name: str) -> None:
        """Give every file its owner and mode back."""
        wrong = self.wrong_modes(name)
        if not wrong:
            return
        with contextlib.ExitStack() as stack:
            # From directory to directory: what is a link meanwhile is not opened.
            def opened(entry: str, above: int | None = None, flags: int = os.O_DIRECTORY) -> int:
                descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags, dir_fd=above)
                stack.callback(os.close, descriptor)
                return descriptor

            for mode in wrong:
                parts = os.path.relpath(mode.path, self.directory).split(os.sep)
                if parts[0] == name:
                    parts[:1] = os.path.relpath(self._version(name), self.directory).split(os.sep)
                *folders, last = parts
                above = opened(self.directory)
                for folder in folders:
                    above = opened(folder, above)
                descriptor = opened(last, above, flags=0)
                os.fchown(descriptor, mode.declared_uid, mode.declared_uid)
                os.fchmod(descriptor, mode.declared_mode)

    def wrong_parts(self, name: str) -> list[str]:
        """Files beside ``fullchain.pem`` that are missing or do not hold the part of it that they should."""
        directory = os.path.join(self.directory, name)
        whole = _content(os.path.join(directory, "fullchain.pem"))
        if whole is None or self._odd(name):
            return []
        parts = zip(("cert.pem", "chain.pem"), x509.split_chain(whole), strict=True)
        paths = {os.path.join(directory, file): part for file, part in parts}
        return [path for path, part in paths.items() if _content(path) != part]

    def renew_version(self, name: str) -> None:
        """Store the version that is served once more, with all its files."""
        found, directory = self.read(name).pair, os.path.join(self.directory, name)
        chain, key = (_content(os.path.join(directory, file)) for file in ("fullchain.pem", "privkey.pem"))
        if found and chain and key:
            self.put(name, chain, key, found.directory, found.profile)

    def put(self, name: str, fullchain: bytes, key: bytes, origin: str, profile: str | None = None) -> str:
        """Store a version and make it the one that nginx reads; returns its fingerprint."""
        fingerprint = x509.pem_fingerprint(fullchain)
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        versions = os.path.join(self.directory, f"{name}.d")
        files.make_directory(versions, 0o755, self.owner, self.owner)
        with files.acting_as(self.owner):
            noted = json.dumps({"acme_directory": origin, "profile": profile})
            self._store(versions, fingerprint, fullchain, key, noted)
        # In a directory that is root's nobody else can put anything, and in another one nobody but its owner should.
        with files.acting_as(os.stat(self.directory).st_uid):
            self._link(name, f"{name}.d/{fingerprint}")
        with files.acting_as(self.owner):
            self._prune(versions, fingerprint)
        return fingerprint

    def _store(self, versions: str, fingerprint: str, fullchain: bytes, key: bytes, origin: str) -> None:
        version, staged = (os.path.join(versions, entry) for entry in (fingerprint, f".{fingerprint}"))
        shutil.rmtree(staged, ignore_errors=True)
        files.make_directory(staged, 0o755, self.owner, self.owner)
        leaf, chain = x509.split_chain(fullchain)
        for file, content in (("fullchain.pem", fullchain), ("cert.pem", leaf), ("chain.pem", chain)):
            self._write(os.path.join(staged, file), content, 0o444)
        self._write(os.path.join(staged, "origin.json"), origin.encode(), 0o444)
        self._write(os.path.join(staged, "privkey.pem"), key, 0o400)
        if os.path.isdir(version):
            # The same certificate again, because its files were damaged.
            os.rename(version, f"{staged}.damaged")
        os.rename(staged, version)
        shutil.rmtree(f"{staged}.damaged", ignore_errors=True)

    @contextlib.contextmanager
    def lock(self) -> t.Iterator[None]:
        """Hold off every other run, whoever it runs as; waits until the one that is at work has ended."""
        os.makedirs(self.directory, mode=0o755, exist_ok=True)
        path = os.path.join(self.directory, ".lock")
        # Never another file in its place: somebody may hold it. Its owner is put right with all modes.
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            os.fchown(descriptor, self.owner, self.owner)
            os.close(descriptor)
        with files.lock(path, "A certificate", LOCK_SECONDS):
            yield

    def _write(self, path: str, content: bytes, mode: int) -> None:
        files.write_file(path, content, mode, self.owner, self.owner)

    def _link(self, name: str, target: str) -> None:
        path = os.path.join(self.directory, name)
        if os.path.isdir(path) and not os.path.islink(path):
            raise MooringError(f"{path} is a directory where a link to {target} belongs. Move it away and run again.")
        temporary = f"{path}.mooring-new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, path)

    def _prune(self, versions: str, current: str) -> None:
        others = [entry for entry in os.scandir(versions) if entry.name != current]
        others.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
        for entry in others[KEPT_VERSIONS - 1:]:
            shutil.rmtree(entry.path, ignore_errors=True)

    def _version(self, name: str) -> str:
        """The directory that a name leads to, which :meth:`_odd` has found to be in its place."""
        path = os.path.join(self.directory, name)
        return os.path.join(self.directory, os.readlink(path)) if os.path.islink(path) else path

    def _layout(self, name: str) -> list[tuple[str, int, int]]:
        directory = os.path.join(self.directory, name)
        # Whoever renews as the owner has to be able to write here, and to take the lock.
        modes = {os.path.join(self.directory, ".lock"): 0o600, f"{directory}.d": 0o755}
        if self._odd(name):
            return [(path, mode, self.owner) for path, mode in modes.items()]
        modes[self._version(name)] = 0o755
        modes |= {os.path.join(directory, f): 0o444 for f in ("fullchain.pem", "cert.pem", "chain.pem")}
        modes[os.path.join(directory, "privkey.pem")] = 0o400
        return [(path, mode, self.owner) for path, mode in modes.items()]


class Proxy:
    """The nginx container, addressed from the host or (``inside``) from a container on its network."""

    def __init__(
        self, docker: Docker, container: str, network: str, reload: list[str], inside: bool = False,
    ) -> None:
        self.inside = inside
        self.docker = docker
        self.container = container
        self.network = network
        self.reload_command = reload

    def address(self) -> str:
        """Its address on the platform network, "" where it does not run."""
        if self.inside:
            try:
                return socket.gethostbyname(self.container)
            except OSError:
                return ""
        return self.docker.address(self.container, self.network)

    def near(self) -> t.ContextManager[None]:
        """From where its address is right."""
        return contextlib.nullcontext() if self.inside else self.docker.inside(self.container)

    def reload(self) -> None:
        """Let a proxy that keeps what it has read read its certificates again."""
        if self.reload_command:
            self.docker.run("exec", self.container, *self.reload_command)

    def served(self, address: str, domain: str) -> str:
        """Fingerprint of what a client that asks for ``domain`` gets, "" if it gets no certificate.

        For a wildcard any name that it covers is asked for.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        # What is compared is the very certificate; whom it is trusted by is decided elsewhere.
        context.verify_mode = ssl.CERT_NONE
        try:
            with (
                self.near(),
                socket.create_connection((address, 443), timeout=5) as connection,
                context.wrap_socket(connection, server_hostname=domain.replace("*", "any")) as tls,
            ):
                return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
        except (OSError, Gone):
            return ""

    def confirm(self, address: str, desired: certs.Desired, fingerprint: str) -> None:
        """Wait until a handshake for the certificate's first name gets it; a reload would take a moment."""
        deadline = time.monotonic() + RELOAD_SECONDS
        while True:
            got = self.served(address, desired.domains[0])
            if got == fingerprint:
                return
            if time.monotonic() > deadline:
                raise MooringError(
                    f"The certificate '{desired.name}' is in place, but a TLS handshake for {desired.domains[0]} at "
                    f"{address}:443 gets {'the certificate ' + got[:16] if got else 'none'} instead of "
                    f"{fingerprint[:16]}. Look at 'docker logs {self.container}'."
                )
            time.sleep(0.2)

    def check_challenge(self, address: str, webroot: str, domains: tuple[str, ...], owner: int) -> None:
        """Fetch a token the way the CA will; raises before any order is spent."""
        files.make_directory(webroot, 0o755, owner, owner)
        # First the network, because another user may not enter it.
        with self.near(), files.acting_as(owner):
            self._check_challenge(address, webroot, domains, owner)

    def _check_challenge(self, address: str, webroot: str, domains: tuple[str, ...], owner: int) -> None:
        directory = webroot
        for part in CHALLENGES.split("/"):
            directory = os.path.join(directory, part)
            files.make_directory(directory, 0o755, owner, owner)
        name, token = f"mooring-check-{secrets.token_hex(8)}", secrets.token_hex(16)
        path = os.path.join(directory, name)
        files.write_file(path, token.encode(), 0o444, owner, owner)
        try:
            # A proxy that was reloaded a moment ago may answer by what it knew before.
            limit = time.monotonic() + CHALLENGE_SECONDS
            for domain in domains:
                url = f"http://{domain}/{CHALLENGES}/{name}"
                while problem := _challenge_problem(url, address, token):
                    if time.monotonic() > limit:
                        raise MooringError(
                            f"The proxy does not answer challenges for {domain}: {problem} No order was placed.")
                    time.sleep(0.2)
        finally:
            os.unlink(path)


def _challenge_problem(url: str, address: str, token: str) -> str:
    """Why a CA that asks for ``url`` would not get the token; "" if it does."""
    try:
        answer = ask(url, address=address)
    except Unreachable as error:
        return f"{str(error).rstrip('.')}."
    if answer.status == 200 and answer.body == token.encode():
        return ""
    said = answer.body[:80].decode("utf-8", "replace").split("\n")[0]
    return f"{url} asked at {address} gave status {answer.status} and '{said}' instead of the token."


class Ledger:
    """The attempts of this host, as JSON beside certbot's tree."""

    def __init__(self, path: str, owner: int) -> None:
        self.path = path
        self.owner = owner

    def read(self) -> list[certs.Attempt]:
        """All attempts; an empty list where nothing was ever tried."""
        text = files.read_text(self.path)
        if text is None:
            return []
        try:
            return certs.parse_ledger(LEDGER.current(json.loads(text), self.path))
        except ValueError as error:
            raise MooringError(f"The attempt ledger {self.path} is not JSON: {error}.") from error

    @contextlib.contextmanager
    def attempt(self, desired: certs.Desired, directory: str) -> t.Iterator[None]:
        """Write an attempt down before it is made, and how it ended."""
        begun = utcnow()
        self._add(certs.Attempt(begun, directory, frozenset(desired.domains), certs.STARTED, desired.root))
        outcome = certs.FAILED
        try:
            yield
            outcome = certs.ISSUED
        except _NotAsked:
            outcome = certs.NOT_ASKED
            raise
        finally:
            attempts = self.read()
            last = len(attempts) - 1
            attempts[last] = dataclasses.replace(attempts[last], outcome=outcome)
            self._write(attempts)

    def _add(self, attempt: certs.Attempt) -> None:
        self._write([*self.read(), attempt])

    def _write(self, attempts: list[certs.Attempt]) -> None:
        text = json.dumps(certs.render_ledger(attempts, utcnow()), indent=2) + "\n"
        files.write_file(self.path, text.encode(), 0o600, self.owner, self.owner)


class Certbot:
    """certbot, in a throwaway container or (``inside``) as a program of the container that this runs in."""

    def __init__(
        self, docker: Docker, *, image: str, network: str, directory: str, webroot: str, bundle: str, email: str,
        options: str = "", owner: int = 0, inside: bool = False,
    ) -> None:
        self.docker = docker
        self.owner = owner
        self.inside = inside
        self.image = image
        self.network = network
        self.directory = directory
        self.webroot = webroot
        self.bundle = bundle
        self.email = email
        self.options = options

    def lineage(self, name: str, roots: str) -> certs.Found:
        """What certbot holds under a name."""
        found = _found(os.path.join(self.directory, "live", name), roots)
        if found.pair is None:
            return found
        renewal = files.read_text(os.path.join(self.directory, "renewal", f"{name}.conf")) or ""
        server = re.search(r"^server = (\S+)", renewal, re.MULTILINE)
        profile = re.search(r"^required_profile = (\S+)", renewal, re.MULTILINE)
        return certs.Found(dataclasses.replace(
            found.pair, directory=server[1] if server else "",
            profile=(profile[1] if profile and profile[1] != "None" else "") if server else None))

    def files(self, name: str) -> tuple[bytes, bytes]:
        """Chain and key of a lineage."""
        contents = []
        for file in ("fullchain.pem", "privkey.pem"):
            with open(os.path.join(self.directory, "live", name, file), "rb") as stream:
                contents.append(stream.read())
        return contents[0], contents[1]

    def order(self, desired: certs.Desired, decision: certs.Decision, ledger: Ledger) -> None:
        """Place one order, with a rehearsal where that is due; raises what certbot said in readable form."""
        self.set_aside(desired.name)
        # A renewal is no first order, though the ledger forgets after a week.
        if decision.action != certs.RENEW and certs.needs_rehearsal(desired, ledger.read()):
            with ledger.attempt(desired, STAGING):
                self._run(self._arguments(desired, decision, dry_run=True), desired, "A rehearsal")
        arguments = self._arguments(desired, decision)
        held = self.lineage(desired.name, "").pair
        try:
            with ledger.attempt(desired, desired.directory):
                self._run(arguments, desired, "The order")
                if held is not None and held == self.lineage(desired.name, "").pair:
                    raise Kept(f"{decision.reason} certbot and the CA do not find it due yet.")
        except _AccountUnknown:
            # The CA lost its memory (a test CA does at each start): register anew, once.
            self._forget_account(desired.directory)
            certs.check_ledger(desired, ledger.read(), utcnow())
            with ledger.attempt(desired, desired.directory):
                self._run(arguments, desired, "The order")

    def set_aside(self, name: str) -> None:
        """Move what is left of a lineage that certbot cannot read out of its way, into ``damaged/``.

        certbot would skip it and issue under another name, ``<name>-0001``, with each order anew. A lineage is
        four links in ``live/<name>/`` to files that are there, and a configuration that names them
        (documentation of certbot, "Where are my certificates?").
        """
        live, archive = (os.path.join(self.directory, part, name) for part in ("live", "archive"))
        configuration = os.path.join(self.directory, "renewal", f"{name}.conf")
        left = [path for path in (live, archive, configuration) if os.path.lexists(path)]
        text = (_content(configuration) or b"").decode("utf-8", "replace")
        whole = all(
            os.path.islink(os.path.join(live, f"{part}.pem")) and os.path.isfile(os.path.join(live, f"{part}.pem"))
            and re.search(rf"^{part} = \S+$", text, re.MULTILINE)
            for part in ("cert", "privkey", "chain", "fullchain"))
        if not left or (whole and "[renewalparams]" in text):
            return
        with files.acting_as(self.owner):
            place = os.path.join(self.directory, "damaged", f"{name}-{utcnow():%Y%m%dT%H%M%SZ}")
            os.makedirs(place, mode=0o700)
            for path in left:
                os.rename(path, os.path.join(place, os.path.relpath(path, self.directory).replace(os.sep, "-")))

    def _arguments(self, desired: certs.Desired, decision: certs.Decision, dry_run: bool = False) -> list[str]:
        return certs.certbot_arguments(desired, decision, self.email, dry_run, options=bool(self.options))

    def _run(self, arguments: list[str], desired: certs.Desired, what: str) -> None:
        self.own()
        # The limit is inside the container: killing the docker client would leave certbot running.
        limited = ["timeout", str(CERTBOT_SECONDS), "certbot", *arguments]
        try:
            if self.inside:
                self.docker.command(*limited)
            else:
                self.docker.run(*self._container(), *limited)
        except CommandFailed as error:
            said = self._without_secrets(f"{error.stdout}\n{error.stderr}")
            if certs.account_unknown(said):
                raise _AccountUnknown(f"The CA {desired.directory} no longer knows certbot's account.") from error
            if error.rc == 124:
                reason = f"certbot did not finish within {CERTBOT_SECONDS} s."
            elif error.rc == 125:
                reason = f"The container of {self.image} could not be started: {error.stderr.strip()}"
            else:
                reason = certs.explain(said)
            kind = _NotAsked if error.rc == 125 or certs.not_asked(said) else MooringError
            raise kind(
                f"{what} for the certificate '{desired.name}' failed. {reason} "
                f"The full log is {self.directory}/logs/letsencrypt.log."
            ) from error

    def _without_secrets(self, said: str) -> str:
        """certbot's words without values of its options, which it quotes where it cannot make sense of them."""
        options = files.read_text(os.path.join(self.options, "cli.ini")) if self.options else None
        for name, value in re.findall(r"^\s*([^\s=:#;]+)\s*[=:]\s*(.*?)\s*$", options or "", re.MULTILINE):
            if len(value) > 4 and not NO_SECRET.fullmatch(name):
                said = said.replace(value.strip("\"'"), "********")
        return said

    def foreign(self) -> dict[str, list[str]]:
        """What in the tree and the webroot belongs to somebody else, as after certbot was run by hand as root."""
        found = {root: [path for path, _descriptor, _name in self._foreign(root)]
                 for root in (self.directory, self.webroot)}
        return {root: paths for root, paths in found.items() if paths}

    def own(self) -> None:
        """Make the tree, and all in it and in the webroot certbot's own."""
        files.make_directory(self.directory, 0o700, self.owner, self.owner)
        for root in (self.directory, self.webroot):
            for _path, descriptor, name in self._foreign(root):
                # By the directory itself, not by its path: a container could put a link into that meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    os.chown(name, self.owner, self.owner, dir_fd=descriptor, follow_symlinks=False)

    def _foreign(self, root: str) -> t.Iterator[tuple[str, int, str]]:
        """Path, an open directory, and the name in it. certbot may be at work and take things away."""
        if not os.path.isdir(root):
            return
        # The root itself is made right whenever it is used.
        for folder, folders, names, descriptor in os.fwalk(root):
            for name in (*folders, *names):
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_uid != self.owner:
                        yield os.path.normpath(os.path.join(folder, name)), descriptor, name

    def _container(self) -> list[str]:
        """Arguments of docker for a container in which the rest of the line runs."""
        command = [
            "run", "--rm", "--network", self.network, "--label", "mooring.purpose=certbot",
            "--user", f"{self.owner}:{self.owner}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
            "--volume", f"{self.directory}:{certs.CONFIG_DIRECTORY}",
            "--volume", f"{self.webroot}:{certs.WEBROOT}",
        ]
        if self.options:
            command += ["--volume", f"{self.options}:{certs.OPTIONS_DIRECTORY}:ro"]
        if self.bundle:
            if not os.path.isfile(self.bundle):
                raise MooringError(f"The CA bundle {self.bundle} for the ACME directory does not exist on this host.")
            command += ["--volume", f"{os.path.realpath(self.bundle)}:/run/acme-ca.pem:ro"]
            for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
                command += ["--env", f"{variable}=/run/acme-ca.pem"]
        return [*command, "--entrypoint", "", self.image]

    def _forget_account(self, directory: str) -> None:
        host = re.sub(r"^https?://([^/]+).*", r"\1", directory)
        path = os.path.join(self.directory, "accounts", host)
        if os.path.isdir(path):
            os.rename(path, f"{path}.forgotten-{utcnow():%Y%m%dT%H%M%SZ}")


class _NotAsked(MooringError):
    """certbot failed before it placed an order."""


class Kept(_NotAsked):
    """certbot kept the certificate that it holds."""


class _AccountUnknown(_NotAsked):
    """The CA does not know the account that certbot keeps for it."""


def _found(directory: str, roots: str) -> certs.Found:
    try:
        return certs.Found(x509.read_pair(directory, roots))
    except x509.CertificateUnusable as error:
        return certs.Found(problem=str(error))


def _noted(content: bytes | None, path: str) -> tuple[str, str | None]:
    """ACME directory and profile of ``origin.json``; one that is damaged says as little as none."""
    try:
        noted = ORIGIN.current(json.loads(content or b"{}"), path)
        directory = str(noted.get("acme_directory") or "")
        # Before there were profiles, none was asked for.
        return directory, noted.get("profile", "" if directory else None)
    except (ValueError, AttributeError):
        return "", None


def _content(path: str) -> bytes | None:
    """Content of a file, None for what is none, such as a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(descriptor)
