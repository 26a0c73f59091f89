"""Makes ``ansible_collections.mooring.stack`` importable from a plain clone."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))
