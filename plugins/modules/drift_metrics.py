#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: drift_metrics
short_description: Leave the result of a drift check for node-exporter
version_added: "0.2.0"
description:
  - Writes C(mooring_drift.prom) for the textfile collector of node-exporter, with what the plays before have found on
    this host. For each component the number of differences, C(mooring_drift_items), and of notices,
    C(mooring_drift_notices), 0 included, and the time of the check, C(mooring_drift_last_check_timestamp_seconds).
  - A host that failed does not come this far and keeps its old file. An alert on the age of the time stamp tells.
  - The callback P(mooring.stack.drift#callback) must be enabled, and the playbook be a C(drift.yml).
options:
  directory:
    description:
      - Directory of the metrics. It is created, but the one above it is not. A host that nothing was deployed to stays
        as it is.
    type: path
    required: true
  content:
    description: Set by the action plugin. The metrics.
    type: str
attributes:
  check_mode:
    description: Changes nothing in check mode. The role P(mooring.stack.drift#role) runs it with C(check_mode=false).
    support: full
  diff_mode:
    description: Has no diff, because a measurement is no change.
    support: none
  idempotent:
    description: Each run leaves a new time stamp, and reports no change.
    support: partial
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Leave what was found where node-exporter reads it
  mooring.stack.drift_metrics:
    directory: /opt/mooring/metrics
  check_mode: false
"""

RETURN = r"""
path:
  description: The file; empty where nothing was written.
  returned: always
  type: str
  sample: /opt/mooring/metrics/mooring_drift.prom
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import MooringError, domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._files import make_directory, write_file

ARGUMENT_SPEC: dict[str, t.Any] = {
    "directory": {"type": "path", "required": True},
    "content": {"type": "str"},
}
FILE = "mooring_drift.prom"


def leave(directory: str, content: str) -> str:
    """Write the file; its path, empty on a host that holds nothing of the platform."""
    if not os.path.isdir(os.path.dirname(directory)):
        return ""
    path = os.path.join(directory, FILE)
    owner, group = os.geteuid(), os.getegid()
    try:
        # node-exporter runs as somebody else, and reads.
        make_directory(directory, 0o755, owner, group)
        write_file(path, content.encode(), 0o644, owner, group)
    except OSError as error:
        raise MooringError(f"The metrics could not be written to {directory}: {error.strerror}.") from error
    return path


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        if module.params["content"] is None:
            raise MooringError("drift_metrics has no metrics: its controller half did not run.")
        path = "" if module.check_mode else leave(module.params["directory"], module.params["content"])
    module.exit_json(changed=False, path=path)


if __name__ == "__main__":
    main()
