// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A TCP segment as the players read it off a frame, in the plainest way and without the code under test, and the book
// in which each connection that a client attempts is written down: what its two ends did, so that every segment that
// comes anywhere can be told to be in the right place.
//
// Numbers tell who speaks. A client's initial sequence number is the connection's serial number << 12; a guest's is the
// instance's number << 20 | the low bits of the serial number << 12. Neither side sends 4,096 bytes in a connection.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "ids.h"
#include "tests/support/frame_builder.h"

namespace cheshire::sim {

using test::Bytes;

inline constexpr unsigned kSerialShift = 12;
inline constexpr unsigned kInstanceShift = 20;
inline constexpr uint32_t kSerialMask = 0xfffff;
inline constexpr uint32_t kInstanceMask = 0xfff;

// Request and answer have one length each, so sequence numbers are simple.
inline constexpr size_t kRequestBytes = 40;
inline constexpr size_t kAnswerBytes = 32;
[[nodiscard]] std::string request_text(uint32_t serial, uint32_t number);
[[nodiscard]] std::string answer_text(uint32_t serial, uint32_t number);

struct Segment {
  MacAddress to_mac, from_mac;
  std::optional<uint16_t> vlan_tci;
  uint32_t source_ip = 0, destination_ip = 0;
  uint16_t source_port = 0, destination_port = 0;
  uint32_t sequence = 0, acknowledgment = 0;
  uint8_t flags = 0;
  std::string_view payload;  // in the frame that was read
  bool sums_are_right = false;

  [[nodiscard]] bool has(uint8_t flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool is_syn() const { return (flags & (kTcpSyn | kTcpAck)) == kTcpSyn; }
  [[nodiscard]] bool is_syn_ack() const { return (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck); }
  [[nodiscard]] uint32_t length() const {
    return static_cast<uint32_t>(payload.size()) + (has(kTcpSyn) ? 1U : 0U) + (has(kTcpFin) ? 1U : 0U);
  }
};
// Nothing: no TCP over IPv4.
[[nodiscard]] std::optional<Segment> read_segment(std::span<const uint8_t> frame);
[[nodiscard]] std::string told(const Segment& segment);

// One instance, as long as the world lasts.
struct Individual {
  uint32_t number = 0;  // from 1
  InstanceId id;
  uint32_t vip = 0;  // of the service that it was ordered for
  uint16_t vip_port = 0;
  bool gone = false;  // told to stop, killed, or out of the steering table
};

// One attempt of a client to have a connection.
struct Attempt {
  uint32_t serial = 0;
  uint32_t client_ip = 0;
  uint16_t client_port = 0;
  uint32_t vip = 0;
  uint16_t vip_port = 0;
  uint32_t owner = 0;     // number of the instance whose SYN-ACK its client took; 0: none
  bool over = false;      // reset or finished, as far as either end knows, or its client has begun anew
  uint64_t moved_ns = 0;  // when either end last sent something
  uint32_t lost = 0;      // frames of it that the wire lost
};

class Book {
 public:
  [[nodiscard]] Attempt& begin(uint32_t client_ip, uint16_t client_port, uint32_t vip, uint16_t vip_port) {
    const auto serial = static_cast<uint32_t>(attempts_.size() + 1);
    // Whoever had this port before is over, whatever its ends know.
    uint32_t& newest = newest_[{client_ip, client_port, vip, vip_port}];
    if (Attempt* before = attempt(newest)) before->over = true;
    newest = serial;
    attempts_.push_back({.serial = serial,
                         .client_ip = client_ip,
                         .client_port = client_port,
                         .vip = vip,
                         .vip_port = vip_port});
    return attempts_.back();
  }
  // nullptr: no client of ours has that number.
  [[nodiscard]] Attempt* attempt(uint32_t serial) {
    return serial == 0 || serial > attempts_.size() ? nullptr : &attempts_[serial - 1];
  }
  // Whether nobody has begun anew between these two ends.
  [[nodiscard]] bool is_newest(const Attempt& one) const {
    const auto found = newest_.find({one.client_ip, one.client_port, one.vip, one.vip_port});
    return found != newest_.end() && found->second == one.serial;
  }
  [[nodiscard]] uint32_t attempts() const { return static_cast<uint32_t>(attempts_.size()); }
  [[nodiscard]] Individual& add_instance(InstanceId id, uint32_t vip, uint16_t vip_port) {
    const auto number = static_cast<uint32_t>(instances_.size() + 1);
    instances_.push_back({.number = number, .id = id, .vip = vip, .vip_port = vip_port});
    return instances_.back();
  }
  [[nodiscard]] Individual* instance(uint32_t number) {
    return number == 0 || number > instances_.size() ? nullptr : &instances_[number - 1];
  }
  [[nodiscard]] const Individual* instance(uint32_t number) const {
    return number == 0 || number > instances_.size() ? nullptr : &instances_[number - 1];
  }
  [[nodiscard]] bool has_room() const {
    return attempts_.size() < kSerialMask && instances_.size() < kInstanceMask;
  }

 private:
  std::deque<Attempt> attempts_;
  std::map<std::tuple<uint32_t, uint16_t, uint32_t, uint16_t>, uint32_t> newest_;  // serial by both ends
  std::deque<Individual> instances_;
};

}  // namespace cheshire::sim
