// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What happened in all worlds together. A simulator in which boots never fail proves nothing about boots that fail: a
// run that is long enough and has not met one of these is itself a failure. A new kind of event is one line here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cheshire::sim {

// name, what it counts
#define CHESHIRE_SIM_EVENTS(X)                                       \
  X(requests_answered, "requests answered")                          \
  X(clients_served, "clients served to the end")                     \
  X(clients_reset_at_syn, "clients refused by a reset")              \
  X(clients_told_503, "clients told 503")                            \
  X(clients_reset_later, "connections reset after the handshake")    \
  X(clients_gave_up, "clients that gave up, with a counted reason")  \
  X(clients_vanished, "clients that vanished")                       \
  X(clients_hung_up, "clients that reset their connection")          \
  X(clients_flooded, "SYNs of floods")                               \
  X(ports_reused, "ports used again")                                \
  X(segments_repeated, "segments sent again by clients")             \
  X(frames_lost, "frames lost on the wire")                          \
  X(frames_doubled, "frames doubled on the wire")                    \
  X(frames_refused_by_nic, "frames that the NIC had no room for")    \
  X(boots, "boots and shells ordered")                               \
  X(boots_not_started, "VMs that never started")                     \
  X(boots_not_up, "guests that never came up")                       \
  X(boots_died_young, "VMs that died while they booted")             \
  X(kills, "VMs killed")                                             \
  X(guests_silent, "guests that fell silent")                        \
  X(guests_stuck, "guests that stopped taking packets")              \
  X(guests_mad, "guests that went mad")                              \
  X(guests_slow, "guests that became slow")                          \
  X(packets_invented, "packets that guests invented")                \
  X(stops, "VMs stopped")                                            \
  X(shells_run, "shells run")                                        \
  X(instances_paused, "instances paused")                            \
  X(instances_resumed, "instances resumed")                          \
  X(instances_called_back, "instances called back from draining")    \
  X(instances_failed, "instances failed")                            \
  X(instances_retired, "instances retired")                          \
  X(downs_seen_first, "ports down before the control loop knew")     \
  X(downs_seen_late, "ports down after the control loop knew")       \
  X(workers_late, "workers that were late")                          \
  X(control_late, "times that the control thread was late")          \
  X(pool_empty, "times that there were no packet buffers")           \
  X(commands_scale, "scale commands obeyed")                         \
  X(commands_drain, "drain commands obeyed")                         \
  X(commands_reload, "reloads obeyed")                               \
  X(commands_refused, "commands refused")                            \
  X(ended_under_load, "worlds that ended under load")                \
  X(ended_at_rest, "worlds that came to rest first")                 \
  X(decisions, "decisions traced and replayed")                      \
  X(syns_admitted, "SYNs admitted")                                  \
  X(syns_held, "SYNs that were seen to wait")                        \
  X(rejected_full, "rejected: full")                                 \
  X(rejected_hold_full, "rejected: too many wait")                   \
  X(rejected_refusing, "rejected: boots fail")                       \
  X(rejected_expired, "rejected: waited too long")                   \
  X(refused_by_reset, "refused by reset")                            \
  X(refused_by_http503, "refused by 503")                            \
  X(refused_by_drop, "refused by drop")                              \
  X(refused_silently, "refused too often, and no longer answered")   \
  X(challenges_sent, "challenges sent")                              \
  X(challenges_passed, "challenges passed")                          \
  X(proofs_displaced, "proofs of addresses pushed out")              \
  X(packets_untracked, "packets of flows without an entry")          \
  X(no_memory, "packets of our own that found no buffer")            \
  X(load_records_lost, "load records lost")                          \
  X(packets_handed_over, "packets handed over")                      \
  X(dropped_hand_over_full, "dropped: hand-over ring full")          \
  X(dropped_guest_ring_full, "dropped: guest's ring full")           \
  X(dropped_guest_gone, "dropped: guest gone")                       \
  X(dropped_guest_spoofed, "dropped: guest spoofed")                 \
  X(dropped_guest_no_flow, "dropped: guest has no such flow")        \
  X(dropped_guest_early_reset, "dropped: guest does not listen yet") \
  X(dropped_flow_table_full, "dropped: flow table full")             \
  X(dropped_hold_duplicate, "dropped: the SYN is held already")      \
  X(dropped_client_gave_up, "dropped: its client gave up")           \
  X(dropped_nic_tx_full, "dropped: NIC takes no more")               \
  X(dropped_shutdown, "dropped: held at the end")                    \
  X(resets_no_flow, "segments of no flow reset")                     \
  X(sweeps, "instances swept from the flow table")

enum class Event : uint8_t {
#define CHESHIRE_SIM_ENUMERATOR(name, text) k_##name,
  CHESHIRE_SIM_EVENTS(CHESHIRE_SIM_ENUMERATOR)
#undef CHESHIRE_SIM_ENUMERATOR
};
inline constexpr std::array kEventWords = {
#define CHESHIRE_SIM_WORDS(name, text) std::string_view{text},
    CHESHIRE_SIM_EVENTS(CHESHIRE_SIM_WORDS)
#undef CHESHIRE_SIM_WORDS
};

class Coverage {
 public:
  void count(Event event, uint64_t times = 1) { counts_[static_cast<size_t>(event)] += times; }
  // What came up since the last call came up in one world more.
  void end_world() {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != before_[i]) ++worlds_[i];
    }
    before_ = counts_;
  }
  // What has never come up, a line each; empty: everything has.
  [[nodiscard]] std::string missing() const {
    std::string words;
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) words += "  " + std::string(kEventWords[i]) + "\n";
    }
    return words;
  }
  // How often, in how many worlds, and what.
  [[nodiscard]] std::string table() const {
    std::string words;
    for (size_t i = 0; i < counts_.size(); ++i) {
      words += right(counts_[i], 10) + right(worlds_[i], 8) + "  " + std::string(kEventWords[i]) + "\n";
    }
    return words;
  }

 private:
  using Counts = std::array<uint64_t, kEventWords.size()>;
  static std::string right(uint64_t value, size_t width) {
    const std::string number = std::to_string(value);
    return std::string(number.size() < width ? width - number.size() : 0, ' ') + number;
  }

  Counts counts_{};
  Counts before_{};
  Counts worlds_{};
};

}  // namespace cheshire::sim
