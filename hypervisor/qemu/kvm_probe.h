// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Does KVM work here? That /dev/kvm exists does not say so: QEMU may fail to set a register, or the guest
// may meet an instruction that KVM cannot run. So the image is booted once under KVM, paused, with a
// network device that is connected to nothing; then it is let go, and KVM works if the guest is still alive
// after a while. Driver thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "hypervisor/driver.h"
#include "hypervisor/qemu/qemu_vm.h"

namespace cheshire {

struct KvmVerdict {
  bool works = false;
  std::string words;  // QEMU's own, if it does not
};

class KvmProbe {
 public:
  static constexpr uint64_t kAliveNs = 300 * kNsPerMs;
  static constexpr uint64_t kTimeMaxNs = 3 * kNsPerSecond;

  KvmProbe(const BootOrder& image, const std::string& program, uint64_t now_ns);
  KvmProbe(const KvmProbe&) = delete;
  KvmProbe& operator=(const KvmProbe&) = delete;

  // The VM to watch, as any other; nullptr once it is gone.
  [[nodiscard]] QemuVm* vm() const { return vm_.get(); }
  [[nodiscard]] uint64_t due_ns() const;
  // Call when the VM had something to say and when due_ns() is past.
  void on_turn(uint64_t now_ns);
  [[nodiscard]] const std::optional<KvmVerdict>& verdict() const { return verdict_; }

 private:
  void set_verdict(KvmVerdict verdict);

  const uint64_t begin_ns_;
  bool guest_runs_ = false;
  std::optional<uint64_t> alive_since_ns_;
  std::optional<KvmVerdict> verdict_;
  std::unique_ptr<QemuVm> vm_;
};

}  // namespace cheshire
