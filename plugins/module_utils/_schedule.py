# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: a command that runs by itself, by a timer of systemd or by cron. Pure.

All three files that a job can have are declared, those it must not have as
absent: so a job that moves from cron to systemd leaves nothing behind.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import Difference, File, file_differences
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

SYSTEMD, CRON = "systemd", "cron"
HEADER = "# Written by mooring.stack. The next run puts it back as it is declared."
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CRON_FIELD = r"[0-9A-Za-z*/,-]+"
CRON_TIME = re.compile(rf"{CRON_FIELD}(?:[ \t]+{CRON_FIELD}){{4}}|@(?:hourly|daily|weekly|monthly)")


@dataclasses.dataclass(frozen=True)
class Job:
    """What runs, as whom, where and when."""

    name: str
    description: str
    command: tuple[str, ...]
    directory: str
    user: str
    calendar: str  # of systemd
    cron: str
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    jitter: str = "0"  # systemd's
    success: tuple[int, ...] = ()  # exit codes beside 0 that are none of a failure, systemd's
    log_file: str = "/dev/null"  # cron's; the journal has systemd's

    @property
    def timer(self) -> str:
        """The unit that is enabled and started."""
        return f"{self.name}.timer"

    def paths(self) -> dict[str, str]:
        """The files that a job can have, by what they are."""
        return {
            "service": f"/etc/systemd/system/{self.name}.service",
            "timer": f"/etc/systemd/system/{self.timer}",
            "cron": f"/etc/cron.d/{self.name}",
        }

    def check(self) -> None:
        """Refuse what would mean something else in one of the files."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", self.name):  # cron reads no file with a dot in its name
            raise MooringError(f"'{self.name}' cannot name a job. Use lower-case letters, digits, '-' and '_'.")
        texts = [self.description, *self.command, self.directory, self.user, self.calendar, self.jitter, self.log_file,
                 *self.environment, *self.environment.values()]
        if any("\n" in text or "\0" in text for text in texts):
            raise MooringError(f"The job {self.name} has a value of more than one line. Write it in one.")
        if not CRON_TIME.fullmatch(self.cron):
            raise MooringError(f"'{self.cron}' is not a time of cron. Write five fields, such as '17 * * * *'.")


@dataclasses.dataclass(frozen=True)
class Timer:
    """What systemd says of the timer."""

    enabled: str = ""
    active: str = "inactive"
    stale: bool = False  # it works by a file that is no longer the one on disk
    overrides: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What differs, and the files that are written (content) or removed (None)."""

    differences: tuple[Difference, ...]
    notices: tuple[str, ...]
    files: dict[str, str | None]

    def __bool__(self) -> bool:
        return bool(self.differences)


def declared(job: Job, manager: str, present: bool) -> dict[str, str | None]:
    """Every file that the job can have, with its content, or None where it must not be."""
    paths = job.paths()
    files: dict[str, str | None] = dict.fromkeys(paths.values())
    if present and manager == SYSTEMD:
        files[paths["service"]] = service_unit(job)
        files[paths["timer"]] = timer_unit(job)
    elif present:
        files[paths["cron"]] = cron_file(job)
    return files


def decide(
    job: Job, manager: str, present: bool, files: dict[str, File | None], timer: Timer, daemon_runs: bool = True,
) -> Plan:
    """Compare what is declared with what was found."""
    differences: list[Difference] = []
    changes: dict[str, str | None] = {}
    for path, content in declared(job, manager, present).items():
        wanted = None if content is None else File(content.encode("utf-8", "surrogateescape"))
        found = file_differences(path, wanted, files.get(path))
        if found:
            changes[path] = content
            differences += found
    notices = []
    if manager == SYSTEMD:
        differences += _timer_differences(job, present, timer)
        if present:
            notices = [f"{path} changes a unit of {job.name} and is not ours. Look whether it is meant to be there."
                       for path in timer.overrides]
    elif present and not daemon_runs:
        notices = [f"cron does not run on this host, so {job.name} does not either. Start it, for instance with "
                   "'service cron start', and with the machine."]
    return Plan(tuple(differences), tuple(notices), changes)


def _timer_differences(job: Job, present: bool, timer: Timer) -> list[Difference]:
    name = f"timer {job.timer}"
    if not present:
        return [Difference(name, "state", "inactive", timer.active)] if timer.active == "active" else []
    differences = []
    if timer.enabled != "enabled":
        differences.append(Difference(name, "enabled", "enabled", timer.enabled or None))
    if timer.active != "active":
        differences.append(Difference(name, "state", "active", timer.active))
    if timer.stale:
        differences.append(Difference(name, "definition in force", "the file on disk", "an older one"))
    return differences


# ---------------------------------------------------------------- files


def service_unit(job: Job) -> str:
    """The unit that runs the command once."""
    return _unit(
        ("Unit", [("Description", _specifiers(job.description)), ("Wants", "network-online.target"),
                  ("After", "network-online.target")]),
        ("Service", [
            ("Type", "oneshot"), ("User", job.user), ("WorkingDirectory", _specifiers(job.directory)),
            *(("Environment", _quoted(f"{key}={value}")) for key, value in sorted(job.environment.items())),
            ("ExecStart", " ".join(_quoted(word).replace("$", "$$") for word in job.command)),
            *([("SuccessExitStatus", " ".join(map(str, job.success)))] if job.success else []),
        ]))


def timer_unit(job: Job) -> str:
    """The unit that says when; what was missed while the machine was off is made up for."""
    return _unit(
        ("Unit", [("Description", _specifiers(f"{job.description}: when"))]),
        ("Timer", [("OnCalendar", job.calendar), ("RandomizedDelaySec", job.jitter), ("Persistent", "true")]),
        ("Install", [("WantedBy", "timers.target")]))


def _unit(*sections: tuple[str, t.Sequence[tuple[str, str]]]) -> str:
    parts = ["\n".join([f"[{name}]", *(f"{key}={value}" for key, value in lines)]) for name, lines in sections]
    return f"{HEADER}\n" + "\n\n".join(parts) + "\n"


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    return '"' + _specifiers(word.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def cron_file(job: Job) -> str:
    """One line of cron; the log holds the last run only, so that it does not grow."""
    environment = [f"{key}={value}" for key, value in sorted(job.environment.items())]
    words = shlex.join(["env", *environment, *job.command])
    folder = job.log_file.rpartition("/")[0] or "/"
    # The log holds what the command says, which is not for everybody.
    line = (f"umask 077 && cd {shlex.quote(job.directory)} && mkdir -p {shlex.quote(folder)} && "
            f"{words} >{shlex.quote(job.log_file)} 2>&1")
    # cron takes a percent sign for the end of the command.
    escaped = line.replace("%", "\\%")
    return f"{HEADER}\n# {job.description}\nPATH={PATH}\nMAILTO=\"\"\n{job.cron} {job.user} {escaped}\n"
