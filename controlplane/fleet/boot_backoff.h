// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// When a service may try to boot again after boots that failed: soon at first, then ever later, and after a
// few failures in a row its SYNs are refused at once instead of held, until the next try is due.
//
// Control thread only. Pure but for its own few numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "units.h"

namespace cheshire {

class BootBackoff {
 public:
  static constexpr uint64_t kFirstDelayNs = 10 * kNsPerMs;
  static constexpr uint64_t kLongestDelayNs = 5 * kNsPerSecond;
  static constexpr uint32_t kFailuresBeforeRefusing = 5;
  // An instance that dies so soon after its first answer counts as a boot that failed; only one that lives
  // longer has shown that boots succeed. A guest that answers a SYN and dies is not tried again for ever.
  static constexpr uint64_t kProvenAfterNs = kNsPerSecond;

  void failed(uint64_t now_ns) {
    const uint32_t doublings = std::min<uint32_t>(failures_, 16);
    next_try_ns_ = now_ns + std::min(kFirstDelayNs << doublings, kLongestDelayNs);
    ++failures_;
    // From here on only the longest delay makes sense: somebody has to mend the image.
    if (failures_ >= kFailuresBeforeRefusing) next_try_ns_ = now_ns + kLongestDelayNs;
  }
  // An instance has lived for kProvenAfterNs since its first answer.
  void succeeded() {
    failures_ = 0;
    next_try_ns_ = 0;
  }
  [[nodiscard]] bool may_try(uint64_t now_ns) const { return now_ns >= next_try_ns_; }
  [[nodiscard]] bool refusing(uint64_t now_ns) const {
    return failures_ >= kFailuresBeforeRefusing && !may_try(now_ns);
  }
  [[nodiscard]] uint32_t failures() const { return failures_; }

 private:
  uint32_t failures_ = 0;  // in a row
  uint64_t next_try_ns_ = 0;
};

}  // namespace cheshire
