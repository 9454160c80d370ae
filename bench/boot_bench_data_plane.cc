// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/boot_bench_data_plane.h"

#include <pthread.h>
#include <rte_mbuf.h>
#include <sys/prctl.h>

#include <bit>
#include <cstring>

#include "bench/support/syn_frame.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr uint32_t kBuffers = 4096;
constexpr uint16_t kBurst = 32;
constexpr uint64_t kResendNs = 50 * kNsPerMs;
constexpr uint32_t kIdleTurnsBeforeNap = 256;

bool is_syn_ack(const rte_mbuf* packet, uint64_t number) {
  return cheshire::is_syn_ack({rte_pktmbuf_mtod(packet, const uint8_t*), rte_pktmbuf_data_len(packet)},
                              number);
}

}  // namespace

Result<std::unique_ptr<BootBenchDataPlane>> BootBenchDataPlane::start(const std::string& directory,
                                                                      size_t slots, uint32_t cpu,
                                                                      uint64_t nap_ns) {
  Config config;
  config.name = "boot-bench";
  config.log_level = "warn";
  config.eal = {.lcores = {cpu}, .memory_bytes = 64 * kMiB, .hugepages = false};
  config.nic.device = "net_null0";
  auto eal = Eal::start(config);
  if (!eal) return eal.error();
  auto pool = make_packet_pool(kBuffers);
  if (!pool) return pool.error();
  std::unique_ptr<BootBenchDataPlane> plane(
      new BootBenchDataPlane(std::move(eal).value(), pool.value(), slots, nap_ns));
  auto vhost =
      VhostServer::start({.directory = directory,
                          .slots = slots,
                          .port_messages = {&plane->port_messages_},
                          .downs_acknowledged = [&plane = *plane] { return plane.downs_.observe(); }});
  if (!vhost) return vhost.error();
  plane->vhost_ = std::move(vhost).value();
  const Result<void> launched =
      plane->eal_.launch(1, [&plane = *plane](size_t) { plane.poll_until_stopped(); });
  if (!launched) return launched.error();
  return plane;
}

BootBenchDataPlane::BootBenchDataPlane(Eal eal, rte_mempool* pool, size_t slots, uint64_t nap_ns)
    : eal_(std::move(eal)),
      pool_(pool),
      nap_ns_(nap_ns),
      slots_(slots),
      port_messages_(std::bit_ceil(4 * slots)) {}

BootBenchDataPlane::~BootBenchDataPlane() {
  vhost_.reset();
  stop_.publish(1);
  eal_.join();
}

void BootBenchDataPlane::ask(SlotIndex slot) {
  Counter& asked = slots_[slot.value].asked;
  asked.publish(asked.get() + 1);
}

std::optional<uint64_t> BootBenchDataPlane::answered_ns(SlotIndex index) const {
  const Slot& slot = slots_[index.value];
  if (slot.answered.observe() != slot.asked.get()) return std::nullopt;
  return slot.answered_at_ns;
}

BootBenchDataPlane::RingsUp BootBenchDataPlane::rings_up(SlotIndex slot) const {
  return slots_[slot.value].rings;
}

uint64_t BootBenchDataPlane::poller_cpu_ns() const {
  timespec time{};
  clock_gettime(static_cast<clockid_t>(static_cast<uint32_t>(poller_clock_.observe())), &time);
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec);
}

void BootBenchDataPlane::poll_until_stopped() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  clockid_t clock{};
  pthread_getcpuclockid(pthread_self(), &clock);
  poller_clock_.publish(static_cast<uint32_t>(clock));
  uint32_t idle_turns = 0;
  while (stop_.observe() == 0) {
    take_port_messages();
    bool busy = false;
    for (Slot& slot : slots_) {
      if (slot.port != nullptr) busy |= poll(slot);
    }
    idle_turns = busy ? 0 : idle_turns + 1;
    if (nap_ns_ == 0 || idle_turns < kIdleTurnsBeforeNap) continue;
    const timespec nap{.tv_sec = 0, .tv_nsec = static_cast<long>(nap_ns_)};
    nanosleep(&nap, nullptr);
  }
}

void BootBenchDataPlane::take_port_messages() {
  PortMessage message;
  while (port_messages_.pop(message)) {
    Slot& slot = slots_[message.slot];
    const bool up = message.kind == PortMessage::Kind::kUp;
    slot.port = up ? message.port : nullptr;
    slot.sent = slot.answered.get();  // what was sent and not answered is lost with the rings
    if (up) slot.rings = {message.ring_up_ns, message.messages_ns};
    if (!up) downs_.publish(downs_.get() + 1);
  }
}

bool BootBenchDataPlane::poll(Slot& slot) {
  const uint64_t number = slot.asked.observe();
  const bool waits = number != slot.answered.get();
  if (waits && (slot.sent != number || monotonic_ns() - slot.sent_ns > kResendNs)) {
    send(slot, number, kTcpSyn);
  }
  std::array<rte_mbuf*, kBurst> packets;
  const uint16_t count = slot.port->from_guest(pool_, packets.data(), kBurst);
  for (uint16_t i = 0; i < count; ++i) {
    if (slot.answered.get() != number && is_syn_ack(packets[i], number)) {
      slot.answered_at_ns = monotonic_ns();
      slot.answered.publish(number);
      send(slot, number, kTcpRst);  // so that the guest's table stays empty
    }
    rte_pktmbuf_free(packets[i]);
  }
  return count != 0;
}

void BootBenchDataPlane::send(Slot& slot, uint64_t number, uint8_t flags) {
  rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
  if (packet == nullptr) return;
  const SynFrame frame = frame_to_guest(number, flags);
  char* to = rte_pktmbuf_append(packet, sizeof frame);
  std::memcpy(to, &frame, sizeof frame);
  const bool sent = slot.port->to_guest(&packet, 1) == 1;
  rte_pktmbuf_free(packet);
  if (!sent || flags != kTcpSyn) return;
  slot.sent = number;
  slot.sent_ns = monotonic_ns();
}

}  // namespace cheshire
