// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The driver thread of kvm_driver.h: VmLoop, with the VMs made by a zygote, or one by one where there is
// none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "hypervisor/kvm/kvm_vm.h"
#include "hypervisor/kvm/zygote_link.h"
#include "hypervisor/process/vm_loop.h"
#include "result.h"

namespace cheshire {

struct KvmLoopOptions {
  VmLoopOptions loop;
  VmmProgram program;
  bool use_zygote = true;
};

class KvmLoop final : public VmLoop {
 public:
  // The mailbox must outlive run().
  static Result<std::unique_ptr<VmLoop>> create(KvmLoopOptions options, DriverMailbox& mailbox);

 private:
  static constexpr uint32_t kZygotesMax = 4;  // one that dies over and over is not worth it

  KvmLoop(KvmLoopOptions options, DriverMailbox& mailbox, UniqueFd epoll)
      : VmLoop(std::move(options.loop), mailbox, std::move(epoll)),
        program_(std::move(options.program)),
        zygotes_left_(options.use_zygote ? kZygotesMax : 0) {}
  void on_begin() override { start_zygote(); }
  void start(StartOrder order, uint64_t now_ns) override;
  [[nodiscard]] Result<std::unique_ptr<VmProcess>> start_vm(const StartOrder& order);
  void start_zygote();

  const VmmProgram program_;
  std::optional<ZygoteLink> zygote_;  // none: VMMs are executed one by one
  uint32_t zygotes_left_;
};

}  // namespace cheshire
