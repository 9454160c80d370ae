// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/nic_port.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "check.h"
#include "dataplane/port/thread_sanitizer.h"
#include "units.h"

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

Error too_few_queues(const rte_eth_dev_info& info, uint16_t workers) {
  return Error{ErrorCode::kLimit,
               "nic: " + std::string(info.driver_name) + " has " + std::to_string(info.max_tx_queues) +
                   " transmit queues, and each of the " + std::to_string(workers) +
                   " workers needs one; take fewer eal.lcores, or give nic.device more queues "
                   "(docs/config.md, \"Queues of a device\")"};
}

constexpr size_t kRssKeyMax = 64;
constexpr std::array<uint8_t, kRssKeyMax> symmetric_key() {
  std::array<uint8_t, kRssKeyMax> key{};
  for (size_t i = 0; i < key.size(); ++i) key[i] = i % 2 == 0 ? 0x6d : 0x5a;
  return key;
}
std::array<uint8_t, kRssKeyMax> g_symmetric_key =
    symmetric_key();  // ethdev wants to write where it only reads

// By addresses and ports, else by addresses. False: the device has no such hash, and spreads as it does.
bool spread_by_flow(const rte_eth_dev_info& info, rte_eth_conf& conf) {
  uint64_t by = info.flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_TCP;
  if (by == 0) by = info.flow_type_rss_offloads & RTE_ETH_RSS_IPV4;
  if (by == 0) return false;
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  conf.rx_adv_conf.rss_conf.rss_hf = by;
  // A device that does not tell the size of its key takes none.
  const bool takes_key = info.hash_key_size != 0 && info.hash_key_size <= kRssKeyMax;
  if (takes_key) {
    conf.rx_adv_conf.rss_conf.rss_key = g_symmetric_key.data();
    conf.rx_adv_conf.rss_conf.rss_key_len = info.hash_key_size;
  }
  return takes_key;
}

}  // namespace

std::span<const uint8_t> symmetric_rss_key() {
  return g_symmetric_key;
}

Result<uint16_t> find_ethdev(const std::string& device) {
  const std::string name = device.substr(0, device.find(','));
  uint16_t port_id = 0;
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port_id) == 0) return port_id;
  return Error{ErrorCode::kNotFound,
               "nic: no DPDK port named '" + name +
                   "'; a PCI device must be bound to vfio-pci (dpdk-devbind.py --status shows it)"};
}

Result<NicPort> NicPort::start(const NicPortOptions& options) {
  const uint16_t id = options.port_id;
  rte_eth_dev_info info{};
  if (int code = rte_eth_dev_info_get(id, &info); code != 0) {
    return ethdev_error("reading the device's abilities", id, code);
  }
  if (options.workers > std::max<uint16_t>(info.max_tx_queues, 1))
    return too_few_queues(info, options.workers);
  NicPort port;
  port.rx_queues_ = std::min(options.workers, std::max<uint16_t>(info.max_rx_queues, 1));
  port.tx_queues_ = options.workers;
  port.checks_checksums_ = checksum_offload_is_sound(info);
  rte_eth_conf conf{};
  if (port.checks_checksums_) conf.rxmode.offloads = kChecksumOffloads;
  const bool spreads = port.rx_queues_ > 1 && spread_by_flow(info, conf);
  conf.intr_conf.rxq = options.wakes ? 1 : 0;
  int configured = rte_eth_dev_configure(id, port.rx_queues_, port.tx_queues_, &conf);
  if (configured != 0 && options.wakes) {  // a device without receive interrupts may refuse all of it
    conf.intr_conf.rxq = 0;
    configured = rte_eth_dev_configure(id, port.rx_queues_, port.tx_queues_, &conf);
  }
  port.wakes_ = conf.intr_conf.rxq != 0;
  if (configured != 0) {
    return ethdev_error("configuring its queues", id, configured);
  }
  port.port_id_ = id;
  uint16_t rx_descriptors = options.rx_descriptors;
  uint16_t tx_descriptors = options.tx_descriptors;
  if (int code = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx_descriptors, &tx_descriptors); code != 0) {
    return ethdev_error("adjusting the number of descriptors", id, code);
  }
  const auto socket = static_cast<unsigned>(SOCKET_ID_ANY);
  for (uint16_t queue = 0; queue < port.rx_queues_; ++queue) {
    if (int code = rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket, nullptr, options.pool);
        code != 0) {
      return ethdev_error("setting up a receive queue", id, code);
    }
  }
  for (uint16_t queue = 0; queue < port.tx_queues_; ++queue) {
    if (int code = rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket, nullptr); code != 0) {
      return ethdev_error("setting up a transmit queue", id, code);
    }
  }
  if (int code = rte_eth_dev_start(id); code != 0) return ethdev_error("starting the port", id, code);
  rte_ether_addr address{};
  if (int code = rte_eth_macaddr_get(id, &address); code != 0) {
    return ethdev_error("reading the MAC address", id, code);
  }
  std::memcpy(port.mac_.bytes.data(), address.addr_bytes, port.mac_.bytes.size());
  port.description_ = std::string(info.driver_name) + ", rx " + std::to_string(rx_descriptors) + " and tx " +
                      std::to_string(tx_descriptors) + " descriptors, checksums checked by " +
                      (port.checks_checksums_ ? "the NIC" : "software");
  if (port.wakes_) port.description_ += ", wakes an idle worker";
  if (options.workers > 1) {
    port.description_ += ", " + std::to_string(port.rx_queues_) + " rx queues";
    if (port.rx_queues_ > 1) port.description_ += spreads ? " by symmetric RSS" : " as the driver spreads";
    port.description_ += " for " + std::to_string(options.workers) + " workers";
  }
  return port;
}

NicPort::NicPort(NicPort&& other) noexcept
    : port_id_(std::exchange(other.port_id_, kClosed)),
      wakes_(other.wakes_),
      rx_queues_(other.rx_queues_),
      tx_queues_(other.tx_queues_),
      mac_(other.mac_),
      checks_checksums_(other.checks_checksums_),
      description_(std::move(other.description_)) {}

NicPort::~NicPort() {
  if (port_id_ == kClosed) return;
  // At the end of the process there is nobody left to tell; EAL's own clean-up follows.
  static_cast<void>(rte_eth_dev_stop(port_id_));
  static_cast<void>(rte_eth_dev_close(port_id_));
}

std::vector<uint16_t> NicPort::rx_queue_numbers() const {
  std::vector<uint16_t> numbers;
  for (uint16_t queue = 0; queue < rx_queues_; ++queue) numbers.push_back(queue);
  return numbers;
}

NicQueue NicPort::queue(size_t worker) const {
  CHECK(worker < tx_queues_);
  NicQueue queue;
  queue.port_id_ = port_id_;
  queue.queue_ = static_cast<uint16_t>(worker);
  queue.receives_ = worker < rx_queues_;
  queue.checks_checksums_ = checks_checksums_;
  queue.mac_ = mac_;
  queue.wakes_ = wakes_ && queue.receives_;
  return queue;
}

uint16_t NicQueue::receive(rte_mbuf** packets, uint16_t count) const {
  const uint16_t came = receives_ ? rte_eth_rx_burst(port_id_, queue_, packets, count) : 0;
  for (uint16_t i = 0; i < came; ++i) take_over(packets[i]);
  return came;
}

uint16_t NicQueue::transmit(rte_mbuf** packets, uint16_t count) const {
  for (uint16_t i = 0; i < count; ++i) give_away(packets[i]);
  return rte_eth_tx_burst(port_id_, queue_, packets, count);
}

bool NicQueue::prepare_to_sleep(int bell) {
  if (receives_ && (!wakes_ || rte_eth_dev_rx_intr_ctl_q(port_id_, queue_, RTE_EPOLL_PER_THREAD,
                                                         RTE_INTR_EVENT_ADD, nullptr) != 0)) {
    return false;
  }
  if (bell < 0) return receives_;
  bell_ = std::make_shared<rte_epoll_event>();
  bell_->epdata.event = EPOLLIN;
  return rte_epoll_ctl(RTE_EPOLL_PER_THREAD, EPOLL_CTL_ADD, bell, bell_.get()) == 0;
}

// Devices whose descriptor is ready whenever there is a packet (net_tap) need no arming and refuse it.
void NicQueue::arm() const {
  if (receives_) static_cast<void>(rte_eth_dev_rx_intr_enable(port_id_, queue_));
}

void NicQueue::sleep_until_packet(uint64_t longest_ns) const {
  rte_epoll_event event;
  const auto longest_ms = static_cast<int>((longest_ns + kNsPerMs - 1) / kNsPerMs);
  static_cast<void>(rte_epoll_wait(RTE_EPOLL_PER_THREAD, &event, 1, longest_ms));
}

void NicQueue::disarm() const {
  if (receives_) static_cast<void>(rte_eth_dev_rx_intr_disable(port_id_, queue_));
}

ChecksumsKnownGood NicQueue::checksums(const rte_mbuf* packet) const {
  if (!checks_checksums_) return {};
  return {.ipv4 = (packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD,
          .l4 = (packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD};
}

}  // namespace cheshire
