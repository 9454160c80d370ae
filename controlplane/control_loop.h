// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The control thread's round: observe, decide, plan, publish, act. It never waits for a VM: drivers are told and
// tell back.
//
//   observe   load records and driver events say which services to look at (look_list.h); what is true is on the
//             load board. A look is a snapshot, and orders nothing: control_observer.h, metrics: service_meter.h
//   decide    policy.h, a pure function of a ServiceView; each decision is traced (trace_recorder.h)
//   plan      planner.h, pure too: call draining instances back, resume, start shells, boot, drain, pause, refill
//             the pools, fail what died or came too late. plan_runner.h changes the instances accordingly
//   publish   a steering table with all changes (steering_publisher.h), and only then
//   act       the orders to the drivers (driver_orders.h), so that a VM never connects to a slot that no table
//             knows
//
// A round does this twice: first for the services of which an edge was told or a driver has news, then for
// those that only had packets. So what somebody waits for does not wait for a thousand others.
//
// The parts each own their fields and call only those that stand before them below; none calls back here.
//
// tick() is one round under a clock of the caller's, so tests and the simulator run it with a fake driver and
// made-up time. One thread only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config.h"
#include "controlplane/command_executor.h"
#include "controlplane/commands/control_command.h"
#include "controlplane/control_observer.h"
#include "controlplane/fleet/departures.h"
#include "controlplane/fleet/driver_orders.h"
#include "controlplane/fleet/instance.h"
#include "controlplane/fleet/instance_pool.h"
#include "controlplane/fleet/look_list.h"
#include "controlplane/fleet/planner.h"
#include "controlplane/fleet/running_config.h"
#include "controlplane/fleet/steering_publisher.h"
#include "controlplane/plan_runner.h"
#include "controlplane/service_record.h"
#include "controlplane/status_publisher.h"
#include "controlplane/telemetry/cold_start_book.h"
#include "controlplane/telemetry/status.h"
#include "controlplane/trace_recorder.h"
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
  DriverMap drivers;
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
  [[nodiscard]] bool all_gone() const { return pool_.all_absent(); }

  // Between two rounds; what follows from it begins with the next. Refused: an error, and nothing changed.
  [[nodiscard]] CommandAnswer execute(const ControlCommand& command, uint64_t now_ns);
  // The one that runs by now.
  [[nodiscard]] const Config& config() const { return *config_.now; }

  [[nodiscard]] const std::vector<Instance>& instances() const { return pool_.all(); }
  [[nodiscard]] std::string name_of(const Instance& instance) const;  // "hello/3/17"

 private:
  void take_load_records();
  void take_driver_events(uint64_t now_ns);
  void take_driver_event(Instance& instance, const DriverEvent& event, uint64_t now_ns);
  // One service: observe, decide, plan, and change the instances.
  void look_at(ServiceIndex index, uint64_t now_ns);
  void run(ServiceIndex index, uint64_t now_ns);
  void resize(ServiceIndex index, ServiceSnapshot& snapshot, uint64_t now_ns);
  void wind_down(ServiceIndex index, ServiceSnapshot& snapshot, uint64_t now_ns);
  void forget(ServiceIndex index);
  void resize_parts();
  // All that was planned.
  void publish_and_act();
  void publish();

  const ControlLinks links_;
  RunningConfig config_;
  std::vector<ServiceRecord> records_;  // by service
  InstancePool pool_;
  SteeringPublisher steering_;
  DriverOrders orders_;
  ColdStartBook cold_starts_;
  Departures departures_;
  PlanRunner runner_;
  LookList looks_;
  ControlObserver observer_;
  TraceRecorder trace_;
  StatusPublisher status_;
  CommandExecutor commands_;
  Plan plan_;          // of the service at hand
  bool busy_ = false;  // there was something to do in this round
  bool shutting_down_ = false;
};

}  // namespace cheshire
