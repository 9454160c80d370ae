// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Who is in which slot: what the steering table expects there, which port is up, whether the instance has shown that it
// is ready, whether it may get new flows. Takes what changes from outside, the steering table (control thread) and port
// messages (the thread that watches vhost-user), and sweeps the flow table after instances that are gone.
//
// A slot that another worker owns is empty here. A port is not touched any more once downs_acknowledged() has counted
// its message.
//
// Above flow_life and egress. The worker's thread only, but for downs_acknowledged(). No DPDK.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "counter.h"
#include "dataplane/flow/chooser.h"
#include "dataplane/worker/egress.h"
#include "dataplane/worker/flow_life.h"
#include "dataplane/worker/instance_limits.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/service_finder.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "published.h"
#include "spsc_ring.h"

namespace cheshire {

// What a slot's life touches; all outlive it.
struct SlotsLinks {
  Published<SteeringTable>* steering;
  SpscRing<PortMessage>* port_messages;
  ServiceFinder* finder;
  Chooser* chooser;
  LoadReport* report;
  InstanceLimits* limits;
  FlowLife* flow_life;
  Egress* egress;
};

class Slots {
 public:
  // `worker`: its number, as a reader of the steering table and as the owner of services.
  Slots(size_t worker, const WorkerBoard& board, SlotArray& slots, const SlotsLinks& links);

  // Acts on what is different, so that a decision about one instance costs nothing for the others. The turn goes on
  // with the new table.
  void take_steering_table(Turn& turn);
  void take_port_messages(const Turn& turn);
  // A piece of the flow table, for the instance that has been gone for longest. Flows whose SYN is still parked are the
  // hold queue's: ColdStarts::serve() has taken them back by then.
  void advance_sweeps(const Turn& turn);
  [[nodiscard]] bool is_sweeping() const { return !sweeps_.empty(); }

  // Its SYN-ACK was seen, in answer to a SYN that came and was delivered at these times; 0: to our own probe.
  void became_ready(const Turn& turn, SlotIndex index, uint64_t syn_seen_ns, uint64_t syn_delivered_ns);
  // After a transmission: the first SYN-ACK of an instance has left. Only now is the time of its start whole, and told.
  void report_ready(const Turn& turn) {
    if (ready_unreported_ != 0) [[unlikely]]
      report_those_ready(turn);
  }

  [[nodiscard]] bool is_mine(const Turn& turn, ServiceIndex service) const {
    return turn.service(service).worker == worker_;
  }
  // Slots whose instance is alive; of these, those that have yet to show that they are ready.
  [[nodiscard]] std::span<const SlotIndex> alive() const { return alive_; }
  [[nodiscard]] std::span<const SlotIndex> to_prove();
  [[nodiscard]] Slot& at(SlotIndex index) { return slots_[index.value]; }

  // Any thread: how many PortMessage::kDown were obeyed so far.
  [[nodiscard]] uint64_t downs_acknowledged() const { return downs_acknowledged_.observe(); }

 private:
  struct Sweep {  // takes the flows of an instance that is gone out of the table
    InstanceId instance;
    size_t cursor = 0;
  };

  void take_services(const SteeringTable& next);
  void take_slot(const Turn& turn, SlotIndex index, const SteeringSlot& listed);
  void begin_instance(const Turn& turn, SlotIndex index, const SteeringSlot& wanted);
  void end_instance(const Turn& turn, SlotIndex index);
  void change_role(const Turn& turn, Slot& slot, SlotRole role);
  void port_down(const Turn& turn, SlotIndex index);
  void attach_if_expected(const Turn& turn, SlotIndex index);
  void detach(Slot& slot);
  void update_membership(SlotIndex index);
  void list_alive();
  void begin_sweep(const Turn& turn, InstanceId instance);
  void lose_flow(const Turn& turn, FlowEntry& flow);
  void report_those_ready(const Turn& turn);

  const size_t worker_;
  const WorkerBoard board_;
  SlotArray& slots_;
  const SlotsLinks links_;
  const Published<SteeringTable>::Versioned* table_ = nullptr;
  std::vector<SlotIndex> alive_;
  std::vector<SlotIndex> to_prove_;
  std::vector<Sweep> sweeps_;
  uint32_t ready_unreported_ = 0;  // slots whose first SYN-ACK is about to leave
  Counter downs_acknowledged_;     // writer: worker; reader: the vhost-user thread
};

}  // namespace cheshire
