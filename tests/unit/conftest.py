"""Makes ``ansible_collections.mooring.stack`` importable from a plain clone."""

import pathlib
import sys

from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))
# Templates use lookups of the collection, which Ansible finds by itself only when it is started by its own command.
if AnsibleCollectionConfig.collection_finder is None:  # tests/shape may have done so
    init_plugin_loader([str(ROOT / ".collections")])
