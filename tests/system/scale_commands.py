# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""`cheshire scale`: a running service grows, shrinks and changes its policies by command."""

import json

from support import config
from support.clients import Curl, KeepAlive, curl, url
from support.control import cheshire, tell


def story_sizes_change_at_run_time_beyond_those_of_the_file(world):
    daemon = world.start(services={"hello": config.service(instances=(0, 1))})
    assert curl().ok
    words = tell(daemon, "scale", "init", "hello", "--min-size", "3", "--max-size", "5",
                 "--warmup-time", "20ms", "--cooldown-time", "50ms")
    assert words == "hello: min 3, max 5, warmup 20ms, cooldown 50ms, policies 2\n", words
    daemon.wait_for_vms("hello", 3, state="active")
    shown = json.loads(tell(daemon, "scale", "get", "--json", "hello"))
    assert (shown["min_size"], shown["max_size"], shown["warmup"]) == (3, 5, "20ms"), shown
    tell(daemon, "scale", "reset", "hello")
    daemon.wait_for_zero("hello")


def story_fewer_at_most_drains_the_emptiest_and_loses_nothing(world):
    daemon = world.start(services={"hello": config.service(instances=(3, 3), soft=1000)})
    daemon.wait_for_vms("hello", 3, state="active")
    # The first connections go to the emptiest each time: three VMs with two connections each.
    connections = [world.until_the_end(KeepAlive()) for _ in range(6)]
    before = [connection.get()[1]["x-instance"] for connection in connections]
    assert len(set(before)) == 3, before
    connections.pop().close()
    tell(daemon, "scale", "init", "hello", "--min-size", "1", "--max-size", "1")
    daemon.wait_for_instances("hello", within_s=5, active=1, draining=2)
    for connection, instance in zip(connections, before):
        status, headers, _ = connection.get()
        assert status == 200 and headers["x-instance"] == instance, "a draining VM keeps its connections"
    for connection in connections:
        connection.close()
    daemon.wait_for_instances("hello", within_s=5, active=1, draining=0, stopping=0)
    assert curl().ok


def story_policies_come_and_go(world):
    daemon = world.start(images={"web": config.image(service_us=20_000, workers=1)},
                         services={"hello": config.service(instances=(0, 4), soft=1000)})
    tell(daemon, "scale", "add", "hello", "--name", "jump", "--type", "target", "--metric", "in_flight",
         "--target", "2")
    tell(daemon, "scale", "add", "hello", "-n", "busy", "-m", "cpu", "-a", "percent",
         "-s", "600:800/50", "-s", "800:/100")
    shown = tell(daemon, "scale", "get", "hello")
    assert "600:800/50 800:/100" in shown and "jump" in shown, shown
    warned = tell(daemon, "scale", "add", "hello", "-n", "less", "-m", "cpu", "-a", "percent", "-s", ":500/-50")
    assert "warning: hello would swing for ever under constant load, cpu: at" in warned, warned
    assert "warning" not in tell(daemon, "scale", "remove", "hello", "less")
    transfer = world.until_the_end(Curl(url(), times=120, at_once=8, max_time_s=30))
    daemon.wait_for_vms("hello", 4)  # eight at once, two for each
    answers = transfer.answers()
    assert len(answers) == 120 and all(answer.ok for answer in answers), answers
    tell(daemon, "scale", "remove", "hello", "busy")
    assert "busy" not in tell(daemon, "scale", "get", "hello")


def story_bad_arguments_change_nothing(world):
    daemon = world.start()
    before = tell(daemon, "scale", "get", "--json", "hello")
    for words, complaint in (
            (("init", "hello", "--min-size", "9"), "min-size 9 is above max-size 4"),
            (("init", "hello", "--max-size", "21"), "write at most 20, or raise spare.slots"),
            (("init", "hello", "--max-size", "many"), "--max-size"),
            (("init", "hello", "--warmup-time", "1"), "unit"),
            (("add", "hello", "--name", "x", "--metric", "cpux", "--step", "1:/1"), 'did you mean "cpu"?'),
            (("add", "hello", "--name", "x", "--metric", "cpu", "--step", "1:2/1", "--step", "3:4/1"),
             "the steps are not contiguous: a gap between 1:2 and 3:4"),
            (("add", "hello", "--metric", "cpu", "--step", "1:/1"), "--name is required"),
            (("remove", "hello", "x"), 'hello has no policy "x"'),
            (("reset", "hullo"), 'did you mean "hello"?'),
            (("get",), "SERVICE")):
        subcommand, *rest = words
        done = cheshire("scale", subcommand, "--daemon", daemon.name, *rest)
        assert done.status == 2 and complaint in done.words, f"{words}: {done}"
    assert tell(daemon, "scale", "get", "--json", "hello") == before
