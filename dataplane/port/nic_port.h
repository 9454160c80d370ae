// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The port that faces the clients: one ethdev, whatever its driver, with a transmit queue for each worker, and a
// receive queue for each as far as the NIC has them; the first workers get those. With several receive queues the NIC
// spreads packets by a symmetric hash of addresses and ports, where it can (RSS), so that both directions of a
// connection come to one queue; else as its driver does.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/packet/parse.h"
#include "net.h"
#include "result.h"

struct rte_epoll_event;
struct rte_mbuf;
struct rte_mempool;

namespace cheshire {

struct NicPortOptions {
  uint16_t port_id = 0;  // of ethdev
  uint16_t rx_descriptors = 1024;
  uint16_t tx_descriptors = 1024;
  rte_mempool* pool = nullptr;  // buffers of received packets
  uint16_t workers = 1;
  bool wakes = false;  // a worker is to sleep until a packet comes, where the device has receive interrupts
};

// One worker's end of the port. Polled by that worker only; the port must outlive it.
class NicQueue {
 public:
  // Whether the NIC has a receive queue for this worker.
  [[nodiscard]] bool receives() const { return receives_; }
  // Nothing without one.
  [[nodiscard]] uint16_t receive(rte_mbuf** packets, uint16_t count) const;
  // Takes the first `n` packets, which the caller gives away; the rest stay the caller's. Returns n.
  [[nodiscard]] uint16_t transmit(rte_mbuf** packets, uint16_t count) const;
  // What the NIC says about a received packet's checksums; nothing, of any, where it does not verify them.
  [[nodiscard]] bool verifies_checksums() const { return checks_checksums_; }
  [[nodiscard]] ChecksumsKnownGood checksums(const rte_mbuf* packet) const;
  [[nodiscard]] const MacAddress& mac() const { return mac_; }

  // Sleeping until a packet comes, by the worker's own thread. Once: whether the device can wake it, or need not as it
  // has no receive queue for it. `bell`: a descriptor that wakes it, too, when it can be read; -1: none.
  [[nodiscard]] bool prepare_to_sleep(int bell);
  // Then each time: arm, look once more whether there is a packet, sleep if not (rounded up to whole
  // milliseconds; may end early for no reason), disarm.
  void arm() const;
  void sleep_until_packet(uint64_t longest_ns) const;
  void disarm() const;

 private:
  friend class NicPort;
  NicQueue() = default;
  bool wakes_ = false;
  uint16_t port_id_ = 0;
  uint16_t queue_ = 0;
  bool receives_ = true;
  bool checks_checksums_ = false;
  MacAddress mac_;
  std::shared_ptr<rte_epoll_event> bell_;  // the library keeps its address
};

class NicPort {
 public:
  // Configures and starts the port. Main thread, after EAL.
  [[nodiscard]] static Result<NicPort> start(const NicPortOptions& options);
  NicPort(NicPort&& other) noexcept;
  NicPort& operator=(NicPort&&) = delete;
  ~NicPort();  // stops and closes the port

  // Of the worker with that number.
  [[nodiscard]] NicQueue queue(size_t worker) const;
  // 0, 1, 2 … of the workers that have one.
  [[nodiscard]] std::vector<uint16_t> rx_queue_numbers() const;
  [[nodiscard]] const MacAddress& mac() const { return mac_; }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  NicPort() = default;

  static constexpr uint16_t kClosed = 0xffff;
  uint16_t port_id_ = kClosed;
  bool wakes_ = false;
  uint16_t rx_queues_ = 1;
  uint16_t tx_queues_ = 1;
  MacAddress mac_;
  bool checks_checksums_ = false;
  std::string description_;
};

// Toeplitz over this key gives both directions of a connection one value: it repeats after 16 bits, so addresses, and
// ports, may change places (Woo and Park, "Scalable TCP Session Monitoring with Symmetric Receive-side Scaling", 2012).
[[nodiscard]] std::span<const uint8_t> symmetric_rss_key();

// The ethdev that EAL made for a PCI address or a virtual device ("net_tap0,iface=x" is called net_tap0).
[[nodiscard]] Result<uint16_t> find_ethdev(const std::string& device);

}  // namespace cheshire
