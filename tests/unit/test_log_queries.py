# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each LogQL expression of the dashboards and of the log shippers, by Grafana's own grammar of the language."""

from __future__ import annotations

import pathlib
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))
sys.path.insert(0, str(ROOT / "tests/unit"))

import alloy_conf  # noqa: E402
import dashboards  # noqa: E402
import logql  # noqa: E402
import loki_conf  # noqa: E402
from test_log_files import ALLOY, PROMTAIL  # noqa: E402

BROKEN = [
    '{a="b"', '{a=b}', '{a="b"} |~', 'rate({a="b"})', 'sum by x (rate({a="b"}[1m]))', '{a="b"} | status >', "",
]


@pytest.fixture(scope="module")
def parse():
    """What is wrong with each expression of a list, "" for nothing."""
    try:
        logql.install()
    except logql.Missing as error:
        pytest.skip(str(error))
    return lambda expressions: dict(zip(expressions, logql.verdicts(expressions), strict=True))


def test_every_expression_is_logql(parse):
    asked = [one.expression for one in dashboards.expressions() if one.language == "logql"]
    selectors = [block.attributes["selector"] for block in alloy_conf.parse(ALLOY).walk()
                 if block.name == "stage.match"] + loki_conf.selectors(yaml.safe_load(PROMTAIL))
    assert len(asked) >= 8
    assert len(selectors) >= 6
    assert {expression: wrong for expression, wrong in parse(asked + selectors).items() if wrong} == {}


def test_what_is_no_logql_is_refused(parse):
    assert [expression for expression, wrong in parse(BROKEN).items() if not wrong] == []
