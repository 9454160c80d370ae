#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors
#
# Plays QEMU towards the driver: QMP on descriptor 3, one command a line. The guest's command line says how it
# behaves: works | never-quits | internal-error-at-once | internal-error-later.

if [ "$1" = --version ]; then
  echo "QEMU emulator version 7.2.99 (scripted)"
  exit 0
fi

behaviour=works
while [ $# -gt 0 ]; do
  if [ "$1" = -append ]; then behaviour=$2; fi
  shift
done

status=running
halt_guest() {
  status=internal-error
  printf 'KVM internal error. Suberror: 1\nEAX=00000000 EBX=00000000\nEIP=00100000\nCode=cc cc\n' >&2
}

if [ "$behaviour" = internal-error-at-once ]; then halt_guest; fi
echo '{"QMP": {"version": {}, "capabilities": []}}' >&3
while read -r command <&3; do
  id=$(expr "$command" : '.*"id":\([0-9]*\)')
  case $command in
    *query-status*)
      echo "{\"return\": {\"status\": \"$status\"}, \"id\": $id}" >&3
      if [ "$behaviour" = internal-error-later ] && [ "$status" = running ]; then
        halt_guest
        echo '{"event": "STOP"}' >&3
      fi
      ;;
    *'"quit"'*)
      echo "{\"return\": {}, \"id\": $id}" >&3
      if [ "$behaviour" != never-quits ]; then exit 0; fi
      ;;
    *) echo "{\"return\": {}, \"id\": $id}" >&3 ;;
  esac
done
