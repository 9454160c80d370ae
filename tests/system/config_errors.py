# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A configuration with mistakes: all of them at once, each with file, line and key, and nothing touched."""

import os

from support import config, netns
from support.daemon import run_to_its_end

# Each mistake stands in a line of its own, marked with the key that the message must name.
BAD = """\
name: {name}
runtime_dir: {runtime_dir}
colour: red                                     #! colour
eal: {{lcore: 0, memory: 256 parsecs}}            #! memory
nic: {{device: "net_tap0,iface=cheshire0"}}
images:
  web: {{kernel: {kernel}, memory: 8MiB, driver: qemu}}
  gone: {{kernel: /nowhere/grin.elf, driver: qemu}} #! kernel
services:
  hello:
    listen: 192.0.2.10:80
    guest: 10.0.0.2:8080
    image: nobody                               #! image
    instances: {{min: 5, max: 2}}                 #! instances
    idle_after: 300 apples                      #! idle_after
  twin:
    listen: 192.0.2.10:80                       #! listen
    guest: 10.0.0.2:8080
    image: web
    boot_deadline: 2s
"""


def write_bad(world):
    path = world.sandbox.path("bad.yaml")
    with open(path, "w") as file:
        file.write(BAD.format(name=world.sandbox.name, runtime_dir=world.sandbox.path("run"),
                              kernel=config.built("unikernel/grin.elf")))
    return path


def mistakes():
    """(line number, key) of each."""
    return [(number, line.split("#!")[1].strip()) for number, line in enumerate(BAD.splitlines(), 1)
            if "#!" in line]


def story_all_mistakes_are_told_at_once(world):
    path = write_bad(world)
    for arguments in (["--check", path], ["--config", path]):
        status, words = run_to_its_end(arguments)
        assert status == 2, f"{arguments}: status {status}: {words}"
        lines = words.splitlines()
        for number, key in mistakes():
            assert any(f"bad.yaml:{number}:" in line and key in line for line in lines), \
                f"{arguments}: nothing about {key} in line {number}:\n{words}"
        assert not os.path.exists(world.sandbox.path("run")), "it touched its runtime_dir"
        assert config.TAP not in netns.ip("-o", "link", "show"), "it made a tap"


def story_a_good_one_passes_the_check_and_nothing_is_touched(world):
    path = world.write(world.config())
    status, words = run_to_its_end(["--check", path])
    assert status == 0, words
    assert not os.path.exists(world.sandbox.path("run"))


def story_a_file_that_is_not_there_or_no_yaml(world):
    status, words = run_to_its_end(["--check", "/nowhere/cheshire.yaml"])
    assert status == 2 and "/nowhere/cheshire.yaml" in words, (status, words)
    path = world.sandbox.path("broken.yaml")
    with open(path, "w") as file:
        file.write("services: [unfinished\n  business: {\n")
    status, words = run_to_its_end(["--check", path])
    assert status == 2 and "broken.yaml" in words, (status, words)
