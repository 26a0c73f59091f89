"""Makes ``ansible_collections.mooring.stack`` and ``notifier`` importable from a plain clone."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "roles/mattermost_notifier/files/image")]
