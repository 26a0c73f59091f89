# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: what is declared for Jenkins, as Configuration as Code, secret files and jobs. No I/O.

The YAML names secrets and never holds one: Jenkins reads ``${name}`` from the file of that name in /run/secrets.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

SECRETS = "/run/secrets"
JOBS = "/etc/mooring/jobs/jobs.groovy"
# The account by which a running Jenkins is told to read its configuration again; start.sh gives it a password.
RELOADER = "mooring"
RELOADER_PASSWORD = "/run/jenkins/reload_password"
ADMINISTRATOR = "admin"

# Part of a file name, of a URL and of a reference ${...} to a secret; no Groovy and no YAML can be made of it.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What git takes for one branch (git-check-ref-format), without the patterns that Jenkins knows.
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{))[A-Za-z0-9_](?:[A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?")
_SCRIPT = re.compile(r"(?!.*(?:^|/)\.\.(?:/|$))[A-Za-z0-9._][A-Za-z0-9._/-]*")
_REPOSITORY = re.compile(r"(?:https?|ssh)://[^\s'\"]+|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^\s'\"]+")
# A password in a URL would be readable in the job's page, and in every log of a checkout.
_LOGIN_IN_URL = re.compile(r"\w+://[^/@\s]*:[^/@\s]*@")
# GitLab sends it as a header.
_TOKEN = re.compile(r"[\x21-\x7e]{16,}")

# What each kind of credential needs beside its secret.
CREDENTIALS = {
    "string": (),
    "usernamePassword": ("username",),
    "file": ("file_name",),
    "sshUserPrivateKey": ("username",),
    "gitlabApiToken": (),
}
EVENTS = ("push", "merge_request")
# BCryptPasswordEncoder, by which Jenkins keeps passwords, takes no more, and Jenkins then does not start.
_PASSWORD_BYTES = 72
# What begins so is taken by configuration-as-code for the hash of a password (HudsonPrivateSecurityRealmConfigurator).
_HASHED = "#jbcrypt:"
CHOICES = ("authorizationStrategy", "securityRealm", "crumbIssuer", "sshHostKeyVerificationStrategy")


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a variable, at ``path`` inside its value."""

    variable: str  # without the role's prefix
    path: str
    text: str
    remedy: str


# ---------------------------------------------------------------- what cannot be


def problems(settings: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    """Everything that Jenkins would refuse, or that would not do what it says; ``settings`` by their short names."""
    yield from _names(settings, "users", "name")
    yield from _names(settings, "credentials", "id")
    yield from _names(settings, "gitlab", "name")
    yield from _names(settings, "jobs", "name")
    yield from _names(settings, "agents", "name")
    for index, user in _items(settings, "users"):
        if str(user.get("name", "")).lower() in (ADMINISTRATOR, RELOADER):
            yield Problem("users", f"[{index}].name", f"the name '{user['name']}' is taken: the role declares it",
                          "Give the user another name")
        yield from _password("users", f"[{index}].password", user.get("password"))
    if "admin_password" in settings:
        yield from _password("admin_password", "", settings["admin_password"])
    yield from _credentials(settings)
    yield from _gitlab(settings)
    yield from _jobs(settings)
    yield from _agents(settings)
    executors = settings.get("executors")
    if not executors and not settings.get("agents") and _items(settings, "jobs"):
        yield Problem("executors", "", "is 0 and there is no agent, so nothing would ever be built",
                      "Declare an agent, or set jenkins_dood_executors to 2 where one container has to do it all")
    for index, path in enumerate(_texts(settings.get("directories"))):
        taken = next((one for one in ("/var/jenkins_home", "/run", "/var/run", "/etc", "/usr", "/tmp")
                      if (path.rstrip("/") + "/").startswith(f"{one}/")), None)
        if not path.startswith("/") or path == "/" or ":" in path or ".." in path.split("/"):
            yield Problem("directories", f"[{index}]", f"'{path}' is not an absolute path below /",
                          "Write it like /srv/builds; it is mounted where it is on the host")
        elif taken:
            yield Problem("directories", f"[{index}]", f"'{path}' is where the container has {taken} of its own",
                          "Name another directory")


def _names(settings: t.Mapping[str, t.Any], variable: str, key: str) -> t.Iterator[Problem]:
    """Names are ones that go everywhere as they are, and each is there once."""
    seen: set[str] = set()
    for index, item in _items(settings, variable):
        name, path = str(item.get(key, "")), f"[{index}].{key}"
        if not _NAME.fullmatch(name):
            yield Problem(variable, path, f"'{name}' cannot be a name in Jenkins",
                          "Use letters, digits, '-', '_' and '.', with a letter or digit at both ends")
        # On its disk Jenkins does not tell capitals.
        elif name.lower() in seen:
            yield Problem(variable, path, f"'{name}' is declared again", "Keep one of them")
        seen.add(name.lower())


def _password(variable: str, path: str, password: t.Any) -> t.Iterator[Problem]:
    """One that somebody can log in with."""
    text = str(password or "")
    if not text.strip():
        yield Problem(variable, path, "is empty, and makes an account that nobody can log in with",
                      "Make one with: openssl rand -hex 24")
    elif len(text.encode()) > _PASSWORD_BYTES:
        yield Problem(variable, path, f"has more than the {_PASSWORD_BYTES} bytes that Jenkins takes",
                      "Make one with: openssl rand -hex 24")
    elif text.startswith(_HASHED):
        yield Problem(variable, path, f"begins with {_HASHED}, which Jenkins would take for the hash of another one",
                      "Give the password itself")


def _credentials(settings: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    for index, item in _items(settings, "credentials"):
        kind = item.get("type")
        if kind not in CREDENTIALS:
            yield Problem("credentials", f"[{index}].type", f"'{kind}' is no kind of credential",
                          f"Write one of {', '.join(CREDENTIALS)}")
            continue
        for key in (*CREDENTIALS[kind], "secret"):
            if not item.get(key):
                yield Problem("credentials", f"[{index}].{key}", f"is not set, and a {kind} needs it", "Set it")
        for key in ("username", "file_name", "passphrase"):
            allowed = (*CREDENTIALS[kind], *(("passphrase",) if kind == "sshUserPrivateKey" else ()))
            if item.get(key) and key not in allowed:
                yield Problem("credentials", f"[{index}].{key}", f"means nothing for a {kind}", "Take it out")
        if kind == "sshUserPrivateKey" and item.get("secret") and "PRIVATE KEY-----" not in str(item["secret"]):
            yield Problem("credentials", f"[{index}].secret", "is not a private key as text",
                          "Give the whole file, from its BEGIN line to its END line")


def _gitlab(settings: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    for index, item in _items(settings, "gitlab"):
        yield from _refers(settings, "gitlab", f"[{index}].credential", item.get("credential"), ("gitlabApiToken",))


def _jobs(settings: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    connections = {str(item.get("name")) for _index, item in _items(settings, "gitlab")}
    for index, item in _items(settings, "jobs"):
        repository = str(item.get("repository", ""))
        if not _REPOSITORY.fullmatch(repository):
            yield Problem("jobs", f"[{index}].repository", "is not the address of a repository",
                          "Write it like https://gitlab.our.org/shop.git or git@gitlab.our.org:shop.git")
        elif _LOGIN_IN_URL.match(repository):
            yield Problem("jobs", f"[{index}].repository", "has a password in it, which everybody in Jenkins can read",
                          "Make it a credential of the type usernamePassword")
        if not _BRANCH.fullmatch(str(item.get("branch", "main"))):
            yield Problem("jobs", f"[{index}].branch", f"'{item.get('branch')}' is not the name of one branch",
                          "Write it like main")
        if not _SCRIPT.fullmatch(str(item.get("script_path", "Jenkinsfile"))):
            yield Problem("jobs", f"[{index}].script_path", f"'{item.get('script_path')}' is no path in a repository",
                          "Write it like Jenkinsfile or ci/Jenkinsfile")
        if item.get("event", "push") not in EVENTS:
            yield Problem("jobs", f"[{index}].event", f"'{item.get('event')}' is no event",
                          f"Write one of {', '.join(EVENTS)}")
        if item.get("credential"):
            yield from _refers(settings, "jobs", f"[{index}].credential", item["credential"],
                               ("usernamePassword", "sshUserPrivateKey"))
        if item.get("webhook_token") and not _TOKEN.fullmatch(str(item["webhook_token"])):
            yield Problem("jobs", f"[{index}].webhook_token", "is shorter than 16 characters, or has blanks or others",
                          "Make one with: openssl rand -hex 24")
        if item.get("gitlab") and str(item["gitlab"]) not in connections:
            yield Problem("jobs", f"[{index}].gitlab", f"'{item['gitlab']}' is no connection of jenkins_dood_gitlab",
                          f"Known connections: {', '.join(sorted(connections)) or 'none'}")
        if item.get("event") == "merge_request" and (readable := _readable(settings)):
            yield Problem("jobs", f"[{index}].event",
                          "is merge_request: code that nobody has looked at could read the credentials "
                          f"{', '.join(readable)}",
                          "Build merge requests in a Jenkins of their own, on another host and without these")
        environment = item.get("environment")
        for name in environment if isinstance(environment, dict) else ():
            if not _ENVIRONMENT.fullmatch(str(name)):
                yield Problem("jobs", f"[{index}].environment", f"'{name}' cannot name a variable of the environment",
                              "Use letters, digits and '_'")


def _readable(settings: t.Mapping[str, t.Any]) -> list[str]:
    """Credentials that every pipeline can ask for by name, beside those by which repositories are read.

    A gitlabApiToken is of no kind that a pipeline can ask for, and one that only agents need is out of its reach.
    """
    repositories = {str(job.get("credential")) for _index, job in _items(settings, "jobs")}
    return sorted(str(item.get("id")) for _index, item in _items(settings, "credentials")
                  if item.get("type") != "gitlabApiToken" and str(item.get("id")) not in repositories
                  and not only_for_agents(settings, str(item.get("id"))))


def _agents(settings: t.Mapping[str, t.Any]) -> t.Iterator[Problem]:
    for index, item in _items(settings, "agents"):
        if not item.get("host"):
            continue  # which connects by itself
        yield from _refers(settings, "agents", f"[{index}].credential", item.get("credential"),
                           ("usernamePassword", "sshUserPrivateKey"))
        if not re.fullmatch(r"(ssh|ecdsa)-\S+ \S+", str(item.get("host_key") or "")):
            yield Problem("agents", f"[{index}].host_key", "is not a public key of the host",
                          "Write what ssh-keyscan says of it after the name, such as ssh-ed25519 AAAA...")


def _refers(
    settings: t.Mapping[str, t.Any], variable: str, path: str, name: t.Any, kinds: tuple[str, ...],
) -> t.Iterator[Problem]:
    """A credential that is named is there, and one of these kinds."""
    declared = {str(item.get("id")): item.get("type") for _index, item in _items(settings, "credentials")}
    fitting = sorted(one for one, kind in declared.items() if kind in kinds)
    if str(name) not in fitting:
        what = "has another type" if str(name) in declared else "is not in jenkins_dood_credentials"
        yield Problem(variable, path, f"the credential '{name}' {what}",
                      f"Declare it as {' or '.join(kinds)}; there is {', '.join(fitting) or 'none'}")


def _items(settings: t.Mapping[str, t.Any], variable: str) -> list[tuple[int, dict[str, t.Any]]]:
    """The entries of a list; what is none is the argument spec's business."""
    value = settings.get(variable)
    return [(i, one) for i, one in enumerate(value) if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: t.Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


# ---------------------------------------------------------------- what Jenkins gets


def literal(value: t.Any) -> t.Any:
    """The value with every text such that Jenkins takes it as it is: ``${`` would be a reference."""
    if isinstance(value, dict):
        return {str(key): literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    return str(value).replace("${", "^${") if isinstance(value, str) else value


def user_secret(name: str) -> str:
    """The file with a user's password."""
    return f"user_{name}"


def credential_secret(name: str) -> str:
    """The file with a credential's secret."""
    return f"credential_{name}"


def webhook_secret(name: str) -> str:
    """The file with the token by which GitLab may start a job."""
    return f"webhook_{name}"


def secret_files(settings: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Content of the files in /run/secrets by name.

    Jenkins looks for references in what it has read, too, so ``${`` is escaped here as well; not in what goes in as
    base64, nor in what the script of the jobs reads by itself.
    """
    files = {user_secret(ADMINISTRATOR): literal(str(settings["admin_password"]))}
    for _index, user in _items(settings, "users"):
        files[user_secret(user["name"])] = literal(str(user["password"]))
    for _index, item in _items(settings, "credentials"):
        name, secret = credential_secret(item["id"]), str(item["secret"])
        # What ssh reads has to end its last line.
        key = item["type"] == "sshUserPrivateKey"
        files[name] = secret if item["type"] == "file" else literal(f"{secret.rstrip()}\n" if key else secret)
        if item.get("passphrase"):
            files[f"{name}_passphrase"] = literal(str(item["passphrase"]))
    for _index, job in _items(settings, "jobs"):
        if job.get("webhook_token"):
            files[webhook_secret(job["name"])] = str(job["webhook_token"])
    return files


def _read(name: str) -> str:
    """A reference to a secret, byte by byte: the short form would cut white space at its ends."""
    return f"${{readFile:{SECRETS}/{name}}}"


def _user(name: str, password: str, full_name: str = "") -> dict[str, t.Any]:
    return {"id": name, "name": literal(full_name or name), "password": password}


def only_for_agents(settings: t.Mapping[str, t.Any], name: str) -> bool:
    """Whether Jenkins logs in at agents with a credential and no job reads its repository with it."""
    users = [{str(item.get("credential")) for _index, item in _items(settings, one)} for one in ("agents", "jobs")]
    return name in users[0] - users[1]


def credential(item: t.Mapping[str, t.Any], scope: str = "GLOBAL") -> dict[str, t.Any]:
    """One credential, by the symbol that the plugin gave its class; with the scope SYSTEM no job can have it."""
    name, kind = credential_secret(item["id"]), item["type"]
    common = {"scope": scope, "id": item["id"], "description": literal(item.get("description") or "")}
    if kind == "string":
        return {"string": {**common, "secret": _read(name)}}
    if kind == "usernamePassword":
        return {"usernamePassword": {**common, "username": literal(item["username"]), "password": _read(name)}}
    if kind == "file":
        return {"file": {**common, "fileName": literal(item["file_name"]),
                         "secretBytes": f"${{readFileBase64:{SECRETS}/{name}}}"}}
    if kind == "gitlabApiToken":
        return {"gitLabApiTokenImpl": {**common, "apiToken": _read(name)}}
    return {"basicSSHUserPrivateKey": {
        **common, "username": literal(item["username"]),
        **({"passphrase": _read(f"{name}_passphrase")} if item.get("passphrase") else {}),
        "privateKeySource": {"directEntry": {"privateKey": _read(name)}}}}


def agent(item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """One agent: Jenkins logs in at its host by SSH, or, without a host, it connects by itself (WebSocket)."""
    launcher: dict[str, t.Any] = {"inbound": {"webSocket": True}}
    if item.get("host"):
        launcher = {"ssh": {
            "host": literal(item["host"]), "port": int(item.get("port") or 22), "credentialsId": item["credential"],
            "sshHostKeyVerificationStrategy": {"manuallyProvidedKeyVerificationStrategy": {
                "key": literal(item["host_key"])}}}}
    return {"permanent": {
        "name": item["name"], "labelString": literal(" ".join(item.get("labels") or ())), "mode": "NORMAL",
        "numExecutors": int(item.get("executors") or 1),
        "remoteFS": literal(item.get("directory") or "/var/lib/jenkins-agent"),
        "retentionStrategy": "always", "launcher": launcher}}


def merged(value: dict[str, t.Any], overrides: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Mappings are merged, and everything else is replaced; so is a choice, of which Jenkins takes exactly one."""
    found = dict(value)
    for key, item in overrides.items():
        both = isinstance(item, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], item) if both and key not in CHOICES else item
    return found


def configuration(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the plugin configuration-as-code reads."""
    return merged(_declared(settings), settings.get("config_overrides") or {})


def _declared(settings: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    users = [_user(ADMINISTRATOR, _read(user_secret(ADMINISTRATOR)), "Administrator"),
             _user(RELOADER, f"${{readFile:{RELOADER_PASSWORD}}}", "Configuration as code"),
             *(_user(user["name"], _read(user_secret(user["name"])), user.get("full_name") or "")
               for _index, user in _items(settings, "users"))]
    known_hosts = str(settings.get("known_hosts") or "").strip()
    return {
        "jenkins": {
            "systemMessage": "Configured by mooring.stack: what is changed here by hand does not last.",
            "mode": "NORMAL",
            "numExecutors": int(settings["executors"]),
            "labelString": "controller",
            # Agents that connect by themselves do so by WebSocket, through the web server.
            "slaveAgentPort": -1,
            "noUsageStatistics": True,
            "securityRealm": {"local": {"allowsSignup": False, "enableCaptcha": False, "users": users}},
            "authorizationStrategy": {"loggedInUsersCanDoAnything": {"allowAnonymousRead": False}},
            "crumbIssuer": {"standard": {}},
            "nodes": [agent(item) for _index, item in _items(settings, "agents")],
        },
        "security": {
            "apiToken": {"creationOfLegacyTokenEnabled": False, "tokenGenerationOnCreationEnabled": False},
            "gitHostKeyVerificationConfiguration": {"sshHostKeyVerificationStrategy": {
                "manuallyProvidedKeyVerificationStrategy": {"approvedHostKeys": literal(known_hosts)}}},
        },
        "credentials": {"system": {"domainCredentials": [
            {"credentials": [credential(item, "SYSTEM" if only_for_agents(settings, item["id"]) else "GLOBAL")
                             for _index, item in _items(settings, "credentials")]}]}},
        "unclassified": {
            "location": {"url": f"{literal(settings['url'])}/jenkins/"},
            "gitlabconnectionconfig": {
                # What has a trigger without a token, by overrides or by hand, is started by who has logged in only.
                "useAuthenticatedEndpoint": True,
                "connections": [{
                    "name": item["name"], "url": literal(item["url"]), "apiTokenId": item["credential"],
                    "clientBuilderId": "autodetect", "connectionTimeout": 10, "readTimeout": 10,
                    "ignoreCertificateErrors": False,
                } for _index, item in _items(settings, "gitlab")]},
        },
        "jobs": [{"file": JOBS}],
    }


def jobs(settings: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """The jobs as jobs.groovy reads them, every key filled; the token is only named."""
    return [{
        "name": job["name"],
        "webhook": f"{settings['url']}/jenkins/project/{job['name']}",
        "description": str(job.get("description") or f"Builds {job['repository']}."),
        "repository": job["repository"],
        "branch": str(job.get("branch") or "main"),
        "script": str(job.get("script_path") or "Jenkinsfile"),
        "credential": str(job.get("credential") or ""),
        "event": str(job.get("event") or "push"),
        "token": webhook_secret(job["name"]) if job.get("webhook_token") else "",
        "gitlab": str(job.get("gitlab") or ""),
        "environment": {str(name): str(value) for name, value in (job.get("environment") or {}).items()},
    } for _index, job in _items(settings, "jobs")]
