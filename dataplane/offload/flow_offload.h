// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Decides which flow rules the NIC holds, and whether they may be trusted. Pure but for the device; one thread
// calls tick() every few milliseconds (dataplane/offload/offload_thread.h).
//
// Software does everything without the NIC's help, always: a rule only saves work. So whatever goes wrong, the answer
// is to take the rules out and to say why; nothing is tried again but what went silent (below).
//
// Rungs (flow_offload_status.h):
//   mark  one busy service gets its rule as a trial. It is good when the rule's counter, the packets that reach the
//         worker and the marks on them all grow. Then all services get theirs, in small portions.
//   drop  on top of it: a rule per VIP that lets its packets through, then one that drops the rest of IPv4. Good when
//         packets still come. While the set of VIPs changes, the drop rule is out.
//   pin   a rule per long flow that is handed over and whose owner asks for it (long_flows.h), to the owner's queue.
//         With marks on, for services that have no rule; and where the NIC refuses rules for services but not for
//         flows, which many can. The first one is a trial: good when its counter and the flow's packets at the
//         owner's queue grow. Out again when its counter stands still, and when its service or its owner changes.
//
// A trial that goes wrong, by what is seen since the rule is in:
//   rule's counter grows, nothing arrives       the NIC drops what it matched: off, all rungs (seen twice in a row)
//   nothing arrives at all for kTrialSilenceNs  it vanished, or the clients went away: rule out, tried again; off
//                                               after kSilencesMax such trials in a row
//   packets arrive, the counter stands still    the rule matches nothing: off
//   packets arrive and are counted, unmarked    off
// A pin's, by the packets of its flow, which the owner counts for as long as the manager watches it:
//   the first and third of these                pins off
//   next to nothing for kPinSilenceNs           the flow ended, as flows do, or it vanished: off after kPinSilencesMax
//   handed over, and the counter grows          it leads to another queue: off
// Afterwards the comparison goes on, every kCheckNs, of pins one after the other. A mark that is not the packet's own
// ends it all at once.
// Bounds: rules_max and pins_max rules, kRuleTimePerTickNs of the device's time per tick, pins only if a rule takes
// less than kPinRuleMaxNs. A service that finds no room takes that of the pins; once, if it was of no use.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/flow/long_flows.h"
#include "dataplane/port/flow_offload_device.h"
#include "flow_mark_board.h"
#include "flow_offload_status.h"
#include "ids.h"
#include "units.h"

namespace cheshire {

inline constexpr uint64_t kTrialPackets = 16;
// What lay in a queue when the rule went in arrives as before, hence the factor.
inline constexpr uint64_t kTrialPacketsAgainst = 64 * kTrialPackets;
inline constexpr uint64_t kTrialSilenceNs = 50 * kNsPerMs;  // no more than a retransmission is lost by it
inline constexpr uint64_t kCheckNs = 100 * kNsPerMs;
inline constexpr uint32_t kSilencesMax = 3;
inline constexpr uint64_t kRuleTimePerTickNs = 5 * kNsPerMs;
inline constexpr uint64_t kPinRuleMaxNs = kNsPerMs;
inline constexpr uint64_t kPinIdleNs = 10 * kNsPerSecond;
inline constexpr uint64_t kPinSilenceNs = 200 * kNsPerMs;  // longer than a round trip: a window comes at once
inline constexpr uint32_t kPinSilencesMax = 8;

struct FlowOffloadOptions {
  std::vector<uint16_t> queues = {0};  // receive queues, from 0: worker n polls queue n
  size_t rules_max = 4096;
  size_t pins_max = 1024;
};

struct OffloadService {
  ServiceIndex index;
  be32 vip;
  be16 port;
  uint16_t worker = 0;  // its owner; has the receive queue of that number, where the NIC has so many
  friend bool operator==(const OffloadService&, const OffloadService&) = default;
};

class FlowOffload {
 public:
  // `clock` in ns, for the device's own time. All outlive this.
  FlowOffload(FlowDevice& device, FlowOffloadOptions options, FlowMarkBoard& board,
              std::function<uint64_t()> clock);
  FlowOffload(const FlowOffload&) = delete;
  FlowOffload& operator=(const FlowOffload&) = delete;
  ~FlowOffload() { remove_all(); }

  // Those that exist now. A service that went loses its rule at the next tick, before anything is added.
  void set_services(std::vector<OffloadService> services) {
    services_ = std::move(services);
    services_changed_ = true;
  }
  // A worker's request. What is pinned already, or leads to no owner, is passed over at the next tick.
  void pin(const PinRequest& request);
  void tick(uint64_t now_ns);
  // The end: the NIC is left as it was found.
  void remove_all();

  [[nodiscard]] const OffloadStatus& status() const { return status_; }
  // What happened since the last call, for the log.
  [[nodiscard]] std::vector<std::string> take_news() { return std::exchange(news_, {}); }

 private:
  struct ServiceRule {
    OffloadService service;
    FlowRuleHandle handle = 0;
    uint64_t seen = 0;  // at the last check
    uint64_t packets = 0;
    bool suspect = false;
  };
  struct Pin {
    PinRequest request;
    FlowRuleHandle handle = 0;
    uint64_t packets = 0;
    uint64_t moved_ns = 0;
  };
  using PinKey = std::array<uint32_t, 4>;
  struct PinCounts {
    uint64_t by_rule = 0;
    uint64_t here = 0;  // that came to the owner's queue
    uint64_t over = 0;  // that other workers handed over
  };
  // The pin whose flow's packets are counted: from the tick after the workers were told, until when what lay in queues
  // and rings is gone.
  struct Watch {
    PinKey flow;
    uint64_t begin_ns = 0;
    std::optional<PinCounts> before;
    bool suspect = false;  // counted, and nothing arrived
  };
  struct Trial {
    uint64_t begin_ns = 0;
    uint64_t seen = 0;  // at its begin
    uint64_t marked = 0;
    bool suspect = false;  // counted, and nothing arrived: once may be a matter of microseconds
  };
  // Overlapping rules need different ones.
  enum Priority : uint32_t { kPinPriority, kServicePriority, kAddressPriority, kDropPriority };
  // What a NIC that loses a rung did: less than it was told, or harm.
  enum class Fault : uint8_t { kRefuses, kHarms };

  // flow_offload.cc: the rungs
  void forget_services_gone();
  void step_mark(uint64_t now_ns);
  void begin_mark_trial(uint64_t now_ns);
  void judge_mark_trial(uint64_t now_ns);
  void add_service_rules();
  void step_drop(uint64_t now_ns);
  void begin_drop_trial(uint64_t now_ns);
  void judge_drop_trial(uint64_t now_ns);
  void check_services();

  // flow_offload_rules.cc: rules, the way down
  [[nodiscard]] OffloadStatus::Rung& rung(OffloadRung which) {
    return status_.rungs[static_cast<size_t>(which)];
  }
  [[nodiscard]] const OffloadStatus::Rung& rung(OffloadRung which) const {
    return status_.rungs[static_cast<size_t>(which)];
  }
  [[nodiscard]] FlowRule service_rule(const OffloadService& service) const;
  [[nodiscard]] Result<FlowRuleHandle> create(const FlowRule& rule);
  void remove(FlowRuleHandle& handle, bool is_pin = false);
  void remove_drop_rules();
  void step_down(OffloadRung which, const std::string& reason, Fault fault = Fault::kHarms);
  void change(OffloadRung which, OffloadState state, const std::string& why);
  void went_silent(OffloadRung which, uint32_t& silences, uint32_t silences_max = kSilencesMax);
  void count_rules();
  [[nodiscard]] size_t rules_held() const;
  [[nodiscard]] uint64_t seen_in_all() const;

  // flow_offload_pins.cc
  [[nodiscard]] bool takes_pins() const;
  [[nodiscard]] bool leads_home(const PinRequest& request) const;
  [[nodiscard]] FlowRule pin_rule(const PinRequest& request) const;
  void ask_for_pins();
  void step_pins(uint64_t now_ns);
  void judge_pin_trial(uint64_t now_ns);
  void add_pin(const PinRequest& request, uint64_t now_ns);
  void check_pins(uint64_t now_ns);
  void drop_idle_pins(uint64_t now_ns);
  [[nodiscard]] Result<PinCounts> count_pin(const Pin& pin);
  void watch(const PinKey& flow, uint64_t now_ns) { watch_ = Watch{.flow = flow, .begin_ns = now_ns}; }
  void tell_workers();
  void remove_pins();
  void remove_pins_if(const std::function<bool(Pin&)>& leaves);

  FlowDevice& device_;
  const FlowOffloadOptions options_;
  FlowMarkBoard& board_;
  const std::function<uint64_t()> clock_;
  std::vector<OffloadService> services_;
  bool services_changed_ = false;
  std::vector<ServiceRule> rules_;
  std::vector<uint64_t> seen_before_;  // by service, at the last tick: who is busy
  std::map<uint32_t, FlowRuleHandle> vip_rules_;
  FlowRuleHandle drop_rule_ = 0;
  std::map<PinKey, Pin> pins_;
  std::vector<PinRequest> pin_requests_;  // pins_max at the most
  std::optional<Watch> watch_;
  std::optional<Trial> trial_;  // of the rung mark or drop that is in kTrial
  uint64_t wrong_before_ = 0;
  uint64_t seen_in_all_before_ = 0;
  uint64_t checked_ns_ = 0;
  uint64_t device_ns_ = 0;  // spent in this tick
  uint32_t mark_silences_ = 0;
  uint32_t drop_silences_ = 0;
  uint32_t pin_silences_ = 0;
  bool asked_ = false;  // whether the device takes such rules
  // Until a rule goes: the NIC took no more of services, or of flows.
  bool full_ = false;
  bool pins_full_ = false;
  bool pins_gave_way_ = false;  // at the last tick, to a service
  bool pins_apart_ = false;     // … which found no room all the same: they are kept elsewhere in the NIC
  OffloadStatus status_;
  std::vector<std::string> news_;
};

}  // namespace cheshire
