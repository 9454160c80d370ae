#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Exit codes and remedies of the client: 0 fine, 1 no daemon, 2 bad usage or config.
cheshire=$1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

expect() { # exit code, words in the output, arguments
  code=$1 words=$2
  shift 2
  output=$(RUNTIME_DIRECTORY=$dir "$cheshire" "$@" 2>&1)
  got=$?
  if [ $got -ne "$code" ]; then
    echo "cheshire $*: exit code $got, expected $code: $output"
    failed=1
  fi
  case $output in
    *"$words"*) ;;
    *) echo "cheshire $*: no '$words' in: $output"; failed=1 ;;
  esac
}

printf '\177ELF' > "$dir/grin.elf"
cat > "$dir/fine.yaml" <<END
name: demo
nic: {device: net_null0}
images: {web: {kernel: grin.elf}}
services: {hello: {listen: "192.0.2.10:80", image: web}}
END
sed s/grin.elf/none.elf/ "$dir/fine.yaml" > "$dir/bad.yaml"

expect 0 "status" --help
expect 0 "fine" check "$dir/fine.yaml"
expect 2 "$dir/bad.yaml:3:24: error: images.web.kernel" check "$dir/bad.yaml"
expect 2 "No such file" check "$dir/nothing.yaml"
expect 2 "FILE" check
expect 2 "subcommand" 
expect 2 "--wrong" status --wrong
expect 2 "--name" status --name a --socket b
expect 1 "$dir/dpdk/cheshire-NAME/dpdk_telemetry.v2" status
expect 1 "--name NAME" status
expect 1 "$dir/dpdk/cheshire-demo/dpdk_telemetry.v2" status --name demo
expect 1 "$dir/some.sock" status --json --socket "$dir/some.sock"
exit $failed
