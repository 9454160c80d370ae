// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/control_stage.h"

#include <gtest/gtest.h>

#include "log.h"

namespace cheshire::test {

void ControlStage::Overheard::boot(BootOrder order) {
  Slot& slot = stage_.slots_[order.id.slot.value];
  EXPECT_EQ(slot.vm.value, 0U) << order.name << " was ordered while the slot's last process runs";
  EXPECT_FALSE(slot.connected) << order.name << " was ordered while the slot's last VM is connected";
  EXPECT_EQ(stage_.listed(order.id.slot.value).generation, order.id.generation)
      << order.name << " was ordered before a table lists it";
  slot.vm = order.id.generation;
  stage_.driver_.boot(std::move(order));
}

void ControlStage::Overheard::prepare(BootOrder order) {
  Slot& slot = stage_.slots_[order.id.slot.value];
  EXPECT_EQ(slot.vm.value, 0U) << order.name << " was prepared while the slot's last process runs";
  EXPECT_EQ(stage_.listed(order.id.slot.value).role, SlotRole::kEmpty) << "a shell is in no table";
  slot.vm = order.id.generation;
  stage_.driver_.prepare(std::move(order));
}

void ControlStage::Overheard::run(InstanceId id) {
  EXPECT_EQ(stage_.listed(id.slot.value).generation, id.generation) << "it was run before a table lists it";
  stage_.driver_.run(id);
}

void ControlStage::Overheard::pause(InstanceId id) {
  EXPECT_EQ(stage_.slots_[id.slot.value].role, SlotRole::kStandby)
      << "it was paused while a worker still counted on it";
  EXPECT_EQ(stage_.listed(id.slot.value).role, SlotRole::kStandby) << "it was paused though no table says so";
  stage_.driver_.pause(id);
}

std::optional<DriverEvent> ControlStage::Overheard::next_event() {
  std::optional<DriverEvent> event = stage_.driver_.next_event();
  if (event && event->kind == DriverEventKind::kExited) {
    Slot& slot = stage_.slots_[event->id.slot.value];
    slot.vm = {};
    slot.up = false;
    if (!slot.connection_kept) slot.connected = false;
  }
  return event;
}

ControlStage::ControlStage(Config config, const std::string& trace_file)
    : config_(std::move(config)),
      board_(config_.slots(), config_.services_made(), config_.workers()),
      steering_(std::make_unique<Published<SteeringTable>>(config_.workers())),
      slots_(config_.slots()) {
  log::set_level("off");
  if (!trace_file.empty()) {
    EXPECT_TRUE(trace_.write_to(trace_file, kGiB).ok());
  }
  driver_.advance_to(now_ns_);
  driver_.on_guest_up = [this](const BootOrder& order, uint64_t time_ns) {
    Slot& slot = slots_[order.id.slot.value];
    slot.connected = true;
    slot.up = true;
    load(order.id.slot.value).connected_ns.set(time_ns - kNsPerMs);
    load(order.id.slot.value).ring_up_ns.set(time_ns);
  };
  control_ = std::make_unique<ControlLoop>(
      config_,
      ControlLinks{.board = &board_,
                   .load_rings = {&load_ring_},
                   .steering = steering_.get(),
                   .status = &status_,
                   .drivers = {{DriverKind::kAuto, &overheard_}, {DriverKind::kFake, &overheard_}},
                   .connected =
                       [this](SlotIndex slot) {
                         const Slot& at = slots_[slot.value];
                         return at.connected || at.connection_kept;
                       },
                   .vhost_socket = [](SlotIndex slot) { return "/slot-" + std::to_string(slot.value); },
                   .trace = &trace_});
}

// --- time ---

void ControlStage::tick() {
  driver_.advance_to(now_ns_);
  worker_turn();
  control_->tick(now_ns_);
  worker_turn();
}

void ControlStage::advance(uint64_t ns) {
  const uint64_t end_ns = now_ns_ + ns;
  tick();
  while (now_ns_ < end_ns) {
    now_ns_ = std::min(now_ns_ + kTickNs, end_ns);
    tick();
  }
}

void ControlStage::jump(uint64_t ns) {
  now_ns_ += ns;
  tick();
}

// --- the data plane ---

void ControlStage::worker_turn() {
  if (!worker_runs_ || steering_->latest() == nullptr) return;
  const auto& table = *steering_->latest();
  for (uint16_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    const Generation wanted = table.value.slot(SlotIndex{index}).generation;
    if (!(slot.listed == wanted)) {
      load(index).in_flight.set(0);
      load(index).unanswered_since_ns.set(0);
      slot.listed = wanted;
    }
    const SlotRole role = table.value.slot(SlotIndex{index}).role;
    if (role == SlotRole::kStandby && slot.role != role) {
      load(index).ready_generation.publish(0);
      load(index).wake_since_ns.set(0);
      load(index).unanswered_since_ns.set(0);
    }
    slot.role = role;
    load(index).attached_generation.publish(is_attached(index) ? slot.listed.value : 0);
  }
  for (size_t reader = 0; reader < config_.workers(); ++reader) steering_->pass(reader, table.version);
}

bool ControlStage::is_attached(uint16_t index) const {
  const Slot& slot = slots_[index];
  return slot.up && slot.listed.value != 0 && slot.listed == slot.vm &&
         board_.slot(SlotIndex{index}).dead_generation.get() != slot.listed.value;
}

void ControlStage::syns_wait(uint32_t count, uint16_t service) {
  ServiceLoad& at = board_.service(ServiceIndex{service});
  at.waiting_syns.set(count);
  at.waiting_since_ns.set(count == 0 ? 0 : now_ns_);
}

void ControlStage::answers(uint16_t slot) {
  ASSERT_TRUE(is_attached(slot)) << "slot " << slot << ": " << states();
  ServiceLoad& service = board_.service(instance(slot).service);
  SlotLoad& at = load(slot);
  at.syn_seen_ns.set(service.waiting_since_ns.get());
  at.syn_delivered_ns.set(now_ns_);
  at.syn_ack_ns.set(now_ns_);
  at.on_wire_ns.set(now_ns_);
  at.unanswered_since_ns.set(0);
  has_flows(slot, at.in_flight.get() + service.waiting_syns.get());
  service.waiting_syns.set(0);
  service.waiting_since_ns.set(0);
  at.ready_generation.publish(instance(slot).id.generation.value);
}

void ControlStage::has_flows(uint16_t slot, uint64_t in_flight) {
  SlotLoad& at = load(slot);
  const uint64_t before = at.in_flight.get();
  if (in_flight > before) at.flows_opened.add(in_flight - before);
  if (in_flight < before) at.flows_closed.add(before - in_flight);
  at.in_flight.set(in_flight);
}

void ControlStage::gets_a_syn(uint16_t slot) {
  has_flows(slot, load(slot).in_flight.get() + 1);
  load(slot).unanswered_since_ns.set(now_ns_);
}

void ControlStage::answers_a_probe(uint16_t slot) {
  ASSERT_TRUE(is_attached(slot)) << "slot " << slot << ": " << states();
  load(slot).syn_seen_ns.set(0);
  load(slot).unanswered_since_ns.set(0);
  load(slot).ready_generation.publish(instance(slot).id.generation.value);
}

void ControlStage::moves_packets(uint16_t slot) {
  load(slot).packets_to_guest.increment();
}

void ControlStage::is_woken(uint16_t slot) {
  load(slot).wake_since_ns.set(now_ns_);
}

void ControlStage::port_dies(uint16_t slot) {
  load(slot).dead_generation.publish(slots_[slot].listed.value);
  load(slot).attached_generation.publish(0);
  load(slot).in_flight.set(0);
  slots_[slot].up = false;
  slots_[slot].connected = false;
}

void ControlStage::keep_connected(uint16_t slot, bool keep) {
  slots_[slot].connection_kept = keep;
  if (!keep && slots_[slot].vm.value == 0) slots_[slot].connected = false;
}

// --- what the control loop says ---

std::string ControlStage::states() const {
  std::string words;
  for (const Instance& instance : control_->instances()) {
    if (!words.empty()) words += ' ';
    words += to_string(instance.state);
  }
  return words;
}

std::shared_ptr<const Status> ControlStage::status() {
  advance(10 * kNsPerMs);  // it is shown every few milliseconds
  return status_.latest();
}

}  // namespace cheshire::test
