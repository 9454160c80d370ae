#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Prints the ninja targets that the tests outside of some meson suites need, a line each.

    scripts/targets_of_tests.py BUILD_DIRECTORY [LEFT_OUT_SUITE...]
"""

import json
import os
import subprocess
import sys


def introspect(directory, what):
    answer = subprocess.run(["meson", "introspect", directory, what], check=True, capture_output=True)
    return json.loads(answer.stdout)


def main():
    directory, *left_out = sys.argv[1:]
    tests = [test for test in introspect(directory, "--tests")
             if not {name.split(":")[-1] for name in test["suite"]} & set(left_out)]
    wanted = {target for test in tests for target in test["depends"]}
    if not wanted:
        sys.exit(f"targets_of_tests: no test is left in {directory}")
    root = os.path.abspath(directory)
    for target in introspect(directory, "--targets"):
        if target["id"] in wanted:
            print(*(os.path.relpath(name, root) for name in target["filename"]), sep="\n")


if __name__ == "__main__":
    main()
