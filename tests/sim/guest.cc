// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/guest.h"

#include <rte_mbuf.h>

#include <algorithm>

namespace cheshire::sim {
namespace {

using test::build;

constexpr size_t kOutgoingMax = 1024;
constexpr size_t kConnectionsMax = 4096;
constexpr uint64_t kAgainNs = 80 * kNsPerMs;
constexpr unsigned kTries = 5;

uint32_t gateway_of(be32 guest) {
  const uint32_t network = guest.value() & 0xffffff00U;
  return guest.value() == network + 1 ? network + 2 : network + 1;
}

}  // namespace

PlayedGuest::PlayedGuest(Scene& scene, Individual& self, const ServiceConfig& service)
    : scene_(scene),
      self_(self),
      ip_(service.guest_ip),
      port_(service.guest_port),
      gateway_(gateway_of(service.guest_ip)),
      ring_max_(scene.plan.guests.ring_max),
      service_max_ns_(scene.plan.guests.service_max_ns),
      resets_before_it_listens_(scene.random.percent(50)) {}

// --- the rings, as the worker sees them

uint16_t PlayedGuest::to_guest(rte_mbuf** packets, uint16_t count) {
  HOLDS(scene_.journal, !closed_, "a port that its worker has left is not touched again",
        std::to_string(self_.number));
  const bool stuck = health_ == Health::kStuck;
  const auto room = static_cast<uint16_t>(
      stuck ? 0 : std::min<size_t>(count, ring_max_ - std::min(ring_max_, incoming_.size())));
  for (uint16_t i = 0; i < room; ++i) {
    const auto* bytes = rte_pktmbuf_mtod(packets[i], const uint8_t*);
    incoming_.push_back({Bytes(bytes, bytes + packets[i]->data_len), scene_.now_ns()});
  }
  given_ += room;
  return room;
}

uint16_t PlayedGuest::from_guest(rte_mempool* pool, rte_mbuf** packets, uint16_t count) {
  HOLDS(scene_.journal, !closed_, "a port that its worker has left is not touched again",
        std::to_string(self_.number));
  uint16_t sent = 0;
  for (; sent < count && !outgoing_.empty(); ++sent) {
    rte_mbuf* packet = rte_pktmbuf_alloc(pool);
    if (packet == nullptr) break;
    const Bytes& frame = outgoing_.front();
    std::copy(frame.begin(), frame.end(), rte_pktmbuf_append(packet, static_cast<uint16_t>(frame.size())));
    packets[sent] = packet;
    outgoing_.pop_front();
  }
  sent_ += sent;
  return sent;
}

Backlog PlayedGuest::backlog() {
  HOLDS(scene_.journal, !closed_, "a port that its worker has left is not touched again",
        std::to_string(self_.number));
  return {.packets = static_cast<uint32_t>(incoming_.size()),
          .consumed = consumed_,
          .age_ns = incoming_.empty() ? 0 : scene_.now_ns() - incoming_.front().came_ns};
}

// --- its life

void PlayedGuest::run(uint64_t listens_after_ns) {
  runs_ = true;
  if (started_) return;
  started_ = true;
  listens_ns_ = scene_.now_ns() + listens_after_ns;
}

void PlayedGuest::becomes(Health health) {
  scene_.journal.note(What::kGuestChanges, self_.number, static_cast<uint64_t>(health));
  health_ = health;
  if (health == Health::kSlow) service_max_ns_ *= 20;
  if (health != Health::kGood) ++scene_.excuses;
}

uint64_t PlayedGuest::due_ns() const {
  if (!runs_ || closed_ || health_ == Health::kStuck) return UINT64_MAX;
  if (!incoming_.empty()) return scene_.now_ns();
  if (health_ == Health::kSilent) return UINT64_MAX;
  return health_ == Health::kMad ? std::min(soonest_ns_, next_invention_ns_) : soonest_ns_;
}

void PlayedGuest::act() {
  if (!runs_ || closed_ || health_ == Health::kStuck) return;
  const bool asked = !incoming_.empty();
  for (size_t burst = 1 + scene_.random.below(32); burst > 0 && !incoming_.empty(); --burst) {
    const Packet packet = std::move(incoming_.front());
    incoming_.pop_front();
    ++consumed_;
    take(packet.frame);
  }
  if (health_ == Health::kSilent || !listens()) return;
  if (health_ == Health::kMad && scene_.now_ns() >= next_invention_ns_) invent();
  if (!asked && scene_.now_ns() < soonest_ns_) return;
  soonest_ns_ = UINT64_MAX;
  for (auto at = connections_.begin(); at != connections_.end();) {
    auto& [peer, connection] = *at;
    if (connection.answer_at_ns != 0 && scene_.now_ns() >= connection.answer_at_ns) answer(peer, connection);
    if (connection.again_at_ns != 0 && scene_.now_ns() >= connection.again_at_ns) repeat(peer, connection);
    const bool finished =
        connection.fin_in && connection.fin_out && connection.acknowledged == connection.next_out;
    if (connection.answer_at_ns != 0) soonest_ns_ = std::min(soonest_ns_, connection.answer_at_ns);
    if (connection.again_at_ns != 0) soonest_ns_ = std::min(soonest_ns_, connection.again_at_ns);
    at = finished || connection.tries > kTries ? connections_.erase(at) : std::next(at);
  }
}

// --- what it is given

void PlayedGuest::check(const Segment& segment, const Attempt* attempt) const {
  Journal& journal = scene_.journal;
  const auto details = [&] { return "instance " + std::to_string(self_.number) + " got " + told(segment); };
  HOLDS(journal, segment.sums_are_right, "what a guest gets has right checksums", details());
  HOLDS(journal, segment.to_mac == kGuestMac && segment.from_mac == kGatewayMac && !segment.vlan_tci,
        "what a guest gets comes from its gateway, to its own MAC, without a tag", details());
  HOLDS(journal, segment.destination_ip == ip_.value() && segment.destination_port == port_.value(),
        "what a guest gets is for its own address and port", details());
  if (!is_honest(segment.source_ip)) return;
  if (segment.has(kTcpRst)) return;  // what it resets may be older than the book can tell
  HOLDS(journal,
        attempt != nullptr && attempt->client_ip == segment.source_ip &&
            attempt->client_port == segment.source_port,
        "what a guest gets was sent by that client", details());
  HOLDS(journal, attempt->vip == self_.vip && attempt->vip_port == self_.vip_port,
        "a client's segment comes to an instance of the service that it called", details());
  HOLDS(journal,
        segment.is_syn() || syns_.contains(attempt->serial) || scene_.untracked || scene_.ring_full ||
            !scene_.book.is_newest(*attempt),
        "a guest gets no segment of a connection whose SYN it never got", details());
  if (!segment.has(kTcpAck) || attempt->owner == 0 || attempt->over || scene_.untracked) return;
  // Its client has an open connection with one instance: nobody else is to see a segment of it while that one lives.
  const Individual* owner = scene_.book.instance(attempt->owner);
  const WorkerConfig& worker = scene_.plan.config.worker;
  const uint64_t forgotten_ns =
      std::min({worker.handshake_timeout_ns, worker.idle_timeout_ns, kNsPerSecond}) / 2;
  const bool forgotten = scene_.now_ns() - attempt->moved_ns >= forgotten_ns;
  HOLDS(journal, attempt->owner == self_.number || owner == nullptr || owner->gone || forgotten,
        "a flow stays with its instance for life",
        details() + ", which is of connection " + std::to_string(attempt->serial) + " with instance " +
            std::to_string(attempt->owner));
}

void PlayedGuest::take(const Bytes& frame) {
  const std::optional<Segment> segment = read_segment(frame);
  if (!segment) return;  // ARP
  const uint32_t serial = segment->sequence >> kSerialShift;
  Attempt* attempt = is_honest(segment->source_ip) ? scene_.book.attempt(serial) : nullptr;
  check(*segment, attempt);
  if (segment->is_syn() && attempt != nullptr) syns_.insert(serial);
  scene_.journal.note(What::kGuestGets, self_.number, segment->flags, attempt != nullptr ? serial : 0);
  if (health_ == Health::kSilent) return;
  const Peer peer{segment->source_ip, segment->source_port};
  if (!listens()) {
    if (segment->has(kTcpRst) || !resets_before_it_listens_) return;
    return send(peer, nullptr, kTcpRst | kTcpAck, segment->acknowledgment,
                segment->sequence + segment->length());
  }
  if (segment->is_syn()) return handshake(*segment, attempt != nullptr ? serial : 0);
  const auto found = connections_.find(peer);
  if (found != connections_.end()) return segment_of(found->second, peer, *segment);
  if (!segment->has(kTcpRst)) send(peer, nullptr, kTcpRst, segment->acknowledgment, 0);
}

void PlayedGuest::handshake(const Segment& segment, uint32_t serial) {
  const Peer peer{segment.source_ip, segment.source_port};
  const auto found = connections_.find(peer);
  if (found != connections_.end()) {
    Connection& known = found->second;
    if (known.next_in == segment.sequence + 1 && !known.open) return repeat(peer, known);
    // RFC 9293 3.10.7.4: a SYN in an open connection is answered, and changes nothing.
    return send(peer, &known, kTcpAck, known.next_out, known.next_in);
  }
  if (connections_.size() >= kConnectionsMax) return;
  Connection& connection = connections_[peer];
  connection.serial = serial;
  connection.first = self_.number << kInstanceShift | (serial & 0xffU) << kSerialShift;
  connection.next_in = segment.sequence + 1;
  connection.next_out = connection.first + 1;
  connection.acknowledged = connection.first;
  send(peer, &connection, kTcpSyn | kTcpAck, connection.first, connection.next_in, {}, &connection);
}

void PlayedGuest::segment_of(Connection& connection, const Peer& peer, const Segment& segment) {
  if (segment.has(kTcpRst)) {
    // RFC 5961 3.2: only a reset of the very next number is believed.
    if (segment.sequence == connection.next_in) connections_.erase(peer);
    return;
  }
  if (segment.has(kTcpAck)) {
    // An older one was overtaken on its way; what was never sent cannot be acknowledged (RFC 9293 3.10.7.4).
    const auto ahead = static_cast<int32_t>(segment.acknowledgment - connection.acknowledged);
    if (ahead > static_cast<int32_t>(connection.next_out - connection.acknowledged)) {
      return send(peer, &connection, kTcpAck, connection.next_out, connection.next_in);
    }
    if (ahead > 0) connection.acknowledged = segment.acknowledgment;
    connection.open = true;
    if (connection.acknowledged == connection.next_out) {
      connection.again_at_ns = 0;
      connection.tries = 0;
    }
  }
  if (segment.length() == 0) return;
  if (segment.sequence != connection.next_in || connection.answer_at_ns != 0) {
    return send(peer, &connection, kTcpAck, connection.next_out, connection.next_in);
  }
  connection.next_in += segment.length();
  if (!segment.payload.empty()) {
    connection.answer_at_ns = scene_.now_ns() + 1 + scene_.random.below(service_max_ns_);
  }
  if (segment.has(kTcpFin)) {
    connection.fin_in = true;
    connection.fin_out = true;
    const uint32_t sequence = connection.next_out++;
    if (Attempt* attempt = scene_.book.attempt(connection.serial)) attempt->over = true;
    return send(peer, &connection, kTcpFin | kTcpAck, sequence, connection.next_in, {}, &connection);
  }
  if (scene_.random.percent(70)) send(peer, &connection, kTcpAck, connection.next_out, connection.next_in);
}

// --- what it sends

void PlayedGuest::answer(const Peer& peer, Connection& connection) {
  connection.answer_at_ns = 0;
  const uint32_t sequence = connection.next_out;
  connection.next_out += kAnswerBytes;
  send(peer, &connection, kTcpPsh | kTcpAck, sequence, connection.next_in,
       answer_text(connection.serial, connection.answers_sent++), &connection);
}

void PlayedGuest::repeat(const Peer& peer, Connection& connection) {
  static_cast<void>(peer);
  ++connection.tries;
  connection.again_at_ns = scene_.now_ns() + kAgainNs * connection.tries;
  put(connection.newest);
}

void PlayedGuest::send(const Peer& peer, const Connection* connection, uint8_t flags, uint32_t sequence,
                       uint32_t acknowledgment, const std::string& payload, Connection* keep) {
  const uint32_t serial = connection != nullptr ? connection->serial : 0;
  scene_.journal.note(What::kGuestSends, self_.number, flags, serial);
  Bytes frame = build(test::TcpFrame{.ethernet = {.destination = kGatewayMac, .source = kGuestMac},
                                     .ip = {.source = ip_, .destination = be32(peer.first)},
                                     .tcp = {.source_port = port_.value(),
                                             .destination_port = peer.second,
                                             .sequence = sequence,
                                             .acknowledgment = acknowledgment,
                                             .flags = flags},
                                     .payload = test::text(payload)});
  if (Attempt* attempt = scene_.book.attempt(serial)) {
    attempt->moved_ns = scene_.now_ns();
    if ((flags & kTcpRst) != 0) attempt->over = true;
  }
  if (keep != nullptr) {
    keep->newest = frame;
    keep->tries = 0;
    keep->again_at_ns = scene_.now_ns() + kAgainNs;
  }
  put(std::move(frame));
}

void PlayedGuest::put(Bytes frame) {
  if (outgoing_.size() < kOutgoingMax) outgoing_.push_back(std::move(frame));
}

// Anything, to anybody. In a connection of its own it keeps its number: what a guest says there reaches its client.
void PlayedGuest::invent() {
  Random& random = scene_.random;
  next_invention_ns_ = scene_.now_ns() + random.between(100 * kNsPerUs, 5 * kNsPerMs);
  scene_.covered.count(Event::k_packets_invented);
  test::TcpFrame frame{
      .ethernet = {.destination = kGatewayMac, .source = kGuestMac},
      .ip = {.source = ip_, .destination = be32(kHonestNet + static_cast<uint32_t>(random.below(256)))},
      .tcp = {.source_port = port_.value(),
              .destination_port = static_cast<uint16_t>(20'000 + random.below(4000)),
              .sequence = self_.number << kInstanceShift | static_cast<uint32_t>(random.below(4096)),
              .acknowledgment = static_cast<uint32_t>(random.any()),
              .flags = static_cast<uint8_t>(random.below(64))}};
  switch (random.below(8)) {
    case 0:
      frame.ip.source = be32(static_cast<uint32_t>(random.any()));
      break;
    case 1:
      frame.ethernet.source.bytes[5] ^= 1U;
      break;
    case 2:
      frame.tcp.source_port ^= 1U;
      break;
    case 3:
      frame.ethernet.vlan_tci = 7;
      break;
    case 4:
      return put(build(test::ArpFrame{.ethernet = {.source = kGuestMac}, .sender_mac = kGuestMac}));
    default:
      break;
  }
  Bytes bytes = build(frame);
  if (random.percent(20)) bytes.resize(1 + random.below(bytes.size()));
  put(std::move(bytes));
}

}  // namespace cheshire::sim
