# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The files of the project: those that git tracks or, in an unpacked archive, all but build directories.

    python3 tests/unit/tracked_files.py 'include/*.h' 'hypervisor/*/*.h'      prints those that match
"""

import fnmatch
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def tracked_files():
    """Paths relative to the top, with slashes, sorted. A file that is deleted but not committed is left out."""
    try:
        listing = subprocess.run(['git', '-C', str(TOP), 'ls-files', '-z'], capture_output=True, check=True).stdout
        names = listing.decode().split('\0')
    except (OSError, subprocess.CalledProcessError):
        paths = (path.relative_to(TOP).as_posix() for path in TOP.rglob('*'))
        names = [name for name in paths if not name.startswith(('build', '.git/')) and '__pycache__' not in name]
    return sorted(name for name in names if name and (TOP / name).is_file())


def matches(name, pattern):
    """Like a shell: a star does not reach across a slash."""
    return name.count('/') == pattern.count('/') and fnmatch.fnmatchcase(name, pattern)


if __name__ == '__main__':
    for file_name in tracked_files():
        if any(matches(file_name, pattern) for pattern in sys.argv[1:]):
            print(file_name)
