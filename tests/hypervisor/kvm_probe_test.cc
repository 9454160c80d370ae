// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <poll.h>

#include "hypervisor/qemu/kvm_probe.h"
#include "tests/hypervisor/with_qemu.h"

namespace cheshire {
namespace {

class KvmProbeTest : public WithQemu {
 protected:
  // Plays the driver's loop until there is a verdict.
  static KvmVerdict verdict_on(const std::string& kernel) {
    BootOrder order = order_of("hello", "");
    order.kernel = kernel;
    KvmProbe probe(order, find_qemu("qemu-system-x86_64").value().path, monotonic_ns());
    const uint64_t deadline_ns = monotonic_ns() + kTestDeadlineNs;
    while (!probe.verdict() && monotonic_ns() < deadline_ns) {
      std::vector<pollfd> watched;
      for (const auto source : kAll) watched.push_back({probe.vm()->descriptor(source), POLLIN, 0});
      poll(watched.data(), watched.size(), 10);
      for (size_t i = 0; i < watched.size(); ++i) {
        if (watched[i].revents != 0) (void)probe.vm()->on_ready(kAll[i], monotonic_ns());
        if (probe.vm()->exit_reason()) break;
      }
      probe.on_turn(monotonic_ns());
    }
    return probe.verdict().value_or(KvmVerdict{false, "no verdict"});
  }

 private:
  using Source = QemuVm::Source;
  static constexpr std::array kAll = {Source::kControl, Source::kSerial, Source::kStderr, Source::kProcess};
};

TEST_F(KvmProbeTest, SaysWhyItDoesNotWork) {
  const KvmVerdict verdict = verdict_on(guest("hello"));
  RecordProperty("kvm", verdict.works ? "works" : verdict.words);
  EXPECT_TRUE(verdict.works || !verdict.words.empty());
  EXPECT_NE(verdict.words, "no verdict");
}

TEST_F(KvmProbeTest, DoesNotTrustAGuestThatDies) {
  const KvmVerdict verdict = verdict_on(guest("crash"));
  EXPECT_FALSE(verdict.works);
  EXPECT_FALSE(verdict.words.empty());
}

TEST_F(KvmProbeTest, TakesAKernelThatIsNotThereForAFailure) {
  const KvmVerdict verdict = verdict_on("/nonexistent.elf");
  EXPECT_FALSE(verdict.works);
  EXPECT_FALSE(verdict.words.empty());
}

}  // namespace
}  // namespace cheshire
