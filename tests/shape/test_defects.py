# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/defects.md has every defect of the manual once, and each test that it names is there and says the same."""

from __future__ import annotations

import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

import defects  # noqa: E402

DEFECTS = 86
ROWS = defects.rows(defects.TABLE.read_text())


def test_every_defect_is_there_once_and_in_order():
    assert [row.number for row in ROWS] == list(range(1, DEFECTS + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_is_true(row):
    assert defects.problems(row, defects.TABLE) == []
    # It leads to what makes the defect impossible.
    assert row.defect and defects.LINK.search(row.now)


def test_a_comment_names_a_defect_that_there_is():
    folders = ("docs", "examples", "inventories", "molecule", "playbooks", "plugins", "roles", "tests")
    wrong = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.is_file()):
        text = path.read_text(encoding="utf-8", errors="replace")
        # In whatever words: "defect 22 of the manual" in a README as well as "# defects 2, 19" in a test.
        named = {int(number) for found in re.findall(r"\bdefects? (\d+(?:(?:, | and )\d+)*)", text)
                 for number in re.findall(r"\d+", found)}
        if unknown := named - set(range(1, DEFECTS + 1)):
            wrong[path.relative_to(ROOT)] = unknown
    assert wrong == {}


def test_the_count_is_of_rows_with_a_test(capsys):
    assert defects.main() == 0
    assert capsys.readouterr().out == f"defects={sum(bool(row.tests) for row in ROWS)}/{DEFECTS}\n"


# ---------------------------------------------------------------- what it does not believe

# Numbers are put in, so that this file names no defect itself.
FILES = {
    "test_x.py": """
CASES = [
    (1, 2),  # {word} 7
]


# {words} 3, 4 and 5
@decorated
def test_above():
    pass  # {word} 6


@pytest.mark.parametrize("a, b", CASES)
def test_cases():
    pass


def test_other():
    pass
""",
    "verify.yml": """
- name: A play
  tasks:
    # {word} 8
    - name: A task
      vars: {{x: 1}}
    - name: Another  # {word} 9
""",
    "SomeTest.java": """
    @Test
    @CsvSource({{
        "x", // {word} 10
    }})
    void badUrls(String url) {{
    }}

    @Test
    void goodUrls(String url) {{
    }}
""",
}


@pytest.fixture
def table(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.format(word="defect", words="defects"))
    (tmp_path / "notes.txt").write_text("test_above")
    return tmp_path / "table.md"


@pytest.mark.parametrize(("number", "link", "said"), [
    (3, "[test_above](test_x.py)", None),
    (5, "[test_above](test_x.py)", None),
    (6, "[test_above](test_x.py)", None),
    (7, "[test_cases](test_x.py)", None),
    (8, "[A task](verify.yml)", None),
    (8, "[A play](verify.yml)", None),
    (9, "[Another](verify.yml)", None),
    (10, "[badUrls](SomeTest.java)", None),
    (3, "not by a machine: a person has to look", None),
    (7, "[test_above](test_x.py)", "has no comment"),
    (7, "[test_other](test_x.py)", "has no comment"),
    (9, "[A task](verify.yml)", "has no comment"),
    (8, "[Another](verify.yml)", "has no comment"),
    (10, "[goodUrls](SomeTest.java)", "has no comment"),
    (3, "[test_gone](test_x.py)", "has no 'test_gone'"),
    (3, "[A task that is gone](verify.yml)", "has no 'A task that is gone'"),
    (3, "[neverUrls](SomeTest.java)", "has no 'neverUrls'"),
    (3, "[test_above](test_y.py)", "has no 'test_above'"),
    (3, "[test_above](notes.txt)", "has no 'test_above'"),
    (3, "somebody looks at it", "names neither"),
    (3, "not yet: [test_above](test_x.py) is too slow", "or both"),
])
def test_what_a_row_may_say(table, number, link, said):
    (row,) = defects.rows(f"| # | defect | now | proved by |\n|---|---|---|---|\n| {number} | x | y | {link} |\n")
    found = defects.problems(row, table)
    assert found == [] if said is None else len(found) == 1 and said in found[0]


def test_a_row_of_another_shape_is_an_error():
    with pytest.raises(ValueError, match="unpack"):
        defects.rows("| 3 | x | y |\n")


def test_a_table_that_is_not_true_is_counted_without_what_is_not(table, monkeypatch, capsys):
    table.write_text("| 3 | x | y | [test_above](test_x.py) |\n| 4 | x | y | [test_other](test_x.py) |\n"
                     "| 5 | x | y | not yet: nobody made it |\n")
    monkeypatch.setattr(defects, "TABLE", table)
    assert defects.main() == 1
    said = capsys.readouterr()
    assert said.out == "defects=1/3\n" and said.err.startswith("4: 'test_other' in test_x.py has no comment")
