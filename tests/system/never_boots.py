# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""VMs that do not come up: their clients are refused at the deadline and never left hanging. An
application that listens late is another matter: nobody is refused meanwhile."""

from support import config, frames
from support.clients import REFUSED, curl
from support.wire import Wire

IMPATIENT = {"boot_deadline": "700ms", "hold": {"time_max": "1500ms"}}


def story_a_guest_that_stays_silent(world):
    daemon = world.start(images={"web": config.image(silent=1)},
                         services={"hello": config.service(**IMPATIENT)})
    answer = curl()
    assert answer.exit_code == REFUSED, answer
    assert 0.6 < answer.seconds < 2.5, f"refused after {answer.seconds:.3f} s"
    service = daemon.telemetry.services()["hello"]
    assert service["boots_failed"] >= 1 and service["held_syns"] == 0, service
    daemon.wait_for_zero("hello")


def story_a_guest_that_dies_while_it_boots(world):
    daemon = world.start(images={"web": config.image(listen_delay_ms=60_000, panic_after_ms=1)},
                         services={"hello": config.service(**IMPATIENT)})
    answer = curl()
    assert answer.exit_code == REFUSED, answer
    assert answer.seconds < 2.5, f"refused after {answer.seconds:.3f} s"
    service = daemon.telemetry.services()["hello"]
    assert 1 <= service["boots_failed"] <= 20, service  # retried with back-off
    daemon.wait_for_zero("hello")


def story_an_application_that_listens_late(world):
    """The guest's own resets ("nobody listens here") stay away from the client before the deadline."""
    world.start(images={"web": config.image(listen_delay_ms=600)})
    with Wire() as wire:
        answer = curl()
        assert answer.ok, answer
        assert answer.connect_ms >= 500, f"listened too early to prove anything: {answer.connect_ms} ms"
        resets = wire.receive(lambda frame: frame.flags is not None and frame.flags & frames.RST, 0.1)
        assert resets is None, f"a reset reached the client: {resets}"


def story_others_are_served_meanwhile(world):
    daemon = world.start(images={"web": config.image(), "silent": config.image(silent=1)},
                         services={"hello": config.service(port=80),
                                   "never": config.service(port=81, image="silent", **IMPATIENT)})
    from support.clients import Curl, url
    waiting = world.until_the_end(Curl(url(81)))
    daemon.wait_for_instances("never", within_s=5, booting=1)
    assert curl(url(80)).ok
    (answer,) = waiting.answers()
    assert answer.exit_code == REFUSED, answer
