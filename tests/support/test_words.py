# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What is written for others to read: YAML, percentiles, the sum of a test run."""

import os
import subprocess
import sys
import tempfile
import unittest

from support import config

TOP = config.TOP
sys.path.insert(0, os.path.join(TOP, "scripts"))

import demo_report  # noqa: E402  (the path comes first)
import test_summary  # noqa: E402

GTEST = """\
[==========] Running 3 tests from 1 test suite.
[ RUN      ] Parser.Good
[       OK ] Parser.Good (0 ms)
[ RUN      ] Parser/Each.Bad/7
a.cc:12: Failure
[  FAILED  ] Parser/Each.Bad/7, where GetParam() = "(1 ms)" (2 ms)
[ RUN      ] Kvm.Boots
kvm_test.cc:40: Skipped
no /dev/kvm on this machine

[  SKIPPED ] Kvm.Boots (0 ms)
[==========] 3 tests from 1 test suite ran. (3 ms total)
[  PASSED  ] 1 test.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Kvm.Boots
[  FAILED  ] 1 test, listed below:
[  FAILED  ] Parser/Each.Bad/7, where GetParam() = "(1 ms)"
"""


class Yaml(unittest.TestCase):
    def test_block_style_with_quotes_where_they_are_needed(self):
        text = config.yaml({"name": "x-1", "nic": {"device": "net_tap0,iface=a"}, "on": True, "n": 3,
                            "images": {"web": {"command_line": "grin.ip={guest_ip}", "odd": "a: b"}}})
        self.assertEqual(text, 'name: x-1\nnic:\n  device: net_tap0,iface=a\non: true\nn: 3\n'
                               'images:\n  web:\n    command_line: "grin.ip={guest_ip}"\n    odd: "a: b"')


class Percentiles(unittest.TestCase):
    def test_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual([demo_report.percentile(values, percent) for percent in (50, 99, 100)],
                         [50, 99, 100])
        self.assertEqual(demo_report.percentile([3, 1, 2], 50), 2)
        self.assertEqual(demo_report.percentile([7], 99), 7)
        self.assertEqual(demo_report.figures([]), None)


class Summary(unittest.TestCase):
    def test_cases_of_googletest(self):
        self.assertEqual(test_summary.cases_of(GTEST), [
            ("Parser.Good", "passed", ""),
            ("Parser/Each.Bad/7", "failed", ""),
            ("Kvm.Boots", "skipped", "no /dev/kvm on this machine")])

    def test_a_test_without_cases_is_one(self):
        of = test_summary.results_of_meson_test
        self.assertEqual(of({"name": "a", "result": "OK", "stdout": "hm"}), [("a", "passed", "")])
        self.assertEqual(of({"name": "a", "result": "SKIP", "stdout": "1\nno tap"}),
                         [("a", "skipped", "no tap")])
        self.assertEqual(of({"name": "a", "result": "TIMEOUT"}), [("a: timeout", "failed", "")])

    def test_a_crash_after_good_cases_is_a_failure(self):
        good = "[ RUN      ] A.B\n[       OK ] A.B (0 ms)\n"
        self.assertEqual(test_summary.results_of_meson_test({"name": "a", "result": "ERROR", "stdout": good}),
                         [("a: A.B", "passed", ""), ("a: error", "failed", "")])

    def test_the_last_line_and_the_exit_status(self):
        for lines, last, status in (
                (["check\tx\tpassed\t"], "1 passed, 0 failed, 0 skipped", 0),
                (["check\tx\tpassed\t", "check\ty\tskipped\tno y"], "1 passed, 0 failed, 1 skipped", 0),
                (["check\tx\tpassed\t", "check\ty\tfailed\texit 3"], "1 passed, 1 failed, 0 skipped", 1),
                (["meson\tgcc\t/nowhere/testlog.json"], "0 passed, 1 failed, 0 skipped", 1),
                ([], "0 passed, 0 failed, 0 skipped", 1)):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write("".join(line + "\n" for line in lines))
                file.flush()
                done = subprocess.run([os.path.join(TOP, "scripts/test_summary.py"), file.name],
                                      capture_output=True, text=True)
            self.assertEqual((done.stdout.splitlines()[-1], done.returncode), (last, status))
