# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Nothing of a sandbox stays: not after its end, and not after the next run when its owner was killed."""

import os
import signal
import subprocess
import sys
import unittest

from support import netns, processes, sandbox

KIND = "selftest"

# Makes a sandbox with a process in it that outlives its owner, says where it is, and waits to be killed.
OWNER = f"""
import sys
from support import processes, sandbox
place = sandbox.Sandbox("{KIND}")
open(place.path("program"), "w").write("import signal; signal.pause()")
child = processes.spawn([sys.executable, place.path("program")], dies_by="CONT",
                        environment=place.environment)
print(place.directory, child.pid, flush=True)
sys.stdin.read()
"""


@unittest.skipUnless(os.geteuid() == 0, "needs root: network namespaces")
class Sandboxes(unittest.TestCase):
    def test_closed_in_order(self):
        outside = netns.ip("-o", "link")
        place = sandbox.Sandbox(KIND)
        self.assertTrue(os.path.isdir(place.directory))
        self.assertIn(f"cheshire-{place.name}", netns.named("cheshire-"))
        self.assertNotEqual(netns.ip("-o", "link"), outside)
        self.assertEqual(len(sandbox.traces(KIND)), 2, "directory and namespace")
        self.assertEqual(place.close(), [])
        self.assertEqual(netns.ip("-o", "link"), outside, "back in the first namespace")
        self.assertEqual(sandbox.traces(KIND), [])

    def test_a_living_one_is_not_swept(self):
        place = sandbox.Sandbox(KIND)
        self.addCleanup(place.close)
        self.assertEqual(sandbox.sweep(KIND), [])
        self.assertTrue(os.path.isdir(place.directory))

    def test_that_of_a_killed_owner_is_swept_with_its_processes(self):
        owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ROOT})
        self.addCleanup(owner.communicate)
        directory, child = owner.stdout.readline().split()
        with processes.Pidfd(int(child)) as process:
            owner.kill()
            owner.wait()
            self.assertFalse(process.ended(), "its process should outlive it, else nothing is proved")
            self.assertTrue(sandbox.traces(KIND))
            (swept,) = sandbox.sweep(KIND)
            self.assertIn("1 processes", swept)
            self.assertTrue(process.ended())
        self.assertFalse(os.path.exists(directory))
        self.assertEqual(sandbox.traces(KIND), [])


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Processes(unittest.TestCase):
    def test_a_child_dies_with_its_owner(self):
        owner = subprocess.Popen(
            [sys.executable, "-c", "import sys; from support import processes\n"
             "print(processes.spawn(['cat', '/dev/zero'], stdout=-3).pid, flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": ROOT})
        self.addCleanup(owner.communicate)
        with processes.Pidfd(int(owner.stdout.readline())) as child:
            self.assertFalse(child.ended())
            owner.send_signal(signal.SIGKILL)
            self.assertTrue(child.ended(within_s=5))

    def test_start_time_tells_processes_apart(self):
        self.assertIsNotNone(processes.start_time(os.getpid()))
        ended = subprocess.Popen(["true"])
        ended.wait()
        self.assertIsNone(processes.start_time(ended.pid))
