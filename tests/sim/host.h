// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The machine below the control loop: the fake driver with a fate for each VM, the guests, and the one thread that
// serves all vhost-user sockets. It tells the workers that a port is up or gone, in the order of things, and as the real
// one (dataplane/port/vhost_server.h) waits for all of them when one is gone: nothing else happens on it meanwhile.
//
// As a Driver it hears every order of the control loop, and checks that none comes too early.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/worker/worker_group.h"
#include "hypervisor/fake/fake_driver.h"
#include "published.h"
#include "steering_table.h"
#include "tests/sim/guest.h"

namespace cheshire::sim {

struct HostLinks {
  WorkerGroup* workers = nullptr;
  const Published<SteeringTable>* steering = nullptr;
  std::function<const ServiceConfig&(SlotIndex)> service_of;  // whose slot it is
  // Whether every worker has passed the table in which its instance has the present role.
  std::function<bool(SlotIndex)> is_known;
};

class PlayedHost final : public Driver {
 public:
  PlayedHost(Scene& scene, size_t slots);
  void connect(HostLinks links) { links_ = std::move(links); }

  // All that is due by now.
  void act();
  [[nodiscard]] uint64_t due_ns() const;
  [[nodiscard]] bool is_busy() const;

  // Something goes wrong with some guest.
  void trouble();
  void heal();
  void kill(SlotIndex slot);
  [[nodiscard]] bool connected(SlotIndex slot) const { return slots_[slot.value].connected; }
  [[nodiscard]] size_t running() const { return driver_.running(); }
  [[nodiscard]] bool is_quiet() const { return vhost_.empty() && told_.empty(); }
  // Packets over all guests, those that are gone, too.
  [[nodiscard]] uint64_t packets_given() const;
  [[nodiscard]] uint64_t packets_sent() const;
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] std::string_view name() const override { return driver_.name(); }
  [[nodiscard]] std::string description() const override { return driver_.description(); }
  void boot(BootOrder order) override;
  [[nodiscard]] bool has_tiers() const override { return true; }
  void prepare(BootOrder order) override;
  void run(InstanceId id) override;
  void pause(InstanceId id) override;
  void stop(InstanceId id) override;
  [[nodiscard]] std::optional<VmUsage> usage(InstanceId id) override { return driver_.usage(id); }
  [[nodiscard]] std::optional<DriverEvent> next_event() override;

 private:
  struct Slot {
    Generation vm;            // whose process runs; 0: none
    bool connected = false;   // its process, or one that was, is at the socket
    bool up = false;          // … with its rings
    bool exit_known = false;  // the control loop has been told
    Individual* self = nullptr;
    std::unique_ptr<PlayedGuest> guest;
    uint64_t ill_at_ns = 0;  // 0: stays well
    uint64_t listens_after_ns = 0;
  };
  enum class Step : uint8_t { kConnect, kUp, kDown, kClose };
  struct SocketEvent {
    uint64_t time_ns;
    Step step;
    uint16_t slot;
    Generation generation;
    size_t sent = 0;  // to so many workers
  };
  struct Told {
    uint64_t time_ns;
    DriverEvent event;
  };

  void expect_order(const BootOrder& order, bool listed);
  void decide_fate(const BootOrder& order);
  void guest_up(const BootOrder& order);
  void take_driver_events();
  void serve_sockets();
  [[nodiscard]] bool serve(SocketEvent& event);
  [[nodiscard]] bool tell_workers(SocketEvent& event, const PortMessage& message);
  void later(Step step, uint16_t slot, Generation generation, uint64_t most_ns);
  void guest_falls_ill(Slot& slot);

  Scene& scene_;
  FakeDriver driver_;
  HostLinks links_;
  std::vector<Slot> slots_;
  std::deque<SocketEvent> vhost_;  // in order of time
  uint64_t downs_sent_ = 0;
  bool waits_for_workers_ = false;
  std::deque<Told> told_;  // by the driver, on their way to the control loop
  uint64_t given_before_ = 0;
  uint64_t sent_before_ = 0;
};

}  // namespace cheshire::sim
