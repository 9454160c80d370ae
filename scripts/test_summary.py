#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Adds up what ./test ran, says why something was skipped, and closes with one line of numbers.

    scripts/test_summary.py RESULTS

RESULTS has a line per step of ./test, with tabs between the words:
    check   NAME  passed|failed|skipped  WHY      a step that is one check
    meson   NAME  TESTLOG                         a meson run, its meson-logs/testlog.json

A meson test whose output has a line per case (GoogleTest, the stories) counts as that many; any other
counts as one. Exit status 1 if anything failed, or nothing passed.
"""

import json
import re
import sys

# "[       OK ] Parser.Truncated (3 ms)"; the summaries at GoogleTest's end have no time.
CASE = re.compile(r"\[ +(OK|SKIPPED|FAILED) +\] (.+?)(?:, where .*)? \(\d+ ms\)")
START = re.compile(r"\[ RUN +\] ")

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_OUTCOME = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}


def cases_of(output):
    """(name, outcome, why) of each case in the output of one test program."""
    cases, since_start = [], []
    for line in output.splitlines():
        if found := CASE.fullmatch(line):
            outcome = _OUTCOME[found[1]]
            cases.append((found[2], outcome, _reason(since_start) if outcome == SKIPPED else ""))
        if found or START.match(line):
            since_start = []
        else:
            since_start.append(line)
    return cases


def _reason(lines):
    """GoogleTest prints "file:line: Skipped", then the words of GTEST_SKIP()."""
    for at, line in enumerate(lines):
        if line.endswith(": Skipped"):
            return " ".join(word for word in lines[at + 1:] if word.strip())
    return " ".join(lines[-1:])


def results_of_meson_test(test):
    """The same for one line of meson's testlog.json."""
    name, result = test["name"], test["result"]
    cases = [(f"{name}: {case}", outcome, why) for case, outcome, why in cases_of(test.get("stdout", ""))]
    bad = result not in ("OK", "EXPECTEDFAIL", "SKIP")
    if bad and not any(outcome == FAILED for _, outcome, _ in cases):
        # It failed beside its cases: a crash, a time-out, a sanitizer's report at the end.
        return cases + [(f"{name}: {result.lower()}", FAILED, "")]
    if cases:
        return cases
    if result == "SKIP":
        words = test.get("stdout", "").strip().splitlines()
        return [(name, SKIPPED, words[-1] if words else "no reason given")]
    return [(name, PASSED, "")]


def read_results(lines):
    results = []
    for line in lines:
        kind, step, *rest = line.rstrip("\n").split("\t")
        if kind == "check":
            results.append((step, rest[0], rest[1] if len(rest) > 1 else ""))
            continue
        try:
            with open(rest[0]) as log:
                tests = [json.loads(row) for row in log if row.strip()]
        except (OSError, ValueError) as error:
            results.append((f"{step}: its log cannot be read: {error}", FAILED, ""))
            continue
        for test in tests:
            results += [(f"{step}: {name}", outcome, why)
                        for name, outcome, why in results_of_meson_test(test)]
    return results


def main():
    with open(sys.argv[1]) as file:
        results = read_results(file)
    for name, outcome, why in results:
        if outcome == SKIPPED:
            print(f"skipped  {name}: {why}")
    for name, outcome, why in results:
        if outcome == FAILED:
            print(f"FAILED   {name}" + (f": {why}" if why else ""))
    count = {outcome: sum(1 for _, one, _ in results if one == outcome)
             for outcome in (PASSED, FAILED, SKIPPED)}
    print(f"{count[PASSED]} passed, {count[FAILED]} failed, {count[SKIPPED]} skipped")
    return 1 if count[FAILED] or not count[PASSED] else 0


if __name__ == "__main__":
    sys.exit(main())
