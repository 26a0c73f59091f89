# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to mooring.stack: reads the lines of MySQL's ``SHOW GRANTS``. Pure, no I/O.

What MySQL 8.0 to 9.7 prints (seen with 9.7.4; for older ones the manual and the
results of the server's own tests):

- A name stands in backquotes with those inside doubled, whatever it is: user,
  host, schema, table, routine, column. A backslash is an ordinary character;
  that of a schema pattern, ``my\\_app``, belongs to the pattern.
- Under ANSI_QUOTES most names stand in double quotes instead, but not all: the
  roles of a line WITH ADMIN OPTION keep their backquotes.
- Under ``sql_quote_show_create=0`` names without odd characters that are not
  keywords stand bare.
- Early 8.0 puts the accounts of a PROXY line, and the nameless user of a line of
  dynamic privileges, in single quotes, with nothing inside doubled or escaped.
  A name with a quote in it is then ambiguous, and such a line is refused.
- Static privileges are separated by ``, ``, dynamic ones and roles by ``,``.
  Dynamic privileges have lines of their own, one for those with the option and
  one for those without.
- ``*.*`` lists each privilege; ALL PRIVILEGES is for smaller levels only.
- A partial revoke is a REVOKE line of a schema.
- What the tables say and the lines do not (9.7): privileges of columns where the
  table has ALL PRIVILEGES, and a routine's name in other than lower case.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError
from ansible_collections.mooring.stack.plugins.module_utils._grants import ALL, GLOBAL, Level, Who

# The server has had no new static privilege since 8.0; all it adds are dynamic ones, whose
# names are one word. So a single word nobody here knows is a privilege, two are a mistake.
STATIC = frozenset({
    "ALTER", "ALTER ROUTINE", "CREATE", "CREATE ROLE", "CREATE ROUTINE", "CREATE TABLESPACE",
    "CREATE TEMPORARY TABLES", "CREATE USER", "CREATE VIEW", "DELETE", "DROP", "DROP ROLE", "EVENT", "EXECUTE", "FILE",
    "INDEX", "INSERT", "LOCK TABLES", "PROCESS", "REFERENCES", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE",
    "SELECT", "SHOW DATABASES", "SHOW VIEW", "SHUTDOWN", "SUPER", "TRIGGER", "UPDATE",
})
OF_COLUMNS = frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"})
EVERYTHING, NOTHING = "ALL PRIVILEGES", "USAGE"
ROUTINES = ("PROCEDURE", "FUNCTION", "LIBRARY")

# Reserved by MySQL, so that a name like this never stands bare.
_RESERVED = frozenset({"GRANT", "REVOKE", "ON", "TO", "FROM", "WITH"})
_PRIVILEGES = STATIC | {EVERYTHING, NOTHING}
_SPACES = " \t\r\n\f\v"
_SIGNS = "*.,@()"
_SECRET = re.compile("IDENTIFIED", re.IGNORECASE)


class ShowGrantsError(MooringError):
    """A line that cannot be read. ``position`` is where, in characters from 1."""

    def __init__(self, text: str, expected: str, token: _Token) -> None:
        self.position = token.start + 1
        # Servers before 8.0 and MariaDB print password hashes there.
        secret = _SECRET.search(text)
        visible = secret.end() if secret else len(text)
        if token.kind == "end":
            found = "the end"
        elif token.kind == "open":
            found = f"a {text[token.start]} that is never closed"
        elif token.end > visible:
            found = "something that is not shown here"
        else:
            found = f"'{text[token.start:token.end]}'"
        super().__init__(
            f"A line of SHOW GRANTS cannot be read: expected {expected} at position {self.position}, found {found}. "
            "MySQL 8.0, 8.4 and 9.x are not known to print such a line; report it together with the server's version: "
            f"{text[:visible]}{' ...' if secret else ''}")


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of SHOW GRANTS.

    ``level`` is as printed, None for roles and proxies. The schema of a GRANT is
    a pattern; that of a partial REVOKE is a plain name, where ``_`` and ``%`` stand
    for themselves. While ``partial_revokes`` is on, they do so in a GRANT too (all
    seen with 9.7.4, with queries that were refused). ``privileges`` are upper case; one of a column
    is written ``SELECT (`a`)``, always in backquotes; ALL stands for ALL PRIVILEGES,
    and USAGE is none. ``option`` is WITH GRANT OPTION, or for roles WITH ADMIN
    OPTION. Hosts are in lower case.
    """

    who: Who
    level: Level | None = None
    privileges: frozenset[str] = frozenset()
    roles: frozenset[Who] = frozenset()
    proxied: Who | None = None
    option: bool = False
    revoked: bool = False


def parse(text: str, ansi_quotes: bool = False) -> Line:
    """One line as its meaning; ``ansi_quotes`` as in the session that asked. Raises :class:`ShowGrantsError`."""
    reader = _Reader(text, ansi_quotes)
    if reader.at_word("REVOKE"):
        reader.words("REVOKE")
        return _privileges(reader, revoked=True)
    if not reader.at_word("GRANT"):
        raise reader.error("GRANT or REVOKE")
    reader.words("GRANT")
    if reader.at_word("PROXY") and reader.at_word("ON", ahead=1):
        return _proxy(reader)
    # Only an account has an @ behind it, and only roles are accounts here.
    if reader.token().kind in ("quoted", "raw") or reader.at_sign("@", ahead=1):
        return _roles(reader)
    return _privileges(reader, revoked=False)


# -- kinds of lines ----------------------------------------------------------------------------


def _proxy(reader: _Reader) -> Line:
    reader.words("PROXY", "ON")
    proxied = reader.account()
    reader.words("TO")
    return Line(who=reader.account(), proxied=proxied, option=reader.option("GRANT"))


def _roles(reader: _Reader) -> Line:
    roles = {reader.account()}
    while reader.skip(","):
        roles.add(reader.account())
    if not reader.at_word("TO"):
        raise reader.error("',' or TO")
    reader.words("TO")
    return Line(who=reader.account(), roles=frozenset(roles), option=reader.option("ADMIN"))


def _privileges(reader: _Reader, revoked: bool) -> Line:
    held: set[str] = set()
    of_columns: _Token | None = None
    while True:
        start = reader.token()
        name = reader.privilege("a privilege" if held or revoked else "a privilege or a role")
        if name in (EVERYTHING, NOTHING):
            if held:
                raise reader.error(f"a privilege other than {name}", start)
            held = {name}
            break
        if name in OF_COLUMNS and reader.at_sign("("):
            of_columns = of_columns or reader.token()
            held.update(f"{name} (`{column.replace('`', '``')}`)" for column in reader.columns())
        else:
            held.add(name)
        if not reader.skip(","):
            break
    if not reader.at_word("ON"):
        raise reader.error("ON" if name in (EVERYTHING, NOTHING) else "',' or ON")
    reader.words("ON")
    start = reader.token()
    level = reader.level()
    if of_columns and level.kind != "table":
        raise reader.error("',' or ON, because only tables have columns,", of_columns)
    if revoked and level.kind != "schema":
        raise reader.error("a schema, because nothing else is revoked in part,", start)
    reader.words("FROM" if revoked else "TO")
    return Line(
        who=reader.account(), level=level,
        privileges=frozenset(ALL if privilege == EVERYTHING else privilege for privilege in held - {NOTHING}),
        option=reader.option(None if revoked else "GRANT"), revoked=revoked)


# -- words and names ---------------------------------------------------------------------------


class _Token(t.NamedTuple):
    """kind is word, quoted, raw (in single quotes), sign, open (a quote never closed), other or end."""

    kind: str
    value: str
    start: int
    end: int


def _tokens(text: str, ansi_quotes: bool) -> t.Iterator[_Token]:
    at = 0
    while at < len(text):
        start, character = at, text[at]
        if character in _SPACES:
            at += 1
        elif character in "`'" or character == '"' and ansi_quotes:
            value, at = _quoted(text, at)
            kind = "open" if value is None else "raw" if character == "'" else "quoted"
            yield _Token(kind, value or "", start, at)
        elif _in_word(character):
            while at < len(text) and _in_word(text[at]):
                at += 1
            yield _Token("word", text[start:at], start, at)
        else:
            at += 1
            yield _Token("sign" if character in _SIGNS else "other", character, start, at)
    yield _Token("end", "", len(text), len(text))


def _quoted(text: str, start: int) -> tuple[str | None, int]:
    """The name that starts with the quote at ``start``, None if it does not end, and where it ends."""
    quote, value, at = text[start], "", start + 1
    while True:
        close = text.find(quote, at)
        if close < 0:
            return None, len(text)
        value += text[at:close]
        if quote == "'" or text[close + 1:close + 2] != quote:
            return value, close + 1
        value += quote
        at = close + 2


def _in_word(character: str) -> bool:
    """Whether it may stand in a bare name (manual, "Schema Object Names")."""
    return character.isascii() and character.isalnum() or character in "_$" or "\x80" <= character <= "\uffff"


class _Reader:
    """Takes the tokens of a line from left to right."""

    def __init__(self, text: str, ansi_quotes: bool) -> None:
        self._text = text
        self._tokens = list(_tokens(text, ansi_quotes))
        self._at = 0

    def token(self, ahead: int = 0) -> _Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def error(self, expected: str, token: _Token | None = None) -> ShowGrantsError:
        return ShowGrantsError(self._text, expected, token or self.token())

    def at_word(self, word: str, ahead: int = 0) -> bool:
        token = self.token(ahead)
        return token.kind == "word" and token.value.isascii() and token.value.upper() == word

    def at_sign(self, sign: str, ahead: int = 0) -> bool:
        token = self.token(ahead)
        return token.kind == "sign" and token.value == sign

    def skip(self, sign: str) -> bool:
        """Whether the sign was there; it is then behind."""
        found = self.at_sign(sign)
        self._at += found
        return found

    def words(self, *words: str) -> None:
        for word in words:
            if not self.at_word(word):
                raise self.error(word)
            self._at += 1

    def sign(self, sign: str) -> None:
        if not self.skip(sign):
            raise self.error(f"'{sign}'")

    def name(self, what: str) -> str:
        """A name that is not empty, quoted or bare."""
        token = self.token()
        bare = token.kind == "word" and token.value.upper() not in _RESERVED
        if not bare and (token.kind != "quoted" or not token.value):
            raise self.error(what)
        self._at += 1
        return token.value

    def account(self) -> Who:
        user = self._part("an account")
        self.sign("@")
        return Who(user, self._part("a host").lower())

    def _part(self, what: str) -> str:
        """A user or a host, which may be empty."""
        token = self.token()
        if token.kind not in ("quoted", "raw"):
            return self.name(what)
        self._at += 1
        return token.value

    def privilege(self, what: str) -> str:
        token = self.token()
        if token.kind != "word" or not token.value.isascii() or "$" in token.value or token.value[0].isdigit() \
                or token.value.upper() in _RESERVED:
            raise self.error(what)
        name = token.value.upper()
        self._at += 1
        while True:
            longer = sorted({known[len(name) + 1:].split()[0] for known in _PRIVILEGES if known.startswith(f"{name} ")})
            follows = next((word for word in longer if self.at_word(word)), None)
            if follows is None:
                break
            name += f" {follows}"
            self._at += 1
        # REPLICATION alone is half a privilege, CREATE alone is one.
        if longer and name not in _PRIVILEGES:
            raise self.error(" or ".join(longer))
        return name

    def columns(self) -> list[str]:
        self.sign("(")
        names = [self.name("a column")]
        while self.skip(","):
            names.append(self.name("a column"))
        if not self.skip(")"):
            raise self.error("',' or ')'")
        return names

    def level(self) -> Level:
        if self.skip("*"):
            self.sign(".")
            self.sign("*")
            return GLOBAL
        for kind in ROUTINES:
            # A schema may be called library, which is no keyword in 8.0 and stands bare; then a dot follows.
            if self.at_word(kind) and not self.at_sign(".", ahead=1):
                self.words(kind)
                schema = self.name("a schema")
                self.sign(".")
                return Level(kind.lower(), schema, self.name(f"a {kind.lower()}"))
        schema = self.name("'*', PROCEDURE, FUNCTION, LIBRARY or a schema")
        self.sign(".")
        if self.skip("*"):
            return Level("schema", schema)
        return Level("table", schema, self.name("'*' or a table"))

    def option(self, word: str | None) -> bool:
        """What may end a line: nothing, or WITH ``word`` OPTION."""
        found = word is not None and self.at_word("WITH")
        if found:
            self.words("WITH", word, "OPTION")
        if self.token().kind != "end":
            raise self.error("the end" if found or word is None else f"WITH {word} OPTION or the end")
        return found
