// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Counts why the vCPU left the guest, and notes when it was in the kernel for the first few exits after
// each order to run: a start is over by then, and afterwards the log costs one compare.
#pragma once

#include <array>
#include <cstdint>

#include "hypervisor/vm_exit.h"
#include "hypervisor/vmm_messages/control_message.h"
#include "units.h"

namespace cheshire {

class ExitLog {
 public:
  void count(VmExit exit) { ++exits_[static_cast<size_t>(exit)]; }
  void note(VmmStage stage) {
    uint64_t& at = stages_ns_[static_cast<size_t>(stage)];
    if (at == 0) at = monotonic_ns();
  }

  void restart() {
    spans_ = 0;
    begin_ns_ = monotonic_ns();
  }
  void enter() {
    if (spans_ < kVmmTraceSpans) span_[spans_] = {offset(), 0};
  }
  void leave() {
    if (spans_ < kVmmTraceSpans) span_[spans_++].leave_ns = offset();
  }

  void fill(VmmReport& report) const {
    report.exits = exits_;
    report.stages_ns = stages_ns_;
  }
  void fill(VmmTrace& trace) const {
    trace.begin_ns = begin_ns_;
    trace.spans = spans_;
    trace.span = span_;
  }

 private:
  // A span that begins 4 s after its order would wrap; nothing that is measured takes so long.
  [[nodiscard]] uint32_t offset() const { return static_cast<uint32_t>(monotonic_ns() - begin_ns_); }

  std::array<uint64_t, kVmExits> exits_{};
  std::array<uint64_t, kVmmStages> stages_ns_{};
  uint64_t begin_ns_ = 0;
  uint32_t spans_ = 0;
  std::array<VmmTrace::Span, kVmmTraceSpans> span_{};
};

}  // namespace cheshire
