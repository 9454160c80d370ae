// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The port that faces the clients: one ethdev with one queue each way, whatever its driver.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/parse.h"
#include "net.h"
#include "result.h"

struct rte_mbuf;
struct rte_mempool;

namespace cheshire {

struct NicPortOptions {
  uint16_t port_id = 0;  // of ethdev
  uint16_t rx_descriptors = 1024;
  uint16_t tx_descriptors = 1024;
  rte_mempool* pool = nullptr;  // buffers of received packets
};

class NicPort {
 public:
  // Configures and starts the port. Main thread, after EAL.
  [[nodiscard]] static Result<NicPort> start(const NicPortOptions& options);
  NicPort(NicPort&& other) noexcept;
  NicPort& operator=(NicPort&&) = delete;
  ~NicPort();  // stops and closes the port

  // Worker only.
  [[nodiscard]] uint16_t receive(rte_mbuf** packets, uint16_t count) const;
  // Takes the first `n` packets, which the caller gives away; the rest stay the caller's. Returns n.
  [[nodiscard]] uint16_t transmit(rte_mbuf** packets, uint16_t count) const;
  // What the NIC says about a received packet's checksums; nothing, of any, where it does not verify them.
  [[nodiscard]] bool verifies_checksums() const { return checks_checksums_; }
  [[nodiscard]] ChecksumsKnownGood checksums(const rte_mbuf* packet) const;

  [[nodiscard]] const MacAddress& mac() const { return mac_; }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  NicPort(uint16_t port_id, MacAddress mac, bool checks, std::string description)
      : port_id_(port_id), mac_(mac), checks_checksums_(checks), description_(std::move(description)) {}

  static constexpr uint16_t kClosed = 0xffff;
  uint16_t port_id_;
  MacAddress mac_;
  bool checks_checksums_;
  std::string description_;
};

// The ethdev that EAL made for a PCI address or a virtual device ("net_tap0,iface=x" is called net_tap0).
[[nodiscard]] Result<uint16_t> find_ethdev(const std::string& device);

}  // namespace cheshire
