# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Clients of every kind at the control socket: the daemon goes on, and so do its connections."""

import os
import stat
import subprocess

from support import config, control, processes
from support.clients import KeepAlive, curl
from support.control import Control, cheshire, socket_path
from support.wait import wait_until


def counted(daemon, name, number):
    wait_until(f"{name} is {number}", lambda: daemon.telemetry.ask("/cheshire/control")[name] == number,
               within_s=5)


def story_whatever_comes_the_daemon_goes_on(world):
    daemon = world.start(services={"hello": config.service(instances=(1, 2))})
    path = socket_path(world)
    status = os.stat(path)
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600, oct(status.st_mode)
    with KeepAlive() as connection:
        assert connection.get()[0] == 200

        with Control(path) as garbage:
            for line in (b"\x00\xff\xfe{{{\n", b"[1, 2]\n", b'{"command": "rm -rf"}\n', b'"' * 1000 + b"\n"):
                garbage.send(line)
                answer = garbage.answer()
                assert answer["ok"] is False and answer["error"], answer
            assert garbage.ask(command="scale get", service="hello")["ok"], "after garbage it is still heard"
        counted(daemon, "bad_lines", 4)

        with Control(path) as half:
            half.send(b'{"command": "reload"')
        counted(daemon, "half_lines", 1)

        with Control(path) as endless:
            try:
                endless.send(b"x" * (1 << 20))
                endless.answer()
            except OSError:
                pass  # closed under our feet
        counted(daemon, "line_too_long", 1)

        idle = [world.until_the_end(Control(path)) for _ in range(100)]
        assert Control(path).ask(command="scale get", service="hello")["max_size"] == 2
        assert idle[-1].ask(command="scale get", service="hello")["ok"], "the newest of the idle is heard"
        assert daemon.telemetry.ask("/cheshire/control")["evicted_idle"] >= 36

        assert connection.get()[0] == 200
    assert curl().ok
    assert daemon.stop() == 0
    assert not os.path.exists(os.path.dirname(path)), "the daemon's directory is still there"


def story_another_user_is_not_heard(world):
    world.start()
    path = socket_path(world)
    # The directories would not let him come so far; here they do.
    for directory in (world.sandbox.directory, world.sandbox.path("run"), os.path.dirname(path)):
        os.chmod(directory, 0o711)
    os.chmod(path, 0o666)
    done = subprocess.run(["python3", "-c", "import socket, sys\n"
                           "s = socket.socket(socket.AF_UNIX)\n"
                           "s.settimeout(5)\n"
                           "s.connect(sys.argv[1])\n"
                           "try:\n"
                           "    s.sendall(b'{\"command\": \"reload\"}\\n')\n"
                           "    sys.exit(len(s.recv(100)))\n"
                           "except (BrokenPipeError, ConnectionResetError):\n"
                           "    sys.exit(0)\n", path],
                          user=65534, group=65534, extra_groups=[], timeout=10,
                          env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, "somebody else was answered"
    counted(world.daemon, "refused_user", 1)


def story_the_client_says_who_does_not_answer(world):
    done = cheshire("reload", "--socket", world.sandbox.path("none.sock"))
    assert done.status == 1 and "no daemon answers at" in done.words, done
    daemon = world.start()
    done = cheshire("scale", "get", "--daemon", daemon.name, "helo")
    assert done.status == 2 and 'did you mean "hello"?' in done.words, done
    processes.command_line(daemon.pid)
    assert control.tell(daemon, "scale", "get", "hello").startswith("hello: min size 0, max size 4"), done
