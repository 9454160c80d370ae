# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Configuration files for the daemon, from dictionaries of the same shape (docs/config.md)."""

import json
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

TAP = "cheshire0"
VIP = "192.0.2.10"
CLIENT = "192.0.2.1"

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./:=,-]*")  # strings that need no quotes: no blank, no ": "


def build_directory():
    return os.path.abspath(os.environ.get("CHESHIRE_BUILD_DIR", os.path.join(TOP, "build")))


def built(name):
    """Path of something that the build makes."""
    return os.path.join(build_directory(), name)


def yaml(value, indent=0):
    """Block style for dictionaries and lists of plain values, which is all that the daemon's file has."""
    lines = []
    for key, item in value.items():
        lead = " " * indent + f"{key}:"
        if isinstance(item, dict) and item:
            lines += [lead, yaml(item, indent + 2)]
        else:
            lines.append(f"{lead} {_scalar(item)}")
    return "\n".join(lines)


def _scalar(item):
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, (int, float)):
        return str(item)
    if isinstance(item, str):
        return item if _PLAIN.fullmatch(item) else json.dumps(item)
    return json.dumps(item)


def image(driver="qemu", **command_line):
    """An image of grin. Options of grin by their names without the dot: service_us=2000."""
    options = "".join(f" grin.{name}={value}" for name, value in command_line.items())
    return {
        "kernel": built("unikernel/grin.elf"),
        "memory": "8MiB",
        "command_line": "grin.ip={guest_ip} grin.port={guest_port}" + options,
        "driver": driver,
    }


def service(port=80, image="web", **changes):
    """A service on the VIP that comes and goes quickly. instances=(0, 4), soft=8, hard=16, shells=1, standby=1
    and any other key."""
    low, high = changes.pop("instances", (0, 4))
    pools = {key: changes.pop(key) for key in ("shells", "standby") if key in changes}
    return {
        "listen": f"{VIP}:{port}",
        "guest": "10.0.0.2:8080",
        "image": image,
        "instances": {"min": low, "max": high, **pools},
        "in_flight": {"soft": changes.pop("soft", 8),
                      **({"hard": changes.pop("hard")} if "hard" in changes else {})},
        "hold": {"syns_max": 128, "time_max": "3s", **changes.pop("hold", {})},
        "boot_deadline": "2s",
        "idle_after": "300ms",
        "drain_deadline": "5s",
        **changes,
    }


def config(sandbox, *, images, services, hugepages, **changes):
    return {
        "name": sandbox.name,
        "runtime_dir": sandbox.path("run"),
        "eal": {"lcore": 0, "memory": "256MiB", "hugepages": hugepages},
        "nic": {"device": f"net_tap0,iface={TAP}"},
        "worker": {"flows_max": 65536, "idle_sleep": "50us"},
        "control": {"tick": "50us"},
        "images": images,
        "services": services,
        **changes,
    }


def write(path, values):
    with open(path, "w") as file:
        file.write("# written by tests/support/config.py\n" + yaml(values) + "\n")
    return path
