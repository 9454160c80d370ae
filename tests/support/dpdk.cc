// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/dpdk.h"

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "check.h"
#include "dataplane/port/thread_sanitizer.h"

namespace cheshire::test {
namespace {

constexpr unsigned kPackets = 8191;
constexpr unsigned kWireFrames = 1024;

std::unique_ptr<Dpdk> g_dpdk;

rte_mempool* make_pool(const char* name, unsigned packets, unsigned cache) {
  return rte_pktmbuf_pool_create(name, packets, cache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}
Dpdk::MakePool g_make_pool = make_pool;

void rename_mac(Bytes& frame, size_t offset, const MacAddress& from, const MacAddress& to) {
  if (frame.size() < offset + from.bytes.size()) return;
  const auto at = frame.begin() + static_cast<std::ptrdiff_t>(offset);
  if (std::equal(from.bytes.begin(), from.bytes.end(), at)) {
    std::copy(to.bytes.begin(), to.bytes.end(), at);
  }
}

// An ARP reply says it once more.
void rename_arp_sender(Bytes& frame, const MacAddress& from) {
  const size_t tag = frame.size() >= 18 && read16(frame, 12) == kEtherTypeVlan ? 4 : 0;
  if (frame.size() < 14 + tag || read16(frame, 12 + tag) != kEtherTypeArp) return;
  rename_mac(frame, 14 + tag + offsetof(ArpHeader, sender_mac), from, kNicMac);
}

void append_bytes(rte_mbuf* packet, std::span<const uint8_t> bytes) {
  char* at = rte_pktmbuf_append(packet, static_cast<uint16_t>(bytes.size()));
  CHECK(at != nullptr);
  std::copy(bytes.begin(), bytes.end(), at);
}

}  // namespace

Dpdk& Dpdk::get() {
  if (!g_dpdk) g_dpdk.reset(new Dpdk());
  return *g_dpdk;
}

void Dpdk::end() {
  g_dpdk.reset();
}

void Dpdk::make_pool_by(MakePool make) {
  CHECK(!g_dpdk);
  g_make_pool = make;
}

Dpdk::Dpdk() {
  ::setenv("RUNTIME_DIRECTORY", runtime_dir_.path().c_str(), 1);
  std::vector<std::string> arguments = {
      "packets_test",
      "--file-prefix=packets-" + std::to_string(::getpid()),
      "--no-huge",
      "--no-pci",
      "--no-shconf",
      "--no-telemetry",
      "-m",
      "64",
      "--lcores=0@(0-" + std::to_string(::sysconf(_SC_NPROCESSORS_ONLN) - 1) + ")",
      "--log-level=error"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  CHECK(rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0);

  pool_ = g_make_pool("packets", kPackets, 32);
  CHECK(pool_ != nullptr);
  const auto make_ring = [](const std::string& name) {
    rte_ring* ring = rte_ring_create(name.c_str(), kWireFrames, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    CHECK(ring != nullptr);
    return ring;
  };
  for (uint16_t queue = 0; queue < kQueues; ++queue) {
    to_nic_[queue] = make_ring("to_nic_" + std::to_string(queue));
    from_nic_[queue] = make_ring("from_nic_" + std::to_string(queue));
  }
  const int port = rte_eth_from_rings("wire", to_nic_.data(), kQueues, from_nic_.data(), kQueues, 0);
  CHECK(port >= 0);
  auto nic = NicPort::start({.port_id = static_cast<uint16_t>(port),
                             .rx_descriptors = kWireFrames,
                             .tx_descriptors = kWireFrames,
                             .pool = pool_,
                             .workers = kQueues});
  CHECK(nic.ok());
  nic_ = std::make_unique<NicPort>(std::move(nic).value());
}

Dpdk::~Dpdk() {
  nic_.reset();
  rte_mempool_free(pool_);
  rte_eal_cleanup();
}

uint32_t Dpdk::packets_in_use() const {
  return rte_mempool_in_use_count(pool_);
}

bool Dpdk::put_on_wire(std::span<const uint8_t> frame, size_t split_at, uint32_t mark, size_t queue) {
  Bytes renamed(frame.begin(), frame.end());
  rename_mac(renamed, 0, kNicMac, nic_->mac());
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  CHECK(packet != nullptr);
  const size_t first = split_at == 0 ? renamed.size() : split_at;
  append_bytes(packet, std::span(renamed).first(first));
  if (split_at != 0) {
    rte_mbuf* rest = rte_pktmbuf_alloc(pool_);
    CHECK(rest != nullptr);
    append_bytes(rest, std::span(renamed).subspan(first));
    CHECK(rte_pktmbuf_chain(packet, rest) == 0);
  }
  if (mark != 0) {
    packet->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
    packet->hash.fdir.hi = mark;
  }
  give_away(packet);
  if (rte_ring_enqueue(to_nic_[queue], packet) == 0) return true;
  rte_pktmbuf_free(packet);
  return false;
}

std::vector<Bytes> Dpdk::take_from_wire() {
  std::vector<Bytes> frames;
  for (rte_ring* ring : from_nic_) take_from(ring, frames);
  return frames;
}

void Dpdk::take_from(rte_ring* ring, std::vector<Bytes>& frames) {
  void* item = nullptr;
  while (rte_ring_dequeue(ring, &item) == 0) {
    auto* packet = static_cast<rte_mbuf*>(item);
    take_over(packet);
    CHECK(packet->nb_segs == 1 && packet->pkt_len == packet->data_len);
    const auto* bytes = rte_pktmbuf_mtod(packet, const uint8_t*);
    frames.emplace_back(bytes, bytes + packet->data_len);
    rename_mac(frames.back(), 6, nic_->mac(), kNicMac);
    rename_arp_sender(frames.back(), nic_->mac());
    rte_pktmbuf_free(packet);
  }
}

Dpdk::NoPackets::NoPackets() {
  while (rte_mbuf* packet = rte_pktmbuf_alloc(Dpdk::get().pool())) taken_.push_back(packet);
}

Dpdk::NoPackets::~NoPackets() {
  for (void* packet : taken_) rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
}

}  // namespace cheshire::test
