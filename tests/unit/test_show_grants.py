"""The lines of SHOW GRANTS: a corpus with meanings, lines that are refused, and anything at all."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._grants import ALL, GLOBAL, Level, Who
from ansible_collections.mooring.stack.plugins.module_utils._show_grants import (
    OF_COLUMNS,
    ROUTINES,
    STATIC,
    Line,
    ShowGrantsError,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = pathlib.Path(__file__).parent / "data" / "show_grants.txt"
APP = Who("app", "%")


# -- corpus ------------------------------------------------------------------------------------


def meaning(who, on=None, privileges=(), roles=(), proxied=None, option=False, revoked=False):
    """The JSON of the corpus as the parser's answer."""
    return Line(
        who=Who(*who), level=Level(*on) if on else None, privileges=frozenset(privileges),
        roles=frozenset(Who(*role) for role in roles), proxied=Who(*proxied) if proxied else None,
        option=option, revoked=revoked)


def corpus():
    """(number of the line in the file, version, ANSI_QUOTES, line, meaning)."""
    version, ansi_quotes, text = None, False, None
    # Not splitlines(), which would also break at characters that may be part of a name.
    for number, row in enumerate(DATA.read_text(encoding="utf-8").split("\n"), 1):
        if row.startswith("["):
            version, *session = row.strip("[]").split()
            ansi_quotes = "ANSI_QUOTES" in session
        elif row.startswith("    "):
            yield number - 1, version, ansi_quotes, text, meaning(**json.loads(row))
            text = None
        elif row and not row.startswith("#"):
            assert text is None, f"line {number}: the line before has no meaning"
            text = row
    assert text is None, "the last line has no meaning"


CORPUS = list(corpus())


@pytest.mark.parametrize(("ansi_quotes", "text", "expected"), [
    pytest.param(ansi_quotes, text, expected, id=f"{version}-line{number}")
    for number, version, ansi_quotes, text, expected in CORPUS])
def test_corpus(ansi_quotes, text, expected):
    assert parse(text, ansi_quotes) == expected


def test_the_corpus_has_everything():
    lines = [expected for _number, _version, _ansi, _text, expected in CORPUS]
    assert len(CORPUS) >= 170
    assert {version for _number, version, *_rest in CORPUS} == {"8.0", "8.4", "9.x", "9.7"}
    assert {line.level.kind for line in lines if line.level} == {
        "global", "schema", "table", "procedure", "function", "library"}
    assert {(bool(line.roles), bool(line.proxied), line.option) for line in lines} == {
        (roles, proxied, option) for roles, proxied in ((False, False), (True, False), (False, True))
        for option in (False, True)}
    assert sum(line.revoked for line in lines) >= 15
    assert set().union(*(line.privileges for line in lines)) >= STATIC | {ALL}
    assert sum(ansi for _number, _version, ansi, *_rest in CORPUS) >= 30


# -- single rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("GRANT USAGE ON *.* TO `app`@`%`", Line(APP, GLOBAL)),
    ("grant usage on *.* to `app`@`%`", Line(APP, GLOBAL)),
    ("GRANT select ON *.* TO `app`@`%`", Line(APP, GLOBAL, frozenset({"SELECT"}))),
    (" GRANT\tSELECT ON *.* TO `app`@`%`\n", Line(APP, GLOBAL, frozenset({"SELECT"}))),
    ("GRANT USAGE ON *.* TO `App`@`DB-1.Example.COM`", Line(Who("App", "db-1.example.com"), GLOBAL)),
    ("GRANT USAGE ON *.* TO `a\nb`@`%`", Line(Who("a\nb", "%"), GLOBAL)),
    ("GRANT USAGE ON *.* TO ` TO ``x``@``%`` `@`%`", Line(Who(" TO `x`@`%` ", "%"), GLOBAL)),
    # Double quotes are ordinary inside a name, and a name of their own only under ANSI_QUOTES.
    ('GRANT USAGE ON *.* TO `"a"`@`%`', Line(Who('"a"', "%"), GLOBAL)),
    # In single quotes nothing is escaped, so a backslash is one and cannot hide the closing quote.
    ("GRANT PROXY ON 'a\\'@'%' TO `app`@`%`", Line(APP, proxied=Who("a\\", "%"))),
    # Words of the grammar that are not reserved may be bare names.
    ("GRANT PROXY@localhost TO app@`%`", Line(APP, roles=frozenset({Who("PROXY", "localhost")}))),
    ("GRANT PROXY ON proxy@localhost TO app@`%`", Line(APP, proxied=Who("proxy", "localhost"))),
    ("GRANT SYSTEM_USER@localhost TO app@`%`", Line(APP, roles=frozenset({Who("SYSTEM_USER", "localhost")}))),
    ("GRANT EXECUTE ON LIBRARY library.library TO app@`%`",
     Line(APP, Level("library", "library", "library"), frozenset({"EXECUTE"}))),
    ("GRANT SELECT ON library.library TO app@`%`",
     Line(APP, Level("table", "library", "library"), frozenset({"SELECT"}))),
    ("GRANT SELECT ON größe.表 TO app@`%`", Line(APP, Level("table", "größe", "表"), frozenset({"SELECT"}))),
])
def test_rules(text, expected):
    assert parse(text) == expected


WRONG = [
    ("", 1, "expected GRANT or REVOKE"),
    ("   ", 4, "found the end"),
    ("Grants for app@%", 1, "expected GRANT or REVOKE at position 1, found 'Grants'"),
    ("ＧRANT USAGE ON *.* TO `app`@`%`", 1, "expected GRANT or REVOKE"),
    ("GRANT", 6, "expected a privilege or a role"),
    ("GRANT ON *.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT , SELECT ON *.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT 2ND ON *.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT größe ON *.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT A$B ON *.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT SELECT, ON *.* TO `app`@`%`", 15, "expected a privilege at position 15, found 'ON'"),
    ("GRANT SELECT INSERT ON *.* TO `app`@`%`", 14, "expected ',' or ON"),
    ("GRANT CREATE TEMPORARY ON *.* TO `app`@`%`", 24, "expected TABLES"),
    ("GRANT REPLICATION ON *.* TO `app`@`%`", 19, "expected CLIENT or SLAVE"),
    ("GRANT ALL ON *.* TO `app`@`%`", 11, "expected PRIVILEGES"),
    ("GRANT ALL PRIVILEGES, SELECT ON `a`.* TO `app`@`%`", 21, "expected ON"),
    ("GRANT SELECT, USAGE ON `a`.* TO `app`@`%`", 15, "expected a privilege other than USAGE"),
    ("GRANT GRANT OPTION ON `a`.* TO `app`@`%`", 7, "expected a privilege or a role"),
    ("GRANT SELECT", 13, "expected ',' or ON"),
    ("GRANT SELECT ON", 16, "expected '*', PROCEDURE, FUNCTION, LIBRARY or a schema"),
    ("GRANT SELECT ON *.`a` TO `app`@`%`", 19, "expected '*'"),
    ("GRANT SELECT ON * TO `app`@`%`", 19, "expected '.'"),
    ("GRANT SELECT ON `a` TO `app`@`%`", 21, "expected '.'"),
    ("GRANT SELECT ON ``.* TO `app`@`%`", 17, "or a schema at position 17, found '``'"),
    ("GRANT SELECT ON `a`.`` TO `app`@`%`", 21, "expected '*' or a table"),
    ("GRANT SELECT ON TO.* TO `app`@`%`", 17, "or a schema"),
    ("GRANT SELECT ON 'a'.* TO `app`@`%`", 17, "or a schema"),
    ("GRANT SELECT ON 𐍈.* TO `app`@`%`", 17, "or a schema at position 17, found '𐍈'"),
    ('GRANT SELECT ON "a".* TO `app`@`%`', 17, "or a schema at position 17, found '\"'"),
    ("GRANT SELECT ON TABLE `a`.`b` TO `app`@`%`", 23, "expected '.'"),
    ("GRANT EXECUTE ON PROCEDURE `a`.* TO `app`@`%`", 32, "expected a procedure"),
    ("GRANT EXECUTE ON LIBRARY `a` TO `app`@`%`", 30, "expected '.'"),
    ("GRANT SELECT ON `a.* TO `app`@`%`", 26, "expected '.' at position 26, found 'app'"),
    ("GRANT SELECT ON `a`.`b TO", 21, "expected '*' or a table at position 21, found a ` that is never closed"),
    ("GRANT SELECT () ON `a`.`b` TO `app`@`%`", 15, "expected a column"),
    ("GRANT SELECT (``) ON `a`.`b` TO `app`@`%`", 15, "expected a column"),
    ("GRANT SELECT (`a` `b`) ON `a`.`b` TO `app`@`%`", 19, "expected ',' or ')'"),
    ("GRANT SELECT (`a`, `b` ON `a`.`b` TO `app`@`%`", 24, "expected ',' or ')'"),
    ("GRANT DELETE (`a`) ON `a`.`b` TO `app`@`%`", 14, "expected ',' or ON"),
    ("GRANT SELECT (`a`) ON `a`.* TO `app`@`%`", 14, "only tables have columns"),
    ("GRANT INSERT, SELECT (`a`) ON *.* TO `app`@`%`", 22, "only tables have columns"),
    ("GRANT SELECT (`a`), INSERT (`a`) ON *.* TO `app`@`%`", 14, "only tables have columns"),
    ("GRANT SELECT ON *.* FROM `app`@`%`", 21, "expected TO"),
    ("GRANT SELECT ON *.* TO", 23, "expected an account"),
    ("GRANT SELECT ON *.* TO `app`", 29, "expected '@'"),
    ("GRANT SELECT ON *.* TO `app`@", 30, "expected a host"),
    ("GRANT SELECT ON *.* TO @`%`", 24, "expected an account"),
    ("GRANT SELECT ON *.* TO `app`@`%`, `b`@`%`", 33, "expected WITH GRANT OPTION or the end"),
    ("GRANT SELECT ON *.* TO `app`@`%`;", 33, "expected WITH GRANT OPTION or the end at position 33, found ';'"),
    ("GRANT SELECT ON *.* TO `app`@`%` WITH ADMIN OPTION", 39, "expected GRANT"),
    ("GRANT SELECT ON *.* TO `app`@`%` WıTH GRANT OPTION", 34, "expected WITH GRANT OPTION or the end"),
    ("GRANT SELECT ON *.* TO `app`@`%` WITH GRANT", 44, "expected OPTION"),
    ("GRANT SELECT ON *.* TO `app`@`%` WITH GRANT OPTION WITH GRANT OPTION", 52, "expected the end"),
    ("GRANT SELECT ON *.* TO `app`@`%` REQUIRE SSL", 34, "expected WITH GRANT OPTION or the end"),
    ("GRANT `r` TO `app`@`%`", 11, "expected '@'"),
    ("GRANT `r`@`%`, TO `app`@`%`", 16, "expected an account"),
    ("GRANT `r`@`%` ON *.* TO `app`@`%`", 15, "expected ',' or TO"),
    ("GRANT `r`@`%` TO `app`@`%` WITH GRANT OPTION", 33, "expected ADMIN"),
    ("GRANT PROXY ON *.* TO `app`@`%`", 16, "expected an account"),
    ("GRANT PROXY ON ``@`` FROM `app`@`%`", 22, "expected TO"),
    ("GRANT PROXY ON ``@`` TO `app`@`%` WITH ADMIN OPTION", 40, "expected GRANT"),
    # A quote in a name that early 8.0 did not escape.
    ("GRANT PROXY ON 'o'brien'@'%' TO 'app'@'%'", 19, "expected '@' at position 19, found 'brien'"),
    ("GRANT PROXY ON 'o''brien'@'%' TO 'app'@'%'", 19, "expected '@'"),
    ("GRANT PROXY ON ''@' TO 'app", 25, "expected TO"),
    ("REVOKE SELECT ON `a`.* TO `app`@`%`", 24, "expected FROM"),
    ("REVOKE SELECT ON *.* FROM `app`@`%`", 18, "nothing else is revoked in part"),
    ("REVOKE SELECT ON `a`.`b` FROM `app`@`%`", 18, "nothing else is revoked in part"),
    ("REVOKE SELECT ON `a`.* FROM `app`@`%` WITH GRANT OPTION", 39, "expected the end"),
    ("REVOKE `r`@`%` FROM `app`@`%`", 8, "expected a privilege at position 8, found '`r`'"),
    ("REVOKE PROXY ON ``@`` FROM `app`@`%`", 17, "or a schema"),
]


@pytest.mark.parametrize(("text", "position", "problem"), WRONG)
def test_refused(text, position, problem):
    with pytest.raises(ShowGrantsError) as raised:
        parse(text)
    assert (raised.value.position, problem in str(raised.value)) == (position, True), str(raised.value)
    assert str(raised.value).endswith(f"report it together with the server's version: {text}")
    assert f"at position {position}, found" in str(raised.value)


def test_double_quotes_need_the_sql_mode():
    text = 'GRANT SELECT ("a""b") ON "s"."t" TO "app"@"%"'
    assert parse(text, ansi_quotes=True) == Line(APP, Level("table", "s", "t"), frozenset({'SELECT (`a"b`)'}))
    with pytest.raises(ShowGrantsError, match="expected a column at position 15"):
        parse(text)


@pytest.mark.parametrize("clause", [
    "IDENTIFIED BY PASSWORD '*5C0EB4A4C4F4'", "identified by '*5C0EB4A4C4F4'", "IDENTIFIED  BY '*5C0EB4A4C4F4",
    "IDENTIFIED WITH 'sha' AS '*5C0EB4A4C4F4' WITH GRANT OPTION", "IDENTIFIED VIA sha USING '*5C0EB4A4C4F4'",
    # Even where the quotes are odd, so that the clause is the inside of a name.
    "` IDENTIFIED BY '*5C0EB4A4C4F4' `", "`IDENTIFIED BY '*5C0EB4A4C4F4'",
])
def test_no_password_is_shown(clause):
    with pytest.raises(ShowGrantsError) as raised:
        parse(f"GRANT USAGE ON *.* TO 'app'@'%' {clause}")
    assert raised.value.position == 33
    assert "5C0EB4A4C4F4" not in str(raised.value)
    assert str(raised.value).lower().endswith("identified ...")


# -- anything ----------------------------------------------------------------------------------

PIECES = ["GRANT", "REVOKE", "SELECT", "ALL PRIVILEGES", "USAGE", "PROXY", "ON", "TO", "FROM", "WITH", "OPTION",
          "ADMIN", "PROCEDURE", "LIBRARY", "*.*", "`a`", "`", "``", "'", "''", '"', '"a"', "@", ".", "*", ",", "(", ")",
          " ", "\\", "IDENTIFIED BY", "\x00", "\u2028", "İ", "𐍈", ";"]


def reads_or_refuses(text, ansi_quotes):
    try:
        line = parse(text, ansi_quotes)
    except ShowGrantsError as error:
        assert 1 <= error.position <= len(text) + 1
        return None
    assert isinstance(line, Line)
    return line


@given(st.text() | st.builds(str.join, st.sampled_from(["", " "]), st.lists(st.sampled_from(PIECES))), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_text(text, ansi_quotes):
    reads_or_refuses(text, ansi_quotes)


@given(st.sampled_from(CORPUS), st.data())
@settings(max_examples=800, deadline=None)
def test_any_mutation(entry, data):
    """What still is a line after the damage means what it then says; written out again it reads the same."""
    _number, _version, ansi_quotes, text, _expected = entry
    for _time in range(data.draw(st.integers(1, 3))):
        at, other = (data.draw(st.integers(0, len(text))) for _end in range(2))
        kind = data.draw(st.sampled_from(["delete", "insert", "swap", "cut"]))
        if kind == "delete":
            text = text[:at] + text[at + 1:]
        elif kind == "insert":
            text = text[:at] + data.draw(st.one_of(st.characters(), st.sampled_from(PIECES))) + text[at:]
        elif kind == "cut":
            text = text[:min(at, other)] + text[max(at, other):]
        elif at < len(text) and other < len(text):
            characters = list(text)
            characters[at], characters[other] = characters[other], characters[at]
            text = "".join(characters)
    line = reads_or_refuses(text, ansi_quotes)
    if line:
        assert parse(rendered(line, "`")) == line


# -- there and back ----------------------------------------------------------------------------

KEYWORDS = ["TO", "ON", "FROM", "WITH", "GRANT", "REVOKE", "SELECT", "PROXY", "PROCEDURE", "LIBRARY", "*", "*.*",
            "WITH GRANT OPTION"]
TEXT = st.one_of(st.sampled_from(KEYWORDS), st.from_regex("[a-z][a-z0-9_]{0,5}", fullmatch=True),
                 st.text("ab_%.,@()`'\"\\ *;ß表", max_size=6),
                 st.text(st.characters(exclude_categories=["Cs"]), max_size=6))
NAMES = TEXT.filter(bool)
WHO = st.builds(Who, TEXT, TEXT.map(str.lower))
DYNAMIC = st.from_regex("[A-Z][A-Z0-9_]{0,20}_ADMIN", fullmatch=True)


@st.composite
def levels_and_privileges(draw):
    kind, names = draw(st.sampled_from([("global", 0), ("schema", 1), ("table", 2),
                                        *((routine.lower(), 2) for routine in ROUTINES)]))
    level = Level(kind, *(draw(NAMES) for _name in range(names)))
    one = st.sampled_from(sorted(STATIC))
    if kind == "global":
        one |= DYNAMIC
    if kind == "table":
        one |= st.builds(lambda name, column: f"{name} (`{column.replace('`', '``')}`)",
                         st.sampled_from(sorted(OF_COLUMNS)), NAMES)
    return level, draw(st.one_of(st.frozensets(one, max_size=6), st.just(frozenset({ALL}))))


@st.composite
def lines(draw):
    kind = draw(st.sampled_from(["grant", "revoke", "roles", "proxy"]))
    if kind == "roles":
        return Line(draw(WHO), roles=draw(st.frozensets(WHO, min_size=1, max_size=4)), option=draw(st.booleans()))
    if kind == "proxy":
        return Line(draw(WHO), proxied=draw(WHO), option=draw(st.booleans()))
    if kind == "revoke":
        privileges = draw(st.frozensets(st.sampled_from(sorted(STATIC)), min_size=1, max_size=6))
        return Line(draw(WHO), Level("schema", draw(NAMES)), privileges, revoked=True)
    return Line(draw(WHO), *draw(levels_and_privileges()), option=draw(st.booleans()))


def rendered(line, quote, comma=", ", bare=False):
    """A line as the server writes it; ``bare`` as under sql_quote_show_create=0."""

    def name(text):
        if bare and re.fullmatch("[a-z][a-z0-9_]*", text) and text.upper() not in KEYWORDS:
            return text
        return quote + text.replace(quote, quote * 2) + quote

    def account(who):
        return f"{name(who.user)}@{name(who.host)}"

    if line.roles:
        roles = comma.join(account(role) for role in sorted(line.roles))
        return f"GRANT {roles} TO {account(line.who)}{' WITH ADMIN OPTION' * line.option}"
    option = " WITH GRANT OPTION" * line.option
    if line.proxied:
        return f"GRANT PROXY ON {account(line.proxied)} TO {account(line.who)}{option}"
    columns = {}
    for privilege in sorted(line.privileges):
        word, _parenthesis, rest = privilege.partition(" (`")
        columns.setdefault((word, bool(rest)), []).append(rest[:-2].replace("``", "`"))
    words = comma.join(f"{word} ({comma.join(map(name, names))})" if some else word
                       for (word, some), names in columns.items())
    words = "ALL PRIVILEGES" if words == ALL else words or "USAGE"
    kind = f"{line.level.kind.upper()} " if line.level.kind.upper() in ROUTINES else ""
    where = ".".join(name(part) if part else "*" for part in (line.level.schema, line.level.name))
    verb, towards = ("REVOKE", "FROM") if line.revoked else ("GRANT", "TO")
    return f"{verb} {words} ON {kind}{where} {towards} {account(line.who)}{option}"


@given(lines(), st.sampled_from([", ", ","]), st.booleans())
@settings(max_examples=500, deadline=None)
def test_round_trip(line, comma, bare):
    assert parse(rendered(line, "`", comma, bare)) == line
    assert parse(rendered(line, "`", comma, bare), ansi_quotes=True) == line
    assert parse(rendered(line, '"', comma, bare), ansi_quotes=True) == line
