# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides what MySQL accounts and grants lack. Pure, no I/O.

Words used here: a *level* is where a privilege holds (everywhere, in a schema,
on a table or routine). A schema level carries a *pattern*, because MySQL reads
``_`` and ``%`` in it as wildcards unless a backslash stands before them; table
and routine levels carry plain names.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import HIDDEN, Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError

PLUGIN = "caching_sha2_password"
GRANT_OPTION = "GRANT OPTION"
ALL = "ALL"
MASK = "'********'"

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

    def __str__(self) -> str:
        return f"'{self.user}'@'{self.host}'"


@dataclasses.dataclass(frozen=True, order=True)
class Level:
    """Where privileges hold: kind is global, schema, table, procedure or function."""

    kind: str
    schema: str = ""
    name: str = ""

    @property
    def sql(self) -> str:
        if self.kind == "global":
            return "*.*"
        if self.kind == "schema":
            return f"{quote_name(self.schema)}.*"
        prefix = "" if self.kind == "table" else f"{self.kind.upper()} "
        return f"{prefix}{quote_name(self.schema)}.{quote_name(self.name)}"


GLOBAL = Level("global")


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


Grants = t.Mapping[Level, "frozenset[str]"]


@dataclasses.dataclass(frozen=True)
class Desired:
    """A declared account."""

    who: Who
    password: str = dataclasses.field(repr=False)
    grants: Grants = dataclasses.field(default_factory=dict)
    require_tls: bool = True
    max_user_connections: int = 0
    exact: bool = True
    administrator: bool = False


@dataclasses.dataclass(frozen=True)
class Found:
    """An account as the server has it.

    ``accepts_password`` is None where nobody could try: the account's host does
    not match the server's socket.
    """

    plugin: str = PLUGIN
    ssl_type: str = ""
    max_user_connections: int = 0
    locked: bool = False
    grants: Grants = dataclasses.field(default_factory=dict)
    roles: frozenset[Who] = frozenset()
    accepts_password: bool | None = None


@dataclasses.dataclass(frozen=True)
class Server:
    """What the server says of itself. The empty one is a server that does not exist yet."""

    schemas: frozenset[str] = frozenset()
    accounts: t.Mapping[Who, Found] = dataclasses.field(default_factory=dict)
    # Per kind of level what ALL stands for, as the server itself lists it.
    privileges: t.Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    lower_case_names: bool = False


@dataclasses.dataclass(frozen=True)
class Change:
    """What is different about one thing: its fields, the lines before, after, and the statements between."""

    subject: str
    action: str
    differences: tuple[Difference, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    statements: tuple[Statement, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that has to happen, in order."""

    changes: tuple[Change, ...]
    suspicious: tuple[str, ...]

    @property
    def statements(self) -> list[Statement]:
        return [statement for change in self.changes for statement in change.statements]

    @property
    def differences(self) -> list[Difference]:
        return [difference for change in self.changes for difference in change.differences]

    @property
    def diff(self) -> dict[str, str]:
        def text(side: str) -> str:
            return "".join(f"{line}\n" for change in self.changes for line in getattr(change, side))

        return {"before": text("before"), "after": text("after")}


# -- reading what was declared -----------------------------------------------------------------


def parse_level(text: str) -> Level:
    """``*.*``, ``schema.*`` or ``schema.table``; names with a dot in them stand in backquotes."""
    parts = _split_name(text.strip(), text)
    if parts == [None, None]:
        return GLOBAL
    if parts[0] is None:
        raise MooringError(f"The grant level '{text}' is not valid: '*' as schema stands only in '*.*'.")
    if parts[1] is None:
        return Level("schema", schema_pattern(parts[0]))
    return Level("table", parts[0], parts[1])


def _split_name(text: str, shown: str) -> list[str | None]:
    """Two names separated by a dot; None stands for an unquoted ``*``."""
    problem = MooringError(f"The grant level '{shown}' is not valid: write '*.*', 'schema.*' or 'schema.table', "
                           "with a name that contains a dot or a space in backquotes.")
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


def literal_name(pattern: str) -> str | None:
    """The one schema a pattern stands for, or None if it has a wildcard."""
    pieces = _pieces(pattern)
    return None if any(wild for _character, wild in pieces) else "".join(character for character, _wild in pieces)


def escape_name(name: str) -> str:
    """The pattern that matches exactly this schema."""
    return name.replace("_", "\\_").replace("%", "\\%")


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
    """Privilege names in MySQL's spelling; USAGE means none at all."""
    names = {" ".join(str(name).upper().split()) for name in declared}
    names = {ALL if name == "ALL PRIVILEGES" else name for name in names}
    for name in names:
        if "(" in name:
            raise MooringError(f"The privilege '{name}' is for single columns, which cannot be declared yet: "
                               "grant the table, or a view that shows only these columns.")
        if not name or not all(character.isalnum() or character in " _" for character in name):
            raise MooringError(f"'{name}' is not the name of a privilege.")
    return frozenset(names - {"USAGE"})


def desired_account(params: t.Mapping[str, t.Any]) -> Desired:
    """One element of the module's ``accounts``; raises :class:`MooringError`."""
    who = Who(params["name"], params["host"].lower())
    if not who.user:
        raise MooringError("An account without a name is open to anybody; it cannot be declared.")
    if (who.user, who.host) in RESERVED or who.user.startswith("mysql."):
        raise MooringError(f"The account {who} belongs to the server and is never managed.")
    if not params["password"]:
        raise MooringError(f"The account {who} has an empty password.")
    grants: dict[Level, frozenset[str]] = {}
    for text, names in (params["grants"] or {}).items():
        if isinstance(names, str) or not isinstance(names, (list, tuple)):
            raise MooringError(f"The grants of {who} on '{text}' must be a list of privileges.")
        level = parse_level(text)
        grants[level] = grants.get(level, frozenset()) | parse_privileges(names)
    if not params["administrator"]:
        _refuse_administration(who, grants)
    return Desired(
        who=who, password=params["password"], grants={level: names for level, names in grants.items() if names},
        require_tls=params["require_tls"], max_user_connections=params["max_user_connections"],
        exact=params["match"] == "exact", administrator=params["administrator"])


def _refuse_administration(who: Who, grants: Grants) -> None:
    """An application that may do everything is one SQL injection away from losing everything."""
    for level, names in grants.items():
        everything = level == GLOBAL or (level.kind == "schema" and not level.schema.strip("%"))
        if everything and (ALL in names or GRANT_OPTION in names):
            held = ALL if ALL in names else GRANT_OPTION
            raise MooringError(f"The account {who} asks for {held} on {level.sql}: grant what it needs in its own "
                               "schema, or say 'administrator: true' if it really administers the server.")
        if level.kind != "global" and _names(level) == "mysql" and names - {"SELECT"}:
            raise MooringError(f"The account {who} asks for more than SELECT on the schema `mysql`, which holds the "
                               "accounts themselves: say 'administrator: true' if it really administers the server.")


def _names(level: Level) -> str | None:
    """The schema a level stands for, or None for a wildcard."""
    return literal_name(level.schema) if level.kind == "schema" else level.schema


# -- deciding ----------------------------------------------------------------------------------


def reachable_by_socket(who: Who, accounts: t.Iterable[Who]) -> bool:
    """Whether a login as this user through the socket is checked against this very account.

    The server takes the account with the most specific host, and for the same
    host a named user before the anonymous one.
    """
    if who.host == "localhost":
        return True
    return who.host == "%" and not any(other.host == "localhost" and other.user in (who.user, "") for other in accounts)


def decide(server: Server, schemas: t.Sequence[str], accounts: t.Sequence[Desired]) -> Plan:
    """What makes the server equal to the declaration; raises :class:`MooringError` for what is refused."""
    schemas = [_folded(server, name) for name in schemas]
    accounts = [_adapted(server, account) for account in accounts]
    _refuse_twins("schema", schemas)
    _refuse_twins("account", [str(account.who) for account in accounts])
    for schema in schemas:
        twin = _case_twin(schema, server.schemas)
        if twin:
            raise MooringError(f"The schema `{schema}` is declared, but the server has `{twin}`: schema names are "
                               f"case-sensitive, so these would be two. Declare `{twin}`.")
    known = sorted(server.schemas | set(schemas))
    suspicious: list[str] = []
    changes = [_schema_change(schema) for schema in schemas if schema not in server.schemas]
    for account in accounts:
        _check_privileges(server, account)
        for level in sorted(account.grants):
            suspicious += _judge_level(level, account.who, known)
        change, lines = _account_change(server, account, known)
        suspicious += lines
        if change:
            changes.append(change)
    return Plan(tuple(changes), tuple(suspicious))


def _folded(server: Server, name: str) -> str:
    return name.lower() if server.lower_case_names else name


def _adapted(server: Server, account: Desired) -> Desired:
    """The account with its grants in the server's spelling and ALL spelt out."""
    grants: dict[Level, frozenset[str]] = {}
    for level, names in account.grants.items():
        folded = Level(level.kind, _folded(server, level.schema), _folded(server, level.name))
        grants[folded] = grants.get(folded, frozenset()) | _spelt_out(server, folded, names)
    return dataclasses.replace(account, grants=grants)


def _spelt_out(server: Server, level: Level, names: frozenset[str]) -> frozenset[str]:
    """ALL as the privileges it means at this level; without a server there is nobody to ask."""
    everything = server.privileges.get(level.kind)
    if ALL not in names or everything is None:
        return names
    return everything | (names - {ALL})


def _refuse_twins(what: str, names: t.Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other is not name:
            how = "twice" if other == name else f"under two spellings, {other} and {name}: names are case-sensitive"
            raise MooringError(f"The {what} {name} is declared {how}.")


def _case_twin(name: str, known: t.Iterable[str]) -> str | None:
    """A known name that differs only in case, if the name itself is not known."""
    known = list(known)
    if name in known:
        return None
    return next((other for other in known if other.lower() == name.lower()), None)


def _judge_level(level: Level, who: Who, known: t.Sequence[str]) -> list[str]:
    """Refuses a grant that misses its schema by case; doubts one whose schema does not exist."""
    if level.kind == "global":
        return []
    name = _names(level)
    if name is None:
        if any(matches(level.schema, schema) for schema in known):
            return []
        return [f"grant on {level.sql} for {who}, but no schema matches the pattern"]
    if name in known or name in ("performance_schema", "information_schema"):
        return []
    twin = _case_twin(name, known)
    if twin:
        raise MooringError(f"grant on {level.sql} for {who}, but the schema is `{twin}`: schema names are "
                           "case-sensitive. Correct the declared grant.")
    return [f"grant on {level.sql} for {who}, but there is no such schema{_closest(name, known)}"]


def _closest(name: str, known: t.Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; the closest is `{close[0]}`" if close else ""


def _check_privileges(server: Server, account: Desired) -> None:
    """Refuses names the server does not know at that level."""
    for level, names in account.grants.items():
        known = server.privileges.get(level.kind)
        for name in sorted(names - {GRANT_OPTION}) if known is not None else []:
            if name not in known:
                elsewhere = name in server.privileges.get("global", frozenset())
                why = "it exists only on *.*" if elsewhere else "the server does not know it"
                raise MooringError(f"The account {account.who} asks for {name} on {level.sql}: {why}.")


def _schema_change(schema: str) -> Change:
    sql = f"CREATE DATABASE {quote_name(schema)} CHARACTER SET utf8mb4"
    subject = f"schema {quote_name(schema)}"
    return Change(subject, "created", (Difference(subject, "presence", "present", None),), (),
                  (f"{subject} utf8mb4",), (Statement((sql,)),))


def _account_change(server: Server, account: Desired, known: t.Sequence[str]) -> tuple[Change | None, list[str]]:
    found = server.accounts.get(account.who)
    subject = f"account {account.who}"
    before: list[str] = []
    after: list[str] = []
    statements: list[Statement] = []
    differences: list[Difference] = []
    if found is None:
        differences.append(Difference(subject, "presence", "present", None))
        statements.append(_create(account))
        after.append(f"{subject} {PLUGIN}, {', '.join(_limits(account))}, password {MASK}")
    else:
        differences = _properties(account, found)
        alter, before, after = _alter(account, found)
        statements += alter
    current = found.grants if found else {}
    suspicious = []
    for level in sorted(set(account.grants) | set(current)):
        wanted, held = account.grants.get(level, frozenset()), current.get(level, frozenset())
        missing, extra = wanted - held, held - wanted
        if missing:
            statements.append(_grant(server, account.who, level, missing, wanted))
            after.append(f"  GRANT {', '.join(sorted(missing))} ON {level.sql} TO {account.who}")
        if found and (missing or extra and account.exact):
            differences.append(Difference(
                subject, f"grants on {level.sql}", _shown(server, level, wanted if account.exact else wanted | held),
                _shown(server, level, held)))
        if extra:
            suspicious += _judge_extra(level, account.who, known)
        if extra and account.exact:
            statements += _revoke(server, account.who, level, extra)
            before.append(f"  GRANT {', '.join(sorted(extra))} ON {level.sql} TO {account.who}")
    for role in sorted(found.roles) if found and account.exact else []:
        statements.append(Statement((f"REVOKE {role.sql} FROM {account.who.sql}",)))
        before.append(f"  GRANT {role} TO {account.who}")
        differences.append(Difference(subject, f"role {role}", "not granted", "granted"))
    if not statements:
        return None, suspicious
    action = "changed" if found else "created"
    title = (subject,) if found else ()
    return Change(subject, action, tuple(differences), (*title, *before), (*title, *after),
                  tuple(statements)), suspicious


def _shown(server: Server, level: Level, names: frozenset[str]) -> str | None:
    """Privileges for a reader: ALL where they are all, None for none."""
    listed = [*([_listed(server, level, names - {GRANT_OPTION})] if names - {GRANT_OPTION} else []),
              *([GRANT_OPTION] if GRANT_OPTION in names else [])]
    return ", ".join(listed) or None


def _properties(account: Desired, found: Found) -> list[Difference]:
    """Everything of an account but its grants; what :func:`_alter` puts right."""
    subject, fields = f"account {account.who}", []
    if found.plugin != PLUGIN:
        fields.append(Difference(subject, "authentication", PLUGIN, found.plugin))
    elif found.accepts_password is False:
        fields.append(Difference(subject, "password", HIDDEN, HIDDEN))
    if account.require_tls != bool(found.ssl_type):
        fields.append(Difference(subject, "TLS", "required" if account.require_tls else "not required",
                                 found.ssl_type or "not required"))
    if account.max_user_connections != found.max_user_connections:
        fields.append(Difference(
            subject, "max_user_connections", account.max_user_connections, found.max_user_connections))
    if found.locked:
        fields.append(Difference(subject, "lock", "unlocked", "locked"))
    return fields


def _judge_extra(level: Level, who: Who, known: t.Sequence[str]) -> list[str]:
    """Why a grant that is there and not declared never did anything."""
    name = _names(level)
    twin = _case_twin(name, known) if level.kind != "global" and name is not None else None
    return [f"grant on {level.sql} for {who}, but the schema is `{twin}`"] if twin else []


def _limits(account: Desired) -> list[str]:
    return ["REQUIRE SSL" if account.require_tls else "REQUIRE NONE",
            f"MAX_USER_CONNECTIONS {account.max_user_connections}"]


def _create(account: Desired) -> Statement:
    tls, connections = _limits(account)
    return Statement((f"CREATE USER {account.who.sql} IDENTIFIED WITH {PLUGIN} BY ", Secret(account.password),
                      f" {tls} WITH {connections}"))


def _alter(account: Desired, found: Found) -> tuple[list[Statement], list[str], list[str]]:
    """The one ALTER USER that an existing account needs, if any, with the lines before and after."""
    before: list[str] = []
    after: list[str] = []
    identified: tuple[str | Secret, ...] = ()
    clauses: list[str] = []
    tls, connections = _limits(account)
    if found.plugin != PLUGIN or found.accepts_password is False:
        identified = (f" IDENTIFIED WITH {PLUGIN} BY ", Secret(account.password))
        if found.plugin != PLUGIN:
            before.append(f"  authentication {found.plugin}")
            after.append(f"  authentication {PLUGIN}")
        else:
            before.append(f"  password {MASK} (not the declared one)")
            after.append(f"  password {MASK}")
    # X509 and SPECIFIED demand TLS too, and more.
    if account.require_tls != bool(found.ssl_type):
        before.append(f"  REQUIRE {found.ssl_type or 'NONE'}")
        after.append(f"  {tls}")
        clauses.append(tls)
    if account.max_user_connections != found.max_user_connections:
        before.append(f"  MAX_USER_CONNECTIONS {found.max_user_connections}")
        after.append(f"  {connections}")
        clauses.append(f"WITH {connections}")
    if found.locked:
        before.append("  ACCOUNT LOCK")
        after.append("  ACCOUNT UNLOCK")
        clauses.append("ACCOUNT UNLOCK")
    if not identified and not clauses:
        return [], [], []
    tail = "".join(f" {clause}" for clause in clauses)
    return [Statement((f"ALTER USER {account.who.sql}", *identified, tail))], before, after


def _grant(server: Server, who: Who, level: Level, missing: frozenset[str], wanted: frozenset[str]) -> Statement:
    names = missing - {GRANT_OPTION}
    shown = _listed(server, level, names) if names else "USAGE"
    # The option is named whenever it is wanted: a dynamic privilege carries its own.
    option = " WITH GRANT OPTION" if GRANT_OPTION in wanted else ""
    return Statement((f"GRANT {shown} ON {level.sql} TO {who.sql}{option}",))


def _revoke(server: Server, who: Who, level: Level, extra: frozenset[str]) -> list[Statement]:
    names = extra - {GRANT_OPTION}
    revoked = []
    if GRANT_OPTION in extra:
        # On its own: in one list with a dynamic privilege the server leaves the option in place (seen with 9.7) ...
        revoked.append(GRANT_OPTION)
    if names:
        revoked.append(_listed(server, level, names))
    statements = [Statement((f"REVOKE {shown} ON {level.sql} FROM {who.sql}",)) for shown in revoked]
    if GRANT_OPTION in extra and level == GLOBAL:
        # ... and without this it goes on honouring the option of dynamic privileges.
        statements.append(Statement(("FLUSH PRIVILEGES",)))
    return statements


def _listed(server: Server, level: Level, names: frozenset[str]) -> str:
    return ALL if names == server.privileges.get(level.kind) else ", ".join(sorted(names))
