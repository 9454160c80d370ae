// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The stage on which the real control loop plays: a fake driver, made-up time, and a data plane that the test
// plays by writing the load board. What a worker does by itself is done here too: it takes each steering
// table, attaches an instance whose rings are up and which the table lists, and forgets one that the table no
// longer lists.
//
//   ControlStage stage(one_service({.instances_max = 3, .in_flight_soft = 4}));
//   stage.syns_wait(1);
//   stage.advance(12 * kNsPerMs);     // its guest is up 11 ms after the boot order, see fake_driver.h
//   stage.answers(0);
//   EXPECT_EQ(stage.states(), "active absent absent");
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/control_loop.h"
#include "hypervisor/fake/fake_driver.h"

namespace cheshire::test {

[[nodiscard]] inline ServiceConfig service_config(ServiceConfig service) {
  service.name = "web";
  service.vip = be32(0xc000020a);
  service.port = be16(80);
  service.guest_ip = be32(0x0a000002);
  service.guest_port = be16(8080);
  return service;
}

[[nodiscard]] inline Config one_service(const ServiceConfig& service) {
  Config config;
  config.name = "test";
  config.spare = {.services = 0, .slots = 0};
  config.images.push_back({.name = "image", .kernel = "/kernel", .command_line = "port={guest_port}"});
  config.services.push_back(service_config(service));
  return config;
}

class ControlStage {
 public:
  static constexpr uint64_t kTickNs = 100 * kNsPerUs;

  // `trace_file`: where decisions go besides; none: kept in memory only.
  explicit ControlStage(Config config, const std::string& trace_file = {});

  // --- time ---
  void tick();
  void advance(uint64_t ns);
  void jump(uint64_t ns);  // with one round at the end instead of one every kTickNs
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }

  // --- the data plane ---
  void syns_wait(uint32_t count, uint16_t service = 0);
  // The instance answers its first SYN: it is ready, and each waiting SYN becomes a flow of it.
  void answers(uint16_t slot);
  void has_flows(uint16_t slot, uint64_t in_flight);
  void gets_a_syn(uint16_t slot);  // a flow that it does not answer
  // It answers the worker's own probe: ready, and no flow.
  void answers_a_probe(uint16_t slot);
  void moves_packets(uint16_t slot);
  void is_woken(uint16_t slot);  // a packet came for a flow of it while it was on standby
  void port_dies(uint16_t slot);
  // A worker that does not run takes no tables.
  void stop_worker() { worker_runs_ = false; }
  void start_worker() { worker_runs_ = true; }
  // The vhost-user connection outlives the process.
  void keep_connected(uint16_t slot, bool keep = true);
  [[nodiscard]] bool is_attached(uint16_t slot) const;

  // --- what the control loop says ---
  [[nodiscard]] std::string states() const;  // "active draining absent", by slot
  [[nodiscard]] const Instance& instance(uint16_t slot) const { return control_->instances()[slot]; }
  [[nodiscard]] const SteeringTable& table() const { return steering_->latest()->value; }
  [[nodiscard]] const SteeringSlot& listed(uint16_t slot) const { return table().slot(SlotIndex{slot}); }
  [[nodiscard]] std::shared_ptr<const Status> status();  // of now
  [[nodiscard]] ControlLoop& control() { return *control_; }
  [[nodiscard]] FakeDriver& driver() { return driver_; }
  [[nodiscard]] LoadBoard& board() { return board_; }
  [[nodiscard]] SpscRing<LoadRecord>& load_ring() { return load_ring_; }
  [[nodiscard]] const DecisionTrace& trace() const { return trace_; }
  [[nodiscard]] SlotLoad& load(uint16_t slot) { return board_.slot(SlotIndex{slot}); }
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  // Tells the stage what it tells the control loop.
  class Overheard final : public Driver {
   public:
    explicit Overheard(ControlStage& stage) : stage_(stage) {}
    [[nodiscard]] std::string_view name() const override { return stage_.driver_.name(); }
    [[nodiscard]] std::string description() const override { return stage_.driver_.description(); }
    void boot(BootOrder order) override;
    [[nodiscard]] bool has_tiers() const override { return true; }
    void prepare(BootOrder order) override;
    void run(InstanceId id) override;
    void pause(InstanceId id) override;
    void stop(InstanceId id) override { stage_.driver_.stop(id); }
    [[nodiscard]] std::optional<VmUsage> usage(InstanceId id) override { return stage_.driver_.usage(id); }
    [[nodiscard]] std::optional<DriverEvent> next_event() override;

   private:
    ControlStage& stage_;
  };
  struct Slot {
    Generation vm;                     // whose process runs, 0: none
    Generation listed;                 // by the newest table that the worker took
    SlotRole role = SlotRole::kEmpty;  // likewise
    bool up = false;                   // its guest's rings are
    bool connected = false;
    bool connection_kept = false;
  };

  void worker_turn();

  const Config config_;
  uint64_t now_ns_ = kNsPerSecond;
  FakeDriver driver_;
  Overheard overheard_{*this};
  LoadBoard board_;
  SpscRing<LoadRecord> load_ring_{64};
  std::unique_ptr<Published<SteeringTable>> steering_;
  StatusBoard status_;
  DecisionTrace trace_;
  std::vector<Slot> slots_;
  bool worker_runs_ = true;
  std::unique_ptr<ControlLoop> control_;
};

}  // namespace cheshire::test
