# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What the end-to-end stories (tests/system) and ./demo share. Python's standard library only.

    sandbox    a private place for one run: directory, network namespace, and who must be gone after it
    daemon     cheshired in a sandbox: configuration, start, log, end
    telemetry  what the daemon says about itself
    clients    curl, wrk and plain sockets
    frames     bytes of frames, well and ill formed;  wire sends and receives them on the tap
    hugepages  huge pages for a while
    stories    runs the stories of one file and prints what became of them
"""
