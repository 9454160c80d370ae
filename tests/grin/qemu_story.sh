#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

# grin in a real VM: boots the image in QEMU's microvm with a TAP device, in a network namespace of its own, and
# talks to it with curl and wrk, at last over a link that loses one frame in twelve.
#   tests/grin/qemu_story.sh build/unikernel/grin.elf
# Exit status: 0 all is well, 1 something is not, 77 this machine cannot run it.
set -uo pipefail

image=$(realpath "${1:?usage: qemu_story.sh grin.elf}")
here=$(dirname "$(realpath "$0")")
for tool in qemu-system-x86_64 ip nsenter curl python3; do
  command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
[[ $EUID -eq 0 && -c /dev/net/tun ]] || { echo "skipped: needs root and /dev/net/tun"; exit 77; }

ns=grin-story-$$
work=$(mktemp -d)
pids=()
failures=0
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done
  ip netns del "$ns" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

ip netns add "$ns" 2>/dev/null || { echo "skipped: no network namespaces"; exit 77; }
# Not `ip netns exec`: that remounts /sys, which it may not where / is no mount point (a chroot).
inside() { nsenter --net="/run/netns/$ns" "$@"; }
inside ip link set lo up
for device in direct guest lossy; do
  inside ip tuntap add "$device" mode tap
  inside ip link set "$device" up
done
inside ip addr add 10.0.0.1/24 dev direct
inside ip addr add 10.0.1.1/24 dev lossy

# In the background without `inside`: $! must be the program, not a shell around it.
boot() {  # boot TAP "command line"
  nsenter --net="/run/netns/$ns" qemu-system-x86_64 \
    -M microvm,rtc=off,pit=off,pic=off,acpi=off,x-option-roms=off,isa-serial=on,auto-kernel-cmdline=on \
    -accel tcg -m 8 -nodefaults -no-user-config -no-reboot -display none -serial "file:$work/console" \
    -kernel "$image" -append "$2" -netdev "tap,id=n0,ifname=$1,script=no,downscript=no" \
    -global virtio-mmio.force-legacy=false -device virtio-net-device,netdev=n0,mac=02:00:00:00:00:02 \
    >"$work/qemu" 2>&1 &
  vm=$!
  pids+=("$vm")
}
halt() { kill "$vm" 2>/dev/null; wait "$vm" 2>/dev/null; }
# Bounded: 10 s.
until_up() {
  inside curl -s -o /dev/null --retry 40 --retry-connrefused --retry-max-time 10 --max-time 10 "$1/health"
}
until_gone() { for _ in $(seq 100); do kill -0 "$vm" 2>/dev/null || return 0; sleep 0.1; done; return 1; }
check() {  # check "what" expected actual
  if [[ $2 == "$3" ]]; then echo "ok: $1"; else echo "FAILED: $1: expected '$2', got '$3'"; failures=$((failures + 1)); fi
}
status() { inside curl -s -o /dev/null -w '%{http_code}' --max-time 5 "$@"; }
stat_of() { inside curl -s --max-time 5 "$url/stats" | sed -n "s/^$1 //p"; }

url=http://10.0.0.2:8080
boot direct "grin.ip=10.0.0.2"
until_up $url
check "a greeting with the instance token" 1 "$(inside curl -si --max-time 5 $url/ | grep -c '^X-Instance: [0-9a-f]\{16\}')"
check "HEAD" 200 "$(status -I $url/)"
check "HTTP/1.0 closes" 1 "$(inside curl -si --http1.0 --max-time 5 $url/ | grep -c '^Connection: close')"
head -c 3000000 /dev/zero >"$work/upload"
check "a body of 3 MB, with Expect" 200 "$(status --data-binary "@$work/upload" $url/)"
check "an unknown method" 405 "$(status -X PUT $url/)"
check "a request head above 8 KiB" 431 "$(status -H "X: $(head -c 9000 /dev/zero | tr '\0' a)" $url/)"
check "a closed port refuses" 7 "$(inside curl -s --max-time 5 http://10.0.0.2:81/; echo $?)"
if command -v wrk >/dev/null; then
  check "256 connections without an error" 0 "$(inside wrk -t1 -c256 -d3 $url/ | grep -c -E 'Socket errors|Non-2xx')"
fi
sleep 0.5
ticks() { awk '{print $14 + $15}' "/proc/$vm/stat"; }
before=$(ticks); sleep 3; used=$(($(ticks) - before))
check "idle costs under 2 % of a core ($used ticks in 3 s)" 1 "$((used * 50 < 3 * $(getconf CLK_TCK)))"
halt

boot direct "grin.ip=10.0.0.2 grin.service_us=300000 grin.workers=1"
until_up $url
nsenter --net="/run/netns/$ns" curl -s --max-time 5 $url/ $url/ >/dev/null & client=$!
running=0
for _ in $(seq 20); do running=$(stat_of running); [[ $running == 1 ]] && break; sleep 0.02; done
check "a request is on the worker" 1 "$running"
wait "$client"
check "the slow requests are answered" 0 $?
halt

boot direct "console=ttyS0 grin.prot=80"
check "an unknown option ends the VM" 0 "$(until_gone; echo $?)"
check "and is named on the console" 1 "$(grep -c 'unknown option: grin.prot=80' "$work/console")"

nsenter --net="/run/netns/$ns" python3 "$here/lossy_link.py" lossy guest 8 & pids+=($!)
url=http://10.0.1.2:8080
boot guest "grin.ip=10.0.1.2 grin.body=20000"
until_up $url
good=0
for _ in $(seq 20); do
  [[ $(inside curl -s --max-time 30 $url/ | wc -c) == 20000 ]] && good=$((good + 1))
done
check "20 answers of 20,000 bytes over a link that loses 8 %" 20 $good
check "some segments were sent again" 1 "$(($(stat_of retransmits) > 0))"
halt

[[ $failures -eq 0 ]]
