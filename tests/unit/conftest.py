"""Makes ``ansible_collections.mooring.stack`` and ``notifier`` importable from a plain clone."""

import pathlib
import sys

from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "roles/mattermost_notifier/files/image")]
# Templates use lookups of the collection, which Ansible finds by itself only when it is started by its own command.
if AnsibleCollectionConfig.collection_finder is None:  # tests/shape may have done so
    init_plugin_loader([str(ROOT / ".collections")])
