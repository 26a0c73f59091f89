# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role jenkins_dood renders is what Jenkins takes: keys, secrets, jobs, and the plugins that they need."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re
import sys

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.mooring.stack.plugins.filter.jenkins import jenkins
from ansible_collections.mooring.stack.plugins.module_utils import _jenkins

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import jenkins_conf  # noqa: E402
import nginx_conf  # noqa: E402
import templates  # noqa: E402

ROLE = ROOT / "roles/jenkins_dood"
PROJECT = ROLE / "templates/project"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"
# Passwords have what is awkward in YAML, in Groovy, and where Jenkins looks for references.
AWKWARD = "it's \"so\": ${HOME} ^${x} #{y} \\ 'é"
SETTINGS = {
    "jenkins_dood_admin_password": AWKWARD,
    "jenkins_dood_executors": 2,
    "jenkins_dood_directories": ["/srv/builds"],
    "jenkins_dood_users": [{"name": "kim", "password": "kim's ${password}", "full_name": "Kim ${Min} 'seo'"}],
    "jenkins_dood_credentials": [
        {"id": "gitlab-deploy", "type": "usernamePassword", "username": "jen${kins}", "secret": "a-secret-1"},
        {"id": "gitlab-api", "type": "gitlabApiToken", "secret": "a-secret-2", "description": "it's \"${so}\""},
        {"id": "vault", "type": "file", "file_name": "vault.txt", "secret": "a-secret-3 ${x}\n"},
        {"id": "mattermost", "type": "string", "secret": " a-secret-4 "},
        {"id": "builder-key", "type": "sshUserPrivateKey", "username": "jenkins", "secret": KEY,
         "passphrase": "a-secret-5"},
    ],
    "jenkins_dood_gitlab": [{"name": "gitlab", "url": "https://gitlab.example.com", "credential": "gitlab-api"}],
    "jenkins_dood_jobs": [
        {"name": "shop", "repository": "https://gitlab.example.com/shop/backend.git", "credential": "gitlab-deploy",
         "webhook_token": "a-webhook-token-1${x}", "gitlab": "gitlab",
         "environment": {"APPLICATION": "shop", "GREETING": "it's ${HOME} \"$x\" '''"}},
        {"name": "shop-check", "repository": "git@gitlab.example.com:shop/backend.git", "branch": "release/1.x",
         "webhook_token": "a-webhook-token-2", "script_path": "ci/Jenkinsfile"},
        {"name": "by-hand", "repository": "ssh://git@gitlab.example.com/x.git", "description": "'); evil('${x}"},
    ],
    "jenkins_dood_agents": [
        {"name": "builder-1", "host": "192.0.2.20", "credential": "builder-key", "host_key": "ssh-ed25519 AAAA",
         "labels": ["docker", "big"], "executors": 4},
        {"name": "laptop"}],
    "jenkins_dood_known_hosts": "gitlab.example.com ssh-ed25519 AAAA\n",
}
# A Jenkins that builds merge requests has no credential but those by which it reads repositories and reaches agents.
MERGE_REQUESTS = {
    "jenkins_dood_credentials": [one for one in SETTINGS["jenkins_dood_credentials"]
                                 if one["id"] in ("gitlab-deploy", "gitlab-api", "builder-key")],
    "jenkins_dood_jobs": [{"name": "check", "repository": "https://gitlab.example.com/shop/backend.git",
                           "credential": "gitlab-deploy", "event": "merge_request",
                           "webhook_token": "a-webhook-token-3"}],
}
SECRETS = [AWKWARD, "kim's ${password}", "a-secret-", "a-webhook-token-", "BEGIN OPENSSH"]


def short(settings):
    """Settings as the filter gets them."""
    return {name.removeprefix("jenkins_dood_"): value for name, value in settings.items()}


def variables(**changes):
    """Everything that the templates read, as Ansible would have it."""
    values = {"ansible_managed": "Ansible managed", "mooring_root": "/opt/mooring", "mooring_prefix": "mooring",
              "mooring_timezone": "Asia/Seoul", "mooring_domain": "platform.example.com", "role_path": str(ROLE)}
    for name in ("defaults", "vars"):
        values.update(templates.load(ROLE / name / "main.yml"))
    return {**values, **SETTINGS, **changes}


def evaluate(text, **changes):
    return Templar(loader=DataLoader(), variables=variables(**changes)).template(templates.trust_as_template(text))


def render(path, **changes):
    """A file of the project's tree."""
    return evaluate((PROJECT / path).read_text(), **changes)


def configuration(**changes):
    return yaml.safe_load(render("jenkins/casc/jenkins.yaml.j2", **changes))


def secrets(**changes):
    return evaluate("{{ __jenkins_dood_secrets }}", **changes)["jenkins"]["files"]


def jobs(tmp_path, **changes):
    """What Job DSL gets, by the script itself."""
    (tmp_path / "secrets").mkdir(exist_ok=True)
    for name, content in secrets(**changes).items():
        (tmp_path / "secrets" / name).write_text(content)
    (tmp_path / "jobs.json").write_text(render("jenkins/jobs/jobs.json.j2", **changes))
    script = (PROJECT / "jenkins/jobs/jobs.groovy").read_text()
    for place, moved in (("/etc/mooring/jobs/jobs.json", "jobs.json"), ("/run/secrets", "secrets")):
        assert f"'{place}'" in script
        script = script.replace(f"'{place}'", f"'{tmp_path / moved}'")
    (tmp_path / "jobs.groovy").write_text(script)
    try:
        return jenkins_conf.groovy("run", tmp_path / "jobs.groovy")
    except jenkins_conf.NoGroovy as reason:
        pytest.skip(str(reason))


def found(calls, *names):
    """Arguments of the one call at a path of names."""
    for name in names:
        (call,) = [one for one in calls if one["name"] == name]
        calls = call["inside"]
    return call["arguments"]


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize("changes", [{}, {name: [] for name in SETTINGS if isinstance(SETTINGS[name], list)}],
                         ids=["everything", "nothing"])
def test_every_key_is_one_that_a_plugin_of_the_image_has(changes):
    plugins = jenkins_conf.plugins()
    keys = list(jenkins_conf.walk(configuration(**changes)))
    assert len(keys) > 20
    assert {plugin for _key, plugin in keys} - {"core"} <= set(plugins)
    # What reads all of it.
    assert "configuration-as-code" in plugins


def test_the_keys_were_read_in_the_jenkins_that_is_run():
    """With another release somebody has to look again; an attribute that is gone keeps Jenkins from starting."""
    version = re.fullmatch(r"jenkins/jenkins:([0-9.]+)-jdk21", variables()["jenkins_dood_base_image"])[1]
    assert f"jenkins-{version}" == jenkins_conf.CORE


def test_a_key_that_nobody_has_is_found():
    for wrong in ({"jenkins": {"crumbIssuer": {"standard": {"excludeClientIPFromCrumb": True}}}},
                  {"jenkins": {"numExecuters": 1}}, {"jenkins": {"numExecutors": {"x": 1}}}, {"nodes": []},
                  {"jenkins": {"securityRealm": {"local": {"users": [{"login": "x"}]}}}},
                  {"jenkins": {"authorizationStrategy": {}}}):
        with pytest.raises(ValueError, match="known there|is a value|one of several"):
            list(jenkins_conf.walk(wrong))


# defect 8, 13
def test_every_secret_is_a_file_that_is_named_and_no_text():
    text = render("jenkins/casc/jenkins.yaml.j2")
    everything = text + render("jenkins/jobs/jobs.json.j2") + render("compose.yml.j2") + (
        PROJECT / "jenkins/jobs/jobs.groovy").read_text()
    assert [secret for secret in SECRETS if secret in everything] == []
    # Escaped it would be there as well.
    assert _jenkins.literal(AWKWARD) not in everything
    tokens = {job["token"] for job in json.loads(render("jenkins/jobs/jobs.json.j2"))} - {""}
    assert jenkins_conf.references(text) - {_jenkins.RELOADER_PASSWORD} | tokens == set(secrets())
    for name in secrets():
        assert re.fullmatch(r"(user|credential|webhook)_[A-Za-z0-9._-]+", name)


def test_what_is_awkward_arrives_as_it_is(tmp_path):
    """As Jenkins reads it: the file, then what ``^${`` stands for."""
    files = secrets()

    def read(name):
        return files[name].replace("^${", "${")

    assert read("user_admin") == AWKWARD
    assert read("user_kim") == "kim's ${password}"
    assert not re.search(r"(?<!\^)\$\{", files["user_admin"])
    # With its white space, which ${name} alone would lose.
    assert read("credential_mattermost") == " a-secret-4 "
    assert read("credential_builder-key") == f"{KEY}\n"
    # Goes in as base64, which nobody searches for references.
    assert files["credential_vault"] == "a-secret-3 ${x}\n"
    # Read by the script, and by nobody else.
    assert files["webhook_shop"] == "a-webhook-token-1${x}"
    users = configuration()["jenkins"]["securityRealm"]["local"]["users"]
    assert [user["name"] for user in users] == ["Administrator", "Configuration as code", "Kim ^${Min} 'seo'"]
    given = {next(iter(one.values()))["id"]: one for one in
             configuration()["credentials"]["system"]["domainCredentials"][0]["credentials"]}
    assert given["gitlab-deploy"]["usernamePassword"]["username"] == "jen^${kins}"
    assert given["gitlab-api"]["gitLabApiTokenImpl"]["description"] == "it's \"^${so}\""
    assert given["vault"]["file"]["secretBytes"] == "${readFileBase64:/run/secrets/credential_vault}"
    assert given["builder-key"]["basicSSHUserPrivateKey"]["passphrase"] == (
        "${readFile:/run/secrets/credential_builder-key_passphrase}")


# defect 19
def test_nobody_signs_up_and_nobody_looks_in():
    jenkins_itself = configuration()["jenkins"]
    assert jenkins_itself["securityRealm"]["local"]["allowsSignup"] is False
    assert jenkins_itself["authorizationStrategy"] == {"loggedInUsersCanDoAnything": {"allowAnonymousRead": False}}
    assert configuration()["unclassified"]["gitlabconnectionconfig"]["useAuthenticatedEndpoint"] is True
    assert configuration()["unclassified"]["location"]["url"] == "https://platform.example.com/jenkins/"


def test_builds_run_where_the_inventory_says():
    assert configuration(jenkins_dood_executors=0)["jenkins"]["numExecutors"] == 0
    (builder, laptop) = (one["permanent"] for one in configuration()["jenkins"]["nodes"])
    assert (builder["labelString"], builder["numExecutors"]) == ("docker big", 4)
    assert builder["launcher"]["ssh"]["credentialsId"] == "builder-key"
    assert laptop["launcher"] == {"inbound": {"webSocket": True}}


def test_overrides_are_merged_and_a_choice_is_replaced():
    matrix = {"globalMatrix": {"entries": []}}
    own = configuration(jenkins_dood_config_overrides={
        "jenkins": {"authorizationStrategy": matrix, "quietPeriod": 1}, "tool": {"git": "${mine}"}})
    assert own["jenkins"]["authorizationStrategy"] == matrix
    assert (own["jenkins"]["quietPeriod"], own["jenkins"]["numExecutors"]) == (1, 2)
    assert own["tool"] == {"git": "${mine}"}


# defect 21
def test_gitlab_is_told_by_a_project_s_own_token():
    """What the documentation has somebody declare is taken, and is no password of a person."""
    text = (ROOT / "docs/gitlab.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| [^|]+ \| `(\{.*\})` \|$", text, re.MULTILINE)
    declared = {scope: yaml.safe_load(entry.replace("<token>", "x")) for scope, entry in rows}
    assert {scope: one["type"] for scope, one in declared.items()} == {
        "read_repository": "usernamePassword", "api": "gitlabApiToken"}
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    given = {**short(yaml.safe_load(block)), "credentials": list(declared.values()), "executors": 1}
    given["jobs"][0]["webhook_token"] = "a-token-of-16-letters"
    assert list(_jenkins.problems(given)) == []


# ---------------------------------------------------------------- jobs


# defect 22
def test_a_trigger_comes_with_its_job(tmp_path):
    shop, _other, by_hand = jobs(tmp_path)
    (check,) = jobs(tmp_path, **MERGE_REQUESTS)
    trigger = ("properties", "pipelineTriggers", "triggers", "gitlab")
    assert found(shop["inside"], *trigger, "secretToken") == ["a-webhook-token-1${x}"]
    assert found(shop["inside"], *trigger, "triggerOnPush") == [True]
    assert found(shop["inside"], *trigger, "includeBranchesSpec") == ["main"]
    assert found(check["inside"], *trigger, "triggerOnPush") == [False]
    assert found(check["inside"], *trigger, "triggerOnMergeRequest") == [True]
    assert found(by_hand["inside"], "description") == ["'); evil('${x}"]
    assert [one["name"] for one in by_hand["inside"]] == ["description", "logRotator", "properties", "definition"]
    assert [one["name"] for one in by_hand["inside"][2]["inside"]] == ["disableConcurrentBuilds"]


def test_a_reload_keeps_one_build_at_a_time(tmp_path):
    """What only the Jenkinsfile says is gone with each reload, which writes the job anew."""
    for job in jobs(tmp_path) + jobs(tmp_path, **MERGE_REQUESTS):
        assert found(job["inside"], "properties", "disableConcurrentBuilds") == []
        assert found(job["inside"], "logRotator", "numToKeep") == [50]


def test_a_job_is_what_is_declared(tmp_path):
    shop, other, _by_hand = jobs(tmp_path)
    (check,) = jobs(tmp_path, **MERGE_REQUESTS)
    script = ("definition", "cpsScm")
    assert shop["arguments"] == ["shop"]
    assert found(shop["inside"], *script, "scm", "git", "remote", "credentials") == ["gitlab-deploy"]
    assert found(shop["inside"], *script, "scm", "git", "branch") == ["refs/heads/main"]
    assert found(check["inside"], *script, "scm", "git", "branch") == ["origin/${gitlabSourceBranch}"]
    assert found(other["inside"], *script, "scm", "git", "branch") == ["refs/heads/release/1.x"]
    assert found(other["inside"], *script, "scriptPath") == ["ci/Jenkinsfile"]
    (parameters,) = [one["inside"] for one in shop["inside"] if one["name"] == "parameters"]
    assert {one["arguments"][0]: one["arguments"][1] for one in parameters} == (
        SETTINGS["jenkins_dood_jobs"][0]["environment"])
    assert jobs(tmp_path, jenkins_dood_jobs=[]) == []


def test_every_method_is_one_that_a_plugin_of_the_image_has(tmp_path):
    methods = list(jenkins_conf.job_dsl(jobs(tmp_path)))
    assert {plugin for _method, plugin in methods} <= set(jenkins_conf.plugins())
    with pytest.raises(ValueError, match="triggers has no gitlabPush"):
        list(jenkins_conf.job_dsl([{"name": "gitlabPush", "inside": []}], "triggers"))


def test_a_token_that_is_not_there_is_no_empty_one(tmp_path):
    jobs(tmp_path)
    (tmp_path / "secrets/webhook_shop").unlink()
    with pytest.raises(ValueError, match="webhook_shop"):
        jenkins_conf.groovy("run", tmp_path / "jobs.groovy")


# ---------------------------------------------------------------- what is refused


ADDED = {
    "users": {"name": "kim", "password": "x"},
    "credentials": {"id": "one", "type": "string", "secret": "x"},
    "gitlab": {"name": "other", "url": "https://gitlab.example.com", "credential": "gitlab-api"},
    "jobs": {"name": "one", "repository": "https://gitlab.example.com/x.git"},
    "agents": {"name": "one", "host": "192.0.2.21", "credential": "builder-key", "host_key": "ssh-ed25519 AAAA"},
}
# variable, changes to an entry that is added, what is said
REFUSED = [
    ("jobs", {"name": "x'); println('"}, "'x'); println('' cannot be a name"),
    ("jobs", {"name": "x\ny"}, "cannot be a name"),
    ("jobs", {"name": "../x"}, "cannot be a name"),
    ("jobs", {"name": "x/y"}, "cannot be a name"),
    ("jobs", {"name": "x${y}"}, "cannot be a name"),
    ("jobs", {"name": ""}, "cannot be a name"),
    ("jobs", {"name": "SHOP"}, "'SHOP' is declared again"),
    ("jobs", {"repository": "file:///etc"}, "is not the address of a repository"),
    ("jobs", {"repository": "https://g.example.com/x.git'; evil"}, "is not the address of a repository"),
    ("jobs", {"repository": "https://me:secret@g.example.com/x.git"}, "has a password in it"),
    ("jobs", {"branch": "main feature"}, "is not the name of one branch"),
    ("jobs", {"branch": "**"}, "is not the name of one branch"),
    ("jobs", {"branch": "a..b"}, "is not the name of one branch"),
    ("jobs", {"script_path": "../Jenkinsfile"}, "is no path in a repository"),
    ("jobs", {"script_path": "/etc/passwd"}, "is no path in a repository"),
    ("jobs", {"event": "tag"}, "'tag' is no event"),
    ("jobs", {"credential": "nobody"}, "the credential 'nobody' is not in jenkins_dood_credentials"),
    ("jobs", {"credential": "gitlab-api"}, "the credential 'gitlab-api' has another type"),
    ("jobs", {"webhook_token": "short"}, "is shorter than 16 characters"),
    ("jobs", {"webhook_token": "with a blank in between"}, "is shorter than 16 characters, or has blanks"),
    ("jobs", {"gitlab": "nowhere"}, "'nowhere' is no connection"),
    ("jobs", {"event": "merge_request"}, "could read the credentials mattermost, vault."),
    ("jobs", {"environment": {"A-B": "1"}}, "'A-B' cannot name a variable"),
    ("credentials", {"id": "a b"}, "cannot be a name"),
    ("credentials", {"id": "x}"}, "cannot be a name"),
    ("credentials", {"id": "vault"}, "is declared again"),
    ("credentials", {"type": "certificate"}, "'certificate' is no kind of credential"),
    ("credentials", {"type": "usernamePassword"}, "username: is not set, and a usernamePassword needs it"),
    ("credentials", {"type": "file"}, "file_name: is not set, and a file needs it"),
    ("credentials", {"username": "x"}, "username: means nothing for a string"),
    ("credentials", {"secret": ""}, "secret: is not set"),
    ("credentials", {"type": "sshUserPrivateKey", "username": "x"}, "is not a private key as text"),
    ("users", {"name": "admin"}, "the name 'admin' is taken"),
    ("users", {"name": "Mooring"}, "the name 'Mooring' is taken"),
    ("users", {"name": "kim"}, "'kim' is declared again"),
    ("users", {"name": "lee", "password": " "}, "is empty, and makes an account that nobody can log in with"),
    ("users", {"name": "lee", "password": "é" * 37}, "has more than the 72 bytes that Jenkins takes"),
    ("users", {"name": "lee", "password": "#jbcrypt:$2a$10$x"}, "begins with #jbcrypt:"),
    ("gitlab", {"credential": "vault"}, "the credential 'vault' has another type"),
    ("agents", {"credential": None}, "the credential 'None' is not in"),
    ("agents", {"host_key": "AAAA"}, "is not a public key of the host"),
]


@pytest.mark.parametrize(("variable", "changes", "said"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_jenkins_could_not_have_is_refused(variable, changes, said):
    settings = short(SETTINGS)
    settings[variable] = [*settings[variable], {**ADDED[variable], **changes}]
    with pytest.raises(AnsibleFilterError, match=re.escape(said)) as refusal:
        jenkins(settings)
    assert f"jenkins_dood_{variable}[" in str(refusal.value)
    assert not [secret for secret in SECRETS if secret in str(refusal.value)]


@pytest.mark.parametrize(("changes", "said"), [
    ({"executors": 0, "agents": []}, "nothing would ever be built"),
    ({"admin_password": ""}, "jenkins_dood_admin_password: is empty"),
    ({"admin_password": "x" * 73}, "jenkins_dood_admin_password: has more than the 72 bytes"),
    ({"admin_password": "#jbcrypt:x"}, "jenkins_dood_admin_password: begins with #jbcrypt:"),
    ({"directories": ["relative"]}, "'relative' is not an absolute path"),
    ({"directories": ["/srv/../etc"]}, "is not an absolute path"),
    ({"directories": ["/srv:/etc"]}, "is not an absolute path"),
    ({"directories": ["/run/secrets"]}, "is where the container has /run of its own"),
])
def test_what_would_not_work_is_refused(changes, said):
    with pytest.raises(AnsibleFilterError, match=re.escape(said)):
        jenkins({**short(SETTINGS), **changes})


def test_what_is_declared_here_is_not_refused():
    assert list(_jenkins.problems(short(SETTINGS))) == []
    assert list(_jenkins.problems({"executors": 0})) == []
    assert list(_jenkins.problems({**short(SETTINGS), **short(MERGE_REQUESTS)})) == []
    assert list(_jenkins.problems({"executors": 0, "admin_password": "é" * 36})) == []


def test_the_key_of_an_agent_is_out_of_reach_of_jobs():
    """Unless a job reads its repository with it, too."""
    def scopes(**changes):
        given = configuration(**changes)["credentials"]["system"]["domainCredentials"][0]["credentials"]
        return {next(iter(one.values()))["id"]: next(iter(one.values()))["scope"] for one in given}

    assert {name for name, scope in scopes().items() if scope == "SYSTEM"} == {"builder-key"}
    reads = [{**SETTINGS["jenkins_dood_jobs"][2], "credential": "builder-key"}]
    assert set(scopes(jenkins_dood_jobs=reads).values()) == {"GLOBAL"}
    assert set(scopes(jenkins_dood_agents=[]).values()) == {"GLOBAL"}


# ---------------------------------------------------------------- the container


def service(**changes):
    return yaml.safe_load(render("compose.yml.j2", **changes))["services"]["jenkins"]


# defect 18
def test_a_path_of_a_build_is_one_of_the_host():
    given = [volume.split(":") for volume in service()["volumes"]]
    same = [parts for parts in given if parts[0].startswith(("/srv", "./workspace"))]
    assert same == [["./workspace", "/opt/mooring/jenkins_dood/workspace"], ["/srv/builds", "/srv/builds"]]
    # Compose halves the dollar; then it is Jenkins' own.
    options = service()["environment"]["JENKINS_JAVA_OPTS"].split()
    assert "-Djenkins.model.Jenkins.workspacesDir=/opt/mooring/jenkins_dood/workspace/$${ITEM_FULL_NAME}" in options


# defect 10, 19, 20
def test_the_container_publishes_nothing_and_has_its_path():
    one = service()
    assert "ports" not in one
    assert one["environment"]["JENKINS_OPTS"] == "--prefix=/jenkins"
    assert one["healthcheck"]["test"][-1].endswith(":8080/jenkins/login")
    assert one["group_add"] == ["__engine_socket.gid__"]
    assert one["user"] == "1000:1000"
    assert {"-Xmx1024m", "-Djenkins.install.runSetupWizard=false"} <= set(
        one["environment"]["JENKINS_JAVA_OPTS"].split())
    assert service(jenkins_dood_memory="1g")["environment"]["JENKINS_JAVA_OPTS"].startswith("-Xms512m -Xmx512m ")


# ---------------------------------------------------------------- the routes


def location(blocks, path):
    """The block that nginx chooses: an exact one, else the longest prefix."""
    exact = [one for one in blocks if one.words[1:] == ["=", path]]
    prefixes = [one for one in blocks if one.words[1] == "^~" and path.startswith(one.words[2].strip('"'))]
    return exact[0] if exact else max(prefixes, key=lambda one: len(one.words[2]))


# defect 20
def test_webhooks_come_through_and_everything_else_logs_in():
    (text,) = [block for block in re.findall(r"^```yaml\n(.*?)^```$", (ROLE / "README.md").read_text(), re.M | re.S)
               if "upstream" in block]
    template = (ROOT / "roles/nginx_certbot/templates/project/nginx/routes.conf.j2").read_text()
    rendered = Templar(loader=DataLoader(), variables={
        "ansible_managed": "", "mooring_domain": "platform.example.com",
        "nginx_certbot_routes": yaml.safe_load(text)}).template(templates.trust_as_template(template))
    blocks = [one for one in nginx_conf.parse(rendered) if one.name == "location" and len(one.words) == 3]
    for path, private in (("/jenkins", True), ("/jenkins/", True), ("/jenkins/job/shop/", True),
                          ("/jenkins/projects", True), ("/jenkins/project/shop", False),
                          ("/jenkins/wsagents/", False)):
        block = location(blocks, path)
        assert block.has("auth_basic") == private, path
        # The path goes on as it came in.
        assert "set $mooring_upstream http://jenkins:8080;" in str(block)
        assert "proxy_pass $mooring_upstream;" in str(block)
        assert "proxy_intercept_errors" not in str(block)
    for path in ("/jenkins/", "/jenkins/wsagents/"):
        assert "Upgrade" in str(location(blocks, path))
    # Who asks instead of telling is not asked for a login by Jenkins either.
    assert "limit_except POST" in str(location(blocks, "/jenkins/project/shop"))
    assert "limit_except" not in str(location(blocks, "/jenkins/"))


# ---------------------------------------------------------------- the image


# defect 1, 12
def test_plugins_are_pinned_once_and_come_from_nobody_s_mirror():
    lines = [line for line in (ROLE / "files/image/plugins.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+:[0-9][\w.-]*", line)] == []
    assert len(jenkins_conf.plugins()) == len(lines) > 50
    everything = "".join(path.read_text() for path in (ROLE / "files/image").rglob("*")
                         if path.is_file() and path.suffix in ("", ".sh", ".txt"))
    assert not re.search(r"JENKINS_UC|rootCA|https?://", everything)
    assert "--latest=false" in everything


def test_what_a_plugin_needs_is_pinned_too():
    """dependencies.json is what the plugins' build files say, without what is optional."""
    needs = json.loads((pathlib.Path(__file__).parent / "data/jenkins/dependencies.json").read_text())
    plugins = jenkins_conf.plugins()
    assert {plugin: sorted(set(wanted) - set(plugins)) for plugin, wanted in needs.items()
            if not set(wanted) <= set(plugins)} == {}
    # And nothing is there that neither the role nor another plugin needs.
    text = (ROLE / "files/image/plugins.txt").read_text()
    chosen = re.findall(r"^([a-z0-9-]+):", text.partition("# What those need.")[0], re.MULTILINE)
    assert set(plugins) - set(chosen) - {one for wanted in needs.values() for one in wanted} == set()


# defect 10, 11
def test_the_image_has_the_command_and_compose():
    text = (ROLE / "files/image/Dockerfile").read_text()
    assert "COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker" in text
    assert "COPY --from=docker /usr/local/libexec/docker/cli-plugins/" in text
    assert "docker compose version && docker buildx version" in text
    assert text.rstrip().endswith("USER jenkins")
    for argument, variable in (("JENKINS_IMAGE", "base"), ("DOCKER_IMAGE", "docker")):
        assert f"ARG {argument}={variables()[f'jenkins_dood_{variable}_image']}\n" in text


@pytest.mark.parametrize(("environment", "options"), [
    ({}, []),
    ({"no_proxy": "localhost"}, []),
    ({"https_proxy": "http://192.0.2.8:3128", "no_proxy": "localhost,.example.com"},
     ["-Dhttps.proxyHost=192.0.2.8", "-Dhttps.proxyPort=3128", "-Dhttp.nonProxyHosts=localhost|*.example.com"]),
    ({"HTTP_PROXY": "proxy.example.com"}, ["-Dhttp.proxyHost=proxy.example.com", "-Dhttp.proxyPort=80"]),
])
def test_java_is_told_of_proxies(environment, options):
    spec = importlib.util.spec_from_file_location("java_options", ROLE / "files/image/bin/java_options.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.options(environment) == options
    with pytest.raises(ValueError, match="https_proxy is not of the form"):
        module.options({"https_proxy": "http://"})


def test_pipelines_have_the_ansible_of_this_collection():
    """Where it changes, the copy changes with it."""
    assert (ROLE / "files/image/requirements.txt").read_text() == (ROOT / "requirements.txt").read_text()


def test_what_is_built_has_the_name_that_is_run():
    recipe = evaluate("{{ __jenkins_dood_recipe }}", jenkins_dood_image="registry.example.com:5000/ci/jenkins:7",
                      jenkins_dood_plugins=["matrix-auth:3.3", "mailer:1"])
    assert (recipe["name"], recipe["tag"]) == ("jenkins", "7")
    assert evaluate("{{ __jenkins_dood_repository }}", jenkins_dood_image="registry.example.com:5000/ci/jenkins:7") == (
        "registry.example.com:5000/ci")
    assert recipe["args"]["PLUGINS"] == "matrix-auth:3.3 mailer:1"
