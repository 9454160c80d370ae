# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Huge pages are given back by the last holder, and by the next run where that one was killed."""

import os
import subprocess
import tempfile
import unittest

from support import hugepages
from support.hugepages import Hugepages, Unavailable

PAGE = 2 * hugepages.MIB


class PaperMachine(hugepages.Machine):
    """A machine with a bound on its pages, that keeps them in a variable."""

    def __init__(self, directory, pages=0, most=1000):
        self.state_directory = os.path.join(directory, "state")
        self.knob = os.path.join(directory, "knob")
        with open(self.knob, "w"):
            pass
        self.now, self.most, self.is_mounted = pages, most, False

    def page_bytes(self):
        return PAGE

    def free_pages(self):
        return self.now

    def pages(self):
        return self.now

    def set_pages(self, number):
        self.now = min(number, self.most)

    def mounted(self):
        return self.is_mounted

    def mount(self):
        self.is_mounted = True
        return True

    def unmount(self, remove):
        self.is_mounted = False


class Pages(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.machine = PaperMachine(directory.name, pages=3)

    def as_before(self):
        return (self.machine.now, self.machine.is_mounted, os.path.exists(self.machine.state_directory)) == \
            (3, False, False)

    def test_taken_and_given_back(self):
        with Hugepages(10 * PAGE, self.machine):
            self.assertEqual((self.machine.now, self.machine.is_mounted), (13, True))
        self.assertTrue(self.as_before())

    def test_two_holders(self):
        other = self.a_living_process()
        with Hugepages(10 * PAGE, self.machine):
            with Hugepages(PAGE + 1, self.machine, owner=other.pid):
                self.assertEqual(self.machine.now, 15)
            self.assertEqual(self.machine.now, 15, "the last one puts everything back, no one before")
        self.assertTrue(self.as_before())

    def test_a_killed_holder(self):
        killed = self.a_living_process()
        Hugepages(10 * PAGE, self.machine, owner=killed.pid).__enter__()
        killed.kill()
        killed.wait()
        self.assertFalse(self.as_before())
        with Hugepages(PAGE, self.machine):
            self.assertEqual(self.machine.now, 4, "the dead one's pages are not kept")
        self.assertTrue(self.as_before())

    def test_more_than_there_is(self):
        self.machine.most = 8
        with self.assertRaises(Unavailable):
            Hugepages(10 * PAGE, self.machine).__enter__()
        self.assertTrue(self.as_before())

    def test_a_number_that_somebody_else_changed_is_left_alone(self):
        with Hugepages(10 * PAGE, self.machine):
            self.machine.now = 100
        self.assertEqual(self.machine.now, 100)

    def a_living_process(self):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        self.addCleanup(process.communicate)
        return process
