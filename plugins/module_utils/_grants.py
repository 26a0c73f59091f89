# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: the words for MySQL accounts and privileges, and what people declare in them. Pure.

An account *holds* names at *levels*. A level says where they hold: everywhere, in
a schema, on a table or routine. Being member of a role, standing proxy for an
account and a partial revoke are levels too, with a name or two of their own, so
that everything an account holds is one mapping and is compared in one way.

A schema level carries a *pattern*, because MySQL reads ``_`` and ``%`` in it as
wildcards unless a backslash stands before them; the other levels carry plain
names. A privilege on single columns is one name for each column: ``SELECT (`a`)``.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

PLUGIN = "caching_sha2_password"
ALL = "ALL"
GRANT_OPTION = "GRANT OPTION"
ADMIN_OPTION = "ADMIN OPTION"
MEMBER = "MEMBER"
PROXY = "PROXY"
# What follows a dynamic privilege that may be passed on: each has an option of its own.
PASSED_ON = " WITH GRANT OPTION"
MASK = "'********'"

# What a column of a table can have (MySQL manual, "GRANT Statement", column privileges).
COLUMN_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"})
ROUTINES = ("procedure", "function", "library")
# Per kind of level, in the order in which statements make sense; a partial revoke needs what it restricts.
KINDS = ("global", "restriction", "schema", "table", *ROUTINES, "proxy", "role")

# Columns of mysql.user and the words of CREATE USER for the same limit.
LIMITS = {"max_questions": "MAX_QUERIES_PER_HOUR", "max_updates": "MAX_UPDATES_PER_HOUR",
          "max_connections": "MAX_CONNECTIONS_PER_HOUR", "max_user_connections": "MAX_USER_CONNECTIONS"}

# One declared account, as AnsibleModule takes it.
ACCOUNT_SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "host": {"type": "str", "default": "%"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "role": {"type": "bool", "default": False},
    "password": {"type": "str", "no_log": True},
    "grants": {"type": "dict", "default": {}},
    "without": {"type": "dict", "default": {}},
    "roles": {"type": "list", "elements": "str", "default": []},
    "proxy_for": {"type": "list", "elements": "str", "default": []},
    "match": {"type": "str", "choices": ["exact", "at_least"], "default": "exact"},
    "administrator": {"type": "bool", "default": False},
    "require_tls": {"type": "bool", "default": True},
    "locked": {"type": "bool", "default": False},
    **{word.lower(): {"type": "int", "default": 0} for word in LIMITS.values()},
}
# What fits into the server's columns, in characters, and what caching_sha2_password takes, in bytes.
LONGEST = {"name": 32, "host": 255}
LONGEST_PASSWORD = 256
LARGEST_LIMIT = 2**32 - 1

# With one of these on *.* an account can get every other privilege, or every file of the server ...
POWERFUL = frozenset({"CREATE USER", "FILE", GRANT_OPTION, "ROLE_ADMIN", "SHUTDOWN", "SUPER", "SYSTEM_USER",
                      "SYSTEM_VARIABLES_ADMIN"})
# ... and so it can where it may write to the schema `mysql`.
WRITING = frozenset({"ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROUTINE", "DELETE", "DROP", "INSERT", "UPDATE"})

# Accounts that belong to the server or to the operator; never declared, never touched.
RESERVED = (("root", "localhost"), ("mysql.sys", "localhost"), ("mysql.session", "localhost"),
            ("mysql.infoschema", "localhost"))


def quote_name(name: str) -> str:
    """An identifier as MySQL wants it in a statement."""
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    """A string literal; right only while NO_BACKSLASH_ESCAPES is off, as the client sees to."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


# -- words -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, order=True)
class Who:
    """An account's identity. Host names are compared in lower case, as the server does."""

    user: str
    host: str

    @property
    def sql(self) -> str:
        return f"{quote_text(self.user)}@{quote_text(self.host)}"

    @property
    def reserved(self) -> bool:
        """Whether it belongs to the server or to the operator."""
        return (self.user, self.host) in RESERVED

    def __str__(self) -> str:
        return f"'{self.user}'@'{self.host}'"


@dataclasses.dataclass(frozen=True)
class Level:
    """Where names hold. For a role and a proxy, ``schema`` and ``name`` are user and host of the other account."""

    kind: str
    schema: str = ""
    name: str = ""

    def __lt__(self, other: Level) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, str, str]:
        return KINDS.index(self.kind), self.schema, self.name

    @property
    def who(self) -> Who:
        """The other account of a role or a proxy."""
        return Who(self.schema, self.name)

    @property
    def sql(self) -> str:
        if self.kind == "global":
            return "*.*"
        if self.kind in ("schema", "restriction"):
            return f"{quote_name(self.schema)}.*"
        if self.kind in ("role", "proxy"):
            return self.who.sql
        prefix = "" if self.kind == "table" else f"{self.kind.upper()} "
        return f"{prefix}{quote_name(self.schema)}.{quote_name(self.name)}"

    def __str__(self) -> str:
        """As the field of a difference."""
        words = {"restriction": f"partial revoke on {self.sql}", "role": f"role {self.who}",
                 "proxy": f"proxy for {self.who}"}
        return words.get(self.kind) or f"grants on {self.sql}"


GLOBAL = Level("global")

Grants = t.Mapping[Level, "frozenset[str]"]


def column_name(privilege: str, column: str) -> str:
    """The name of a privilege on one column. Column names are the same in any case."""
    return f"{privilege} ({quote_name(column.lower())})"


def base_name(name: str) -> str:
    """The privilege without the column it is for."""
    return name.partition(" (")[0]


@dataclasses.dataclass(frozen=True)
class Secret:
    """A password on its way into a statement."""

    value: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Statement:
    """One SQL statement; ``str()`` is the form that may be shown."""

    parts: tuple[str | Secret, ...]

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else MASK for part in self.parts)

    @property
    def has_secret(self) -> bool:
        return any(isinstance(part, Secret) for part in self.parts)

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else quote_text(part.value) for part in self.parts)


@dataclasses.dataclass(frozen=True)
class Desired:
    """A declared account or role. ``limits`` has the columns of :data:`LIMITS` that are not 0."""

    who: Who
    password: str = dataclasses.field(default="", repr=False)
    grants: Grants = dataclasses.field(default_factory=dict)
    role: bool = False
    present: bool = True
    require_tls: bool = True
    limits: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    locked: bool = False
    exact: bool = True
    administrator: bool = False

    @property
    def subject(self) -> str:
        return f"{'role' if self.role else 'account'} {self.who}"

    @property
    def roles(self) -> frozenset[Who]:
        """The roles that are active after a login: all that are declared."""
        return frozenset(level.who for level in self.grants if level.kind == "role")


@dataclasses.dataclass(frozen=True)
class Found:
    """An account as the server has it.

    ``accepts_password`` is whether a login with the declared password works; None
    where nobody could try, because the account's host does not match ours or because
    a try would cost the account something (``may_try``). ``old_password_hours`` is how
    long ago the password became the older of two that are valid; None where there is
    only one.
    ``in_force`` says that what the server honours is what its tables say.
    """

    plugin: str = PLUGIN
    ssl_type: str = ""
    limits: t.Mapping[str, int] = dataclasses.field(default_factory=dict)
    locked: bool = False
    expired: bool = False
    without_password: bool = False
    old_password_hours: int | None = None
    grants: Grants = dataclasses.field(default_factory=dict)
    default_roles: frozenset[Who] = frozenset()
    accepts_password: bool | None = None
    may_try: bool = True
    in_force: bool = True


@dataclasses.dataclass(frozen=True)
class Server:
    """What the server says of itself. The empty one is a server that does not exist yet.

    ``privileges`` has, per kind of level, what ALL stands for as the server itself lists it.
    ``objects`` has the tables and routines of the schemas in which single ones are declared:
    (kind, schema, name).
    """

    schemas: frozenset[str] = frozenset()
    accounts: t.Mapping[Who, Found] = dataclasses.field(default_factory=dict)
    privileges: t.Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    dynamic: frozenset[str] = frozenset()
    objects: frozenset[tuple[str, str, str]] = frozenset()
    # The system variable lower_case_table_names: 0 tells capitals apart, 1 and 2 do not.
    lower_case_names: int = 0
    # Whether the server takes schema names in grants literally (system variable partial_revokes).
    partial_revokes: bool = False
    # The account that asks.
    current: Who = Who("root", "localhost")
    # Roles that everybody has, and whether all roles are active after a login instead of the default ones.
    mandatory: frozenset[Who] = frozenset()
    all_active: bool = False
    # What of views, routines, events and triggers runs with the rights of an account.
    defines: t.Mapping[Who, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether there was a server to ask."""
        return bool(self.privileges)


# -- reading what was declared -----------------------------------------------------------------


def parse_level(text: str) -> Level:
    """``*.*``, ``schema.*``, ``schema.table`` or ``PROCEDURE schema.name``; odd names stand in backquotes."""
    given = text.strip()
    word, space, rest = given.partition(" ")
    kind = word.lower() if space and word.lower() in ROUTINES else ""
    parts = _split_name(rest.strip() if kind else given, text)
    if kind:
        if None in parts:
            raise MooringError(f"The grant level '{text}' is not valid: it names no single {kind}.")
        # Names of routines are the same in any case, and the server keeps them in lower case.
        return Level(kind, parts[0], parts[1].lower())
    if parts == [None, None]:
        return GLOBAL
    if parts[0] is None:
        raise MooringError(f"The grant level '{text}' is not valid: '*' as schema stands only in '*.*'.")
    if parts[1] is None:
        return Level("schema", schema_pattern(parts[0]))
    return Level("table", parts[0], parts[1])


def _split_name(text: str, shown: str) -> list[str | None]:
    """Two names separated by a dot; None stands for an unquoted ``*``."""
    problem = MooringError(f"The grant level '{shown}' is not valid: write '*.*', 'schema.*', 'schema.table' or "
                           "'PROCEDURE schema.name', with a name that contains a dot or a space in backquotes.")
    parts: list[str | None] = []
    rest = text
    while True:
        if rest.startswith("`"):
            name, rest = _quoted(rest, problem)
            parts.append(name)
        else:
            name, dot, tail = rest.partition(".")
            if not name or "`" in name or any(character.isspace() for character in name):
                raise problem
            if "*" in name and name != "*":
                raise problem
            parts.append(None if name == "*" else name)
            rest = dot + tail
        if not rest:
            break
        if not rest.startswith(".") or len(parts) == 2:
            raise problem
        rest = rest[1:]
    if len(parts) != 2:
        raise problem
    return parts


def _quoted(text: str, problem: MooringError) -> tuple[str, str]:
    """The name in backquotes at the start of ``text``, and what follows it."""
    name, at = "", 1
    while at < len(text):
        if text[at] != "`":
            name += text[at]
            at += 1
        elif text[at:at + 2] == "``":
            name += "`"
            at += 2
        elif name:
            return name, text[at + 1:]
        else:
            break
    raise problem


def _pieces(pattern: str) -> list[tuple[str, bool]]:
    """The characters of a schema pattern, each with whether it is a wildcard."""
    pieces: list[tuple[str, bool]] = []
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\" and pattern[at + 1:at + 2] in ("_", "%"):
            pieces.append((pattern[at + 1], False))
            at += 2
        else:
            pieces.append((pattern[at], pattern[at] in "_%"))
            at += 1
    return pieces


# The same few names are asked about again and again: for each account, level and schema.
@functools.cache
def literal_name(pattern: str) -> str | None:
    """The one schema a pattern stands for, or None if it has a wildcard."""
    pieces = _pieces(pattern)
    return None if any(wild for _character, wild in pieces) else "".join(character for character, _wild in pieces)


def escape_name(name: str) -> str:
    """The pattern that matches exactly this schema."""
    return name.replace("_", "\\_").replace("%", "\\%")


def schema_level(name: str, literal: bool) -> Level:
    """The level of a schema as the server names it; ``literal`` is :attr:`Server.partial_revokes`."""
    return Level("schema", escape_name(name) if literal else name)


def schema_pattern(declared: str) -> str:
    """A declared schema name as the pattern MySQL keeps.

    People write ``my_app.*`` and mean that schema, while MySQL would also match
    ``my-app``. So ``_`` is taken literally unless the name is openly a pattern,
    that is, contains an unescaped ``%``.
    """
    pieces = _pieces(declared)
    if any(character == "%" and wild for character, wild in pieces):
        return declared
    return escape_name("".join(character for character, _wild in pieces))


@functools.cache
def matches(pattern: str, name: str) -> bool:
    """Whether a schema pattern covers a schema."""
    reachable = {0}  # how many characters of the name the pattern read so far may have eaten
    for character, wild in _pieces(pattern):
        if wild and character == "%":
            reachable = set(range(min(reachable), len(name) + 1)) if reachable else set()
        else:
            reachable = {at + 1 for at in reachable if at < len(name) and (wild or name[at] == character)}
    return len(name) in reachable


def parse_privileges(declared: t.Iterable[str]) -> frozenset[str]:
    """Privilege names in MySQL's spelling, one for each column of ``SELECT (a, b)``; USAGE means none at all."""
    names: set[str] = set()
    for one in declared:
        name, bracket, columns = str(one).partition("(")
        name = " ".join(name.upper().split())
        name = ALL if name == "ALL PRIVILEGES" else name
        if not name or not all(character.isalnum() or character in " _" for character in name):
            raise MooringError(f"'{one}' is not the name of a privilege.")
        if not bracket:
            names.add(name)
            continue
        if name not in COLUMN_PRIVILEGES:
            raise MooringError(f"'{one}': only {', '.join(sorted(COLUMN_PRIVILEGES))} can be given for single columns.")
        columns = columns.strip()
        listed = [column.strip().strip("`") for column in columns.removesuffix(")").split(",")]
        if not columns.endswith(")") or not all(listed) or any("(" in column or ")" in column for column in listed):
            raise MooringError(f"'{one}' is not valid: columns are written as in {name} (a, b).")
        names.update(column_name(name, column) for column in listed)
    return frozenset(names - {"USAGE"})


def parse_account(text: str) -> tuple[Who, bool]:
    """``name``, ``name@host`` or either of them with an option; the account and whether it may be passed on."""
    words, option = " ".join(str(text).split()), False
    for ending in (" WITH ADMIN OPTION", " WITH GRANT OPTION"):
        if words.upper().endswith(ending):
            words, option = words[:-len(ending)], True
    user, at, host = words.rpartition("@") if "@" in words else (words, "", "%")
    user, host = (part.strip("'`\"") for part in (user, host))
    if not user or not host:
        raise MooringError(f"'{text}' is not an account: write name or name@host.")
    return Who(user, host.lower()), option


def desired_account(params: t.Mapping[str, t.Any]) -> Desired:
    """One account of :data:`ACCOUNT_SPEC`, with its defaults; raises :class:`MooringError`."""
    role = params["role"]
    who = Who(params["name"], params["host"].lower())
    if not who.user:
        raise MooringError("An account without a name is open to anybody; it cannot be declared.")
    if who.reserved:
        raise MooringError(f"The account {who} belongs to the server and is never managed.")
    _check_form(who, params)
    if params["state"] == "absent":
        return Desired(who, role=role, present=False)
    if role and params["password"]:
        raise MooringError(f"The account {who} is a role, which has no password: nobody logs in as it.")
    if not role and not params["password"]:
        raise MooringError(f"The account {who} has an empty password.")
    grants: dict[Level, frozenset[str]] = {}
    for text, names in (params["grants"] or {}).items():
        level = parse_level(text)
        grants[level] = grants.get(level, frozenset()) | _privileges_at(who, text, level, names)
    for text, names in (params["without"] or {}).items():
        level = parse_level(text)
        if level.kind != "schema" or literal_name(level.schema) is None:
            raise MooringError(f"The account {who}: 'without' takes single schemas, such as 'mysql.*', not '{text}'.")
        level = Level("restriction", literal_name(level.schema) or "")
        grants[level] = grants.get(level, frozenset()) | _privileges_at(who, text, level, names)
    for kind, texts, names in (("role", params["roles"], (MEMBER, ADMIN_OPTION)),
                               ("proxy", [] if role else params["proxy_for"], (PROXY, GRANT_OPTION))):
        for text in texts:
            other, option = parse_account(text)
            if other == who:
                raise MooringError(f"The account {who} cannot be its own {kind}.")
            grants[Level(kind, other.user, other.host)] = frozenset(names if option else names[:1])
    grants = {level: names for level, names in grants.items() if names}
    if not params["administrator"]:
        _refuse_administration(who, grants)
    _check_restrictions(who, grants)
    facts = {} if role else {
        "password": params["password"], "require_tls": params["require_tls"], "locked": params["locked"],
        "limits": {column: params[word.lower()] for column, word in LIMITS.items() if params[word.lower()]}}
    return Desired(who=who, grants=grants, role=role, exact=params["match"] == "exact",
                   administrator=params["administrator"], **facts)


def _check_form(who: Who, params: t.Mapping[str, t.Any]) -> None:
    """Refuses what the server's parser would refuse.

    A statement that cannot be parsed stands in the slow log and in the performance schema as it came, with its
    password (seen with 9.7); one that can be parsed does not.
    """
    for word, longest in LONGEST.items():
        if params[word].rstrip() != params[word]:
            raise MooringError(f"The account {who}: its {word} ends with a space, which MySQL drops.")
        if len(params[word]) > longest:
            raise MooringError(f"The account {who}: its {word} has more than {longest} characters.")
    if len((params["password"] or "").encode()) > LONGEST_PASSWORD:
        raise MooringError(f"The account {who} has a password of more than {LONGEST_PASSWORD} bytes.")
    for word in map(str.lower, LIMITS.values()):
        if not 0 <= params[word] <= LARGEST_LIMIT:
            raise MooringError(f"The account {who}: {word} must be between 0, for no limit, and {LARGEST_LIMIT}.")


def _privileges_at(who: Who, text: str, level: Level, names: t.Any) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, (list, tuple)):
        raise MooringError(f"The grants of {who} on '{text}' must be a list of privileges.")
    parsed = parse_privileges(names)
    if level.kind != "table" and any("(" in name for name in parsed):
        raise MooringError(f"The grants of {who} on '{text}': columns can be given for single tables only.")
    return parsed


def _refuse_administration(who: Who, grants: Grants) -> None:
    """An application that may do everything is one SQL injection away from losing everything."""
    remedy = "say 'administrator: true' if it really administers the server."
    for level, names in grants.items():
        if level == GLOBAL:
            kept = grants.get(Level("restriction", "mysql"), frozenset())
            asked = names & (POWERFUL | {ALL} | (WRITING - kept))
            if asked:
                raise MooringError(f"The account {who} asks for {', '.join(sorted(asked))} on *.*, with which it could "
                                   f"give itself everything: grant what it needs in its own schema, or {remedy}")
        if level.kind == "proxy" and (level.who.reserved or GRANT_OPTION in names):
            raise MooringError(f"The account {who} is to act as {level.who}, or to let others do so, with which MySQL "
                               f"gives it GRANT OPTION on *.*: {remedy}")
        if level.kind not in ("schema", "table", *ROUTINES):
            continue
        on_accounts = matches(level.schema, "mysql") if level.kind == "schema" else level.schema == "mysql"
        if on_accounts and names - {"SELECT"}:
            raise MooringError(f"The account {who} asks for {', '.join(sorted(names - {'SELECT'}))} on {level.sql}, "
                               f"which covers the schema `mysql` with the accounts themselves: {remedy}")


def _check_restrictions(who: Who, grants: Grants) -> None:
    held = grants.get(GLOBAL, frozenset())
    for level, names in grants.items():
        if level.kind == "restriction" and ALL not in held and names - held:
            raise MooringError(f"The account {who}: 'without' takes {', '.join(sorted(names - held))} away from "
                               f"{level.sql}, but 'grants' does not give it on *.*.")


def schema_of(level: Level) -> str | None:
    """The schema that a level lies in, or None for a wildcard and for what lies in none."""
    if level.kind == "schema":
        return literal_name(level.schema)
    return level.schema if level.kind in ("restriction", "table", *ROUTINES) else None
