// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// cheshire-vmm: runs one VM. Started by the kvm driver (kvm_driver.h), or by hand:
//   cheshire-vmm --kernel=grin.elf --append='grin.ip=10.0.0.2' --vhost=/run/cheshire/demo/slot-0.sock
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "hypervisor/vmm/sandbox.h"
#include "hypervisor/vmm/self_check.h"
#include "hypervisor/vmm/vmm.h"
#include "hypervisor/vmm/zygote.h"

namespace cheshire {
namespace {

int check() {
  const auto findings = check_kvm_here();
  if (!findings) std::fprintf(stderr, "%s\n", findings.error().what.c_str());
  if (findings) std::fputs(to_line(findings.value()).c_str(), stdout);
  return findings ? 0 : 1;
}

int run_vm(std::span<const char* const> arguments) {
  install_signal_handlers();
  Result<VmmOptions> options = parse_arguments(arguments);
  if (!options) {
    std::fprintf(stderr, "cheshire-vmm: %s\n", options.error().what.c_str());
    return 2;
  }
  Vmm vmm(std::move(options).value());
  Result<void> ready = vmm.prepare();
  if (ready) ready = enter_sandbox();
  if (!ready) {
    vmm.report_exit(ready.error().what);
    _exit(1);
  }
  vmm.run();
  vmm.report_exit(vmm.reason());
  // The kernel takes back what is open and mapped, faster than we would.
  _exit(0);
}

// Returns when the driver is gone; in each new VM, when that has ended.
int run_zygote(std::span<char*> own_arguments) {
  const auto words = serve_as_zygote(own_arguments);
  if (!words) return 0;
  std::vector<const char*> arguments;
  for (const std::string& word : *words) arguments.push_back(word.c_str());
  return run_vm(arguments);
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  using namespace cheshire;
  if (argc == 2 && std::strcmp(argv[1], "--check") == 0) return check();
  const std::span own_arguments(argv, static_cast<size_t>(argc));
  if (argc >= 2 && std::strcmp(argv[1], "--zygote") == 0) return run_zygote(own_arguments);
  return run_vm(own_arguments.subspan(1));
}
