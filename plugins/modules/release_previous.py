#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_previous
short_description: Find the release that an application can be rolled back to
version_added: "0.2.0"
author:
  - The mooring.stack authors (@mooring)
description:
  - Looks a release up in the host's record of deployments. Without one it is the release that served before the present
    one, so that two rollbacks in a row end where they began.
  - If a colour still has that release as it ran, image and configuration, the proxy only has to be switched to it.
    Otherwise its image can be deployed again, with the configuration that is declared today.
  - Fails with the releases on record if there is nothing to roll back to, or if the image is gone from the host.
  - Says in one line that the inventory declares another release, if it does, and where.
attributes:
  check_mode:
    description: Can run in check mode and return the same as in a real run.
    support: full
  diff_mode:
    description: Will return details on what has changed or is to change.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: Running it twice changes nothing more than running it once.
    support: full
extends_documentation_fragment:
  - mooring.stack.application
  - mooring.stack.application.platform
options:
  release:
    description:
      - The release to go back to; empty is the one that served before.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Find the release to go back to
  mooring.stack.release_previous:
    name: shop
  register: shop_back
"""

RETURN = r"""
release:
  description: The release to go back to.
  returned: success
  type: str
  sample: 1.4.1
image:
  description: What leads to the image that ran, its tag or its id.
  returned: success
  type: str
  sample: registry.example.com/shop:1.4.1
seal:
  description: The label of the colour that still has the release as it ran; empty if none has.
  returned: success
  type: str
reason:
  description: The decision in one sentence.
  returned: success
  type: str
notices:
  description: That the inventory declares another release, and where.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils import _release_history
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._release_host import PLATFORM_ARGUMENTS, Host

ARGUMENT_SPEC: dict[str, t.Any] = {**PLATFORM_ARGUMENTS, "release": {"type": "str", "default": ""}}


def images(host: Host, entries: t.Sequence[_release_history.Entry]) -> dict[str, list[str]]:
    """Those images of the entries that are on the host, with the tags that lead to them."""
    wanted = {entry["image_id"]: None for entry in entries if entry.get("image_id")}
    return {found["Id"]: list(found.get("RepoTags") or ()) for found in host.docker.inspect("image", wanted)}


def main() -> None:
    """Look, decide, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        host = Host(module.params, module.run_command)
        record = host.store.record()
        back = _release_history.decide(
            host.situation(), record, module.params["release"], images(host, _release_history.served(record)))
        module.exit_json(changed=False, release=back.release, image=back.image, seal=back.seal, reason=back.reason)


if __name__ == "__main__":
    main()
