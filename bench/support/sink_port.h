// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A guest in memory that costs next to nothing: takes all it is given and, while it `answers`, greets each
// SYN with a SYN-ACK, so that its instance becomes ready and its flows open.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/port/guest_port.h"
#include "net.h"

namespace cheshire {

class SinkPort final : public GuestPort {
 public:
  void answers(bool answers) { answers_ = answers; }
  [[nodiscard]] uint64_t taken() const { return taken_; }

  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override;
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override;

 private:
  struct Asked {
    Ipv4Header ip;
    TcpHeader tcp;
  };
  void look_for_syns(rte_mbuf** packets, uint16_t count);
  [[nodiscard]] uint16_t answer(rte_mempool* pool, rte_mbuf** packets, uint16_t count);

  bool answers_ = true;
  uint64_t taken_ = 0;
  std::vector<Asked> asked_;
};

}  // namespace cheshire
