# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment says."""

from __future__ import annotations

import dataclasses
import pathlib
import typing as t


class SettingsError(Exception):
    """A variable of the environment is missing or malformed."""


@dataclasses.dataclass(frozen=True)
class Faults:
    """How this process misbehaves on purpose, to try what a deployment does about it."""

    never_ready: bool = False
    crash_after: float = 0
    slow_seconds: float = 0
    migration: bool = False


@dataclasses.dataclass(frozen=True)
class Settings:
    release: str
    colour: str
    port: int
    mysql_host: str
    mysql_port: int
    mysql_database: str
    mysql_user: str
    mysql_password_file: pathlib.Path
    mysql_ca_file: str
    redis_host: str
    redis_port: int
    redis_user: str
    redis_password_file: pathlib.Path
    drain_seconds: float
    drain_limit_seconds: float
    faults: Faults

    @classmethod
    def from_environment(cls, environment: t.Mapping[str, str]) -> Settings:
        """Every problem is reported at once, so that nobody corrects one variable per start."""
        problems: list[str] = []

        def number(name: str, default: str) -> float:
            text = environment.get(name) or default
            try:
                value = float(text)
            except ValueError:
                value = -1.0
            if not 0 <= value < 1e6:
                problems.append(f"{name} must be a number of 0 or more, not '{text}'")
            return value

        def text(name: str, default: str = "") -> str:
            value = environment.get(name) or default
            if not value:
                problems.append(f"{name} is not set")
            return value

        settings = cls(
            release=text("RELEASE", "0.0.0"),
            colour=text("COLOUR", "none"),
            port=int(number("PORT", "8080")),
            mysql_host=text("MYSQL_HOST", "mysql"),
            mysql_port=int(number("MYSQL_PORT", "3306")),
            mysql_database=text("MYSQL_DATABASE"),
            mysql_user=text("MYSQL_USER"),
            mysql_password_file=pathlib.Path(text("MYSQL_PASSWORD_FILE", "/run/secrets/mysql_password")),
            mysql_ca_file=environment.get("MYSQL_CA_FILE", ""),
            redis_host=text("REDIS_HOST", "redis"),
            redis_port=int(number("REDIS_PORT", "6379")),
            redis_user=text("REDIS_USER", "default"),
            redis_password_file=pathlib.Path(text("REDIS_PASSWORD_FILE", "/run/secrets/redis_password")),
            drain_seconds=number("DRAIN_SECONDS", "3"),
            drain_limit_seconds=number("DRAIN_LIMIT_SECONDS", "30"),
            faults=Faults(
                never_ready=environment.get("FAULT_NEVER_READY") == "1",
                crash_after=number("FAULT_CRASH_AFTER", "0"),
                slow_seconds=number("FAULT_SLOW_MS", "0") / 1000,
                migration=environment.get("FAULT_MIGRATION") == "1",
            ),
        )
        if problems:
            raise SettingsError("; ".join(problems))
        return settings
