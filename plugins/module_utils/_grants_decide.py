# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: decides what MySQL accounts and grants lack, and what is odd about them. Pure, no I/O.

Privileges are compared by their effect. What a broader level gives is not missing
at a narrower one, and no change either if it stands there once more.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._differences import HIDDEN, Difference
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import (
    ADMIN_OPTION,
    ALL,
    COLUMN_PRIVILEGES,
    GLOBAL,
    GRANT_OPTION,
    LIMITS,
    MEMBER,
    PASSED_ON,
    PLUGIN,
    POWERFUL,
    ROUTINES,
    Desired,
    Found,
    Grants,
    Level,
    Secret,
    Server,
    Statement,
    Who,
    base_name,
    literal_name,
    matches,
    quote_name,
    schema_of,
)

NONE: frozenset[str] = frozenset()
# Deprecated or gone (MySQL manual, "Authentication Plugins"): hashes without salt, or with a fast one.
OLD_PLUGINS = ("mysql_native_password", "mysql_old_password", "sha256_password")
# No schema of the server's data directory, but named in grants.
VIRTUAL = ("performance_schema", "information_schema")


@dataclasses.dataclass(frozen=True)
class Rotation:
    """How passwords change: ``keep_hours`` is how long an old one stays valid beside the new.

    ``declared_before`` says of accounts for which the host remembers it whether this
    very password was declared before. It tells a rotation, after which clients need
    time, from a password that somebody changed on the server, which must not stay valid.
    """

    keep_hours: int = 24
    declared_before: t.Mapping[Who, bool] = dataclasses.field(default_factory=dict)
    # Accounts whose password this run has set already; whatever a login says, it is not set again.
    settled: t.Collection[Who] = ()


@dataclasses.dataclass(frozen=True)
class Change:
    """What is different about one thing, and the statements that mend it."""

    subject: str
    action: str
    differences: tuple[Difference, ...]
    statements: tuple[Statement, ...]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that has to happen, in order; what is odd; what is written in other words and means the same."""

    changes: tuple[Change, ...] = ()
    suspicious: tuple[str, ...] = ()
    equivalent: tuple[str, ...] = ()

    @property
    def statements(self) -> list[Statement]:
        """In order: what is created comes first, because anything else may need it."""
        created = [change.statements[:1] for change in self.changes if change.action == "created"]
        others = [change.statements[change.action == "created":] for change in self.changes]
        return [statement for statements in (*created, *others) for statement in statements]

    @property
    def differences(self) -> list[Difference]:
        return [difference for change in self.changes for difference in change.differences]

    @property
    def diff(self) -> dict[str, str]:
        before: list[str] = []
        after: list[str] = []
        for change in self.changes:
            if change.action == "created":
                after += map(str, change.statements)
                continue
            before.append(change.subject)
            if change.action == "changed":
                after.append(change.subject)
                before += [f"  {one.field}: {one.found}" for one in change.differences]
                after += [f"  {one.field}: {one.expected}" for one in change.differences]
        return {side: "".join(f"{line}\n" for line in lines)
                for side, lines in (("before", before), ("after", after))}


def reachable_by_socket(who: Who, accounts: t.Iterable[Who]) -> bool:
    """Whether a login as this user through the socket is checked against this very account.

    The server takes the account with the most specific host, and for the same
    host a named user before the anonymous one.
    """
    if who.host == "localhost":
        return True
    # Host names take the same wildcards as schemas do.
    return who.host == "%" and not any(
        other.host != "%" and other.user in (who.user, "") and matches(other.host, "localhost") for other in accounts)


# -- what privileges amount to -----------------------------------------------------------------


def implied(server: Server, level: Level, held: Grants) -> frozenset[str]:
    """The names that hold at a level because ``held`` has them at a broader one."""
    if level.kind in ("global", "restriction", "proxy", "role"):
        return NONE
    schema = schema_of(level)
    everywhere = held.get(GLOBAL, NONE) - (held.get(Level("restriction", schema), NONE) if schema else NONE)
    names = everywhere if level.kind == "schema" else everywhere | in_schema(schema or "", held)
    return frozenset(name for name in names if not name.endswith(PASSED_ON) and name not in server.dynamic)


def candidates(schema: str, held: Grants) -> list[Level]:
    """The schema levels of which the server takes one for a schema.

    It takes the most specific and forgets the others (MySQL manual, "Access Control, Stage 2"). One without
    wildcards is that; among patterns the manual leaves it open.
    """
    patterns = sorted(level for level in held if level.kind == "schema" and matches(level.schema, schema))
    return [level for level in patterns if literal_name(level.schema) == schema] or patterns


def in_schema(schema: str, held: Grants) -> frozenset[str]:
    """What schema levels give in one schema; nothing that depends on which of several patterns the server takes."""
    found = candidates(schema, held)
    return held[found[0]] if len(found) == 1 else NONE


def covers(names: t.Collection[str], name: str) -> bool:
    """Whether the names include this one, or the one for the whole table that it is a column of."""
    return name in names or base_name(name) in names


def _beyond(server: Server, level: Level, names: frozenset[str], held: Grants) -> frozenset[str]:
    """The names that do not follow from what ``held`` has at broader levels, or for the whole table."""
    given = implied(server, level, held)
    whole = held.get(level, NONE)
    return frozenset(name for name in names if not covers(given, name)
                     and (name == base_name(name) or base_name(name) not in whole))


# -- deciding ----------------------------------------------------------------------------------


def decide(
    server: Server, schemas: t.Sequence[str], accounts: t.Sequence[Desired], exclusive: bool = False,
    rotation: Rotation | None = None,
) -> Plan:
    """What makes the server equal to the declaration; raises :class:`MooringError` for what is refused."""
    rotation = rotation or Rotation()
    server = _folded_server(server)
    schemas = [_folded(server, name) for name in schemas]
    # Roles first, because accounts become members of them.
    accounts = sorted((_adapted(server, account) for account in accounts), key=lambda account: not account.role)
    _refuse_twins("schema", schemas)
    _refuse_twins("account", [str(account.who) for account in accounts])
    for schema in schemas:
        twin = _case_twin(schema, server.schemas)
        if twin:
            raise MooringError(f"The schema `{schema}` is declared, but the server has `{twin}`: schema names are "
                               f"case-sensitive, so these would be two. Declare `{twin}`.")
    known = sorted(server.schemas | set(schemas))
    declared = {account.who for account in accounts}
    absent = {account.who for account in accounts if not account.present}
    there = {account.who for account in accounts if account.present} | set(server.accounts) - absent
    changes = [_schema_change(schema) for schema in schemas if schema not in server.schemas]
    suspicious: list[str] = []
    equivalent: list[str] = []
    for account in accounts:
        if not account.present:
            changes += _absent(server, account)
            suspicious += [f"account {other} has the same user as {account.who}, which is declared absent, and stays"
                           for other in sorted(server.accounts) if other.user == account.who.user and not other.reserved
                           and other not in declared]
            continue
        _check_privileges(server, account)
        _check_roles(server, account, there)
        pending, lines = _judge_levels(server, account, known)
        suspicious += lines
        change, odd, same = _account_change(server, account, rotation, known, pending)
        suspicious += odd
        equivalent += same
        if change:
            changes.append(change)
    used = in_use(server, accounts) if exclusive else declared
    strangers = [who for who in sorted(server.accounts) if who not in used and not who.reserved]
    if exclusive:
        kept = [who for who in strangers if who in server.defines]
        changes += [_drop(Desired(who)) for who in strangers if who not in kept]
        suspicious += [f"account {who} is not declared, and stays: {_defined(server, who)}" for who in kept]
    else:
        members = {level.who for found in server.accounts.values() for level in found.grants if level.kind == "role"}
        suspicious += [line for who in strangers for line in judge_stranger(server, who, members)]
    suspicious += _same_user([] if exclusive else strangers, [one.who for one in accounts if one.present])
    return Plan(tuple(changes), tuple(suspicious), tuple(equivalent))


def _folded(server: Server, name: str) -> str:
    return name.lower() if server.lower_case_names else name


def _folded_level(server: Server, level: Level) -> Level:
    if level.kind in ("role", "proxy", "global"):
        return level
    return Level(level.kind, _folded(server, level.schema), _folded(server, level.name))


def _folded_server(server: Server) -> Server:
    """A server that does not tell capitals apart may still remember them (lower_case_table_names = 2)."""
    if not server.lower_case_names:
        return server
    return dataclasses.replace(
        server, schemas=frozenset(map(str.lower, server.schemas)),
        objects=frozenset((kind, schema.lower(), name.lower()) for kind, schema, name in server.objects),
        accounts={who: dataclasses.replace(found, grants={
            _folded_level(server, level): names for level, names in found.grants.items()})
            for who, found in server.accounts.items()})


def _adapted(server: Server, account: Desired) -> Desired:
    """The account with its grants in the server's spelling and ALL spelt out; its own rights are never taken."""
    grants: dict[Level, frozenset[str]] = {}
    for level, names in account.grants.items():
        folded = _folded_level(server, level)
        grants[folded] = grants.get(folded, NONE) | _spelt_out(server, folded, names)
    if account.who == server.current:
        if not account.present:
            raise MooringError(f"The account {account.who} is the one that this runs as; it cannot be absent.")
        return dataclasses.replace(account, grants=grants, exact=False, locked=False)
    return dataclasses.replace(account, grants=grants)


def _spelt_out(server: Server, level: Level, names: frozenset[str]) -> frozenset[str]:
    """ALL as the privileges it means at this level; without a server there is nobody to ask."""
    everything = server.privileges.get("schema" if level.kind == "restriction" else level.kind)
    if ALL in names and everything is not None:
        names = everything | (names - {ALL})
    if level == GLOBAL and GRANT_OPTION in names:
        names |= {name + PASSED_ON for name in names & server.dynamic}
    return names


def _refuse_twins(what: str, names: t.Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.pop(name.lower(), None)
        seen[name.lower()] = name
        if other is not None:
            how = "twice" if other == name else f"under two spellings, {other} and {name}: names are case-sensitive"
            raise MooringError(f"The {what} {name} is declared {how}.")


def _case_twin(name: str, known: t.Iterable[str]) -> str | None:
    """A known name that differs only in case, if the name itself is not known."""
    known = list(known)
    if name in known:
        return None
    return next((other for other in known if other.lower() == name.lower()), None)


def _closest(name: str, known: t.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; the closest is `{close[0]}`" if close else ""


def _judge_levels(server: Server, account: Desired, known: t.Sequence[str]) -> tuple[set[Level], list[str]]:
    """The levels that cannot be granted yet, and doubts; refuses what misses its schema or table by case only."""
    pending, lines = set(), []
    for level in sorted(account.grants):
        if level.kind in ("global", "role", "proxy"):
            continue
        name, grant = schema_of(level), f"grant on {level.sql} for {account.who}"
        if name is None:
            if not any(matches(level.schema, schema) for schema in known):
                lines.append(f"{grant}, but no schema matches the pattern")
            continue
        if name in VIRTUAL:
            continue
        if name not in known:
            twin = _case_twin(name, known)
            if twin:
                raise MooringError(f"{grant}, but the schema is `{twin}`: schema names are case-sensitive. Correct "
                                   "the declared grant.")
            lines.append(f"{grant}, but there is no such schema{_closest(name, known)}")
        if level.kind not in ("table", *ROUTINES) or not server.known:
            continue
        # The server refuses a grant on what does not exist, except the one to create it.
        if (level.kind, name, level.name) in server.objects or "CREATE" in account.grants[level]:
            continue
        siblings = sorted(other for kind, schema, other in server.objects if (kind, schema) == (level.kind, name))
        twin = _case_twin(level.name, siblings)
        if twin:
            raise MooringError(f"{grant}, but the {level.kind} is `{twin}`: names are case-sensitive. Correct the "
                               "declared grant.")
        pending.add(level)
        if name in known:
            lines.append(f"{grant}, but there is no such {level.kind}{_closest(level.name, siblings)}. A run grants "
                         "it when it is there")
    return pending, lines


def _check_privileges(server: Server, account: Desired) -> None:
    """Refuses names the server does not know at that level, and what the server cannot do."""
    for level, names in account.grants.items():
        if level.kind in ROUTINES and server.known and level.kind not in server.privileges:
            raise MooringError(f"The account {account.who} has a grant on {level.sql}, but this server has nothing of "
                               f"the kind {level.kind.upper()}.")
        if level.kind == "restriction" and server.known and not server.partial_revokes:
            raise MooringError(f"The account {account.who} declares 'without', which needs partial_revokes: ON among "
                               "the server's options (data_stores_mysql_config_overrides).")
        if level.kind == "schema" and server.partial_revokes and literal_name(level.schema) is None:
            raise MooringError(f"The account {account.who} declares the pattern {level.sql}, but with partial_revokes "
                               "the server takes schema names literally: name each schema.")
        known = server.privileges.get("schema" if level.kind == "restriction" else level.kind)
        if known is None:
            continue
        for name in sorted(names - {GRANT_OPTION}):
            if name not in known and base_name(name) not in (COLUMN_PRIVILEGES if "(" in name else known) \
                    and not name.endswith(PASSED_ON):
                elsewhere = name in server.privileges.get("global", NONE)
                why = "it exists only on *.*" if elsewhere else "the server does not know it"
                raise MooringError(f"The account {account.who} asks for {name} on {level.sql}: {why}.")


def _check_roles(server: Server, account: Desired, there: t.Collection[Who]) -> None:
    """A role that nobody declares and the server does not have cannot be granted; ``there`` are all that are."""
    for role in sorted(account.roles) if server.known else []:
        if role not in there:
            close = _closest(role.user, [who.user for who in sorted(there)])
            raise MooringError(f"The account {account.who} is to have the role {role}, which is neither declared nor "
                               f"on the server{close}.")


def _schema_change(schema: str) -> Change:
    subject = f"schema {quote_name(schema)}"
    sql = f"CREATE DATABASE {quote_name(schema)} CHARACTER SET utf8mb4"
    return Change(subject, "created", (Difference(subject, "presence", "present", None),), (Statement((sql,)),))


def in_use(server: Server, accounts: t.Sequence[Desired]) -> set[Who]:
    """The accounts that declared ones, the server's own and the one that this runs as are or live on.

    Roles and the accounts that one may act as count, and what those have in turn.
    """
    desired = {account.who: account for account in accounts}
    todo = [*desired, *server.mandatory, server.current, *(who for who in server.accounts if who.reserved)]
    used: set[Who] = set()
    while todo:
        who = todo.pop()
        if who in used:
            continue
        used.add(who)
        account, found = desired.get(who), server.accounts.get(who)
        levels = [*(account.grants if account else ()),
                  # What a declared account is to have exactly is all that it will have.
                  *(found.grants if found and not (account and account.exact) else ())]
        todo += [level.who for level in levels if level.kind in ("role", "proxy")]
    return used


def _defined(server: Server, who: Who) -> str:
    shown = ", ".join(server.defines[who][:3])
    more = len(server.defines[who]) - 3
    return f"{shown}{f' and {more} more' if more > 0 else ''} run with its rights. Give them another DEFINER first"


def _absent(server: Server, account: Desired) -> list[Change]:
    if account.who not in server.accounts:
        return []
    if account.who in server.defines:
        raise MooringError(f"The account {account.who} cannot be dropped: {_defined(server, account.who)}.")
    return [_drop(account)]


def _drop(account: Desired) -> Change:
    return Change(account.subject, "dropped", (Difference(account.subject, "presence", None, "present"),),
                  (Statement((f"DROP USER {account.who.sql}",)),))


def _account_change(
    server: Server, account: Desired, rotation: Rotation, known: t.Sequence[str], pending: set[Level],
) -> tuple[Change | None, list[str], list[str]]:
    """What one account needs; what of it is odd; what of it is written in other words."""
    found = server.accounts.get(account.who)
    subject, current = account.subject, found.grants if found else {}
    differences, statements = _properties(account, found, rotation) if found else (
        [Difference(subject, "presence", "present", None)], [_create(account)])
    revokes: list[Statement] = []
    suspicious: list[str] = []
    equivalent: list[str] = []
    gone: set[Who] = set()
    for level in sorted(set(account.grants) | set(current)):
        if level == Level("schema"):
            suspicious.append(f"a row without a schema in mysql.db gives {account.who} something everywhere, and no "
                              "statement takes it away: delete it and run FLUSH PRIVILEGES")
            continue
        wanted, held = account.grants.get(level, NONE), current.get(level, NONE)
        if not account.exact and level.kind == "schema" and wanted and not held:
            wanted |= _hidden_by(level, current)
        missing = _beyond(server, level, wanted, account.grants if account.exact else {
            **current, level: wanted | held}) - held if level not in pending else NONE
        extra = _beyond(server, level, held - wanted, account.grants)
        same = (wanted - held - missing if level not in pending else NONE) | (held - wanted - extra)
        if same:
            equivalent.append(f"{account.who}: {', '.join(sorted(same))} on {level.sql} follows from what it has at a "
                              "broader level")
        if missing:
            statements += _grant(server, account.who, level, missing, wanted)
        if extra:
            suspicious += _judge_extra(level, account.who, known)
        if extra and account.exact:
            revokes += _revoke(server, account.who, level, extra, wanted)
            gone |= {level.who} if level.kind == "role" and MEMBER in extra else set()
        if found and (missing or extra and account.exact):
            # Without what only is written in other words, so that the two sides show what matters.
            differences.append(Difference(
                subject, str(level), _shown(server, level, (held - (extra if account.exact else NONE)) | missing),
                _shown(server, level, held)))
    statements += revokes
    active = found.default_roles - gone if found else frozenset()
    if not account.role and (active != account.roles if account.exact else not account.roles <= active):
        roles = sorted(account.roles if account.exact else account.roles | active)
        listed = ", ".join(role.sql for role in roles) or "NONE"
        statements.append(Statement((f"SET DEFAULT ROLE {listed} TO {account.who.sql}",)))
        if found:
            differences.append(Difference(subject, "default roles", ", ".join(map(str, roles)) or None,
                                          ", ".join(map(str, sorted(found.default_roles))) or None))
    if found and not found.in_force:
        # What is compared above are the tables; this makes the server read them.
        differences.append(Difference(subject, "grants in force", "those of its tables", "others"))
        statements.insert(0, Statement(("FLUSH PRIVILEGES",)))
    suspicious += _shadowed(account, known)
    if not statements:
        return None, suspicious, equivalent
    return (Change(subject, "changed" if found else "created", tuple(differences), tuple(statements)),
            suspicious, equivalent)


def _hidden_by(level: Level, current: Grants) -> frozenset[str]:
    """What patterns give in a schema now and would no longer, once the schema has a level of its own."""
    schema = literal_name(level.schema)
    return NONE.union(*(current[one] for one in candidates(schema, current))) if schema else NONE


def _shown(server: Server, level: Level, names: frozenset[str]) -> str | None:
    """Names for a reader: ALL where they are all, None for none."""
    options = names & {GRANT_OPTION, ADMIN_OPTION}
    passed_on = {name for name in names if name.endswith(PASSED_ON)}
    rest = names - options - passed_on
    if GRANT_OPTION in options and {name + PASSED_ON for name in rest & server.dynamic} == passed_on:
        passed_on = set()
    listed = [*([_listed(server, level, rest)] if rest else []), *sorted(passed_on), *sorted(options)]
    return ", ".join(listed) or None


def _listed(server: Server, level: Level, names: t.Collection[str]) -> str:
    return ALL if names == server.privileges.get(level.kind) else ", ".join(sorted(names))


# -- properties --------------------------------------------------------------------------------


def _limits(limits: t.Mapping[str, int], columns: t.Iterable[str]) -> str:
    return " ".join(f"{LIMITS[column]} {limits.get(column, 0)}" for column in columns)


def _create(account: Desired) -> Statement:
    if account.role:
        return Statement((f"CREATE ROLE {account.who.sql}",))
    columns = [column for column in LIMITS if account.limits.get(column) or column == "max_user_connections"]
    tail = f" REQUIRE {'SSL' if account.require_tls else 'NONE'} WITH {_limits(account.limits, columns)}"
    return Statement((f"CREATE USER {account.who.sql} IDENTIFIED WITH {PLUGIN} BY ", Secret(account.password),
                      tail + (" ACCOUNT LOCK" if account.locked else "")))


def _properties(account: Desired, found: Found, rotation: Rotation) -> tuple[list[Difference], list[Statement]]:
    """Everything of an existing account but what it holds, and the statements that mend it."""
    subject, who = account.subject, account.who.sql
    if account.role:
        if found.locked:
            return [], []
        return ([Difference(subject, "lock", "locked", "unlocked")],
                [Statement((f"ALTER USER {who} ACCOUNT LOCK",))])
    differences, identified, discard = _password(account, found, rotation)
    clauses: list[str] = []
    # X509 and SPECIFIED demand TLS too, and more.
    if account.require_tls != bool(found.ssl_type):
        differences.append(Difference(subject, "TLS", "required" if account.require_tls else "not required",
                                      found.ssl_type or "not required"))
        clauses.append(f"REQUIRE {'SSL' if account.require_tls else 'NONE'}")
    limited = [column for column in LIMITS if account.limits.get(column, 0) != found.limits.get(column, 0)]
    differences += [Difference(subject, LIMITS[column].lower(), account.limits.get(column, 0),
                               found.limits.get(column, 0)) for column in limited]
    if limited:
        clauses.append(f"WITH {_limits(account.limits, limited)}")
    if account.locked != found.locked:
        differences.append(Difference(subject, "lock", "locked" if account.locked else "unlocked",
                                      "locked" if found.locked else "unlocked"))
        clauses.append(f"ACCOUNT {'LOCK' if account.locked else 'UNLOCK'}")
    statements = []
    if identified or clauses:
        tail = "".join(f" {clause}" for clause in clauses)
        statements.append(Statement((f"ALTER USER {who}", *identified, tail)))
    if discard:
        statements.append(Statement((f"ALTER USER {who} DISCARD OLD PASSWORD",)))
    return differences, statements


def _password(
    account: Desired, found: Found, rotation: Rotation,
) -> tuple[list[Difference], tuple[str | Secret, ...], bool]:
    """How the account is to be identified, and whether its old password goes."""
    identified = (f" IDENTIFIED WITH {PLUGIN} BY ", Secret(account.password))
    # RETAIN keeps the current one (MySQL manual, "Dual Password Support").
    retained = (*identified, " RETAIN CURRENT PASSWORD")
    difference = [Difference(account.subject, "password", HIDDEN, HIDDEN)]
    before, two = rotation.declared_before.get(account.who), found.old_password_hours is not None
    if account.who in rotation.settled:
        return [], (), False
    if found.plugin != PLUGIN:
        return [Difference(account.subject, "authentication", PLUGIN, found.plugin)], identified, False
    if found.without_password:
        return difference, identified, False
    if found.expired:
        return [Difference(account.subject, "password expiry", "not expired", "expired")], identified, False
    if found.accepts_password is False or found.accepts_password is None and before is False:
        # Changed on the server, not in the declaration: what it was changed to must not stay valid.
        if before or not rotation.keep_hours:
            return difference, identified, two
        return difference, retained, False
    if two and before is False and rotation.keep_hours:
        # The one that is accepted is the older of two, declared again: clients have the newer one by now.
        return difference, retained, False
    if two and found.old_password_hours >= rotation.keep_hours:
        # Set once more, because the one that was accepted may be the old one.
        return ([Difference(account.subject, "old password", "discarded", "still accepted")], identified, True)
    return [], (), False


# -- statements for what an account holds ------------------------------------------------------


def _place(server: Server, level: Level) -> str:
    """A level as a statement names it. With partial_revokes a backslash would be part of the name (seen with 9.7)."""
    if server.partial_revokes and level.kind == "schema":
        return f"{quote_name(literal_name(level.schema) or '')}.*"
    return level.sql


def _grant(
    server: Server, who: Who, level: Level, missing: frozenset[str], wanted: frozenset[str],
) -> list[Statement]:
    if level.kind == "restriction":
        return [Statement((f"REVOKE {', '.join(sorted(missing))} ON {level.sql} FROM {who.sql}",))]
    if level.kind in ("role", "proxy"):
        return _member(who, level, wanted)
    option = " WITH GRANT OPTION" if GRANT_OPTION in wanted else ""
    if not (server.dynamic and level == GLOBAL) or server.privileges.get("global") == missing - _options(missing):
        names = missing - _options(missing)
        return [Statement((f"GRANT {_listed(server, level, names) if names else 'USAGE'} ON {_place(server, level)} TO "
                           f"{who.sql}{option}",))]
    # A dynamic privilege carries its own option, and GRANT with it alone leaves the static one alone.
    dynamic = {name.removesuffix(PASSED_ON) for name in missing} & server.dynamic
    static = missing - dynamic - {name + PASSED_ON for name in dynamic} - {GRANT_OPTION}
    statements = []
    if static or GRANT_OPTION in missing:
        statements.append(f"GRANT {', '.join(sorted(static)) or 'USAGE'} ON *.* TO {who.sql}{option}")
    if dynamic:
        statements.append(f"GRANT {', '.join(sorted(dynamic))} ON *.* TO {who.sql}{option}")
    return [Statement((sql,)) for sql in statements]


def _options(names: frozenset[str]) -> set[str]:
    return {name for name in names if name == GRANT_OPTION or name.endswith(PASSED_ON)}


def _member(who: Who, level: Level, wanted: frozenset[str]) -> list[Statement]:
    what = f"PROXY ON {level.sql}" if level.kind == "proxy" else level.sql
    option = {GRANT_OPTION: " WITH GRANT OPTION", ADMIN_OPTION: " WITH ADMIN OPTION"}
    words = "".join(text for name, text in option.items() if name in wanted)
    return [Statement((f"GRANT {what} TO {who.sql}{words}",))]


def _revoke(server: Server, who: Who, level: Level, extra: frozenset[str], wanted: frozenset[str]) -> list[Statement]:
    if level.kind == "restriction":
        return [Statement((f"GRANT {', '.join(sorted(extra))} ON {level.sql} TO {who.sql}",))]
    if level.kind in ("role", "proxy"):
        what = f"PROXY ON {level.sql}" if level.kind == "proxy" else level.sql
        # An option cannot be taken alone; after a plain GRANT the table would still have it (seen with 9.7).
        return [Statement((f"REVOKE {what} FROM {who.sql}",)),
                *(_member(who, level, wanted) if wanted else [])]
    names = extra - _options(extra)
    kept = {name for name in _options(extra) if name.removesuffix(PASSED_ON) not in names}
    revoked = []
    if kept:
        # On its own: in one list with a dynamic privilege the server leaves the option in place (seen with 9.7) ...
        revoked.append(GRANT_OPTION)
    if names:
        revoked.append(_listed(server, level, names))
    statements = [
        Statement((f"REVOKE {shown} ON {_place(server, level)} FROM {who.sql}",)) for shown in revoked]
    if kept and level == GLOBAL:
        # ... and without this it goes on honouring the option of dynamic privileges.
        statements.append(Statement(("FLUSH PRIVILEGES",)))
    return statements


# -- what is odd -------------------------------------------------------------------------------


def _judge_extra(level: Level, who: Who, known: t.Sequence[str]) -> list[str]:
    """Why a grant that is there and not declared never did anything."""
    name = schema_of(level)
    twin = _case_twin(name, known) if name is not None else None
    return [f"grant on {level.sql} for {who}, but the schema is `{twin}`"] if twin else []


def _shadowed(account: Desired, known: t.Sequence[str]) -> list[str]:
    """Declared patterns that do not reach a schema, because another level does."""
    lines = []
    levels = sorted(level for level in account.grants if level.kind == "schema")
    for schema in known:
        reaching = [level for level in levels if matches(level.schema, schema)]
        if len(reaching) > 1 and len({account.grants[level] for level in reaching}) > 1:
            lines.append(f"grants on {' and '.join(level.sql for level in reaching)} for {account.who} all match the "
                         f"schema `{schema}`, where MySQL takes one and forgets the others: the exact name, if there "
                         "is one")
    return lines


def judge_stranger(server: Server, who: Who, members: t.Collection[Who]) -> list[str]:
    """What is odd about an account that nobody declared; ``members`` are the accounts that others have as roles."""
    found, lines = server.accounts[who], []
    everywhere = found.grants.get(GLOBAL, NONE)
    everything = server.privileges.get("global", NONE)
    if not who.user:
        lines.append(f"account {who}: anybody may log in as it, because it has no name; drop it")
    if found.without_password and not found.locked and "password" in found.plugin:
        lines.append(f"account {who}: anybody may log in as it, because it has no password")
    if found.plugin in OLD_PLUGINS:
        lines.append(f"account {who}: its authentication {found.plugin} is outdated; set its password with {PLUGIN}")
    if everything and everything <= everywhere:
        lines.append(f"account {who}: it has ALL on *.*; grant what it needs, or drop it")
    elif "%" in who.host and everywhere & POWERFUL:
        lines.append(f"account {who}: it may log in from many hosts and has {', '.join(sorted(everywhere & POWERFUL))} "
                     "on *.*")
    if who.user and not any(found.grants.values()) and not found.locked and who not in members:
        lines.append(f"account {who}: it was never granted anything")
    lines += [line for level in sorted(found.grants) for line in _judge_extra(level, who, sorted(server.schemas))]
    return lines


def _same_user(strangers: t.Iterable[Who], declared: t.Iterable[Who]) -> list[str]:
    """A user with several accounts is somebody else depending on where the login comes from."""
    hosts: dict[str, list[Who]] = collections.defaultdict(list)
    strangers = set(strangers)
    for who in sorted({*strangers, *declared}):
        hosts[who.user].append(who)
    return [f"user '{user}' has several accounts, {' and '.join(map(str, several))}: a login is checked against the "
            "one with the most specific host only" for user, several in sorted(hosts.items())
            if len(several) > 1 and strangers & set(several)]
