// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What the tests of this program share of DPDK: EAL without hugepages, root or devices, one packet pool, and
// a real ethdev port (net_ring) that stands for the NIC, with queues for three workers. Its wire are two rings for
// each: the test puts frames into one and takes them out of the other.
//
// The port of net_ring has the MAC address 00:00:00:00:00:00 and no way to change it. On this wire it is
// called kNicMac: frames are translated where they go in and come out.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/port/nic_port.h"
#include "tests/support/frame_builder.h"
#include "tests/support/temporary_directory.h"

struct rte_mempool;
struct rte_ring;

namespace cheshire::test {

class Dpdk {
 public:
  // Started on first use; ended by main().
  static constexpr uint16_t kQueues = 3;

  static Dpdk& get();
  static void end();
  // Before the first get(): how the pool is made instead of by rte_pktmbuf_pool_create().
  using MakePool = rte_mempool* (*)(const char* name, unsigned packets, unsigned cache);
  static void make_pool_by(MakePool make);
  ~Dpdk();

  [[nodiscard]] NicPort& nic() { return *nic_; }
  [[nodiscard]] rte_mempool* pool() { return pool_; }
  [[nodiscard]] uint32_t packets_in_use() const;

  // A frame from the wire. With `split_at`, in a chain of two buffers; with `mark`, as a NIC's flow rule marks it.
  // False: the wire is full.
  [[nodiscard]] bool put_on_wire(std::span<const uint8_t> frame, size_t split_at = 0, uint32_t mark = 0,
                                 size_t queue = 0);
  // The frames that the NIC has sent since the last call, in order, by queue.
  [[nodiscard]] std::vector<Bytes> take_from_wire();

  // While it lives, the pool has no packet to give.
  class NoPackets {
   public:
    NoPackets();
    ~NoPackets();
    NoPackets(const NoPackets&) = delete;
    NoPackets& operator=(const NoPackets&) = delete;

   private:
    std::vector<void*> taken_;
  };

 private:
  Dpdk();
  void take_from(rte_ring* ring, std::vector<Bytes>& frames);

  TemporaryDirectory runtime_dir_;  // goes last, when EAL has ended
  rte_mempool* pool_ = nullptr;
  std::array<rte_ring*, kQueues> to_nic_{};
  std::array<rte_ring*, kQueues> from_nic_{};
  std::unique_ptr<NicPort> nic_;
};

}  // namespace cheshire::test
