# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation tells people to run is run by somebody, and what it names is there."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from ansible_collections.mooring.stack.plugins.module_utils._preflight import placeholder, service_names

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import commands  # noqa: E402

RULES = commands.rules()
COMMANDS = commands.commands()
PAGES = [path for pattern in commands.PAGES for path in sorted(ROOT.glob(pattern))]
TARGETS = set(re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split())

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def documented(beginning: str, page: str = "") -> list[str]:
    """The commands that begin so."""
    return [one.text for one in COMMANDS if one.text.startswith(beginning) and one.page.endswith(page)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.where)
def test_a_command_is_run_by_somebody_or_says_why_not(command):
    wrong = commands.problem(command, commands.rule_of(command, RULES))
    if wrong:
        pytest.fail(wrong, pytrace=False)


def test_every_rule_is_about_a_command():
    used = {commands.rule_of(one, RULES) for one in COMMANDS}
    assert [rule.pattern for rule in RULES if rule not in used] == []


def test_who_runs_it_was_looked_at():
    """A name of a test is one; other texts are not so short that they are everywhere."""
    assert [rule.pattern for rule in RULES if rule.runs and len(rule.essential) < 7] == []


# ---------------------------------------------------------------- make


def dry_run(command: str) -> str:
    """What a command of make would start."""
    return subprocess.run(["make", "--dry-run", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.parametrize("command", sorted(set(documented("make ")) - set(documented("make venv &&"))))
def test_make_starts_the_playbook_that_it_says(command):
    target = command.split()[1]
    if target.startswith("."):
        return
    assert target in TARGETS
    playbook = {"up": "site.yml", "check": "site.yml", "down": "playbooks/teardown.yml"}.get(
        target, f"playbooks/{target}.yml")
    if (ROOT / playbook).exists():
        said = dry_run(command)
        assert playbook in said
        for name, value in re.findall(r"\b(APPLICATION|RELEASE)=(\S+)", command):
            variable = {"APPLICATION": "app_blue_green_only", "RELEASE": "app_blue_green_release"}[name]
            assert f"-e {variable}={value}" in said


@each_page
def test_a_target_of_make_that_is_named_is_there(page):
    named = re.findall(r"`make ([a-z][a-z-]*)[^`]*`", page.read_text())
    topics = {path.stem for path in (ROOT / "tests/prove").glob("*.py")}
    assert [name for name in named if name not in TARGETS and (
        not name.startswith("prove-") or name.removeprefix("prove-") not in topics)] == []


# ---------------------------------------------------------------- files, containers, anchors


@each_page
def test_a_file_of_the_repository_that_is_named_is_there(page):
    text = page.read_text()
    named = re.findall(r"`((?:docs|examples|inventories|molecule|playbooks|plugins|roles|tests)/[\w./-]+\w)`", text)
    for command in (one for one in COMMANDS if ROOT / one.page == page):
        named += re.findall(r"(?<![\w./~-])((?:inventories|playbooks|tests|roles)/[\w./-]+\w)", command.text)
    own = {"start_page", "vault.yml"}  # what a reader makes
    assert [name for name in named if not (ROOT / name).exists() and not own & set(pathlib.Path(name).parts)] == []


def test_a_container_that_is_named_is_one_of_a_component():
    known = set()
    for path in (ROOT / "roles").glob("*/templates/project/compose.yml.j2"):
        known |= {f"mooring-{path.parts[-4]}-{name}-1" for name in service_names(path.read_text())}
    known |= {f"mooring-demo-{colour}-app-1" for colour in ("blue", "green")}
    for one in COMMANDS:
        assert set(re.findall(r"\bmooring-[a-z_]+-[\w-]+-1\b", one.text)) <= known, one.where
        for project, rest in re.findall(r"docker compose -p mooring-(\w+) logs (.*)", one.text):
            names = [word for word in rest.split("|")[0].split() if re.fullmatch(r"[a-z-]*[a-z]", word)
                     and not word.startswith("-")]
            assert {f"mooring-{project}-{name}-1" for name in names} <= known, one.where


def test_a_directory_of_a_host_that_is_named_is_one_of_a_component():
    known = {path.name for path in (ROOT / "roles").iterdir()} | {"metrics", "*"}
    for page in PAGES:
        assert set(re.findall(r"/opt/mooring/([\w*-]+)/", page.read_text())) <= known | {"demo-blue"}, page


def anchors(path: pathlib.Path) -> set[str]:
    """Of the headings of a page, as GitHub and GitLab make them."""
    found: set[str] = set()
    text = re.sub(r"^(`{3,}).*?^\1", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", shown).replace(" ", "-"))
    return found


@each_page
def test_an_anchor_leads_to_a_heading(page):
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)", page.read_text()):
        other = page.parent / target if target else page
        if other.suffix == ".md":
            assert anchor in anchors(other), f"{target}#{anchor}"


# ---------------------------------------------------------------- commands that can be run here


def test_what_is_an_example_in_the_inventory_is_found(tmp_path):
    """By the command of README: whatever preflight takes for a placeholder, and examples that it cannot know."""
    shutil.copytree(ROOT / "inventories/prod", tmp_path / "platform")
    # What stays beside the filled vault is left out, or the search would never end empty.
    (tmp_path / "platform/group_vars/all/vault.yml.example").rename(tmp_path / "platform/group_vars/all/vault.yml")
    (tmp_path / "platform/group_vars/all/vault.yml.example").write_text("vault_left: CHANGEME\n")
    (command,) = documented("grep -rnE 'CHANGEME", "README.md")
    done = subprocess.run(["bash", "-c", command.replace("~/platform", "platform")], cwd=tmp_path, capture_output=True,
                          text=True, check=True)
    found = {(path, int(number)) for path, number in re.findall(r"^platform/(\S+?):(\d+):", done.stdout, re.MULTILINE)}
    for path in sorted((tmp_path / "platform").rglob("*.yml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            name, _colon, value = line.partition(": ")
            if re.fullmatch(r"[\w# -]+", name) and placeholder(value):
                assert (str(path.relative_to(tmp_path / "platform")), number) in found, line
    assert not [path for path, _number in found if path.endswith(".example")]
    assert {pathlib.Path(path).name for path, _number in found} >= {
        "hosts.yml", "platform.yml", "vault.yml", "app_blue_green.yml", "nginx_certbot.yml"}


def test_a_backup_tells_of_itself_in_a_metric(tmp_path):
    """And by the name that the alert asks for."""
    block = [*documented("file=/opt/mooring/metrics/backup"), *documented('echo "mooring_backup'),
             *documented('chmod 0644 "$file.new"')]
    assert len(block) == 3
    subprocess.run(["bash", "-euc", "\n".join(block).replace("/opt/mooring/metrics", str(tmp_path))], check=True)
    (path,) = tmp_path.iterdir()
    assert path.name == "backup-mysql.prom" and path.stat().st_mode & 0o777 == 0o644
    assert re.fullmatch(r'mooring_backup_last_success_timestamp_seconds\{backup="mysql"\} \d{10}\n', path.read_text())
    rules = yaml.safe_load((ROOT / "roles/monitoring/templates/project/prometheus/rules/backup.yml").read_text())
    assert "mooring_backup_last_success_timestamp_seconds" in str(rules)


# ---------------------------------------------------------------- how commands are read


@pytest.mark.parametrize(("block", "expected"), [
    ("make up      # all\n\nmake test\n", [(0, "make up"), (2, "make test")]),
    ("# alone\ndf -h\n", [(1, "df -h")]),
    ("echo '# no comment'\n", [(0, "echo '# no comment'")]),
    ("echo one \\\n  two\necho three\n", [(0, "echo one \\\n  two"), (2, "echo three")]),
    ("echo one |\n  cat\n", [(0, "echo one |\n  cat")]),
    ("f() {      # what\n  echo 'a\n  b'\n}\nf\n", [(0, "f() {\n  echo 'a\n  b'\n}"), (4, "f")]),
    ("mysql --password\nmysql> SELECT 1;\npostgres=# \\password\n", [(0, "mysql --password")]),
])
def test_a_block_is_split_into_commands(block, expected):
    assert commands.split(block) == expected


@pytest.mark.parametrize("block", ["echo 'open\n", "cat |\n", "cp a <your file> && b\n"])
def test_a_block_that_the_shell_would_not_take_is_refused(block):
    with pytest.raises(ValueError, match="the shell would wait for more after"):
        commands.split(block)


COMMAND = commands.Command("docs/x.md", 7, "make tea")


@pytest.mark.parametrize(("rule", "said"), [
    ({"runs": "tests/brew.py", "essential": "make tea"}, None),
    ({"looks": True}, None),
    ({"reason": "nobody is thirsty"}, None),
    (None, "docs/x.md:7: nobody runs this command: make tea\n  Add a rule to tests/shape/commands.yml: 'runs' and"),
    ({}, "has none or more than one of"),
    ({"runs": "tests/brew.py", "essential": "make tea", "reason": "x"}, "has none or more than one of"),
    ({"runs": "tests/brew.py"}, "has none or more than one of"),
    ({"runs": "tests/gone.py", "essential": "make tea"}, "tests/gone.py, which is to run it, is not there: make tea"),
    ({"runs": "tests/brew.py", "essential": "make milk"}, "tests/brew.py has no 'make milk' any more, so it does"),
])
def test_what_a_rule_may_say(tmp_path, rule, said):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/brew.py").write_text("run('make tea')")
    found = commands.problem(COMMAND, None if rule is None else commands.Rule("make .*", **rule), tmp_path)
    assert found is None if said is None else said in found


def test_the_first_rule_that_matches_the_whole_command_counts():
    known = [commands.Rule("make"), commands.Rule("docs/y.md: .*"), commands.Rule("docs/x.md: make .*", reason="first"),
             commands.Rule("make tea", reason="second")]
    assert commands.rule_of(COMMAND, known).reason == "first"
    assert commands.rule_of(COMMAND, known[:2]) is None


def test_a_rule_with_an_unknown_key_is_an_error(tmp_path):
    (tmp_path / "table.yml").write_text("---\n- command: x\n  why: y\n")
    with pytest.raises(TypeError, match="why"):
        commands.rules(tmp_path / "table.yml")


def test_a_command_that_looks_is_good_if_it_ends_well_on_one_host():
    asked = []

    def run(node, command):
        asked.append((node, command))
        good = node == "two" and not command.startswith("df ")
        return subprocess.CompletedProcess([], 0 if good else 3, "", "no such thing")

    wrong = commands.look(["one", "two", "three"], run)
    assert len(wrong) == 2
    assert all("df -" in line and "one: 3: no such thing" in line and "three: 3" in line for line in wrong)
    # After it ended well nobody else is asked.
    assert ("three", "free -h") not in asked and ("two", "free -h") in asked


def test_what_looks_changes_nothing():
    """By what its first words are: a rule that is too wide would run something else on a host."""
    harmless = re.compile(
        r"docker (ps|info|inspect|logs|stats --no-stream|system df)\b|docker compose -p mooring-\w+ (ps|logs)\b"
        r"|docker exec mooring-data_stores-redis-1 sh /etc/mooring/bin/redis\.sh (PING|CONFIG GET)\b"
        r"|docker exec mooring-kafka-broker-1 bash \S+/tool\.sh kafka-(topics|consumer-groups) .*--describe\b"
        r"|docker exec mooring-mattermost_notifier-notifier-1 python3 -m notifier probe && echo well$"
        r"|uptime$|free |df |du |ps |ls |grep |systemctl list-timers |journalctl ")
    found = [one.text for one in commands.looks(RULES)]
    assert len(found) > 30
    assert [text for text in found if not harmless.match(text)] == []
    more = re.compile(r"[>;`]|\$\(|\b(rm|mv|kill|restart)\b|\|(?! (tail|sort|head)\b)|--follow|logs.* -f|exec -i")
    assert [text for text in found if more.search(re.sub(r"'[^']*'", "''", text))] == []


def test_the_count(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["commands.py"])
    assert commands.main() == 0
    said = re.fullmatch(r"docs_commands=(\d+)/(\d+)\n", capsys.readouterr().out)
    assert int(said[2]) == len(COMMANDS) > 150
    assert int(said[1]) == sum(not commands.rule_of(one, RULES).reason for one in COMMANDS)


def test_the_count_leaves_out_what_is_not_true(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["commands.py"])
    monkeypatch.setattr(commands, "rules", lambda: [
        commands.Rule("make up", runs="tests/gone.py", essential="make up"), commands.Rule(".*", reason="x")])
    assert commands.main() == 1
    said = capsys.readouterr()
    assert said.out.startswith("docs_commands=0/") and "tests/gone.py" in said.err
