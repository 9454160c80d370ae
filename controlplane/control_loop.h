// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The control thread: observe, decide, act, publish. It never waits for a VM: drivers are told and tell back.
//
//   observe   load records and driver events say which services to look at; the rest is looked at in turn, so
//             that a record that was lost, or a deadline, is noticed a few milliseconds later. What is true
//             is on the load board. Metrics: service_meter.h
//   decide    policy.h, a pure function of a ServiceView; each decision is traced (decision_trace.h)
//   act       call draining instances back, resume, start shells, boot, drain, pause, refill the pools;
//             fail what died or came too late
//   publish   a steering table with all changes, and only then the orders to the drivers, so that a VM never
//             connects to a slot that no table knows
//
// A round does this twice: first for the services of which an edge was told or a driver has news, then for
// those that only had packets. So what somebody waits for does not wait for a thousand others.
//
// tick() is one round under a clock of the caller's, so tests and the simulator run it with a fake driver and
// made-up time. One thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/commands/control_command.h"
#include "controlplane/fleet/boot_backoff.h"
#include "controlplane/fleet/instance.h"
#include "controlplane/fleet/instance_life.h"
#include "controlplane/fleet/table_builder.h"
#include "controlplane/policy/policy.h"
#include "controlplane/policy/service_meter.h"
#include "controlplane/telemetry/status.h"
#include "controlplane/trace/decision_trace.h"
#include "hypervisor/driver.h"
#include "load_board.h"
#include "load_record.h"
#include "published.h"
#include "spsc_ring.h"
#include "steering_table.h"

namespace cheshire {

// What the control thread works with; all outlive it.
struct ControlLinks {
  const LoadBoard* board = nullptr;
  std::vector<SpscRing<LoadRecord>*> load_rings;  // one per worker; consumer: this thread
  Published<SteeringTable>* steering = nullptr;
  StatusBoard* status = nullptr;
  std::map<DriverKind, Driver*> drivers;  // those of one name may be the same
  // Whether a VM is still connected to the slot's vhost-user socket.
  std::function<bool(SlotIndex)> connected;
  std::function<std::string(SlotIndex)> vhost_socket;
  // Told of each table that is published; empty: nobody wants to know. On the control thread.
  std::function<void(const SteeringTable&)> published;
  DecisionTrace* trace = nullptr;  // none: decisions are not kept
};

class ControlLoop {
 public:
  ControlLoop(const Config& config, ControlLinks links);
  ControlLoop(const ControlLoop&) = delete;
  ControlLoop& operator=(const ControlLoop&) = delete;

  // Returns whether there was anything to do: a record, an event, something on its way.
  bool tick(uint64_t now_ns);

  // From now on nothing is booted, and every instance is taken away at once; its flows are reset.
  void begin_shutdown() { shutting_down_ = true; }
  [[nodiscard]] bool all_gone() const;

  // Between two rounds; what follows from it begins with the next. Refused: an error, and nothing changed.
  [[nodiscard]] CommandAnswer execute(const ControlCommand& command, uint64_t now_ns);
  // The one that runs by now.
  [[nodiscard]] const Config& config() const { return *config_; }

  [[nodiscard]] const std::vector<Instance>& instances() const { return instances_; }
  [[nodiscard]] std::string name_of(const Instance& instance) const;  // "hello/3/17"

 private:
  // What was last traced of a service: the same again is not.
  struct Traced {
    Decision decision;
    uint64_t time_ns = 0;  // 0: nothing yet
  };
  struct Service {
    bool to_look = false;        // in to_look_
    bool to_look_first = false;  // in to_look_first_
    ServiceMeter meter;
    std::vector<Instance*> instances;  // one for each slot that it has
    uint32_t revision = 1;             // counts the changes of its image
    BootBackoff backoff;
    bool refusing = false;
    uint64_t forgotten_in = 0;    // the first table that no longer knows it
    uint64_t last_demand_ns = 0;  // when somebody was last waiting or booting
    uint64_t grew_ns = 0;
    uint64_t shrank_ns = 0;
    Traced traced;
    std::shared_ptr<const Config> rules_traced;  // the config whose rules are in the trace
    ServiceStatus status;
  };

  // control_commands.cc
  [[nodiscard]] Result<std::string> obey(const ControlCommand& command, uint64_t now_ns);
  [[nodiscard]] Result<std::string> drain_by_name(const std::string& name, uint64_t now_ns);
  [[nodiscard]] Result<std::string> reload(const Config& file);
  void adopt(Config next);
  void share_slots();
  void take_slots(ServiceIndex index, size_t wanted);
  void give_back_slots(ServiceIndex index);
  [[nodiscard]] bool is_settled(const Instance& instance) const;
  [[nodiscard]] Instance* free_slot(ServiceIndex index);
  void retire(Instance& instance, uint64_t now_ns);
  void wind_down(ServiceIndex index, uint64_t now_ns);
  void replace_outdated(ServiceIndex index, uint64_t now_ns);
  void choose_last_resort(ServiceIndex index);

  void take_load_records();
  void take_load_record(const LoadRecord& record);
  void look_at_some_more();
  void to_look_at(ServiceIndex index);
  void to_look_at_first(ServiceIndex index);
  void look_at_all(std::vector<ServiceIndex>& services, uint64_t now_ns);
  void act(uint64_t now_ns);
  void look_at(ServiceIndex index, uint64_t now_ns);
  void take_driver_events(uint64_t now_ns);
  void take_driver_event(Instance& instance, const DriverEvent& event, uint64_t now_ns);
  void observe_instance(Instance& instance, uint64_t now_ns);
  void observe_booting(Instance& instance, uint64_t now_ns);
  void observe_health(Instance& instance, uint64_t now_ns);
  void observe_draining(Instance& instance, uint64_t now_ns);
  void observe_pausing(Instance& instance, uint64_t now_ns);
  void became_active(Instance& instance, uint64_t now_ns);
  [[nodiscard]] ServiceView view_of(ServiceIndex index, uint64_t now_ns);
  void take_usage(ServiceIndex index, uint64_t now_ns);
  void trace(ServiceIndex index, const ServiceView& view, const Decision& decision, uint64_t now_ns);
  void write_trace();
  [[nodiscard]] bool is_quiet(const Instance& instance, uint64_t now_ns) const;
  [[nodiscard]] bool is_pausable(const Instance& instance, uint64_t now_ns) const;
  [[nodiscard]] uint32_t count(ServiceIndex index, const std::function<bool(const Instance&)>& is_one) const;
  void run_service(ServiceIndex index, uint64_t now_ns);
  void grow(ServiceIndex index, uint32_t by, uint64_t now_ns);
  void shrink(ServiceIndex index, uint32_t by, Reason reason, uint64_t now_ns);
  // The emptiest of those that count and are such; nullptr: none.
  [[nodiscard]] Instance* victim_of(ServiceIndex index, const std::function<bool(const Instance&)>& is_one);
  void begin(Instance& instance, LifeCause cause, uint64_t now_ns);
  void start_shell(Instance& instance, LifeCause cause, uint64_t now_ns);
  void resume(Instance& instance, uint64_t now_ns);
  void call_back(Instance& instance, uint64_t now_ns);
  void drain(Instance& instance, uint64_t now_ns);
  void begin_pause(Instance& instance, LifeCause cause, uint64_t now_ns);
  void call_off_pause(Instance& instance, uint64_t now_ns);
  [[nodiscard]] bool somebody_waits(ServiceIndex index) const {
    return links_.board->service(index).waiting_syns.get() != 0;
  }
  void pause_quiet(ServiceIndex index, uint64_t now_ns);
  void trim_pool(ServiceIndex index, InstanceState state, uint32_t wanted, uint64_t now_ns);
  void keep_pools(ServiceIndex index, const ServiceView& view, uint64_t now_ns);
  [[nodiscard]] bool standby_wanted(const Instance& instance) const;
  void fail(Instance& instance, const std::string& why, uint64_t now_ns);
  void leave(Instance& instance, LifeCause cause, uint64_t now_ns);
  void change_table(Instance& instance);
  void publish();
  void progress_departures(uint64_t now_ns);
  void show_status(uint64_t now_ns);
  void record_cold_start(const Instance& instance);

  [[nodiscard]] InstanceRange<Instance> instances_of(ServiceIndex index) {
    return InstanceRange<Instance>(services_[index.value].instances);
  }
  [[nodiscard]] InstanceRange<const Instance> instances_of(ServiceIndex index) const {
    return InstanceRange<const Instance>(services_[index.value].instances);
  }
  [[nodiscard]] Driver& driver_of(const Instance& instance) const {
    return *links_.drivers.at(instance.driver);
  }
  // Of the instances that the service would begin now.
  [[nodiscard]] Driver& driver_for(ServiceIndex index) const {
    return *links_.drivers.at(config_->images[config_->services[index.value].image].driver);
  }
  [[nodiscard]] const ServiceConfig& config_of(const Instance& instance) const {
    return config_->services[instance.service.value];
  }
  [[nodiscard]] const SlotLoad& load_of(const Instance& instance) const {
    return links_.board->slot(instance.id.slot);
  }

  std::shared_ptr<const Config> config_;       // never changed; another one takes its place
  std::shared_ptr<const Config> file_config_;  // the file as it was last read, without what commands changed
  const ControlLinks links_;
  std::vector<Service> services_;
  std::vector<Instance> instances_;    // by slot; never resized
  std::vector<Instance*> pool_;        // of slots that no service has
  std::vector<BootOrder> orders_;      // of this round, given to the drivers after publication
  std::vector<InstanceId> runs_;       // shells to start and paused instances to resume, likewise
  std::vector<ServiceIndex> to_look_;  // in this round
  std::vector<ServiceIndex> to_look_first_;
  size_t looked_at_ = 0;                // the service that is next in turn
  std::vector<SlotIndex> departing_;    // leaving or stopping
  std::vector<SlotIndex> chosen_;       // by the decision at hand
  std::vector<TraceDecision> decided_;  // to be traced when the orders are out
  bool busy_ = false;                   // there was something to do in this round
  TableBuilder table_builder_;
  bool slots_settled_ = false;  // every service has as many as it may have
  bool table_changed_ = true;
  bool shutting_down_ = false;
  uint64_t next_table_version_ = 1;
  std::deque<ColdStart> cold_starts_;
  uint64_t cold_starts_seen_ = 0;
  uint64_t status_shown_ns_ = 0;
};

}  // namespace cheshire
