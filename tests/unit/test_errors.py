# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error says is wrong, apart from what it says to do."""

from __future__ import annotations

import pytest
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, problem_and_remedy


@pytest.mark.parametrize(("error", "expected"), [
    (MooringError("Docker is 19.3. Upgrade it, or remove it. Both help."),
     ("Docker is 19.3", "Upgrade it, or remove it. Both help")),
    ("Docker is 19.3.", ("Docker is 19.3", "")),
    ("", ("", "")),
])
def test_the_first_sentence_is_the_problem(error, expected) -> None:
    assert problem_and_remedy(error) == expected
