// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/usage_pace.h"

#include <algorithm>

#include "units.h"

namespace cheshire {
namespace {

constexpr uint64_t kUsagePeriodMinNs = 20 * kNsPerMs;
constexpr uint64_t kUsagePeriodPerVmNs = 2 * kNsPerMs;
constexpr uint64_t kUsageInterestNs = 2 * kNsPerSecond;
constexpr uint64_t kLookUpNs = 100 * kNsPerMs;

}  // namespace

bool UsagePace::is_wanted(const DriverMailbox& mailbox, uint64_t now_ns) {
  const uint64_t asked_ns = mailbox.usage_asked_ns();
  return asked_ns != 0 && now_ns < asked_ns + kUsageInterestNs;
}

int UsagePace::wait_ms(const DriverMailbox& mailbox, size_t vms, uint64_t due_ns, uint64_t now_ns) const {
  if (vms != 0 && is_wanted(mailbox, now_ns)) due_ns = std::min(due_ns, due_ns_);
  if (due_ns <= now_ns) return 0;
  // Looks up once in a while: the first question about usage does not wake the thread.
  const uint64_t longest_ns = vms != 0 ? kLookUpNs : kNsPerSecond;
  return static_cast<int>(std::min(due_ns - now_ns, longest_ns) / kNsPerMs + 1);
}

bool UsagePace::is_due(const DriverMailbox& mailbox, size_t vms, uint64_t now_ns) {
  if (now_ns < due_ns_ || !is_wanted(mailbox, now_ns)) return false;
  due_ns_ = now_ns + std::max(kUsagePeriodMinNs, kUsagePeriodPerVmNs * vms);
  return true;
}

}  // namespace cheshire
