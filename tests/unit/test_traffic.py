# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line of traffic, and the judgement on a colour that gets a share of it."""

from __future__ import annotations

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._canary import GROWTH, Canary, Seen
from ansible_collections.mooring.stack.plugins.module_utils._traffic import Traffic, other

LINES = {
    "green": Traffic("green"),
    "green*3": Traffic("green", 3),
    "blue green=10": Traffic("blue", percent=10),
    "blue green=10 sticky": Traffic("blue", percent=10, sticky=True),
    "blue*2 green*9=99 sticky": Traffic("blue", 2, 99, 9, True),
    "green blue=0": Traffic("green", percent=0),
}


@pytest.mark.parametrize(("line", "traffic"), LINES.items())
def test_a_line_is_read_as_it_was_written(line, traffic):
    assert Traffic.from_line(f"{line}\n") == traffic
    assert traffic.line() == line


@pytest.mark.parametrize("line", [
    None, "", "purple", "green blue", "blue blue=10", "blue green=100", "blue green=", "blue*0", "blue*10", "sticky",
    "blue  green=10", "blue green=10  sticky", "blue green=10 blue=10", "blue green=05",
])
def test_what_is_no_line(line):
    assert Traffic.from_line(line) is None


def test_traffic_in_words():
    assert Traffic("blue", 3).words() == "blue"
    assert Traffic("blue", percent=10).words() == "blue and green with 10 % of the requests"
    assert Traffic("green", percent=0).words() == "green and, where that fails, blue"
    assert (other("blue"), other("green")) == ("green", "blue")


PARAMS = {"steps": [1, 10, 50], "hold": 60.0, "errors": 0.01, "latency": None, "minimum": 20, "sticky": False}


def test_a_canary_of_parameters():
    assert Canary.from_params(PARAMS).steps == (1, 10, 50)
    assert Canary.from_params({**PARAMS, "steps": []}) == Canary()


@pytest.mark.parametrize(("wrong", "said"), [
    ({"steps": [0]}, "percent from 1 to 99"),
    ({"steps": [10, 100]}, "percent from 1 to 99"),
    ({"steps": [10, 10]}, "larger than the one before"),
    ({"steps": [50, 10]}, "larger than the one before"),
    ({"errors": 1.0}, "part of the answers"),
    ({"errors": -0.1}, "part of the answers"),
    ({"hold": 0}, "larger than 0"),
    ({"minimum": 0}, "larger than 0"),
    ({"latency": 0}, "larger than 0"),
])
def test_what_is_no_canary(wrong, said):
    with pytest.raises(ValueError, match=said):
        Canary.from_params({**PARAMS, **wrong})


def place(seconds: float) -> str:
    """The bucket in which the proxy counts an answer that took so long."""
    number = 0
    while GROWTH**number / 1000 < seconds:
        number += 1
    return str(number)


STRICT = Canary(steps=(10,), errors=0.05, latency=0.5, minimum=20)


@pytest.mark.parametrize(("counts", "refusal"), [
    ({}, None),
    ({"requests": 19, "errors": 19}, None),
    ({"requests": 20, "errors": 1, place(0.1): 20}, None),
    ({"requests": 20, "errors": 2, place(0.1): 20}, "2 of its 20 answers were errors (10.0%, and 5.0% may be)"),
    ({"requests": 100, place(0.1): 95, place(3): 5}, None),
    ({"requests": 100, place(0.1): 94, place(3): 6}, "95 % of its 100 answers took up to 3.08 s, and 0.5 s may be"),
])
def test_the_judgement_on_a_share(counts, refusal):
    assert Seen.from_counts(counts).refusal(STRICT) == refusal


def test_no_limit_is_no_refusal():
    slow = Seen.from_counts({"requests": 100, place(30): 100})
    assert slow.refusal(Canary(steps=(10,))) is None
    assert slow.refusal(Canary(steps=(10,), latency=29)) is not None


@pytest.mark.parametrize(("counts", "silent"), [
    ({}, False),
    ({"begun": 19}, False),
    ({"begun": 20, "requests": 10}, False),
    ({"begun": 20, "requests": 9}, True),
])
def test_a_colour_that_hardly_answers(counts, silent):
    assert bool(Seen.from_counts(counts).silence(STRICT)) == silent


def test_figures_of_a_share():
    seen = Seen.from_counts({"requests": 4, "errors": 1, place(0.001): 2, place(0.2): 2})
    assert (seen.error_ratio, seen.public()["requests"]) == (0.25, 4)
    assert 0.2 <= seen.latency <= 0.2 * GROWTH
    assert (Seen().error_ratio, Seen().latency) == (0.0, 0.0)
