# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A changed config is taken in by `cheshire reload` and by SIGHUP, whole or not at all, and no connection is
dropped."""

import os
import signal

from support import config
from support.clients import Curl, KeepAlive, curl, url
from support.control import cheshire, tell
from support.wait import wait_until


def rewrite(world, values):
    """The file is replaced at one moment, as an editor does."""
    path = world.write(values, name="next.yaml")
    os.rename(path, world.daemon.config_path)


def story_services_come_and_go_and_connections_stay(world):
    values = world.config(services={"hello": config.service(), "other": config.service(port=81)})
    daemon = world.start(values)
    with KeepAlive() as kept, KeepAlive(port=81) as leaving:
        assert kept.get()[0] == leaving.get()[0] == 200
        del values["services"]["other"]
        values["services"] = {"new": config.service(port=82), **values["services"]}
        rewrite(world, values)

        words = tell(daemon, "reload")

        assert words == "reloaded; services: added 1 (new) removed 1 (other)\n", words
        assert curl(url(port=82)).ok
        assert kept.get()[0] == leaving.get()[0] == 200, "open connections are not touched"
        assert curl(url(port=81)).exit_code != 0, "the removed one takes no new ones"
        leaving.close()
        wait_until("it is gone", lambda: "other" not in daemon.telemetry.services(), within_s=5)
        assert kept.get()[0] == 200
    assert curl().ok


def story_sighup_is_a_reload(world):
    values = world.config(services={"hello": config.service(instances=(0, 2))})
    daemon = world.start(values)
    values["services"]["hello"]["instances"]["min"] = 2
    rewrite(world, values)
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for_vms("hello", 2)
    # One that is wrong is refused, in the log, and changes nothing.
    values["services"]["hello"]["instances"]["min"] = 3
    rewrite(world, values)
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until("the log says so", lambda: "3 is more than instances.max, 2" in daemon.log(), within_s=5)
    assert daemon.telemetry.services()["hello"]["min"] == 2


def story_what_cannot_change_is_refused_by_its_key(world):
    values = world.config()
    daemon = world.start(values)
    with KeepAlive() as connection:
        assert connection.get()[0] == 200
        values["worker"]["flows_max"] = 1024
        values["nic"]["rx_descriptors"] = 256
        values["services"]["hello"]["instances"]["max"] = 3
        rewrite(world, values)
        done = cheshire("reload", "--daemon", daemon.name)
        assert done.status == 2, done
        for part in ("nothing was changed", "worker: cannot change while the daemon runs; restart it", "nic: "):
            assert part in done.words, done
        assert daemon.telemetry.services()["hello"]["max"] == 4, "whole or not at all"
        rewrite(world, {**values, "services": {"hello": {"listen": 7}}})
        done = cheshire("reload", "--daemon", daemon.name)
        assert done.status == 2 and "services.hello.listen" in done.words and "cheshire.yaml:" in done.words, done
        assert connection.get()[0] == 200


def story_a_changed_image_replaces_vms_by_draining_them(world):
    values = world.config(images={"web": config.image(body=100)},
                          services={"hello": config.service(instances=(2, 2), soft=1000, idle_after="60s")})
    daemon = world.start(values)
    old = daemon.wait_for_vms("hello", 2, state="active")
    with KeepAlive() as connection:
        first = connection.get()
        assert len(first[2]) == 100
        values["images"]["web"] = config.image(body=200)
        rewrite(world, values)
        # Requests go on all the while, and each is answered by the old or by the new image.
        transfer = world.until_the_end(Curl(url(), times=300, at_once=4, max_time_s=30))
        words = tell(daemon, "reload")
        assert words == "reloaded; services: with another image 1 (hello)\n", words
        answers = transfer.answers()
        assert len(answers) == 300 and all(answer.ok for answer in answers), answers
        assert {answer.size for answer in answers} <= {100, 200}, answers
        wait_until("new connections see the new image", lambda: curl().size == 200, within_s=5)
        again = connection.get()
        assert (again[0], len(again[2])) == (200, 100), "the old connection stays with its VM"
        assert again[1]["x-instance"] == first[1]["x-instance"]
    wait_until("no old VM is left", lambda: not old.keys() & daemon.vm_pids().keys(), within_s=10)
    daemon.wait_for_instances("hello", within_s=5, active=2, draining=0)
    assert curl().size == 200
