// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The clients' wire: takes its time, loses frames, doubles them, lets them overtake each other. Its near end is the real
// ethdev port of tests/support/dpdk.h, so the NIC's rings are real and can be full.
#pragma once

#include <map>
#include <vector>

#include "tests/sim/scene.h"
#include "tests/support/dpdk.h"

namespace cheshire::sim {

class Wire {
 public:
  explicit Wire(Scene& scene) : scene_(scene) {}

  // From a client; `attempt`: whose loss it would be, or nullptr. `spread`: what the NIC hashes to choose a queue.
  void to_nic(Bytes frame, Attempt* attempt, uint32_t spread);
  // What is due goes to the NIC, and what the NIC sends is on its way.
  void act();
  // What has come to the clients by now, in order.
  [[nodiscard]] std::vector<Bytes> take();

  // For so long nobody takes what the NIC sends.
  void stands_until(uint64_t time_ns) { stands_until_ns_ = time_ns; }
  [[nodiscard]] uint64_t due_ns() const;
  [[nodiscard]] bool is_busy() const { return !to_nic_.empty() || !to_clients_.empty(); }
  [[nodiscard]] uint64_t given_to_nic() const { return given_; }
  [[nodiscard]] uint64_t taken_from_nic() const { return taken_; }

 private:
  struct Frame {
    Bytes bytes;
    size_t queue = 0;
  };
  [[nodiscard]] unsigned copies();
  [[nodiscard]] uint64_t arrival_ns();

  Scene& scene_;
  std::multimap<uint64_t, Frame> to_nic_;
  std::multimap<uint64_t, Bytes> to_clients_;
  uint64_t stands_until_ns_ = 0;
  uint64_t given_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace cheshire::sim
