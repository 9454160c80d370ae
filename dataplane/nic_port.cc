// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/nic_port.h"

#include <rte_ethdev.h>

#include <cstring>
#include <string_view>
#include <utility>

namespace cheshire {
namespace {

constexpr uint64_t kChecksumOffloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;

// net_tap's own software check reads past a truncated TCP header in this version of DPDK (fixed upstream in
// 2026, not in 22.11.11), so we check ourselves.
bool checksum_offload_is_sound(const rte_eth_dev_info& info) {
  return (info.rx_offload_capa & kChecksumOffloads) == kChecksumOffloads &&
         std::string_view(info.driver_name) != "net_tap";
}

Error ethdev_error(const char* what, uint16_t port_id, int code) {
  return Error{ErrorCode::kInternal, std::string("nic: ") + what + " failed on port " +
                                         std::to_string(port_id) + ": " + std::strerror(-code)};
}

}  // namespace

Result<uint16_t> find_ethdev(const std::string& device) {
  const std::string name = device.substr(0, device.find(','));
  uint16_t port_id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port_id) == 0) return port_id;
  return Error{ErrorCode::kNotFound,
               "nic: no DPDK port named '" + name +
                   "'; a PCI device must be bound to vfio-pci (dpdk-devbind.py --status shows it)"};
}

Result<NicPort> NicPort::start(const NicPortOptions& options) {
  rte_eth_dev_info info{};
  if (int code = rte_eth_dev_info_get(options.port_id, &info); code != 0) {
    return ethdev_error("reading the device's abilities", options.port_id, code);
  }
  const bool checks = checksum_offload_is_sound(info);
  rte_eth_conf conf{};
  if (checks) conf.rxmode.offloads = kChecksumOffloads;
  if (int code = rte_eth_dev_configure(options.port_id, 1, 1, &conf); code != 0) {
    return ethdev_error("configuring one queue each way", options.port_id, code);
  }
  uint16_t rx_descriptors = options.rx_descriptors;
  uint16_t tx_descriptors = options.tx_descriptors;
  if (int code = rte_eth_dev_adjust_nb_rx_tx_desc(options.port_id, &rx_descriptors, &tx_descriptors);
      code != 0) {
    return ethdev_error("adjusting the number of descriptors", options.port_id, code);
  }
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  if (int code = rte_eth_rx_queue_setup(options.port_id, 0, rx_descriptors, socket, nullptr, options.pool);
      code != 0) {
    return ethdev_error("setting up the receive queue", options.port_id, code);
  }
  if (int code = rte_eth_tx_queue_setup(options.port_id, 0, tx_descriptors, socket, nullptr); code != 0) {
    return ethdev_error("setting up the transmit queue", options.port_id, code);
  }
  if (int code = rte_eth_dev_start(options.port_id); code != 0) {
    return ethdev_error("starting the port", options.port_id, code);
  }
  rte_ether_addr address{};
  if (int code = rte_eth_macaddr_get(options.port_id, &address); code != 0) {
    return ethdev_error("reading the MAC address", options.port_id, code);
  }
  MacAddress mac;
  std::memcpy(mac.bytes.data(), address.addr_bytes, mac.bytes.size());
  std::string description = std::string(info.driver_name) + ", rx " + std::to_string(rx_descriptors) +
                            " and tx " + std::to_string(tx_descriptors) +
                            " descriptors, checksums checked by " + (checks ? "the NIC" : "software");
  return NicPort(options.port_id, mac, checks, std::move(description));
}

NicPort::NicPort(NicPort&& other) noexcept
    : port_id_(std::exchange(other.port_id_, kClosed)),
      mac_(other.mac_),
      checks_checksums_(other.checks_checksums_),
      description_(std::move(other.description_)) {}

NicPort::~NicPort() {
  if (port_id_ == kClosed) return;
  // At the end of the process there is nobody left to tell; EAL's own clean-up follows.
  static_cast<void>(rte_eth_dev_stop(port_id_));
  static_cast<void>(rte_eth_dev_close(port_id_));
}

uint16_t NicPort::receive(rte_mbuf** packets, uint16_t count) const {
  return rte_eth_rx_burst(port_id_, 0, packets, count);
}

uint16_t NicPort::transmit(rte_mbuf** packets, uint16_t count) const {
  return rte_eth_tx_burst(port_id_, 0, packets, count);
}

ChecksumsKnownGood NicPort::checksums(const rte_mbuf* packet) const {
  if (!checks_checksums_) return {};
  return {.ipv4 = (packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD,
          .l4 = (packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD};
}

}  // namespace cheshire
