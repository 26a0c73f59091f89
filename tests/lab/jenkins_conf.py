# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Jenkins takes, as far as it can be told without one: keys of its configuration and names of its steps with the
plugin that brings each, references to secrets, and Groovy read by Jenkins' own version of it.

No Jenkins was ever started with this: it is a reading of sources, and proves no more than that reading. What was read:

- `core`, Jenkins itself: the files of core/src/main/java that stand beside the keys below, at the tag CORE. Each key is
  a data-bound constructor's parameter or a setter there, and each name of a choice a symbol; an example in the
  documentation of configuration-as-code is no reason to have one, as it may be of a Jenkins before.
- configuration-as-code 2117.vc05a_0b_e6b_f4e and gitlab-plugin 1.9.16: their tags.
- git, job-dsl, workflow-job, ssh-slaves, pipeline-model-definition and the others: the newest source at hand, which is
  not always the version of plugins.txt.
"""

from __future__ import annotations

import functools
import json
import pathlib
import re
import shutil
import subprocess
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = ROOT / "roles/jenkins_dood/files/image"
GROOVY = "2.4.21"
# The tag of jenkinsci/jenkins at which the keys of `core` were read; another release wants another look.
CORE = "jenkins-2.568.2"
CACHE = ROOT / ".cache" / "groovy"


class NoGroovy(Exception):
    """Why there is no Groovy here."""


# ---------------------------------------------------------------- keys and who brings them

Tree = dict[str, "tuple[str, Tree | None]"]  # key -> (plugin, what may stand below; None for a value)


def _of(plugin: str, *keys: str, **below: Tree) -> Tree:
    return {**dict.fromkeys(keys, (plugin, None)), **{key: (plugin, tree) for key, tree in below.items()}}


_KEY_STRATEGY: Tree = {"sshHostKeyVerificationStrategy": ("ssh-slaves", {
    "manuallyProvidedKeyVerificationStrategy": ("ssh-slaves", _of("ssh-slaves", "key"))})}
_COMMON = ("scope", "id", "description")
CREDENTIALS: Tree = {
    "string": ("plain-credentials", _of("plain-credentials", *_COMMON, "secret")),
    "file": ("plain-credentials", _of("plain-credentials", *_COMMON, "fileName", "secretBytes")),
    "usernamePassword": ("credentials", _of("credentials", *_COMMON, "username", "password")),
    "basicSSHUserPrivateKey": ("ssh-credentials", {
        **_of("ssh-credentials", *_COMMON, "username", "passphrase"),
        "privateKeySource": ("ssh-credentials", {
            "directEntry": ("ssh-credentials", _of("ssh-credentials", "privateKey"))})}),
    "gitLabApiTokenImpl": ("gitlab-plugin", _of("gitlab-plugin", *_COMMON, "apiToken")),
}
CONFIGURATION: Tree = {
    # jenkins/model/Jenkins: its setters.
    "jenkins": ("core", {
        **_of("core", "systemMessage", "mode", "numExecutors", "labelString", "slaveAgentPort", "noUsageStatistics",
              # hudson/security/HudsonPrivateSecurityRealm; its users are of the plugin's own
              # HudsonPrivateSecurityRealmConfigurator.
              securityRealm=_of("core", local=_of("core", "allowsSignup", "enableCaptcha",
                                                  users=_of("core", "id", "name", "password"))),
              # hudson/security/FullControlOnceLoggedInAuthorizationStrategy
              authorizationStrategy=_of("core", loggedInUsersCanDoAnything=_of("core", "allowAnonymousRead")),
              # hudson/security/csrf/DefaultCrumbIssuer: its constructor takes nothing, and it has no setter.
              crumbIssuer=_of("core", standard={})),
        # hudson/slaves/DumbSlave, hudson/model/Slave (setters), hudson/slaves/RetentionStrategy (always)
        "nodes": ("core", _of("core", permanent={
            **_of("core", "name", "labelString", "mode", "numExecutors", "remoteFS", "retentionStrategy"),
            "launcher": ("core", {
                # hudson/slaves/JNLPLauncher
                "inbound": ("core", _of("core", "webSocket")),
                "ssh": ("ssh-slaves", {**_of("ssh-slaves", "host", "port", "credentialsId"), **_KEY_STRATEGY})})})),
    }),
    # jenkins/model/GlobalConfigurationCategory (security, unclassified)
    "security": ("core", {
        # jenkins/security/apitoken/ApiTokenPropertyConfiguration
        **_of("core", apiToken=_of("core", "creationOfLegacyTokenEnabled", "tokenGenerationOnCreationEnabled")),
        "gitHostKeyVerificationConfiguration": ("git-client", {"sshHostKeyVerificationStrategy": ("git-client", {
            "manuallyProvidedKeyVerificationStrategy": ("git-client", _of("git-client", "approvedHostKeys"))})}),
    }),
    "credentials": ("credentials", _of("credentials", system=_of("credentials", domainCredentials={
        "credentials": ("credentials", CREDENTIALS)}))),
    "unclassified": ("core", {
        # jenkins/model/JenkinsLocationConfiguration
        **_of("core", location=_of("core", "url", "adminAddress")),
        "gitlabconnectionconfig": ("gitlab-plugin", _of("gitlab-plugin", "useAuthenticatedEndpoint", connections=_of(
            "gitlab-plugin", "name", "url", "apiTokenId", "clientBuilderId", "connectionTimeout", "readTimeout",
            "ignoreCertificateErrors"))),
    }),
    "jobs": ("job-dsl", _of("job-dsl", "file", "script", "providedEnv")),
}

# Of Job DSL: its own methods (job-dsl-core), and symbols of other plugins that it finds by itself.
JOB_DSL = {
    "": {"pipelineJob": "workflow-job"},
    "pipelineJob": {"description": "job-dsl", "parameters": "job-dsl", "logRotator": "job-dsl",
                    "properties": "job-dsl", "definition": "job-dsl"},
    "logRotator": {"numToKeep": "job-dsl"},
    "parameters": {"stringParam": "job-dsl"},
    "properties": {"disableConcurrentBuilds": "workflow-job", "gitLabConnection": "gitlab-plugin",
                   "pipelineTriggers": "workflow-job"},
    "gitLabConnection": {"gitLabConnection": "gitlab-plugin"},
    "pipelineTriggers": {"triggers": "workflow-job"},
    "triggers": {"gitlab": "gitlab-plugin"},
    "gitlab": dict.fromkeys((
        "secretToken", "triggerOnPush", "triggerOnMergeRequest", "triggerOpenMergeRequestOnPush",
        "triggerOnNoteRequest", "skipWorkInProgressMergeRequest", "ciSkip", "branchFilterType", "includeBranchesSpec",
        "excludeBranchesSpec"), "gitlab-plugin"),
    "definition": {"cpsScm": "workflow-cps"},
    "cpsScm": {"scm": "job-dsl", "scriptPath": "job-dsl", "lightweight": "job-dsl"},
    "scm": {"git": "git"},
    "git": {"remote": "git", "branch": "git"},
    "remote": {"name": "git", "url": "git", "credentials": "git"},
}

# Of Declarative Pipeline, and of the steps that are called in it.
DECLARATIVE = {
    "pipeline": {"agent", "options", "environment", "parameters", "stages", "post", "tools", "triggers", "when"},
    "stage": {"agent", "environment", "options", "when", "steps", "post", "input", "tools"},
    "post": {"always", "changed", "fixed", "regression", "aborted", "failure", "success", "unstable", "unsuccessful",
             "cleanup"},
    "when": {"environment", "expression", "branch", "allOf", "anyOf", "not", "equals"},
}
STEPS = {
    "timeout": "workflow-basic-steps", "timestamps": "timestamper",
    "skipDefaultCheckout": "pipeline-model-definition",
    "checkout": "workflow-scm-step", "sh": "workflow-durable-task-step", "dir": "workflow-basic-steps", "git": "git",
    "withCredentials": "credentials-binding", "usernamePassword": "credentials-binding",
    "file": "credentials-binding", "string": "credentials-binding", "sshUserPrivateKey": "credentials-binding",
    "withEnv": "workflow-basic-steps", "catchError": "workflow-basic-steps", "script": "pipeline-model-definition",
    "updateGitlabCommitStatus": "gitlab-plugin", "gitlabCommitStatus": "gitlab-plugin", "stage": "pipeline-stage-step",
}


def plugins() -> dict[str, str]:
    """Plugins of the image with their versions."""
    lines = (IMAGE / "plugins.txt").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if line and not line.startswith("#"))


def walk(value: t.Any, tree: Tree | None = None, path: str = "") -> t.Iterator[tuple[str, str]]:
    """Every key of a configuration with its plugin; raises ValueError for one that nobody knows."""
    tree = CONFIGURATION if tree is None else tree
    if isinstance(value, list):
        for item in value:
            yield from walk(item, tree, path)
        return
    for key, item in value.items():
        if key not in tree:
            raise ValueError(f"{path}.{key} is not known there; known: {', '.join(sorted(tree))}")
        plugin, below = tree[key]
        yield f"{path}.{key}".lstrip("."), plugin
        if isinstance(item, (dict, list)):
            if below is None:
                raise ValueError(f"{path}.{key} is a value")
            yield from walk(item, below, f"{path}.{key}")
    choices = {"launcher", "privateKeySource", "authorizationStrategy", "securityRealm",
               "sshHostKeyVerificationStrategy"}
    if path.rpartition(".")[2] in choices and len(value) != 1:
        raise ValueError(f"{path} is one of several, and not {len(value)}")


def references(text: str) -> set[str]:
    """Names of the secrets that a configuration takes from /run/secrets; ``^${`` is none."""
    found = set()
    for kind, name in re.findall(r"(?<!\^)\$\{(?:(readFile|readFileBase64):)?([^}]*)\}", text):
        found.add(name.removeprefix("/run/secrets/") if kind else name)
    return found


# ---------------------------------------------------------------- Groovy


@functools.cache
def _groovy() -> pathlib.Path:
    """The archive of Jenkins' own Groovy, from Maven Central; raises :class:`NoGroovy`."""
    archive = CACHE / f"groovy-all-{GROOVY}.jar"
    if not shutil.which("java"):
        raise NoGroovy("there is no Java here")
    if archive.exists():
        return archive
    if not shutil.which("mvn"):
        raise NoGroovy("there is no Maven here that could fetch Groovy")
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact=org.codehaus.groovy:groovy-all:{GROOVY}",
         f"-DoutputDirectory={CACHE}"], capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0 or not archive.exists():
        said = (done.stdout + done.stderr).strip().splitlines()
        raise NoGroovy(f"Maven did not fetch Groovy: {said[0] if said else 'it does not say why'}")
    return archive


def groovy(what: str, path: pathlib.Path) -> list[dict[str, t.Any]]:
    """Calls of a Groovy file, parsed or carried out; ValueError with what the compiler says."""
    done = subprocess.run(
        ["java", "-cp", str(_groovy()), "groovy.ui.GroovyMain", str(ROOT / "tests/lab/groovy/Calls.groovy"), what,
         str(path)], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise ValueError(done.stderr.strip() or done.stdout.strip())
    return json.loads(done.stdout)


def job_dsl(calls: list[dict[str, t.Any]], inside: str = "") -> t.Iterator[tuple[str, str]]:
    """Every method of Job DSL with its plugin; raises ValueError for one that nobody knows there."""
    for call in calls:
        known = JOB_DSL.get(inside, {})
        if call["name"] not in known:
            raise ValueError(f"{inside or 'a script'} has no {call['name']}")
        yield call["name"], known[call["name"]]
        yield from job_dsl(call["inside"], call["name"])


def steps(calls: t.Any) -> t.Iterator[str]:
    """Names of everything that a pipeline calls in its options, steps and post, in arguments too."""
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict) and "name" in call and "inside" in call:
            yield call["name"]
            yield from steps(call["arguments"])
            yield from steps(call["inside"])
        elif isinstance(call, list):
            yield from steps(call)


def declarative(calls: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The parts of a Declarative Pipeline; raises ValueError for what it does not know.

    ``{"options": [...], "stages": {name: {"if": [...], "steps": [...]}}, "post": {condition: [...]},
    "functions": {name: [...]}}``, where a stage that only holds others in a script is left out in favour of those.
    """
    functions = {call["name"].removeprefix("def "): call["inside"] for call in calls if call["name"].startswith("def ")}
    calls = [call for call in calls if not call["name"].startswith("def ")]
    if [call["name"] for call in calls] != ["pipeline"]:
        raise ValueError("a Declarative Pipeline is one call of pipeline")
    parts = _parts("pipeline", calls[0])
    missing = {"agent", "stages"} - set(parts)
    if missing:
        raise ValueError(f"pipeline lacks {', '.join(sorted(missing))}")
    stages: dict[str, dict[str, t.Any]] = {}
    for call in parts["stages"]["inside"]:
        if call["name"] != "stage" or not call["arguments"] or call["arguments"][0] in stages:
            raise ValueError("stages holds stages, each with a name of its own")
        found = _parts("stage", call)
        if not found.get("steps", {}).get("inside"):
            raise ValueError(f"stage {call['arguments'][0]} has no steps")
        if "when" in found:
            raise ValueError(f"stage {call['arguments'][0]} has a when, which nobody here reads")
        steps_ = found["steps"]["inside"]
        inner = dict(_scripted(steps_, []))
        if inner and list(commands(steps_)) != [one for stage in inner.values() for one in commands(stage["steps"])]:
            raise ValueError(f"stage {call['arguments'][0]} has commands outside of the stages in it")
        stages |= inner or {call["arguments"][0]: {"if": [], "steps": steps_}}
    if not stages:
        raise ValueError("there are no stages")
    post = {name: part["inside"] for name, part in _parts("post", parts["post"]).items()} if "post" in parts else {}
    return {"agent": parts["agent"]["arguments"], "stages": stages, "post": post, "functions": functions,
            "options": parts["options"]["inside"] if "options" in parts else []}


def _scripted(calls: list[dict[str, t.Any]], conditions: list[str]) -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """Stages of a script by name, each with the conditions around it."""
    for call in calls:
        if call["name"] == "stage":
            yield call["arguments"][0], {"if": conditions, "steps": call["inside"]}
        else:
            more = call["arguments"] if call["name"] == "if" else []
            yield from _scripted(call["inside"], [*conditions, *more])


def _parts(what: str, call: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    found: dict[str, dict[str, t.Any]] = {}
    for one in call["inside"]:
        if one["name"] not in DECLARATIVE[what] or one["name"] in found:
            raise ValueError(f"{what} cannot have {one['name'] or one['arguments']} there, or not twice")
        found[one["name"]] = one
    return found


def commands(calls: list[dict[str, t.Any]]) -> t.Iterator[str]:
    """What a stage gives to sh, in order."""
    for call in calls:
        if call["name"] == "sh":
            yield call["arguments"][0]
        yield from commands(call["inside"])


def wanted(stage: dict[str, t.Any], environment: t.Mapping[str, str]) -> bool:
    """Whether a stage is carried out; as Groovy reads the two kinds of conditions that there are."""
    for condition in stage["if"]:
        found = re.fullmatch(r"env\.(\w+)|\(env\.(\w+) == (\w+)\)", condition)
        if found is None:
            raise ValueError(f"no condition that is known: {condition}")
        name, compared, value = found.groups()
        if not environment.get(name) if name else environment.get(compared) != value:
            return False
    return True
