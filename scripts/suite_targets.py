#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Prints the ninja targets that the tests of one meson suite need, a line each.

    scripts/suite_targets.py BUILD_DIRECTORY SUITE
"""

import json
import os
import subprocess
import sys


def introspect(directory, what):
    answer = subprocess.run(["meson", "introspect", directory, what], check=True, capture_output=True)
    return json.loads(answer.stdout)


def main():
    directory, suite = sys.argv[1:]
    tests = [test for test in introspect(directory, "--tests")
             if suite in (name.split(":")[-1] for name in test["suite"])]
    if not tests:
        sys.exit(f"suite_targets: {directory} has no suite {suite}")
    wanted = {target for test in tests for target in test["depends"]}
    root = os.path.abspath(directory)
    for target in introspect(directory, "--targets"):
        if target["id"] in wanted:
            print(*(os.path.relpath(name, root) for name in target["filename"]), sep="\n")


if __name__ == "__main__":
    main()
