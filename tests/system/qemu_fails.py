# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A QEMU that does not start: its own words are in the log, the daemon does not try for ever, and all is
well again once the cause is gone."""

import os
import shutil

from support import config
from support.clients import REFUSED, curl
from support.wait import wait_until


def story_a_kernel_that_was_overwritten_after_the_check(world):
    kernel = world.sandbox.path("grin.elf")
    shutil.copy(config.built("unikernel/grin.elf"), kernel)
    daemon = world.start(
        images={"web": {**config.image(), "kernel": kernel}},
        services={"hello": config.service(boot_deadline="700ms", hold={"time_max": "1500ms"})})
    replace(kernel, b"this is no kernel\n" * 100)

    answer = curl()

    assert answer.exit_code == REFUSED, answer
    assert answer.seconds < 2.5, f"refused after {answer.seconds:.3f} s"
    wait_until("QEMU's own words in the log", lambda: "invalid kernel header" in daemon.log(), within_s=2)
    failed = daemon.telemetry.services()["hello"]["boots_failed"]
    assert 1 <= failed <= 20, f"{failed} boots in {answer.seconds:.1f} s"
    daemon.wait_for_zero("hello")

    shutil.copy(config.built("unikernel/grin.elf"), kernel + ".new")
    os.rename(kernel + ".new", kernel)
    wait_until("the service works again", lambda: curl().ok, within_s=10, poll_s=0.1)


def replace(path, content):
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)
