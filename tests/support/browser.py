# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A real browser: Debian's Chromium without a window."""

import shutil
import subprocess

from . import processes

# It is alone with the daemon under test: whatever it would ask its makers for is refused, and only costs time.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
         "--no-first-run", "--disable-default-apps", "--disable-extensions")


def dump_dom(world, url, within_s=60):
    """The document that it makes of what comes from there."""
    assert shutil.which("chromium"), "no chromium here: scripts/install_packages chromium"
    profile = world.sandbox.path("browser")
    process = processes.spawn(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *QUIET,
                               f"--user-data-dir={profile}", "--dump-dom", url],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        document, complaints = process.communicate(timeout=within_s)
    finally:
        processes.end(process, asked_s=1)
    assert process.returncode == 0, complaints[-2000:]
    return document
