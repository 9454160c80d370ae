// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// cheshire-vmm: runs one VM. Started by the kvm driver (kvm_driver.h), or by hand:
//   cheshire-vmm --kernel=grin.elf --append='grin.ip=10.0.0.2' --vhost=/run/cheshire/demo/slot-0.sock
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "hypervisor/kvm/self_check.h"
#include "hypervisor/kvm/vmm.h"

namespace cheshire {
namespace {

int check() {
  const auto findings = check_kvm_here();
  if (!findings) std::fprintf(stderr, "%s\n", findings.error().what.c_str());
  if (findings) std::fputs(to_line(findings.value()).c_str(), stdout);
  return findings ? 0 : 1;
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  using namespace cheshire;
  if (argc == 2 && std::strcmp(argv[1], "--check") == 0) return check();
  install_signal_handlers();
  Result<VmmOptions> options = parse_arguments({argv + 1, static_cast<size_t>(argc - 1)});
  if (!options) {
    std::fprintf(stderr, "cheshire-vmm: %s\n", options.error().what.c_str());
    return 2;
  }
  Vmm vmm(std::move(options).value());
  if (Result<void> prepared = vmm.prepare(); !prepared) {
    vmm.tell_exit(prepared.error().what);
    _exit(1);
  }
  vmm.run();
  vmm.tell_exit(vmm.reason());
  // The kernel takes back what is open and mapped, faster than we would.
  _exit(0);
}
