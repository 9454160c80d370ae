#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Prints the ninja targets that tests need, a line each: those of some meson suites, or outside of some.

    scripts/targets_of_tests.py BUILD_DIRECTORY [--of SUITE]... [--without SUITE]...
"""

import argparse
import json
import os
import subprocess
import sys


def introspect(directory, what):
    answer = subprocess.run(["meson", "introspect", directory, what], check=True, capture_output=True)
    return json.loads(answer.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--of", action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    arguments = parser.parse_args()
    directory, left_out = arguments.directory, set(arguments.without)
    tests = []
    for test in introspect(directory, "--tests"):
        suites = {name.split(":")[-1] for name in test["suite"]}
        if not suites & left_out and (not arguments.of or suites & set(arguments.of)):
            tests.append(test)
    wanted = {target for test in tests for target in test["depends"]}
    if not wanted:
        sys.exit(f"targets_of_tests: no test is left in {directory}")
    root = os.path.abspath(directory)
    for target in introspect(directory, "--targets"):
        if target["id"] in wanted:
            print(*(os.path.relpath(name, root) for name in target["filename"]), sep="\n")


if __name__ == "__main__":
    main()
