// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The stage on which the offload manager meets good and bad NICs, with three services of worker 0's and a clock of its
// own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_flow_device.h"

namespace cheshire::test {

class FlowOffloadTest : public testing::Test {
 protected:
  static constexpr be32 kVip{0xc000020a};
  static constexpr be32 kOtherVip{0xc000020b};
  static constexpr be32 kStranger{0xc0000263};
  static constexpr uint64_t kTickNs = 10 * kNsPerMs;
  static OffloadService service(uint16_t index, be32 vip, uint16_t port) {
    return {ServiceIndex{index}, vip, be16(port)};
  }

  void start(const FakeNic& nic, FlowOffloadOptions options = {}) {
    offload_.reset();
    device_ = std::make_unique<FakeFlowDevice>(nic, board_);
    offload_ = std::make_unique<FlowOffload>(*device_, options, board_, [this] { return device_->now_ns; });
    offload_->set_services(services_);
  }
  // Rounds of traffic to every service, then a tick.
  void run(int ticks, uint64_t packets_each = 100) {
    for (int i = 0; i < ticks; ++i) {
      for (const OffloadService& s : services_) {
        arrived_ += device_->deliver(s.vip, s.port, s.index, packets_each);
        sent_ += packets_each;
      }
      tick();
    }
  }
  void tick() {
    device_->now_ns += kTickNs;
    offload_->tick(device_->now_ns);
    for (const std::string& line : offload_->take_news()) news_ += line + "\n";
  }
  [[nodiscard]] const OffloadStatus::Rung& rung(OffloadRung which) const {
    return offload_->status().rungs[static_cast<size_t>(which)];
  }
  void expect_off(const std::string& reason) {
    EXPECT_EQ(rung(OffloadRung::kMark).state, OffloadState::kOff);
    EXPECT_NE(rung(OffloadRung::kMark).reason.find(reason), std::string::npos)
        << rung(OffloadRung::kMark).reason;
    EXPECT_EQ(rung(OffloadRung::kDrop).state, OffloadState::kOff);
    EXPECT_EQ(rung(OffloadRung::kPin).state, OffloadState::kOff);
    EXPECT_TRUE(device_->rules.empty());
    EXPECT_NE(news_.find("mark: off, "), std::string::npos) << news_;
    // From here on software has it all.
    const uint64_t lost = sent_ - arrived_;
    run(100);
    EXPECT_EQ(sent_ - arrived_, lost);
    EXPECT_TRUE(device_->rules.empty());
  }

  FlowMarkBoard board_{64};
  std::vector<OffloadService> services_ = {service(0, kVip, 80), service(1, kVip, 443),
                                           service(2, kOtherVip, 80)};
  std::unique_ptr<FakeFlowDevice> device_;
  std::unique_ptr<FlowOffload> offload_;
  std::string news_;
  uint64_t sent_ = 0;
  uint64_t arrived_ = 0;
};

}  // namespace cheshire::test
