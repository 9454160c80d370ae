# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Clients of a service: curl, wrk, and a plain socket that keeps its connection."""

import os
import re
import socket
import subprocess
import time

from . import config, processes

# After %{stderr} curl writes to its error stream; the bodies go to the other one.
_CURL_REPORT = ("%{stderr}%{http_code} %{time_namelookup} %{time_connect} %{time_starttransfer} "
                "%{size_download} %{exitcode} %header{x-instance}\\n")

REFUSED = 7  # curl: failed to connect
TIMED_OUT = 28


def url(port=80, path="/"):
    return f"http://{config.VIP}:{port}{path}"


class Answer:
    """Of one curl transfer. Times in ms since curl sent its SYN, from curl's own timers."""

    def __init__(self, line):
        status, lookup, connect, first_byte, size, exit_code, *instance = line.split()
        self.status = int(status)
        self.size = int(size)
        self.exit_code = int(exit_code)
        self.instance = instance[0] if instance else ""
        self.connect_ms = 1000 * (float(connect) - float(lookup))
        self.first_byte_ms = 1000 * (float(first_byte) - float(lookup))

    @property
    def ok(self):
        return self.exit_code == 0 and self.status == 200 and self.size > 0

    def __repr__(self):
        return f"curl exit {self.exit_code}, status {self.status}, {self.size} bytes"


class Curl:
    """A curl at work: one transfer, or several at once over a connection each."""

    def __init__(self, address, *, times=1, at_once=1, max_time_s=10):
        command = ["curl", "--silent", "--no-progress-meter", "--max-time", max_time_s,
                   "--write-out", _CURL_REPORT]
        if times > 1:
            command += ["--parallel", "--parallel-immediate", "--parallel-max", at_once,
                        "--header", "Connection: close"]
        command += [address] * times
        self.requests = times
        self.bodies = None  # of all transfers, one after the other, once answers() has returned
        self._started = time.monotonic()
        self._process = processes.spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def running(self):
        return self._process.poll() is None

    def answers(self, within_s=60.0):
        self.bodies, report = self._process.communicate(timeout=within_s)
        self.seconds = time.monotonic() - self._started
        return [Answer(line) for line in report.splitlines()]

    def close(self):
        processes.end(self._process, asked_s=0)
        self._process.stdout.close()
        self._process.stderr.close()


def curl(address=None, **options):
    """One request, to its end."""
    transfer = Curl(address or url(), **options)
    try:
        (answer,) = transfer.answers()
    finally:
        transfer.close()
    answer.body = transfer.bodies
    answer.seconds = transfer.seconds
    return answer


class WrkResult:
    def __init__(self, text):
        self.text = text
        self.requests = _number(r"(\d+) requests in", text)
        self.wrong = _number(r"wrong answers: (\d+)", text)
        self.per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
        # wrk prints these lines only where there is something to complain about.
        self.complaints = [line.strip() for line in text.splitlines()
                           if "Socket errors" in line or "Non-2xx" in line]


def _number(pattern, text):
    found = re.search(pattern, text)
    assert found, f"wrk printed no '{pattern}':\n{text}"
    return int(found[1])


def wrk(address=None, *, connections=32, seconds=10, expected_body):
    script = os.path.join(os.path.dirname(__file__), "check_answers.lua")
    process = processes.spawn(
        ["wrk", "--threads", "2", "--connections", connections, "--duration", f"{seconds}s", "--latency",
         "--script", script, address or url()],
        environment={"EXPECTED_BODY": expected_body},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        text, _ = process.communicate(timeout=seconds + 30)
    finally:
        processes.end(process, asked_s=0)
    assert process.returncode == 0, f"wrk ended with status {process.returncode}:\n{text}"
    return WrkResult(text)


class KeepAlive:
    """A connection that stays open over several requests."""

    def __init__(self, port=80, timeout_s=10.0, host=config.VIP):
        self._host = host
        self._socket = socket.create_connection((host, port), timeout=timeout_s)
        self._unread = b""

    def send_get(self, path="/"):
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())

    def get(self, path="/"):
        """(status, headers, body) of one request."""
        self.send_get(path)
        return self.read_answer()

    def read_answer(self):
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        status_line, *lines = head.split("\r\n")
        headers = {key.strip().lower(): value.strip()
                   for key, _, value in (line.partition(":") for line in lines if line)}
        return int(status_line.split()[1]), headers, self._read(int(headers["content-length"]))

    def wait_for_reset(self, within_s):
        """Seconds until the connection is reset. An orderly end or silence is an error."""
        self._socket.settimeout(within_s)
        began = time.monotonic()
        try:
            while data := self._socket.recv(65536):
                self._unread += data
        except ConnectionResetError:
            return time.monotonic() - began
        except TimeoutError:
            raise AssertionError(f"no reset within {within_s} s") from None
        raise AssertionError("the connection was closed in order, not reset")

    def close(self):
        self._socket.close()

    def _read_until(self, end):
        while end not in self._unread:
            self._fill()
        head, _, self._unread = self._unread.partition(end)
        return head

    def _read(self, size):
        while len(self._unread) < size:
            self._fill()
        body, self._unread = self._unread[:size], self._unread[size:]
        return body

    def _fill(self):
        data = self._socket.recv(65536)
        if not data:
            raise AssertionError("the connection ended in the middle of an answer")
        self._unread += data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
