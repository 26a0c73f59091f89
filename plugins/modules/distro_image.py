#!/usr/bin/python
# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: distro_image
short_description: Images built on the host from distribution packages
version_added: "0.1.0"
description:
  - Builds images with C(docker build) from directories of the controller, and the bases they stand on with
    C(mmdebstrap), so that no container registry is needed.
  - Each image carries the label C(mooring.recipe), a digest of its directory, its base and its arguments. Only images
    whose label differs are built, and a base only when something must be built on it.
  - One line is printed when the build of an image begins and one when it ends.
  - Mirrors are C(mmdebstrap)'s defaults unless O(mirror) is set. Proxies are those of the host, from the environment or
    from apt's configuration.
  - C(mmdebstrap) is installed when a base must be built and it is missing.
  - A build that fails or is killed leaves the tag as it was; the next run builds it again.
  - After the last build, untagged images that carry the label and that no container uses are removed. No other image
    is touched.
attributes:
  check_mode:
    support: full
    description: Names what would be built. Builds nothing and works where Docker is not installed yet.
  diff_mode:
    support: full
    description: Shows the recipe's digest of each image before and after.
  idempotent:
    support: full
    description: An image whose label is the digest of its recipe is left alone.
  action:
    support: full
    description: The controller half reads the directories and sends those that are built.
options:
  images:
    description: What can be built.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the image, without O(repository).
        type: str
        required: true
      tag:
        description: Tag of the image.
        type: str
        required: true
      context:
        description:
          - Directory on the controller that holds the C(Dockerfile). Files that version control, editors and tests
            leave there (C(.git), C(.venv), C(node_modules), C(__pycache__) and the like) are left out.
        type: path
        required: true
      base:
        description: Name of one of O(bases). Its reference is given to the build as the argument C(BASE).
        type: str
        default: ""
      args:
        description: Build arguments. They can be read from the image, so they must not be secret.
        type: dict
        default: {}
      ca_bundle:
        description:
          - Whether the build gets the host's CA certificates as the file C(host-ca-certificates.crt) in its context,
            for downloads behind a proxy that inspects TLS. The file is empty where the host has none.
          - Use it in an early stage of the C(Dockerfile), so that it does not become part of the image.
        type: bool
        default: false
  build:
    description: Names of O(images) to build. Every image of a name is built, whatever its tag.
    type: list
    elements: str
    required: true
  bases:
    description:
      - Minimal systems by name, each with the keys C(suite), C(packages) (a list) and C(apt_options) (a list).
        The image of a base is O(repository)C(/base:)name.
    type: dict
    default: {}
  repository:
    description: What stands before the name of every image.
    type: str
    default: mooring.local
  mirror:
    description: Package mirror for the bases. Empty takes the default of C(mmdebstrap).
    type: str
    default: ""
  revision:
    description: Any text. A new one builds everything anew, for instance to get today's packages.
    type: str
    default: ""
  files:
    description: Digest of the files of each context. Set by the controller half.
    type: dict
    default: {}
  step:
    description: The reference to build in this call; empty builds nothing. Set by the controller half.
    type: str
    default: ""
  archive:
    description: The files of O(step)'s context on the host. Set by the controller half.
    type: path
notes:
  - The module runs as root on the host.
author:
  - The mooring.stack authors (@mooring)
"""

EXAMPLES = r"""
- name: Build the image of our application
  mooring.stack.distro_image:
    build: [shop]
    bases:
      trixie:
        suite: trixie
        packages: [ca-certificates]
    images:
      - name: shop
        tag: 1.4.2
        context: "{{ playbook_dir }}/../apps/shop"
        base: trixie
        args:
          RELEASE: 1.4.2
"""

RETURN = r"""
differences:
  description: Object, field, expected and found of everything that is not as declared and that a run heals.
  returned: success
  type: list
  elements: dict
  sample: [{object: "image mooring.local/redis:8", field: presence, expected: present, found: null}]
notices:
  description: What a person should look at and a run does not heal, one sentence each.
  returned: success
  type: list
  elements: str
builds:
  description: What was built, or would be, in order.
  type: list
  elements: dict
  returned: success
  contains:
    reference:
      description: The image.
      type: str
    reason:
      description: Why it was built.
      type: str
    seconds:
      description: How long it took; absent in check mode.
      type: int
images:
  description: Every image asked for, by reference, with the digest of its recipe.
  type: dict
  returned: success
bases:
  description: The references of all bases, needed or not.
  type: list
  elements: str
  returned: success
mmdebstrap:
  description: Whether the host had C(mmdebstrap) before.
  type: bool
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mooring.stack.plugins.module_utils._errors import domain_errors
from ansible_collections.mooring.stack.plugins.module_utils._step_distro_image import ARGUMENT_SPEC, converge


def main() -> None:
    """Parse, converge, report."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    with domain_errors(module):
        module.exit_json(**converge(module, module.params))


if __name__ == "__main__":
    main()
