# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A full service that refuses by HTTP: real clients see a 503, and whatever else they speak ends soon."""

import socket
import subprocess

from support import browser, clients, config, frames, open_loop, processes, wire
from support.wait import wait_until

# One request at a time, of a second: with hard 1, whoever comes second is refused.
SLOW = {"web": config.image(service_us=1_000_000, workers=1)}
BODY = "Please come again."


def full_service(world, **changes):
    service = config.service(instances=(0, 1), soft=1, hard=1, idle_after="5s",
                             overload={"action": "http503", "retry_after": "3s", "retry_jitter": "2s",
                                       "body": BODY, "per_source": 0}, **changes)
    daemon = world.start(images=SLOW, services={"hello": service})
    keeper = world.until_the_end(clients.KeepAlive())
    assert keeper.get()[0] == 200
    return daemon


def curl(*options):
    done = subprocess.run(["curl", "--silent", "--show-error", "--include", "--max-time", "10", *options, clients.url()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def story_curl_sees_the_503_with_its_headers_and_body(world):
    daemon = full_service(world)
    for options in ([], ["--http1.0"], ["--data", "x" * 50_000], ["--header", "X-Long: " + "y" * 60_000],
                    ["--tcp-fastopen"], ["--request", "DELETE"]):
        status, answer, complaint = curl(*options)
        assert status == 0, f"curl {options[:1]} ended with {status}: {complaint}"
        head, _, body = answer.replace("HTTP/1.1 100 Continue", "").strip().partition("\n\n")
        assert head.startswith("HTTP/1.1 503 "), answer
        retry_s = int(head.split("Retry-After:")[1].split()[0])
        assert 3 <= retry_s <= 5 and "Connection: close" in head, head
        assert body.strip() == BODY, answer
    status, answer, complaint = curl("--head")
    assert status == 0 and answer.startswith("HTTP/1.1 503 ") and BODY not in answer, (status, answer, complaint)
    admission = daemon.telemetry.admission()
    assert admission["with_http503"] >= 7 and admission["rejected_full"] >= 7, admission
    assert daemon.telemetry.services()["hello"]["in_flight"] == 1, "a rejected client left a flow"


def story_wrk_counts_answers_and_no_errors(world):
    full_service(world)
    done = subprocess.run(["wrk", "--threads", "1", "--connections", "20", "--duration", "2s", clients.url()],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert "Socket errors" not in done.stdout, done.stdout
    answered = int(done.stdout.split("Non-2xx or 3xx responses:")[1].split()[0])
    total = int(done.stdout.split(" requests in")[0].split()[-1])
    assert answered == total > 20, done.stdout


def story_a_browser_shows_the_body(world):
    daemon = full_service(world)
    shown = browser.dump_dom(world, clients.url())
    assert BODY in shown, shown
    assert daemon.telemetry.admission()["with_http503"] >= 1


def story_other_protocols_and_slow_writers_end_soon(world):
    daemon = full_service(world)
    status, _, _ = curl("--http2-prior-knowledge")
    assert status != 0
    done = subprocess.run(["curl", "--silent", "--insecure", "--max-time", "5", f"https://{config.VIP}:80/"],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode in (35, 56), f"TLS to a plain port: curl ended with {done.returncode}"
    assert daemon.telemetry.admission()["not_http"] >= 1
    # Byte by byte: answered at the first.
    with socket.create_connection((config.VIP, 80), timeout=5) as connection:
        connection.sendall(b"G")
        assert connection.recv(2000).startswith(b"HTTP/1.1 503 ")
    # A request line of 64 KiB.
    with socket.create_connection((config.VIP, 80), timeout=5) as connection:
        connection.sendall(b"GET /" + b"a" * 65536)
        assert connection.recv(2000).startswith(b"HTTP/1.1 503 ")


def story_cookies_that_are_none_are_reset(world):
    daemon = full_service(world)
    with wire.Wire() as line:
        vip_mac = wire.resolve(line)
        stranger = wire.Connection(line, vip_mac, source_port=41000)
        stranger.send(frames.ACK | frames.PSH, b"GET / HTTP/1.1\r\n\r\n", acknowledgment=12345)
        answer = stranger.receive(2.0)
        assert answer is not None and answer.flags & frames.RST, answer
        honest = wire.Connection(line, vip_mac, source_port=41001)
        honest.open()
        received = honest.get()
        assert received.startswith(b"HTTP/1.1 503 "), received
    wait_until("the cookie is counted", lambda: daemon.telemetry.admission()["cookies_bad"] == 1, 2.0)


def story_under_load_there_is_only_200_and_503(world):
    """40 requests a second can be served, 160 come."""
    images = {"web": config.image(service_us=50_000, workers=2)}
    service = config.service(instances=(1, 1), soft=3, hard=4, idle_after="5s",
                             overload={"action": "http503", "per_source": 0})
    daemon = world.start(images=images, services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    result = open_loop.load("160x4", timeout=20)
    counts = open_loop.counts(result)
    assert set(counts) <= {"200", "503"}, counts
    assert counts["200"] >= 80 and counts["503"] > 100, counts
    assert daemon.telemetry.instances(), "the instance lives"
