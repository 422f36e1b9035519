"""Temporary files in memory, where the machine lends enough of it: the tests make thousands of databases."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
"""Where Linux has files that are on no disk."""

NEEDED = 6 * 2**30
"""Bytes that must be free there."""


def be_quick_with_files() -> None:
    """Let this process, and all that it starts, have its temporary files in memory. Does nothing if it has been told
    where to have them."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= NEEDED:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
