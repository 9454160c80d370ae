# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Two commits' figures beside each other: what is read, what is a ratio, what is worse."""

import json
import os
import sys
import unittest

from support import config

sys.path.insert(0, os.path.join(config.TOP, "scripts"))

import comparison  # noqa: E402  (the path comes first)


def turn(**values):
    """Figures of one run: name=(value, better)."""
    return {name: ("us", value, better) for name, (value, better) in values.items()}


class Reading(unittest.TestCase):
    def test_the_document_is_found_among_other_lines(self):
        text = 'EAL: hello\n{"figures": [\n]}\nbench: met: no bound\n'
        self.assertEqual(comparison.document_in(text), {"figures": []})

    def test_a_line_that_only_begins_like_one_is_passed_over(self):
        self.assertEqual(comparison.document_in('{no json\n{"figures": []}\n'), {"figures": []})

    def test_no_document_is_an_error(self):
        for text in ("", "a table\n", "{\"figures\": [\n"):
            with self.assertRaises(comparison.NoFigures):
                comparison.document_in(text)

    def test_the_list_of_figures(self):
        document = {"figures": [{"name": "a", "unit": "us", "value": 1.5, "better": "less", "bound": 2, "met": True},
                                {"name": "gone", "unit": "ratio", "value": None, "better": None}]}
        self.assertEqual(comparison.figures_of(document), {"a": ("us", 1.5, "less")})

    def test_the_older_shape_of_pipeline_bench(self):
        row = {"name": "uniform-4096 to 8", "cycles_per_packet": 56, "testpmd_io": 29, "instructions_per_packet": 396}
        self.assertEqual(comparison.figures_of({"cases": [row]}),
                         {"uniform-4096 to 8: cycles a packet": ("cycles", 56, "less"),
                          "uniform-4096 to 8: instructions a packet": ("instructions", 396, "less"),
                          "uniform-4096 to 8: testpmd io": ("cycles", 29, None)})

    def test_google_benchmark(self):
        row = {"name": "find_flow/4096", "time_unit": "ns", "cpu_time": 10.0, "real_time": 11.0}
        self.assertEqual(comparison.figures_of({"benchmarks": [row]}), {"find_flow/4096": ("ns", 10.0, "less")})

    def test_json_without_figures_is_an_error(self):
        for document in ([], {}, {"drivers": {}}):
            with self.assertRaises(comparison.NoFigures):
                comparison.figures_of(document)


class Comparing(unittest.TestCase):
    def row(self, old, new, better):
        (row,), _, _ = comparison.compare([turn(a=(value, better)) for value in old],
                                          [turn(a=(value, better)) for value in new])
        return row

    def test_the_ratio_is_the_median_of_the_turns(self):
        row = self.row([10, 20, 40], [11, 20, 80], "less")
        self.assertEqual(row.ratio, 1.1)
        self.assertEqual(row.spread, (1.0, 2.0))

    def test_a_machine_that_slows_down_for_both_changes_no_ratio(self):
        row = self.row([10, 20, 30], [10, 20, 30], "less")
        self.assertEqual((row.ratio, row.spread), (1.0, (1.0, 1.0)))

    def test_worse_follows_the_direction(self):
        self.assertAlmostEqual(self.row([100], [102], "less").worse_percent, 2)
        self.assertAlmostEqual(self.row([100], [98], "less").worse_percent, -2)
        self.assertAlmostEqual(self.row([102], [100], "more").worse_percent, 2)
        self.assertAlmostEqual(self.row([100], [102], "more").worse_percent, -1.9607, places=3)
        self.assertEqual(self.row([100], [0], "more").worse_percent, float("inf"))

    def test_a_figure_without_a_direction_is_not_judged(self):
        row = self.row([1], [5], None)
        self.assertIsNone(row.worse_percent)
        self.assertEqual(comparison.worse([row], 1), [])
        status, words = comparison.verdict([row], 1)
        self.assertEqual(status, 1)
        self.assertIn("nothing was compared", words)

    def test_nothing_of_nothing_is_no_ratio(self):
        row = self.row([0], [0], "less")
        self.assertIsNone(row.ratio)
        self.assertIsNone(row.worse_percent)

    def test_what_only_one_of_them_has_is_told(self):
        rows, gone, new = comparison.compare([turn(a=(1, "less"), b=(1, "less"))], [turn(a=(1, "less"), c=(1, "less"))])
        self.assertEqual(([row.name for row in rows], gone, new), (["a"], ["b"], ["c"]))

    def test_a_figure_that_one_turn_lacks_does_not_count(self):
        rows, _, _ = comparison.compare([turn(a=(1, "less")), turn()], [turn(a=(1, "less")), turn(a=(1, "less"))])
        self.assertEqual(rows, [])

    def test_the_limit_itself_is_allowed(self):
        self.assertEqual(comparison.worse([self.row([200], [202], "less")], 1), [])
        self.assertEqual(len(comparison.worse([self.row([200], [203], "less")], 1)), 1)


class Verdicts(unittest.TestCase):
    def rows(self, **values):
        return [comparison.Row(name, "us", "less", old, new) for name, (old, new) in values.items()]

    def test_all_within(self):
        status, words = comparison.verdict(self.rows(a=([100], [100.5]), b=([100], [99])), 1)
        self.assertEqual(status, 0)
        self.assertIn("at most +0.50 % (a)", words)

    def test_one_beyond(self):
        status, words = comparison.verdict(self.rows(a=([100], [105]), b=([100], [99])), 1)
        self.assertEqual(status, 1)
        self.assertIn("1 of 2 figures more than 1 % worse: a +5.00 %", words)
        self.assertNotIn("do not agree", words)

    def test_turns_that_do_not_agree_are_said(self):
        rows = self.rows(a=([100, 100, 100], [99, 105, 106]))
        status, words = comparison.verdict(rows, 1)
        self.assertEqual(status, 1)
        self.assertIn("do not agree", words)
        self.assertIn("WORSE  noisy", comparison.table(rows, 1))

    def test_the_table_has_a_line_for_each(self):
        rows = self.rows(a=([100], [105]), b=([0], [1]))
        rows.append(comparison.Row("peer", "us", None, [1], [2]))
        lines = comparison.table(rows, 1).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertIn("WORSE", lines[1])
        self.assertIn("not judged", lines[3])

    def test_as_json(self):
        (told,) = json.loads(json.dumps(comparison.as_json(self.rows(a=([100], [105])))))
        self.assertEqual((told["old"], told["new"], told["ratio"], told["spread"]), (100, 105, 1.05, [1.05, 1.05]))


class Page(unittest.TestCase):
    def test_machine_command_figures_and_what_became_of_bounds(self):
        document = {"figures": [
            {"name": "time", "unit": "us", "value": 1234.5, "better": "less"},
            {"name": "kept", "unit": "ratio", "value": 1.5, "better": "less", "bound": 2, "met": True},
            {"name": "missed", "unit": "ratio", "value": 0.5, "better": "more", "bound": 0.7, "met": False},
            {"name": "gone", "unit": "ratio", "value": None, "better": None, "missing": "why", "met": False}]}
        page = comparison.page([("date", "today")], [("Starts", "build/bench/x", document, None),
                                                     ("Others", "build/bench/y", None, "no huge pages")])
        for line in ("| date | today |", "## Starts", "`build/bench/x`", "| time | 1,234 | us |  |",
                     "| kept | 1.5 | ratio | at most 2 |", "| missed | 0.5 | ratio | at least 0.7, **missed** |",
                     "| gone | - | ratio | **not measured** |", "Not measured: no huge pages."):
            self.assertIn(line, page.splitlines())
