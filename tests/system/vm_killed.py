# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""VMs that die by kill -9: those who talked to them learn it at once, nobody else notices."""

from support import config, processes
from support.clients import Curl, KeepAlive, curl, url


def kill_vm(daemon, pid):
    assert pid in descendants(daemon.pid), f"{pid} is no VM of our daemon"
    with processes.Pidfd(pid) as vm:
        vm.kill()
        assert vm.ended(within_s=5), f"VM {pid} does not die"


def descendants(pid):
    """The VM may be a grandchild, where something like a supervisor stands between."""
    children = processes.children_of(pid)
    return children + [other for child in children for other in descendants(child)]


def story_its_flows_are_reset_at_once_and_others_see_nothing(world):
    daemon = world.start(services={"hello": config.service(port=80), "other": config.service(port=81)})
    with KeepAlive(port=80) as killed, KeepAlive(port=81) as bystander:
        assert killed.get()[0] == 200
        status, headers, body = bystander.get()
        assert status == 200
        ((name, pid),) = daemon.wait_for_vms("hello", 1).items()

        kill_vm(daemon, pid)

        seconds = killed.wait_for_reset(within_s=2)
        print(f"{name}: reset seen {seconds * 1000:.1f} ms after its end", flush=True)
        assert seconds < 0.5, f"reset only after {seconds} s"
        status, headers_after, body_after = bystander.get()
        assert (status, body_after) == (200, body)
        assert headers_after["x-instance"] == headers["x-instance"], "the other service's VM was replaced"
    assert curl(url(80)).ok, "no new VM for the next client"
    assert daemon.telemetry.services()["other"]["cold_starts"] == 1


def story_a_client_in_the_middle_of_a_request_is_reset(world):
    daemon = world.start(images={"web": config.image(service_us=3_000_000)})
    with KeepAlive() as connection:
        connection.send_get()
        (pid,) = daemon.wait_for_vms("hello", 1, state="active").values()
        kill_vm(daemon, pid)
        connection.wait_for_reset(within_s=2)


def story_a_syn_that_waits_goes_to_a_new_vm(world):
    # The application listens late, so the VM boots for long enough to be hit.
    daemon = world.start(images={"web": config.image(listen_delay_ms=400)})
    transfer = world.until_the_end(Curl(url()))
    ((name, pid),) = daemon.wait_for_vms("hello", 1, state="booting").items()

    kill_vm(daemon, pid)

    (answer,) = transfer.answers()
    assert answer.ok, answer
    ((successor, _),) = daemon.wait_for_vms("hello", 1).items()
    assert successor != name
    service = daemon.telemetry.services()["hello"]
    assert service["boots_failed"] == 1, service


def story_again_and_again(world):
    daemon = world.start(services={"hello": config.service(idle_after="10s")})
    for turn in range(4):  # a fifth one that dies so young would look like an image that always does
        answer = curl()
        assert answer.ok, f"turn {turn}: {answer}"
        (pid,) = daemon.wait_for_vms("hello", 1).values()
        kill_vm(daemon, pid)  # the next turn's SYN comes while the daemon may not know it yet


def story_one_of_many_vms_dies_under_load(world):
    daemon = world.start(images={"web": config.image(service_us=20_000, workers=1)},
                         services={"hello": config.service(instances=(0, 3), soft=2)})
    transfer = world.until_the_end(Curl(url(), times=240, at_once=12, max_time_s=30))
    vms = daemon.wait_for_vms("hello", 3, within_s=10, state="active")
    name, pid = next(iter(vms.items()))
    flows = daemon.telemetry.instances()[name]["in_flight"]

    kill_vm(daemon, pid)

    answers = transfer.answers()
    lost = [answer for answer in answers if not answer.ok]
    print(f"{name} died with {flows} flows or so, {len(lost)} of {len(answers)} requests lost", flush=True)
    # 12 are under way at once, over three VMs: only those of the dead one may be lost.
    assert len(answers) == 240 and len(lost) <= 12, lost
    daemon.wait_for_zero("hello")
