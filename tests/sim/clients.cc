// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/clients.h"

#include <algorithm>

namespace cheshire::sim {
namespace {

using test::build;

constexpr unsigned kTries = 9;
constexpr uint64_t kRetransmitMostNs = 400 * kNsPerMs;

Event event_of(unsigned outcome) {
  constexpr Event kEvents[] = {Event::k_clients_served,   Event::k_clients_reset_at_syn,
                               Event::k_clients_told_503, Event::k_clients_reset_later,
                               Event::k_clients_gave_up,  Event::k_clients_vanished,
                               Event::k_clients_hung_up};
  return kEvents[outcome];
}

}  // namespace

PlayedClients::PlayedClients(Scene& scene, Wire& wire, ClientLinks links)
    : scene_(scene), wire_(wire), links_(std::move(links)) {
  for (uint32_t i = 0; i < scene.plan.clients.hosts; ++i) {
    Host host{.ip = kHonestNet + 1 + i, .mac = {{0x52, 0x54, 0, 0, 1, static_cast<uint8_t>(i)}}};
    if (scene.random.percent(20)) host.vlan_tci = static_cast<uint16_t>(1 + scene.random.below(100));
    hosts_.push_back(host);
  }
  next_arrival_ns_ = scene.now_ns();
}

const PlayedClients::Host* PlayedClients::host_of(uint32_t ip) const {
  const uint32_t at = ip - kHonestNet - 1;
  return at < hosts_.size() ? &hosts_[at] : nullptr;
}

// --- coming and going

void PlayedClients::act() {
  for (const Bytes& frame : wire_.take()) take(frame);
  while (!scene_.calm && scene_.now_ns() >= next_arrival_ns_) arrive();
  if (scene_.now_ns() < soonest_ns_) return;
  soonest_ns_ = UINT64_MAX;
  for (auto at = open_.begin(); at != open_.end();) {
    Connection& connection = at->second;
    const bool stays = scene_.now_ns() < connection.due_ns || is_due(connection);
    if (stays) {
      soonest_ns_ = std::min(soonest_ns_, connection.due_ns);
    } else {
      last_closed_ = at->first;
    }
    at = stays ? std::next(at) : open_.erase(at);
  }
}

uint64_t PlayedClients::due_ns() const {
  return std::min(soonest_ns_, scene_.calm ? UINT64_MAX : next_arrival_ns_);
}

// Moods change: nobody, a few, many.
void PlayedClients::arrive() {
  Random& random = scene_.random;
  const ClientPlan& plan = scene_.plan.clients;
  if (scene_.now_ns() >= mood_until_ns_) {
    mood_until_ns_ = scene_.now_ns() + random.spread(10 * kNsPerMs, 500 * kNsPerMs);
    constexpr uint64_t kSlower[] = {0, 1, 1, 5, 30};
    gap_ns_ = plan.gap_ns * kSlower[random.below(5)];
  }
  next_arrival_ns_ = gap_ns_ == 0 ? mood_until_ns_ : scene_.now_ns() + 1 + random.below(2 * gap_ns_);
  if (gap_ns_ == 0 || open_.size() >= plan.open_max || !scene_.book.has_room()) return;
  const Config& config = links_.config();
  const ServiceConfig& service = random.one_of(config.services);
  if (service.name.empty() || (scene_.plan.fair && service.removed)) return;
  Host& host = random.one_of(hosts_);
  uint16_t port = host.next_port;
  if (last_closed_ && random.percent(plan.reuse_percent) && std::get<0>(*last_closed_) == host.ip) {
    port = std::get<1>(*last_closed_);
    scene_.covered.count(Event::k_ports_reused);
  } else {
    host.next_port = static_cast<uint16_t>(20'000 + (host.next_port - 19'999) % 4000);
  }
  begin(host, port, service);
}

void PlayedClients::begin(const Host& host, uint16_t port, const ServiceConfig& service) {
  const Key key{host.ip, port, service.vip.value(), service.port.value()};
  if (open_.contains(key)) return;
  Random& random = scene_.random;
  const ClientPlan& plan = scene_.plan.clients;
  Attempt& attempt = scene_.book.begin(host.ip, port, service.vip.value(), service.port.value());
  Connection connection{.attempt = &attempt, .host = &host};
  connection.requests_left = static_cast<uint32_t>(random.spread(1, 8));
  connection.next_out = attempt.serial << kSerialShift;
  connection.acknowledged = connection.next_out;
  if (random.percent(plan.vanish_percent + plan.hang_up_percent)) {
    connection.leaves_ns = scene_.now_ns() + random.spread(10 * kNsPerUs, 500 * kNsPerMs);
    connection.hangs_up = random.below(plan.vanish_percent + plan.hang_up_percent) < plan.hang_up_percent;
  }
  connection.excuses_before = excuses(connection);
  const uint32_t first = connection.next_out++;
  Connection& kept = open_.emplace(key, std::move(connection)).first->second;
  send(kept, kTcpSyn, first, 0, {}, true);
  soonest_ns_ = std::min(soonest_ns_, kept.due_ns);
}

uint64_t PlayedClients::excuses(const Connection& connection) const {
  return scene_.excuses + links_.silences() + connection.attempt->lost;
}

bool PlayedClients::end(Connection& connection, Outcome outcome) {
  const auto number = static_cast<unsigned>(outcome);
  scene_.journal.note(What::kClientEnds, connection.attempt->serial, number);
  scene_.covered.count(event_of(number));
  connection.attempt->over = true;
  ended_.emplace_back(scene_.now_ns(), connection.attempt->vip);
  if (ended_.size() > 4096) ended_.pop_front();
  if (outcome == Outcome::kGaveUp) {
    HOLDS(scene_.journal, excuses(connection) != connection.excuses_before,
          "a client is answered, refused, or its silence was counted",
          "connection " + std::to_string(connection.attempt->serial) + ", step " +
              std::to_string(static_cast<unsigned>(connection.step)) + ", owner " +
              std::to_string(connection.attempt->owner));
  }
  return false;
}

// What it does by itself: leave, ask, send again, give up.
bool PlayedClients::is_due(Connection& connection) {
  if (connection.leaves_ns != 0 && scene_.now_ns() >= connection.leaves_ns) {
    if (!connection.hangs_up) return end(connection, Outcome::kVanished);
    send(connection, kTcpRst | kTcpAck, connection.next_out, connection.next_in, {}, false);
    return end(connection, Outcome::kHungUp);
  }
  if (connection.step == Step::kOpen && !connection.asks) {
    ask(connection);
    return true;
  }
  if (++connection.tries > kTries) return end(connection, Outcome::kGaveUp);
  scene_.covered.count(Event::k_segments_repeated);
  scene_.journal.note(What::kClientSends, connection.attempt->serial, 0, connection.tries);
  connection.attempt->moved_ns = scene_.now_ns();
  wire_.to_nic(connection.newest, connection.attempt, connection.host->ip + connection.attempt->client_port);
  connection.due_ns =
      scene_.now_ns() + std::min(scene_.plan.clients.retransmit_ns << connection.tries, kRetransmitMostNs);
  return true;
}

void PlayedClients::ask(Connection& connection) {
  if (connection.requests_left == 0) {
    connection.step = Step::kFinSent;
    connection.attempt->over = true;
    const uint32_t sequence = connection.next_out++;
    return send(connection, kTcpFin | kTcpAck, sequence, connection.next_in, {}, true);
  }
  --connection.requests_left;
  connection.asks = true;
  const uint32_t sequence = connection.next_out;
  connection.next_out += kRequestBytes;
  send(connection, kTcpPsh | kTcpAck, sequence, connection.next_in,
       request_text(connection.attempt->serial, connection.answers), true);
}

// --- what comes

void PlayedClients::check(const Segment& segment) const {
  Journal& journal = scene_.journal;
  const auto details = [&] { return told(segment); };
  HOLDS(journal, segment.sums_are_right, "what a client gets has right checksums", details());
  HOLDS(journal, segment.from_mac == test::kNicMac, "what a client gets comes from the NIC's MAC", details());
  const Host* host = host_of(segment.destination_ip);
  if (host == nullptr) return;  // of a flood
  HOLDS(journal, segment.to_mac == host->mac && segment.vlan_tci == host->vlan_tci,
        "what a client gets is for its own MAC and VLAN", details());
}

void PlayedClients::take(const Bytes& frame) {
  const std::optional<Segment> segment = read_segment(frame);
  if (!segment) return;  // a garbled frame of a guest that went mad has been dropped; ARP and echo replies
  check(*segment);
  if (!is_honest(segment->destination_ip)) return;
  const uint32_t serial = (segment->acknowledgment - 1) >> kSerialShift;
  scene_.journal.note(What::kClientGets, serial, segment->flags, segment->sequence);
  const Key key{segment->destination_ip, segment->destination_port, segment->source_ip, segment->source_port};
  const auto found = open_.find(key);
  if (found == open_.end()) {
    const bool silent = scene_.plan.clients.vanish_percent != 0 && scene_.random.percent(50);
    if (!segment->has(kTcpRst) && !silent) send_bare(*segment, kTcpRst, segment->acknowledgment, 0);
    return;
  }
  if (get(found->second, *segment)) {
    soonest_ns_ = std::min(soonest_ns_, found->second.due_ns);
    return;
  }
  last_closed_ = key;
  open_.erase(found);
}

bool PlayedClients::get(Connection& connection, const Segment& segment) {
  if (connection.step == Step::kSynSent) return answer_of_handshake(connection, segment);
  const uint32_t serial = (segment.acknowledgment - 1) >> kSerialShift;
  if (segment.has(kTcpRst)) {
    // In its window, else it is of a connection before.
    if (segment.sequence - connection.next_in > 4096 && segment.sequence != 0) return true;
    const bool told_503 = connection.by_cookie;
    return end(connection, told_503 ? Outcome::kTold503 : Outcome::kResetLater);
  }
  if (serial != connection.attempt->serial) return true;
  const uint32_t speaker = segment.sequence >> kInstanceShift;
  // Of two, one is gone: the client hears that a moment late, and a SYN that it sent again may have begun its flow anew
  // with the other, before the reset of the first one's reaches it.
  const auto is_gone = [&](uint32_t number) {
    const Individual* instance = scene_.book.instance(number);
    return instance != nullptr && instance->gone;
  };
  HOLDS(scene_.journal,
        connection.by_cookie || speaker == connection.attempt->owner || scene_.untracked ||
            is_gone(speaker) || is_gone(connection.attempt->owner),
        "one instance speaks in a connection",
        told(segment) + ", of instance " + std::to_string(speaker) + " in a connection with instance " +
            std::to_string(connection.attempt->owner));
  if (segment.has(kTcpAck) &&
      segment.acknowledgment - connection.acknowledged <= connection.next_out - connection.acknowledged) {
    connection.acknowledged = segment.acknowledgment;
  }
  if (segment.length() == 0) {
    if (connection.step == Step::kFinSent && connection.acknowledged == connection.next_out)
      connection.tries = 0;
    return true;
  }
  if (segment.sequence != connection.next_in) {
    if (speaker == connection.attempt->owner || connection.by_cookie)
      send(connection, kTcpAck, connection.next_out, connection.next_in, {}, false);
    return true;
  }
  connection.next_in += segment.length();
  if (!segment.payload.empty() && connection.asks) {
    connection.asks = false;
    connection.tries = 0;
    if (!connection.by_cookie) scene_.covered.count(Event::k_requests_answered);
    ++connection.answers;
    connection.due_ns = scene_.now_ns() + 1 + scene_.random.below(scene_.plan.clients.think_max_ns);
    if (scene_.calm) connection.due_ns = scene_.now_ns() + 1;
  }
  send(connection, kTcpAck, connection.next_out, connection.next_in, {}, false);
  if (!segment.has(kTcpFin)) return true;
  if (connection.by_cookie) return end(connection, Outcome::kTold503);
  if (connection.step == Step::kFinSent) return end(connection, Outcome::kServed);
  return true;
}

// RFC 9293 3.10.7.3.
bool PlayedClients::answer_of_handshake(Connection& connection, const Segment& segment) {
  const bool acknowledges = segment.has(kTcpAck) && segment.acknowledgment == connection.next_out;
  if (segment.has(kTcpAck) && !acknowledges) {
    if (!segment.has(kTcpRst)) {
      send_bare(segment, kTcpRst, segment.acknowledgment, 0);
      // As Linux does when it is challenged: not so long until the next SYN.
      connection.due_ns = std::min(connection.due_ns, scene_.now_ns() + 5 * kNsPerMs);
    }
    return true;
  }
  if (segment.has(kTcpRst)) return !acknowledges || end(connection, Outcome::kResetAtSyn);
  if (!segment.is_syn_ack()) return true;
  connection.step = Step::kOpen;
  connection.tries = 0;
  connection.acknowledged = segment.acknowledgment;
  connection.first_in = segment.sequence;
  connection.next_in = segment.sequence + 1;
  const uint32_t speaker = segment.sequence >> kInstanceShift;
  const uint32_t mark = (connection.attempt->serial & 0xffU) << kSerialShift;
  const Individual* instance = scene_.book.instance(speaker);
  if (instance != nullptr && (segment.sequence & 0xfffffU) == mark &&
      instance->vip == connection.attempt->vip) {
    connection.attempt->owner = speaker;
  } else {
    connection.by_cookie = true;
  }
  send(connection, kTcpAck, connection.next_out, connection.next_in, {}, false);
  connection.due_ns = scene_.now_ns() + 1 + scene_.random.below(kNsPerMs);
  return true;
}

// --- what they send

void PlayedClients::send(Connection& connection, uint8_t flags, uint32_t sequence, uint32_t acknowledgment,
                         std::string_view payload, bool keep) {
  Attempt& attempt = *connection.attempt;
  scene_.journal.note(What::kClientSends, attempt.serial, flags, sequence);
  Bytes frame = build(
      test::TcpFrame{.ethernet = {.source = connection.host->mac, .vlan_tci = connection.host->vlan_tci},
                     .ip = {.source = be32(attempt.client_ip), .destination = be32(attempt.vip)},
                     .tcp = {.source_port = attempt.client_port,
                             .destination_port = attempt.vip_port,
                             .sequence = sequence,
                             .acknowledgment = acknowledgment,
                             .flags = flags},
                     .payload = test::text(payload)});
  attempt.moved_ns = scene_.now_ns();
  if (keep) {
    connection.newest = frame;
    connection.tries = 0;
    connection.due_ns = scene_.now_ns() + scene_.plan.clients.retransmit_ns;
  }
  wire_.to_nic(std::move(frame), &attempt, attempt.client_ip + attempt.client_port);
}

void PlayedClients::send_bare(const Segment& to, uint8_t flags, uint32_t sequence, uint32_t acknowledgment) {
  const Host* host = host_of(to.destination_ip);
  if (host == nullptr) return;
  wire_.to_nic(
      build(test::TcpFrame{.ethernet = {.source = host->mac, .vlan_tci = host->vlan_tci},
                           .ip = {.source = be32(to.destination_ip), .destination = be32(to.source_ip)},
                           .tcp = {.source_port = to.destination_port,
                                   .destination_port = to.source_port,
                                   .sequence = sequence,
                                   .acknowledgment = acknowledgment,
                                   .flags = flags}}),
      nullptr, to.destination_ip + to.destination_port);
}

size_t PlayedClients::storm() {
  Random& random = scene_.random;
  const Config& config = links_.config();
  const ServiceConfig& service = random.one_of(config.services);
  const bool syns = random.percent(50);
  const auto queue = static_cast<uint32_t>(random.any());
  const uint64_t most = scene_.plan.theme == Theme::kStorms && random.percent(60) ? 2500 : 600;
  for (uint64_t count = most == 2500 ? most : random.spread(8, most); count > 0; --count) {
    test::TcpFrame frame{.ip = {.source = be32(kFloodNet + 1 + static_cast<uint32_t>(random.below(200))),
                                .destination = service.vip},
                         .tcp = {.source_port = static_cast<uint16_t>(1024 + random.below(60'000)),
                                 .destination_port = service.port.value(),
                                 .sequence = static_cast<uint32_t>(random.any()),
                                 .acknowledgment = static_cast<uint32_t>(random.any()),
                                 .flags = syns ? kTcpSyn : static_cast<uint8_t>(random.below(64))}};
    if (random.percent(2)) frame.tcp.destination_port = 4711;
    if (random.percent(2)) frame.ip.destination = be32(0xc0000263);
    if (syns) scene_.covered.count(Event::k_clients_flooded);
    Bytes bytes = build(frame);
    if (random.percent(3)) bytes.resize(1 + random.below(bytes.size()));
    wire_.to_nic(std::move(bytes), nullptr, queue);
  }
  ++scene_.excuses;
  return queue % config.workers();
}

uint64_t PlayedClients::known(uint32_t vip, uint64_t lately_ns) const {
  uint64_t count = 0;
  for (const auto& [key, connection] : open_) count += connection.attempt->vip == vip ? 1U : 0U;
  for (auto at = ended_.rbegin(); at != ended_.rend() && scene_.now_ns() - at->first <= lately_ns; ++at) {
    count += at->second == vip ? 1U : 0U;
  }
  return count;
}

std::map<uint32_t, uint32_t> PlayedClients::settled() const {
  std::map<uint32_t, uint32_t> by_instance;
  for (const auto& [key, connection] : open_) {
    const Individual* owner = scene_.book.instance(connection.attempt->owner);
    const bool quiet = connection.step == Step::kOpen && !connection.asks && connection.answers != 0;
    if (quiet && owner != nullptr && !owner->gone) ++by_instance[owner->number];
  }
  return by_instance;
}

}  // namespace cheshire::sim
