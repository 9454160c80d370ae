// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Three workers, each on a thread of its own, and the threads around them: this one is the clients, the control thread
// and the vhost-user thread. Every client is answered whichever queue its packets come to, a port goes down under load,
// and at the end each packet is accounted for. ./test runs it under the thread sanitizer, too, which does not see into
// DPDK: where packets go through its rings it is told (dataplane/port/thread_sanitizer.h, told_pool.h). So every report is one
// to be read, and nothing is suppressed.
#include <array>
#include <map>
#include <mutex>
#include <thread>

#include "dataplane/offload/offload_thread.h"
#include "dataplane/worker/packet_bytes.h"
#include "naps.h"
#include "tests/support/fake_flow_device.h"
#include "tests/support/told_pool.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

constexpr size_t kWorkers = 3;
constexpr uint16_t kClientsEach = 40;
constexpr uint64_t kPatienceNs = 20 * kNsPerSecond;
[[maybe_unused]] const bool kPoolIsTold = (Dpdk::make_pool_by(make_told_pool), true);

// Answers a SYN with a SYN-ACK and data with data, within its owner's calls: no other thread looks at it.
class EchoGuest final : public GuestPort {
 public:
  explicit EchoGuest(const ServiceWords& service) : service_(service) {}
  [[nodiscard]] uint16_t to_guest(rte_mbuf** packets, uint16_t count) override {
    for (uint16_t i = 0; i < count; ++i) answer(bytes_of(packets[i]));
    return count;
  }
  [[nodiscard]] uint16_t from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) override {
    uint16_t sent = 0;
    for (; sent < count && !answers_.empty(); answers_.pop_front()) {
      rte_mbuf* packet = rte_pktmbuf_alloc(pool);
      if (packet == nullptr) break;
      const Bytes& frame = answers_.front();
      std::copy(frame.begin(), frame.end(), rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())));
      packets[sent++] = packet;
    }
    return sent;
  }

 private:
  void answer(const uint8_t* frame) {
    const auto& ip = header_at<Ipv4Header>(frame, sizeof(EthernetHeader));
    const auto& tcp = header_at<TcpHeader>(frame, sizeof(EthernetHeader) + sizeof(Ipv4Header));
    const Flow flow{.port = tcp.source_port.value(), .service = service_, .client_ip = ip.source};
    if ((tcp.flags & kTcpRst) != 0) return;
    const uint32_t next = tcp.sequence.value() + 1;
    if ((tcp.flags & kTcpSyn) != 0) {
      answers_.push_back(build(flow.from_guest(kTcpSyn | kTcpAck, flow.guest_isn, next)));
    } else if ((tcp.flags & kTcpPsh) != 0) {
      answers_.push_back(build(flow.reply("200")));
    }
  }

  const ServiceWords& service_;
  std::deque<Bytes> answers_;
};

class WorkerThreads : public ::testing::Test {
 protected:
  WorkerThreads()
      : group_({.workers = kWorkers,
                .shares_cpus = true,
                .each = {.slots = 3,
                         .services = 2,
                         .held_syns_max = 64,
                         .config = {.flows_max = 4096},
                         .pool = Dpdk::get().pool(),
                         .packets_per_sample = 128}},
               {.nic = &Dpdk::get().nic(), .steering = &steering_, .board = &board_, .marks = &marks_}) {
    publish();
    for (size_t number = 0; number < kWorkers; ++number) {
      threads_.emplace_back([this, number] { group_.run(number); });
    }
  }
  void SetUp() override {
    ASSERT_TRUE(until([&] { return steering_.passed_by_all(version_); }));
  }
  ~WorkerThreads() override {
    group_.stop();
    for (std::thread& thread : threads_) thread.join();
  }

  static SteeringService listing(const ServiceWords& words, uint16_t worker) {
    return {.vip = words.vip.ip,
            .port = be16(words.vip.port),
            .worker = worker,
            .guest_ip = words.guest.ip,
            .guest_port = be16(words.guest.port),
            .in_flight_soft = 1000,
            .hold_syns_max = 64,
            .hold_time_max_ns = 10 * kNsPerSecond,
            .instances_max = 2};
  }
  void publish() { version_ = steering_.publish(table()); }
  [[nodiscard]] SteeringTable table() const {
    return SteeringTable({listing(kWeb, 0), listing(kApi, 1)}, slots_);
  }
  template <typename Condition>
  [[nodiscard]] bool until(Condition&& condition) {
    const uint64_t end_ns = monotonic_ns() + kPatienceNs;
    while (!condition()) {
      if (monotonic_ns() > end_ns) return false;
      nap(50 * kNsPerUs);
    }
    return true;
  }
  void tell(PortMessage::Kind kind, uint16_t slot) {
    for (SpscRing<PortMessage>* ring : group_.port_messages()) {
      ASSERT_TRUE(ring->push({.kind = kind, .slot = slot, .port = guests_[slot]}));
    }
  }
  void send(const TcpFrame& frame) {
    send_to(next_queue_, frame);
    next_queue_ = (next_queue_ + 1) % kWorkers;
  }
  void send_to(size_t queue, const TcpFrame& frame) {
    const Bytes bytes = build(frame);
    ASSERT_TRUE(until([&] { return Dpdk::get().put_on_wire(bytes, 0, 0, queue); }));
  }
  // Takes what clients get, until so many have come.
  [[nodiscard]] ::testing::AssertionResult receives(size_t count, uint8_t flags) {
    const bool all = until([&] {
      for (const Bytes& frame : Dpdk::get().take_from_wire()) ++received_[frame[47]];
      return received_[flags] >= count;
    });
    if (all) return ::testing::AssertionSuccess();
    auto result = ::testing::AssertionFailure() << received_[flags] << " of " << count << " came;";
    for (const auto& [other, number] : received_) result << " flags " << int{other} << ": " << number;
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      const uint64_t dropped = board_.dropped(static_cast<DropReason>(reason));
      if (dropped != 0) result << "; " << kDropReasonNames[reason] << " " << dropped;
    }
    return result;
  }

  void ends() {
    group_.stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void expect_all_accounted_for() const {
    uint64_t in = 0;
    uint64_t out = 0;
    for (const WorkerLoad& load : board_.workers()) {
      in += load.nic_rx_packets.get() + load.packets_from_guest.get() + load.generated.get();
      out += load.nic_tx_packets.get() + load.packets_to_guest.get() + load.held_packets.get();
    }
    uint64_t dropped = 0;
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      dropped += board_.dropped(static_cast<DropReason>(reason));
    }
    EXPECT_EQ(in, out + dropped + board_.sum(&WorkerLoad::handed_over) - board_.sum(&WorkerLoad::taken_over));
  }

  LoadBoard board_{3, 2, kWorkers};
  FlowMarkBoard marks_{2, kWorkers};
  Published<SteeringTable> steering_{kWorkers};
  std::vector<SteeringSlot> slots_{3};
  EchoGuest web_{kWeb};
  EchoGuest second_web_{kWeb};
  EchoGuest api_{kApi};
  std::array<GuestPort*, 3> guests_{&web_, &second_web_, &api_};
  uint64_t version_ = 0;
  size_t next_queue_ = 0;
  std::map<uint8_t, size_t> received_;  // by TCP flags
  WorkerGroup group_;
  std::vector<std::thread> threads_;
};

TEST_F(WorkerThreads, every_client_is_served_and_every_packet_accounted_for) {
  // The first clients come before anybody is there, and wait.
  std::vector<Flow> flows;
  for (uint16_t i = 0; i < kClientsEach; ++i) {
    flows.push_back({.port = static_cast<uint16_t>(30000 + i), .service = kWeb});
    flows.push_back({.port = static_cast<uint16_t>(30000 + i), .service = kApi});
  }
  for (const Flow& flow : flows) send(flow.syn());
  slots_[0] = {{1}, kWeb.index, SlotRole::kAccepting};
  slots_[1] = {{1}, kWeb.index, SlotRole::kAccepting};
  slots_[2] = {{1}, kApi.index, SlotRole::kAccepting};
  publish();
  ASSERT_TRUE(until([&] { return steering_.passed_by_all(version_); }));
  for (const uint16_t slot : std::array<uint16_t, 3>{0, 1, 2}) tell(PortMessage::Kind::kUp, slot);
  ASSERT_TRUE(receives(flows.size(), kTcpSyn | kTcpAck));
  for (int round = 0; round < 5; ++round) {
    for (const Flow& flow : flows) send(flow.data("GET"));
    ASSERT_TRUE(receives(flows.size() * static_cast<size_t>(round + 1), kTcpPsh | kTcpAck))
        << "round " << round;
  }
  // One of web's two dies while its clients go on: they are reset, the others notice nothing.
  tell(PortMessage::Kind::kDown, 1);
  ASSERT_TRUE(until([&] { return group_.downs_acknowledged() == 1; }));
  ASSERT_TRUE(until([&] { return board_.worker(0).sweeps_done.observe() == 1; }));
  for (const Flow& flow : flows) {
    if (flow.service.index == kApi.index) send(flow.data("GET"));
  }
  ASSERT_TRUE(receives(flows.size() * 5 + kClientsEach, kTcpPsh | kTcpAck));

  ends();
  EXPECT_EQ(group_.downs_acknowledged(), UINT64_MAX) << "a worker that has ended has left every port";
  EXPECT_GT(board_.sum(&WorkerLoad::handed_over), flows.size()) << "two of three came to another queue";
  EXPECT_EQ(board_.worker(2).flows.get(), 0U);
  expect_all_accounted_for();
}

// --- with the offload manager's thread

// A NIC that takes rules for flows only, asked by two threads: the manager, and this one, which is the wire.
class SharedNic final : public FlowDevice {
 public:
  explicit SharedNic(FlowMarkBoard& board) : nic_({.refuses = {FlowRule::Match::kService}}, board) {}
  Result<void> validate(const FlowRule& rule) override {
    const std::lock_guard lock(mutex_);
    return nic_.validate(rule);
  }
  Result<FlowRuleHandle> create(const FlowRule& rule) override {
    const std::lock_guard lock(mutex_);
    return nic_.create(rule);
  }
  Result<uint64_t> packets(FlowRuleHandle handle) override {
    const std::lock_guard lock(mutex_);
    return nic_.packets(handle);
  }
  Result<void> destroy(FlowRuleHandle handle) override {
    const std::lock_guard lock(mutex_);
    return nic_.destroy(handle);
  }
  [[nodiscard]] std::optional<uint16_t> queue_of(const Flow& flow) {
    const std::lock_guard lock(mutex_);
    const Address& vip = flow.service.vip;
    return nic_.route({vip.ip, be16(vip.port), be16(flow.port), flow.client_ip}, 1).queue;
  }

 private:
  std::mutex mutex_;
  FakeFlowDevice nic_;
};

TEST_F(WorkerThreads, a_long_flow_comes_to_its_owner_when_the_nic_has_its_rule) {
  auto device = std::make_unique<SharedNic>(marks_);
  SharedNic& nic = *device;
  OffloadBoard status;
  OffloadThread offload(std::move(device), marks_, status, {.queues = {0, 1, 2}}, group_.pin_requests());
  offload.set_services(table());
  slots_[2] = {{1}, kApi.index, SlotRole::kAccepting};
  publish();
  tell(PortMessage::Kind::kUp, 2);
  const Flow flow{.service = kApi};
  const auto sends = [&](const TcpFrame& frame) { send_to(nic.queue_of(flow).value_or(0), frame); };
  sends(flow.syn());
  ASSERT_TRUE(receives(1, kTcpSyn | kTcpAck));
  size_t sent = 0;
  const auto exchanges = [&](int packets) {
    for (int i = 0; i < packets; ++i) sends(flow.data("GET"));
    sent += static_cast<size_t>(packets);
    return receives(sent, kTcpPsh | kTcpAck);
  };
  const auto pin = [&] { return status.latest().rungs[static_cast<size_t>(OffloadRung::kPin)]; };
  const uint64_t end_ns = monotonic_ns() + kPatienceNs;
  while (pin().state != OffloadState::kOn && monotonic_ns() < end_ns) ASSERT_TRUE(exchanges(16));
  ASSERT_EQ(pin().state, OffloadState::kOn) << pin().reason;
  EXPECT_EQ(pin().rules, 1U);
  const uint64_t before = board_.sum(&WorkerLoad::handed_over);
  EXPECT_GT(before, 128U);
  ASSERT_TRUE(exchanges(500));
  EXPECT_EQ(board_.sum(&WorkerLoad::handed_over), before);
  ends();
  expect_all_accounted_for();
}

}  // namespace
}  // namespace cheshire::test
