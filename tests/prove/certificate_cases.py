# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with certificates, one function each; its docstring names it.

Each case starts from a converged host, breaks something, looks, and mends what it
broke; whoever calls it then expects one healthy run to bring back what is declared.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import typing as t

import lab
from drift_site import NAME, PORT, ROOT, Failed, Run, Site

WATCH = ROOT / "tests/prove/drift_watch.py"
P = "/opt/mooring/nginx_certbot"
PEBBLE = "mooring-acme_test_ca-pebble-1"
TAGS = ("--tags", "acme_test_ca,nginx_certbot", "--skip-tags", "always")
DECLARED = [{"name": "platform", "domains": [NAME]}]
WIDER = [{"name": "platform", "domains": [NAME, f"www.{NAME}"]}]
EXTRA: dict[str, dict[str, t.Any]] = {
    "all": {"ansible_connection": "ssh", "ansible_user": "root"},
    "nginx_certbot": {"nginx_certbot_https_bind": f"0.0.0.0:{PORT}", "nginx_certbot_renewal": "host"},
}
# A hook that tells the test CA's own DNS server.
HOOK = """\
import json, os, sys, urllib.request
asked = {"host": f"_acme-challenge.{os.environ['CERTBOT_DOMAIN']}.", "value": os.environ["CERTBOT_VALIDATION"]}
urllib.request.urlopen(f"http://challtestsrv:8055/{sys.argv[1]}", json.dumps(asked).encode(), timeout=10)
"""
BY_HOOKS = {
    "nginx_certbot_certbot_options": {
        "authenticator": "manual", "manual-auth-hook": "python3 /etc/certbot/txt.py set-txt",
        "manual-cleanup-hook": "python3 /etc/certbot/txt.py clear-txt"},
    "nginx_certbot_certbot_files": {"txt.py": HOOK}}
EAB_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
OTHER_CA = {
    "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000", "certificate": "/other/cert.pem",
    "privateKey": "/other/key.pem", "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
    "externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": EAB_KEY}}
SEVERE = ("MEDIUM", "HIGH", "CRITICAL")


class Handshakes:
    """A client that makes 20 TLS handshakes a second and never retries."""

    def __init__(self, node: lab.Node) -> None:
        self._node = node
        self.made = 0
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._may = threading.Lock()
        self._thread = threading.Thread(target=self._shake)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        # Whom a certificate is trusted by is looked at elsewhere; here one has to be shown at all.
        self._context.verify_mode = ssl.CERT_NONE

    def __enter__(self) -> Handshakes:
        self._thread.start()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._stop.set()
        self._thread.join()

    @contextlib.contextmanager
    def paused(self) -> t.Iterator[None]:
        """While the proxy is restarted on purpose."""
        with self._may:
            yield

    def _shake(self) -> None:
        address = self._node.address()
        while not self._stop.is_set():
            began = time.monotonic()
            self.made += 1
            try:
                with (self._may, socket.create_connection((address, PORT), timeout=20) as connection,
                      self._context.wrap_socket(connection, server_hostname=NAME)):
                    pass
            except OSError as error:
                self.errors.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {error}")
            self._stop.wait(max(0.0, 0.05 - (time.monotonic() - began)))


def _with(certificates: list[dict[str, t.Any]] | None, values: dict[str, t.Any]) -> dict[str, t.Any]:
    """The variables of a run with these certificates, or with those that all cases begin with."""
    return {"nginx_certbot_certificates": certificates or DECLARED, **values}


class Place(Site):
    """The node with the CA and the proxy."""

    tags = TAGS

    def __init__(self, scratch: pathlib.Path) -> None:
        super().__init__(scratch, "certificates", EXTRA)
        self.handshakes = Handshakes(self.node)

    def begin(self) -> None:
        """From a bare node to a trusted answer, in one run after the images are there."""
        self.start("--tags", "docker_engine,acme_test_ca,nginx_certbot")

    def converge(self, certificates: list[dict[str, t.Any]] | None = None, *arguments: str, **values: t.Any) -> Run:
        """One run that has to end well."""
        return self.attempt(certificates, *arguments, **values).good("converging")

    def attempt(self, certificates: list[dict[str, t.Any]] | None = None, *arguments: str, **values: t.Any) -> Run:
        """One run, whatever comes of it."""
        return super().attempt(*arguments, **_with(certificates, values))

    def renew(self, check: bool = True) -> str:
        """What the timer starts; what it said."""
        return self.sh("systemctl start mooring-nginx_certbot.service; journalctl --unit mooring-nginx_certbot.service "
                       "--output cat --lines 30", check=check)

    def refused(self, words: str, run: Run) -> None:
        """Expect a failed run that says these words."""
        said = " ".join(run.output.split())
        if run.status == 0 or words not in said:
            raise Failed(f"'{words}' was expected, and the run says (status {run.status}): {said[-900:]}")

    def served(self) -> str:
        """The fingerprint of what a client gets."""
        return self.sh("served").strip()

    def expect_same(self, fingerprint: str) -> None:
        """The old certificate serves as before."""
        if self.served() != fingerprint:
            raise Failed("another certificate is served than before")

    def expect_other(self, fingerprint: str) -> None:
        """A new certificate serves."""
        if self.served() == fingerprint:
            raise Failed("the same certificate is served as before")

    def names(self) -> set[str]:
        """The names that a client is shown."""
        said = self.sh(f"openssl s_client -connect 127.0.0.1:{PORT} -servername {NAME} </dev/null 2>/dev/null "
                       "| openssl x509 -noout -ext subjectAltName").replace(",", " ").split()
        return {word.removeprefix("DNS:") for word in said if word.startswith("DNS:")}

    def attempts(self) -> list[dict[str, t.Any]]:
        """The ledger."""
        text = self.sh(f"cat {P}/letsencrypt/ledger.json 2>/dev/null", check=False)
        return json.loads(text)["attempts"] if text.strip() else []

    def proxy_only(self, certificates: list[dict[str, t.Any]], **values: t.Any) -> Run:
        """A run that leaves the CA as the case has made it."""
        return self.run("--tags", "nginx_certbot", "--skip-tags", "always", *self.declared(_with(certificates, values)))

    def restart_proxy(self) -> None:
        """Restart nginx, on purpose."""
        with self.handshakes.paused():
            self.sh("docker restart -t 1 $PROXY")
            self.wait("[ \"$(docker inspect -f '{{.State.Health.Status}}' mooring-nginx_certbot-proxy-1)\" = healthy ]")

    def expect_healthy(self) -> None:
        """One healthy run brings back what is declared, trusted; the one after has nothing to do."""
        self.converge()
        if self.names() != {NAME} or "trusted\nserved\n400 " not in self.sh("certificate"):
            raise Failed(f"after a healthy run {self.names()} is served: {self.sh('certificate')}")
        again = self.converge()
        if again.changed:
            raise Failed(f"the run after changes {again.changed}: {again.differences}")
        # A minute of cases is not a week of orders: what they spent is forgotten, as time would do it.
        self.sh(f"rm -f {P}/letsencrypt/ledger.json")

    def reset(self) -> None:
        """After a case that failed."""
        self.sh(f"rm -f {P}/letsencrypt/ledger.json; rm -f /root/by_hand.yml", check=False)
        self.attempt()

    def pebble(self, yaml: str) -> None:
        """The CA made anew by hand with another definition, and well again."""
        self.sh(f"by_hand acme_test_ca pebble '{yaml}'")
        self.wait(f"[ \"$(docker inspect -f '{{{{.State.Health.Status}}}}' {PEBBLE})\" = healthy ]")

    def tls_findings(self) -> int:
        """How many findings above LOW testssl.sh has of what the configuration decides."""
        self.say("testssl.sh looks at the proxy")
        self.sh("apt-get -qq update && apt-get -qq install -y --no-install-recommends testssl.sh bsdmainutils "
                "dnsutils >/dev/null 2>&1", check=False)
        self.sh("rm -f /root/testssl.json; testssl --quiet --color 0 --warnings off --ip 127.0.0.1 --protocols "
                "--server-defaults --server-preference --std --fs --headers --vulnerable --add-ca "
                f"/opt/mooring/acme_test_ca/root.pem --jsonfile /root/testssl.json https://{NAME}:{PORT}/ "
                "</dev/null", check=False)
        found = json.loads(self.sh("cat /root/testssl.json"))
        if len(found) < 50:
            raise Failed(f"testssl.sh looked at {len(found)} things only")
        severe = [one for one in found if one["severity"] in SEVERE and one["id"].split(" ")[0] not in NOT_OURS]
        for one in severe:
            self.say(f"testssl.sh: {one['severity']} {one['id']}: {one['finding']}")
        self.say(f"testssl.sh: {len(found)} findings, {len(severe)} above LOW")
        return len(severe)


# What the test CA decides, not the configuration: it names no OCSP or CRL service and its root is nobody's.
NOT_OURS = ("cert_chain_of_trust", "cert_revocation", "cert_crlDistributionPoints", "cert_ocspURL", "DNS_CAArecord",
            "cert_trust", "engine_problem", "scanTime", "clientsimulation-none", "cert_notRevoked", "OCSP_stapling")


@contextlib.contextmanager
def mounted(place: Place, mount: str, target: str) -> t.Iterator[None]:
    """Something mounted over a directory for a while."""
    place.sh(f"mount {mount} {target}")
    try:
        yield
    finally:
        place.sh(f"umount {target}")


def second_run(place: Place) -> None:
    """A second run has nothing to do."""
    if place.converge().changed:
        raise Failed("it changes something")


def unknown_name(place: Place) -> None:
    """An unknown name gets no certificate."""
    said = place.sh(f"openssl s_client -connect 127.0.0.1:{PORT} -servername unknown.example.com </dev/null 2>&1",
                    check=False)
    if "BEGIN CERTIFICATE" in said or "no peer certificate available" not in said:
        raise Failed(said)


def names_changed(place: Place) -> None:
    """A name is added, and taken away again."""
    place.converge(WIDER)
    if place.names() != {NAME, f"www.{NAME}"}:
        raise Failed(f"{place.names()} is served")


def key_type_changed(place: Place) -> None:
    """The key type is changed to RSA, and back."""
    place.converge([{**DECLARED[0], "key_type": "rsa"}])
    said = place.sh(f"openssl x509 -in {P}/certificates/platform/cert.pem -noout -text | grep 'Public Key Algorithm'")
    if "rsaEncryption" not in said:
        raise Failed(said)


def second_certificate(place: Place) -> None:
    """A second certificate comes and goes."""
    place.converge([*DECLARED, {"name": "other", "domains": ["other.test", "www.other.test"], "key_type": "rsa"}])
    said = place.sh(f"openssl s_client -connect 127.0.0.1:{PORT} -servername www.other.test </dev/null 2>/dev/null "
                    "| openssl x509 -noout -ext subjectAltName")
    if "DNS:www.other.test" not in said:
        raise Failed(said)


def renewed_without_ansible(place: Place) -> None:
    """A short-lived certificate is renewed before its end, without Ansible and without a reload."""
    place.converge(None, acme_test_ca_certificate_validity=120)
    # Without what a health check runs meanwhile.
    processes = "docker top $PROXY -o pid,args | grep nginx:"
    before, workers = place.served(), place.sh(processes)
    end = time.monotonic() + 150
    while place.served() == before:
        if time.monotonic() > end:
            raise Failed("it was not renewed in 150 s")
        place.renew()
    if place.sh(processes) != workers:
        raise Failed("the workers of nginx changed")


def load_during_renewal(place: Place) -> None:
    """Keep-alive clients lose no request while certificates change under them."""
    with subprocess.Popen(
            [str(ROOT / "tests/lab/load.py"), f"--address={place.node.address()}", f"--port={PORT}", f"--name={NAME}",
             "--connections=10", "--path=/nowhere", "--seconds=300"], stdout=subprocess.PIPE, text=True) as client:
        place.converge(WIDER)
        place.converge()
        client.terminate()
        seen = json.loads(client.communicate()[0])
    # Nothing is routed there: every answer is nginx's own 404.
    lost = [one for one in seen["errors"] if "status 404" not in one]
    if lost or seen["requests"] < 200:
        raise Failed(f"{seen['requests']} requests, {lost}")
    place.say(f"       {seen['requests']} requests on 10 kept connections, {len(lost)} lost in 2 changes")


def challenge_path_broken(place: Place) -> None:
    """The challenge path is broken: no order is placed."""
    before, attempts = place.served(), place.attempts()
    # In the proxy's own network, where it is asked.
    rules = "nsenter -n -t $(docker inspect -f '{{.State.Pid}}' $PROXY) iptables"
    place.sh(f"{rules} -I INPUT -p tcp --dport 80 -j REJECT")
    try:
        place.refused("The proxy does not answer challenges", place.attempt(WIDER))
    finally:
        place.sh(f"{rules} -D INPUT -p tcp --dport 80 -j REJECT")
    if place.attempts() != attempts:
        raise Failed("an order was placed")
    place.expect_same(before)


def dns_wrong(place: Place) -> None:
    """DNS leads elsewhere: explained, and after four failures no further order is placed."""
    before = place.served()
    place.sh("by_hand acme_test_ca challtestsrv '{command: [pebble-challtestsrv, -defaultIPv4, 127.0.0.1, "
             "-defaultIPv6, \"\", -dns01, \":8053\", -http01, \"\", -https01, \"\", -tlsalpn01, \"\", -doh, \"\"]}'")
    # A name that this CA has not validated yet.
    fresh = [{"name": "platform", "domains": [NAME, f"fresh.{NAME}"]}]
    for _turn in range(4):
        place.refused("The CA could not validate", place.proxy_only(fresh))
    place.refused("The next attempt is allowed at", place.proxy_only(fresh))
    place.renew(check=False)
    failed = [one for one in place.attempts() if one["outcome"] == "failed"]
    if len(failed) != 4:
        raise Failed(f"{len(failed)} failed orders")
    place.expect_same(before)
    place.sh(f"rm {P}/letsencrypt/ledger.json")


def ca_down(place: Place) -> None:
    """The CA is down: said so, and it counts as no attempt."""
    before = place.served()
    place.sh("docker stop $PEBBLE")
    place.refused("The ACME directory cannot be reached", place.proxy_only(WIDER))
    if any(one["outcome"] == "failed" for one in place.attempts()):
        raise Failed("it counts as a failed order")
    place.expect_same(before)


def dies_at(step: str) -> t.Callable[[Place], None]:
    """The CA dies when it is asked for a certain thing."""
    def case(place: Place) -> None:
        before = place.served()
        # Its log names each request; a watcher in the node kills it at the first of this kind.
        watcher = ("import subprocess, sys\n"
                   f"log = subprocess.Popen(['docker', 'logs', '-f', '--since', '0s', '{PEBBLE}'], text=True, "
                   "stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n"
                   "print('ready', flush=True)\n"
                   f"any({step!r} in line for line in log.stdout)\n"
                   f"subprocess.run(['docker', 'kill', '{PEBBLE}'], check=True)\n"
                   "log.kill()\n")
        argv = ["docker", "exec", "-i", place.node.container, "python3", "-u", "-c", watcher, "mooring-watch"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watch:
            if watch.stdout is None or watch.stdout.readline().strip() != "ready":
                raise Failed("the watcher did not start")
            run = place.proxy_only(WIDER)
            try:
                watch.wait(timeout=10)
            except subprocess.TimeoutExpired:
                # It would kill the CA of another case.
                place.sh("pkill -f mooring-watc[h]", check=False)
                raise Failed(f"the CA was not asked for it: {run.output[-900:]}") from None
        if run.status == 0:
            raise Failed("the run ended well")
        place.expect_same(before)
    case.__doc__ = f"The CA dies at {step}."
    return case


def root_changed(place: Place) -> None:
    """The CA has another root: the certificate is replaced."""
    before = place.served()
    place.sh("docker restart $PEBBLE")
    place.converge()
    place.expect_other(before)


def nonces_rejected(share: int) -> t.Callable[[Place], None]:
    """The CA refuses good nonces."""
    def case(place: Place) -> None:
        before = place.served()
        place.pebble(f"{{environment: {{PEBBLE_WFE_NONCEREJECT: \"{share}\"}}}}")
        # Some orders fail at such a CA; each is one of the four that an hour has. It has a root that nobody fetched.
        run = place.proxy_only(WIDER, nginx_certbot_trusted_root="")
        for _turn in range(2):
            if run.status:
                place.expect_same(before)
                run = place.proxy_only(WIDER, nginx_certbot_trusted_root="")
        failed = [one for one in place.attempts() if one["outcome"] == "failed"]
        if len(failed) > 3:
            raise Failed(f"{len(failed)} failed orders in three runs")
    case.__doc__ = f"The CA refuses {share} % of good nonces."
    return case


def slow_orders(place: Place) -> None:
    """Orders stay pending for a while."""
    place.pebble('{environment: {PEBBLE_VA_NOSLEEP: "0", PEBBLE_VA_SLEEPTIME: "6"}}')
    place.proxy_only(WIDER, nginx_certbot_trusted_root="").good("a slow order")
    if f"www.{NAME}" not in place.names():
        raise Failed(f"{place.names()} is served")


def disk_full(place: Place) -> None:
    """The disk is full where certbot writes."""
    before = place.served()
    with mounted(place, "-t tmpfs -o size=16k tmpfs", f"{P}/letsencrypt"):
        run = place.attempt(WIDER)
        if run.status == 0:
            raise Failed("the run ended well")
        place.expect_same(before)


def disk_full_at_the_end(place: Place) -> None:
    """The disk is full where nginx reads: what was issued is put in place later, without another order."""
    before = place.served()
    versions = f"{P}/certificates/platform.d"
    place.sh(f"rm -rf /root/versions; cp -a {versions} /root/versions")
    # What is mounted here now is not seen by nginx, which goes on with what it has mounted.
    with mounted(place, "-t tmpfs -o size=160k tmpfs", versions):
        place.sh(f"cp -a /root/versions/. {versions}/; dd if=/dev/zero of=/{versions}/filler bs=1k 2>/dev/null",
                 check=False)
        place.refused("No space left on device", place.attempt(WIDER))
        place.expect_same(before)
    orders = len(place.attempts())
    place.converge(WIDER)
    if len(place.attempts()) != orders or f"www.{NAME}" not in place.names():
        raise Failed("another order was placed, or the certificate is not there")


def read_only(place: Place) -> None:
    """certbot's tree is read-only."""
    before = place.served()
    with mounted(place, f"--bind {P}/letsencrypt", f"{P}/letsencrypt"):
        place.sh(f"mount -o remount,bind,ro {P}/letsencrypt")
        place.refused("ead-only file system", place.attempt(WIDER))
        place.expect_same(before)


def killed_after_success(place: Place) -> None:
    """Killed between certbot's success and the switch: the next run spends no second order."""
    before = place.served()
    with subprocess.Popen(
            ["docker", "exec", "-i", place.node.container, "python3", "-u", "-", "differs",
             f"{P}/letsencrypt/live/platform/fullchain.pem", "module"],
            stdin=WATCH.open(), stdout=subprocess.PIPE, text=True) as watch:
        if watch.stdout is None or watch.stdout.readline().strip() != "ready":
            raise Failed("the watcher did not start")
        run = place.attempt(WIDER)
        said = watch.stdout.readline().strip()
    if run.status == 0 or said == "reached 0":
        raise Failed(f"the run ended well, or no module was at work: {said}")
    place.wait("! docker ps --filter label=mooring.purpose=certbot --quiet | grep -q .")
    place.expect_same(before)
    orders = len(place.attempts())
    place.converge(WIDER)
    if len(place.attempts()) != orders:
        raise Failed("a second order was placed")


def two_at_once(place: Place) -> None:
    """A playbook run while the renewal places an order: it waits, and finds the order done."""
    before = place.served()
    # Orders that take a while, at a CA whose root nobody fetched.
    place.pebble('{environment: {PEBBLE_VA_NOSLEEP: "0", PEBBLE_VA_SLEEPTIME: "8"}}')
    place.sh(f"sed -i -e 's/ecdsa/rsa/' -e 's/\"trusted_root\": .*/\"trusted_root\": null,/' "
             f"{P}/renewal/certificates.json")
    place.sh("systemctl start --no-block mooring-nginx_certbot.service")
    place.wait("docker ps --filter label=mooring.purpose=certbot --quiet | grep -q .")
    run = place.proxy_only([{**DECLARED[0], "key_type": "rsa"}], nginx_certbot_trusted_root="")
    place.wait("! systemctl is-active mooring-nginx_certbot.service | grep -q activating")
    said = place.sh("journalctl --unit mooring-nginx_certbot.service --output cat --lines 10")
    run.good(f"a run that had to wait, while the renewal said {said}")
    issued = [one for one in place.attempts() if one["outcome"] == "issued"]
    if len(issued) != 1:
        raise Failed(f"{len(issued)} orders: {said}")
    place.expect_other(before)


def wildcard(place: Place) -> None:
    """A wildcard by DNS-01, through hooks of certbot."""
    zone = {"name": "zone", "domains": ["zone.test", "*.zone.test"], "challenge": "dns-01"}
    place.converge([*DECLARED, zone], **BY_HOOKS)
    said = place.sh(f"openssl s_client -connect 127.0.0.1:{PORT} -servername anything.zone.test </dev/null 2>/dev/null "
                    "| openssl x509 -noout -issuer -ext subjectAltName")
    if "DNS:*.zone.test" not in said or "Pebble" not in said:
        raise Failed(said)
    # Which a client would not accept for a name two labels deep.
    said = place.sh(f"openssl s_client -connect 127.0.0.1:{PORT} -servername a.b.zone.test </dev/null 2>&1",
                    check=False)
    if "BEGIN CERTIFICATE" in said:
        raise Failed(f"a name that no certificate covers gets one: {said}")
    if place.converge([*DECLARED, zone], **BY_HOOKS).changed:
        raise Failed("a second run changes something")
    # What the timer starts has the same hooks.
    place.sh(f"rm -r {P}/letsencrypt/live/zone {P}/letsencrypt/archive/zone {P}/letsencrypt/renewal/zone.conf "
             f"{P}/certificates/zone {P}/certificates/zone.d")
    place.renew()
    said = place.sh(f"openssl x509 -in {P}/certificates/zone/fullchain.pem -noout -ext subjectAltName")
    if "DNS:*.zone.test" not in said:
        raise Failed(said)


def other_ca(place: Place) -> None:
    """Another CA, which wants an external account: refused without one, and then its certificate serves."""
    before = place.served()
    place.sh("mkdir -p /root/other && cd /root/other && openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=other-ca -addext subjectAltName=DNS:other-ca "
             "-keyout key.pem -out cert.pem 2>/dev/null")
    place.sh(f"cat >/root/other/pebble.json <<'END'\n{json.dumps({'pebble': OTHER_CA})}\nEND")
    place.sh("docker run --detach --name other-ca --network mooring --network-alias other-ca --user 0 "
             "--volume /root/other:/other:ro --env PEBBLE_VA_NOSLEEP=1 --env PEBBLE_WFE_NONCEREJECT=0 "
             "mooring.local/pebble:2 pebble -config /other/pebble.json -dnsserver challtestsrv:8053")
    try:
        place.wait("docker exec other-ca curl -fsSk https://127.0.0.1:15000/roots/0 >/root/other/root.pem")
        values = {"nginx_certbot_acme_directory": "https://other-ca:14000/dir",
                  "nginx_certbot_acme_ca_bundle": "/root/other/cert.pem",
                  "nginx_certbot_trusted_root": "/root/other/root.pem"}
        place.refused("The CA wants an external account", place.proxy_only(DECLARED, **values))
        mistyped = place.proxy_only(DECLARED, **values, nginx_certbot_certbot_options={
            "eab-kid": "kid-1", "eab-hmac-kex": EAB_KEY})
        place.refused("unrecognized arguments", mistyped)
        place.renew(check=False)
        if EAB_KEY in mistyped.output:
            raise Failed("the run prints the account's key")
        place.expect_same(before)
        place.proxy_only(DECLARED, **values, nginx_certbot_certbot_options={
            "eab-kid": "kid-1", "eab-hmac-key": EAB_KEY}).good("an order at another CA")
        place.expect_other(before)
        found = place.sh(f"grep -rl -e {EAB_KEY} {P} /etc/systemd/system /var/log 2>/dev/null; "
                         f"journalctl --output cat --boot | grep -c -e {EAB_KEY}", check=False).split()
        if found not in ([f"{P}/secrets/certbot/cli.ini", "0"], ):
            raise Failed(f"the account's key is in {found}")
    finally:
        place.sh("docker rm --force --volumes other-ca; rm -rf /root/other", check=False)


def profile_changed(place: Place) -> None:
    """Another of the CA's profiles is declared: the certificate is replaced, once."""
    before, declared = place.served(), [{**DECLARED[0], "profile": "shortlived"}]
    place.converge(declared)
    place.expect_other(before)
    if "required_profile = shortlived" not in place.sh(f"cat {P}/letsencrypt/renewal/platform.conf"):
        raise Failed("certbot was not asked for it")
    if place.converge(declared).changed:
        raise Failed("a second run changes something")


def early_renewal(place: Place) -> None:
    """A renewal that is declared for a time at which certbot would not renew yet."""
    early = [{**DECLARED[0], "renew_at": 0.9}]
    place.converge(None, acme_test_ca_certificate_validity=600)
    before = place.served()
    place.wait(f"[ $(( $(date +%s) - $(stat -c %Y {P}/certificates/platform/fullchain.pem) )) -gt 65 ]")
    place.converge(None, acme_test_ca_certificate_validity=600)
    place.expect_same(before)
    place.converge(early, acme_test_ca_certificate_validity=600)
    place.expect_other(before)


def clock_ahead(place: Place) -> None:
    """A clock that is 100 days ahead spends no order and takes nothing away."""
    place.sh("apt-get -qq update && apt-get -qq install -y --no-install-recommends faketime >/dev/null 2>&1")
    before = place.served()
    said = place.sh(f"faketime -f +100d /usr/bin/python3 {P}/renewal/certificates.pyz {P}/renewal/certificates.json",
                    check=False)
    place.expect_same(before)
    if any(one["outcome"] in ("issued", "failed") for one in place.attempts()):
        raise Failed(f"an order was placed: {said}")


def account_lost(place: Place) -> None:
    """The account's key is lost: another account is registered."""
    place.sh(f"rm -r {P}/letsencrypt/accounts")
    place.converge(WIDER)
    if f"www.{NAME}" not in place.names():
        raise Failed(f"{place.names()} is served")


def adopted(place: Place) -> None:
    """A lineage that somebody made by hand as root is adopted without an order."""
    before = place.served()
    place.sh(f"rm -f {P}/letsencrypt/ledger.json; chown -R 0:0 {P}/letsencrypt; "
             f"cp -a {P}/certificates /root/hand; rm -r {P}/certificates/platform.d/*/origin.json")
    place.converge()
    place.expect_same(before)
    place.sh("rm -r /root/hand")
    if place.sh(f"test -e {P}/letsencrypt/ledger.json && cat {P}/letsencrypt/ledger.json", check=False).strip():
        raise Failed("an order was placed")
    if place.sh(f"find {P}/letsencrypt -not -user 101 | head -3").strip():
        raise Failed("something of the tree belongs to somebody else")
    place.renew()
    place.expect_same(before)


def lineage_damaged(place: Place) -> None:
    """certbot's lineage is damaged: it is set aside, and the next order makes it anew under its own name."""
    before = place.served()
    place.sh(f"echo broken >{P}/letsencrypt/renewal/platform.conf")
    place.expect_same(before)
    place.converge(WIDER)
    if f"www.{NAME}" not in place.names() or "platform-0001" in place.sh(f"ls {P}/letsencrypt/live"):
        raise Failed(place.sh(f"ls {P}/letsencrypt/live"))
    place.converge()


def missing_at_start(place: Place) -> None:
    """nginx starts without the certificate of one name, serves the others, and one run puts it back."""
    place.converge([*DECLARED, {"name": "other", "domains": ["other.test"]}])
    place.sh(f"rm {P}/certificates/other")
    place.restart_proxy()
    if place.names() != {NAME}:
        raise Failed(f"{place.names()} is served")
    orders = len(place.attempts())
    place.converge([*DECLARED, {"name": "other", "domains": ["other.test"]}])
    if len(place.attempts()) != orders:
        raise Failed("certbot held it, and all the same an order was placed")


CASES: tuple[t.Callable[[Place], None], ...] = (
    second_run, unknown_name, names_changed, key_type_changed, second_certificate, renewed_without_ansible,
    load_during_renewal, challenge_path_broken, dns_wrong, ca_down, dies_at("POST /order-plz"),
    dies_at("POST /authZ/"), dies_at("POST /chalZ/"), dies_at("POST /finalize-order/"), root_changed,
    nonces_rejected(15), nonces_rejected(50), slow_orders, disk_full, disk_full_at_the_end, read_only,
    killed_after_success, two_at_once, clock_ahead, account_lost, adopted, lineage_damaged, missing_at_start, wildcard,
    other_ca, profile_changed, early_renewal,
)
