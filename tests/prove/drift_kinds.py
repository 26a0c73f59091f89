# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of drift: what is broken, how one sees on the host that it is, and what check mode must name.

``inject``, ``look`` and ``after`` are shell text that runs in the node, with the
helpers of drift_help.sh. ``look`` asks the host and not our code: the fault counts as
injected when its output is another than before, and as healed when it is the
same again.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

CHALL, PEBBLE = "mooring-acme_test_ca-challtestsrv-1", "mooring-acme_test_ca-pebble-1"
PROXY, APPS = "mooring-nginx_certbot-proxy-1", ("mooring-demo-blue-app-1", "mooring-demo-green-app-1")
MYSQL, REDIS = "mooring-data_stores-mysql-1", "mooring-data_stores-redis-1"
MONITORING = tuple(f"mooring-monitoring-{service}-1" for service in (
    "alertmanager", "blackbox", "engine", "mysql-exporter", "node", "node-network", "prometheus", "redis-exporter"))
EVERYTHING = (CHALL, PEBBLE, PROXY, *APPS, MYSQL, REDIS, *MONITORING)

LEAVE_NETWORK = ("docker network inspect -f '{{range .Containers}}{{.Name}} {{end}}' mooring "
                 "| xargs -n1 docker network disconnect -f mooring; docker network rm mooring")


@dataclasses.dataclass(frozen=True)
class Sees:
    """A difference that must be named; patterns for the whole text, None for anything."""

    object: str
    field: str
    expected: str | None = None
    found: str | None = None

    def matches(self, difference: dict[str, t.Any]) -> bool:
        """Whether ``difference`` is this one."""
        pairs = [(self.object, difference["object"]), (self.field, difference["field"]),
                 (self.expected, difference["expected"]), (self.found, difference["found"])]
        return all(pattern is None or re.fullmatch(pattern, str(value), re.DOTALL) for pattern, value in pairs)

    def __str__(self) -> str:
        return f"{self.object}: {self.field}"


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of drift.

    ``component`` is the tag of the runs, empty for the whole site; ``touches``
    are containers that healing may restart; ``project`` is what Compose is asked
    to bring up, the component's unless said otherwise; ``baseline`` says which
    of the naive tasks have to do with it; ``settle`` a condition that the
    fault needs time to reach; ``after`` tidies up, and the component is
    converged again.
    """

    name: str
    component: str
    inject: str
    look: str
    sees: tuple[Sees, ...]
    touches: tuple[str, ...] = ()
    project: str = ""
    baseline: str = "compose"
    settle: str = ""
    after: str = ""
    also: tuple[str, ...] = ()
    combined: bool = False
    notice: str = ""

    @property
    def directory(self) -> str:
        """The Compose project that the peers are given."""
        return self.project or (self.component if self.component != "app_blue_green" else "demo-blue")

    @property
    def naive_tags(self) -> str:
        """The naive playbook's tags: ``compose`` and paths belong to the project."""
        own = {"compose": f"compose-{self.directory}", **{name: name for name in ("accounts", "engine", "timer")}}
        return ",".join(own.get(tag, f"/opt/mooring/{self.directory}/{tag}") for tag in self.baseline.split(","))


def service(name: str, inject: str, look: str, field: str, expected: str | None = None, found: str | None = None,
            **options: t.Any) -> Kind:
    """A fault of the test CA's resolver, which nobody waits for."""
    options.setdefault("touches", (CHALL,))
    return Kind(name, "acme_test_ca", inject, look, (Sees("service challtestsrv", field, expected, found),), **options)


def definition(name: str, yaml: str, template: str, field: str, found: str | None = None, **options: t.Any) -> Kind:
    """The resolver recreated by hand with another definition."""
    return service(name, f"by_hand acme_test_ca challtestsrv '{yaml}'", f"field $CHALL '{template}'", field,
                   None, found, **options)


def updated(name: str, option: str, template: str, field: str, found: str) -> Kind:
    """The resolver changed by `docker update`."""
    return service(name, f"docker update {option} $CHALL", f"field $CHALL '{template}'", field, None, found)


def file(name: str, component: str, path: str, inject: str, field: str, expected: str | None = None,
         found: str | None = None, kind: str = "file", **options: t.Any) -> Kind:
    """A file or directory of a project."""
    place = f"$P/{options.get('project') or component}/{path}"
    options.setdefault("baseline", path)
    return Kind(name, component, inject.replace("@", place), f"file {place}",
                (Sees(f"{kind} {re.escape(path)}", field, expected, found),), **options)


def account(name: str, statement: str, look: str, what: str, field: str, expected: str | None = None,
            found: str | None = None, **options: t.Any) -> Kind:
    """A MySQL account or schema."""
    return Kind(name, "data_stores", f"sql <<< \"{statement}\"", look, (Sees(what, field, expected, found),),
                baseline="accounts", **options)


def timer(name: str, inject: str, look: str, sees: Sees, **options: t.Any) -> Kind:
    """The timer of the drift check; no Compose project has anything to do with it."""
    return Kind(name, "drift_schedule", inject, look, (sees,), project="acme_test_ca", baseline="timer", **options)


REPORT = r"account '?report'?@'?%'?"
CERTIFICATE, APPLICATION = "certificate platform", "application demo"
OTHER_ARGUMENTS = '{command: [pebble-challtestsrv, -defaultIPv4, 192.0.2.1, -defaultIPv6, "", -dns01, ":8053"]}'

KINDS: tuple[Kind, ...] = (
    # -- files --------------------------------------------------------------
    file("reloadable file edited", "nginx_certbot", "nginx/html/404.html", "echo edited >> @", "content",
         combined=True),
    file("mounted file edited", "data_stores", "mysql/conf.d/mooring.cnf", "echo '# edited' >> @", "content",
         combined=True),
    file("file mode", "nginx_certbot", "nginx/tls.conf", "chmod 0666 @", "mode", "0644", "0666"),
    file("file owner", "nginx_certbot", "nginx/errors.conf", "chown 65534:65534 @", "owner", "0:0", "65534:65534"),
    file("file missing", "nginx_certbot", "nginx/html/502.html", "rm @", "presence", "present", "None", combined=True),
    # The proxy mounts it, and would go on with the one that is gone.
    file("directory missing", "nginx_certbot", "webroot", "rm -r @", "presence", "present", "None", kind="directory",
         touches=(PROXY,)),
    file("directory mode", "data_stores", "log/mysql", "chmod 0777 @", "mode", "0750", "0777", kind="directory"),
    file("file replaced by a symlink", "nginx_certbot", "nginx/headers.conf",
         "cp @ /root/h.conf; ln -sf /root/h.conf @", "kind", "file"),
    file("secret edited", "nginx_certbot", "secrets/proxy/htpasswd", "echo mine:mine >> @", "content", r"\(secret\)",
         r"\(secret\)"),
    file("secret readable by others", "data_stores", "secrets/redis/users.acl", "chmod 0444 @", "mode", "0400", "0444",
         combined=True),
    file("compose.yml edited", "acme_test_ca", "compose.yml", "sed -i 's/^    read_only: true/    read_only: false/' @",
         "content", baseline="compose.yml,compose", touches=(CHALL, PEBBLE)),
    Kind("formerly managed file is back", "nginx_certbot",
         "echo old > $P/nginx_certbot/nginx/old.conf; formerly_managed nginx_certbot nginx/old.conf",
         "ls $P/nginx_certbot/nginx/old.conf 2>&1", (Sees("file nginx/old.conf", "presence", "None", "present"),),
         baseline="nginx/old.conf"),

    # -- services -----------------------------------------------------------
    service("service stopped", "docker stop $CHALL", "state $CHALL", "state", "running", "exited", combined=True),
    service("service killed and kept down", "docker update --restart no $CHALL; docker kill $CHALL", "state $CHALL",
            "restart|state"),
    service("container removed", "docker rm -f $CHALL", "state $CHALL", "presence", "present", "None"),
    service("service paused", "docker pause $CHALL", "state $CHALL", "state", "running", "paused"),
    service("container renamed", "docker rename $CHALL mine", "docker ps --format '{{.Names}}' | sort", "name",
            CHALL, "mine"),
    service("service duplicated by hand",
            "docker compose --project-directory $P/acme_test_ca up --detach --no-recreate --scale challtestsrv=2",
            "docker ps --filter label=com.docker.compose.service=challtestsrv --format '{{.Names}}' | wc -l",
            "containers", "1", "2"),
    service("service unhealthy", "kill -STOP $(field $CHALL '{{.State.Pid}}')", "state $CHALL", "health", "healthy",
            "unhealthy", settle=f"[ \"$(docker inspect -f '{{{{.State.Health.Status}}}}' {CHALL})\" = unhealthy ]"),
    Kind("service restarting", "acme_test_ca", "echo '{' > $P/acme_test_ca/pebble/pebble.json; docker restart $PEBBLE",
         "file $P/acme_test_ca/pebble/pebble.json; state $PEBBLE",
         (Sees("file pebble/pebble.json", "content"), Sees("service pebble", "state|health|configuration")),
         baseline="pebble/pebble.json,compose", touches=(PEBBLE,),
         # Its pauses are long enough by then for both looks to fall into one.
         settle=f"docker inspect -f '{{{{.RestartCount}}}} {{{{.State.Status}}}}' {PEBBLE} "
                "| grep -Eq '^([7-9]|[1-9][0-9]+) restarting'"),
    service("another image", "docker commit $CHALL mooring.drift/other:1 >/dev/null; "
            "by_hand acme_test_ca challtestsrv '{image: \"mooring.drift/other:1\"}'",
            "image_is_tag $CHALL mooring.local/pebble:2", "image|definition", after="docker rmi mooring.drift/other:1"),
    Kind("image tag moved to another image", "acme_test_ca",
         "docker image inspect -f '{{.Id}}' mooring.local/pebble:2 > /root/was; "
         "docker commit --change 'LABEL moved=yes' $CHALL mooring.local/pebble:2",
         "image_is_tag $CHALL mooring.local/pebble:2",
         (Sees("service challtestsrv", "image"), Sees("service pebble", "image")), touches=(CHALL, PEBBLE),
         after="docker tag $(cat /root/was) mooring.local/pebble:2"),
    definition("environment", '{environment: {EXTRA: "1"}}', "{{.Config.Env}}", "environment|definition"),
    definition("command", OTHER_ARGUMENTS, "{{.Config.Cmd}}", "command|definition"),
    definition("entrypoint", "{entrypoint: [/usr/bin/env]}", "{{.Config.Entrypoint}}", "entrypoint|definition"),
    definition("user", '{user: "0:0"}', "{{.Config.User}}", "user", "0:0"),
    definition("mount added", '{volumes: ["/etc/hostname:/mnt/hostname:ro"]}', "{{len .Mounts}}", "mounts"),
    definition("port published", '{ports: ["127.0.0.1:18055:8055"]}', "{{.HostConfig.PortBindings}}", "ports"),
    definition("capability added", "{cap_add: [NET_RAW]}", "{{.HostConfig.CapAdd}}", "cap_add"),
    definition("privileges may be gained", "{security_opt: !override [\"no-new-privileges:false\"]}",
               "{{.HostConfig.SecurityOpt}}", "security_opt"),
    definition("root file system writable", "{read_only: false}", "{{.HostConfig.ReadonlyRootfs}}", "read_only",
               "False"),
    definition("label added", '{labels: {by: hand}}', '{{index .Config.Labels "by"}}', "labels"),
    definition("health check", "{healthcheck: {interval: 7s}}", "{{.Config.Healthcheck.Interval}}", "healthcheck"),
    definition("log options", "{logging: {options: {max-size: 99m}}}", "{{.HostConfig.LogConfig.Config}}", "log"),
    definition("ulimits", "{ulimits: {nofile: 99}}", "{{len .HostConfig.Ulimits}}", "ulimits"),
    definition("tmpfs added", "{tmpfs: [/mnt]}", "{{.HostConfig.Tmpfs}}", "tmpfs"),
    updated("memory limit", "--memory 96m", "{{.HostConfig.Memory}}", "memory", "100663296"),
    updated("pids limit", "--pids-limit 77", "{{.HostConfig.PidsLimit}}", "pids_limit", "77"),
    updated("cpu limit", "--cpus 0.5", "{{.HostConfig.NanoCpus}}", "cpus", "500000000"),
    updated("restart policy", "--restart no", "{{.HostConfig.RestartPolicy.Name}}", "restart", ".*no.*"),
    service("network disconnected", "docker network disconnect mooring $CHALL", "networks $CHALL", "networks"),
    service("network alias missing", "docker network disconnect mooring $CHALL; "
            "docker network connect --alias wrong mooring $CHALL", "networks $CHALL", "networks"),
    service("network added", "docker network create handmade; docker network connect handmade $CHALL",
            "networks $CHALL", "networks", after="docker network rm handmade"),
    Kind("database stopped", "data_stores", "docker stop $MYSQL", "state $MYSQL",
         (Sees("service mysql", "state", "running", "exited"),), touches=(MYSQL,)),

    # -- networks, volumes, engine ------------------------------------------
    Kind("volume missing", "data_stores", "docker rm -f $REDIS; docker volume rm mooring-redis-data",
         "docker volume ls --quiet --filter label=com.docker.compose.volume=redis-data",
         (Sees("volume (mooring-)?redis-data", "presence", "present", "None"),), touches=(REDIS,)),
    Kind("platform network missing", "",
         LEAVE_NETWORK,
         "docker network ls --format '{{.Name}}' --filter name=mooring; networks $PROXY; networks $REDIS",
         (Sees("network mooring", "presence", "present", "None"),), touches=EVERYTHING, project="acme_test_ca",
         baseline="engine,compose", also=("-e", "mooring_allow_stateful_restart=true")),
    Kind("platform network without its label", "",
         f"{LEAVE_NETWORK}; docker network create --subnet 172.31.250.0/24 mooring",
         "docker network inspect -f '{{.Labels}}' mooring; networks $PROXY; networks $REDIS",
         (Sees("network mooring", "label mooring.platform"),), touches=EVERYTHING, project="acme_test_ca",
         baseline="engine,compose", also=("-e", "mooring_allow_stateful_restart=true")),
    Kind("daemon.json edited", "docker_engine", "sed -i 's/\"10m\"/\"99m\"/' /etc/docker/daemon.json", "daemon_key",
         (Sees("/etc/docker/daemon.json", "log-opts.*"),), project="acme_test_ca", baseline="engine", combined=True),
    Kind("daemon stopped", "docker_engine", "systemctl stop docker.socket docker.service 2>&1",
         "systemctl is-active docker", (Sees("Docker daemon", "state", "running"),), project="acme_test_ca",
         baseline="engine"),
    Kind("daemon not started at boot", "docker_engine", "systemctl disable docker 2>&1", "systemctl is-enabled docker",
         (Sees("Docker daemon", ".*(enabled|boot|start).*"),), project="acme_test_ca", baseline="engine"),
    Kind("package removed", "docker_engine", "apt-get -qq remove -y python3-pymysql >/dev/null",
         "dpkg -l python3-pymysql | grep -c ^ii", (Sees("package python3-pymysql", "presence", "present", "None"),),
         project="acme_test_ca", baseline="engine"),

    timer("timer file edited", "sed -i s/^OnCalendar=.*/OnCalendar=weekly/ $TIMER_FILE", "file $TIMER_FILE",
          Sees("file /etc/systemd/system/mooring-drift.timer", "content"), combined=True),
    timer("timer disabled", "systemctl disable $TIMER 2>&1", "systemctl is-enabled $TIMER",
          Sees("timer mooring-drift.timer", "enabled", "enabled", "disabled")),
    timer("timer stopped", "systemctl stop $TIMER", "systemctl is-active $TIMER",
          Sees("timer mooring-drift.timer", "state", "active", "inactive")),

    # -- accounts -----------------------------------------------------------
    account("account dropped", "DROP USER report@'%'", "account", REPORT, "presence", "present", "None",
            combined=True),
    account("grant added", "GRANT DELETE ON archive.* TO report@'%'", "account", REPORT,
            r"grants on .*archive.*"),
    account("grant revoked", "REVOKE INSERT ON archive.* FROM report@'%'", "account", REPORT,
            r"grants on .*archive.*"),
    account("password changed", "ALTER USER report@'%' IDENTIFIED BY 'by-hand'", "report_login", REPORT, "password",
            r"\(secret\)", r"\(secret\)"),
    account("TLS no longer required", "ALTER USER report@'%' REQUIRE NONE", "account", REPORT, "TLS", "required"),
    account("connection limit", "ALTER USER report@'%' WITH MAX_USER_CONNECTIONS 99", "account", REPORT,
            "max_user_connections", "5", "99"),
    account("schema dropped", "DROP DATABASE archive", "sql <<< 'SHOW DATABASES'", "schema `?archive`?", "presence",
            "present", "None"),
    Kind("Redis account changed at run time", "data_stores", "redis_accounts '/^user worker /s/$/ ~*/'",
         "redis_as worker SET other 1", (Sees("service redis|account '?worker'?.*", ".*"),), touches=()),
    Kind("Redis account deleted at run time", "data_stores", "redis_accounts '/^user worker /d'",
         "redis_as worker EXISTS jobs:1", (Sees("service redis|account '?worker'?.*", ".*"),)),

    # -- certificates and the proxy -----------------------------------------
    Kind("certificate replaced by a self-signed one", "nginx_certbot",
         "self_signed $P/nginx_certbot/certificates/platform.d/mine; "
         "ln -sfn platform.d/mine $P/nginx_certbot/certificates/platform", "certificate",
         (Sees(CERTIFICATE, ".*"),), combined=True),
    Kind("key readable by others", "nginx_certbot", "chmod 0644 $P/nginx_certbot/certificates/platform/privkey.pem",
         "certificate", (Sees("file .*/privkey.pem", "mode", "0400", "0644"),)),
    Kind("certificate link missing", "nginx_certbot", "rm $P/nginx_certbot/certificates/platform", "certificate",
         (Sees(CERTIFICATE, ".*"),)),
    Kind("renewal timer disabled", "nginx_certbot", "systemctl disable --now mooring-nginx_certbot.timer 2>&1",
         "systemctl is-enabled mooring-nginx_certbot.timer; systemctl is-active mooring-nginx_certbot.timer",
         (Sees("timer mooring-nginx_certbot.timer", "enabled", "enabled", "disabled"),), baseline="timer"),
    Kind("proxy runs another configuration than on disk", "nginx_certbot",
         "cd $P/nginx_certbot/nginx; cp -p headers.conf /root/; "
         "echo 'add_header X-By-Hand yes always;' >> headers.conf; reload_proxy; cp -p /root/headers.conf headers.conf",
         "curl -ksI $RESOLVE https://mooring.test:8443/nowhere | grep -ci x-by-hand",
         (Sees("service proxy", "configuration"),)),

    # -- releases -----------------------------------------------------------
    Kind("active colour: file", "app_blue_green", "other_colour > $RELEASE.new; mv $RELEASE.new $RELEASE",
         "cat $RELEASE; switch", (Sees(APPLICATION, "colour in the proxy's file", "blue|green", "blue|green"),)),
    Kind("active colour: memory of the proxy", "app_blue_green",
         "cp -p $RELEASE /root/release; other_colour > /root/other; cp /root/other $RELEASE; switch -X POST; "
         "cp -p /root/release $RELEASE",
         "switch", (Sees(APPLICATION, "colour in the proxy's memory", "blue|green", "blue|green"),), combined=True),
    Kind("release record missing", "app_blue_green", "rm $P/app_blue_green/demo.json",
         "grep -c serving $P/app_blue_green/demo.json", (Sees(APPLICATION, "record", None, "None"),)),
    # Healed by the other colour, as any release is brought into service; so it comes last.
    Kind("application container removed", "app_blue_green", "docker rm -f $(app_container)", "answers",
         (Sees("service app", "presence", "present", "None"),), touches=APPS),
)

# Reported and never removed.
NOTICES: tuple[Kind, ...] = (
    Kind("unmanaged file in a managed place", "nginx_certbot", "echo mine > $P/nginx_certbot/nginx/mine.conf",
         "ls $P/nginx_certbot/nginx/mine.conf 2>&1", (), notice="mine.conf",
         after="rm $P/nginx_certbot/nginx/mine.conf"),
)
