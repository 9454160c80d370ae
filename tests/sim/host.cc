// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/host.h"

#include <algorithm>

namespace cheshire::sim {
namespace {

constexpr uint64_t kSocketDelayNs = 300 * kNsPerUs;

std::string name_of(InstanceId id) {
  return "slot " + std::to_string(id.slot.value) + ", generation " + std::to_string(id.generation.value);
}

}  // namespace

PlayedHost::PlayedHost(Scene& scene, size_t slots) : scene_(scene), slots_(slots) {
  driver_.advance_to(scene.now_ns());
  driver_.on_guest_up = [this](const BootOrder& order, uint64_t) { guest_up(order); };
}

// --- orders

void PlayedHost::expect_order(const BootOrder& order, bool listed) {
  Journal& journal = scene_.journal;
  const Slot& slot = slots_[order.id.slot.value];
  HOLDS(journal, slot.vm.value == 0, "nothing is started in a slot whose last process runs",
        name_of(order.id));
  HOLDS(journal, !slot.connected, "nothing is started in a slot whose last VM is connected",
        name_of(order.id));
  const SteeringSlot& at = links_.steering->latest()->value.slot(order.id.slot);
  HOLDS(journal, !listed || at.generation == order.id.generation,
        "nothing is booted before a steering table lists it", name_of(order.id));
  HOLDS(journal, listed || at.role == SlotRole::kEmpty, "a shell is in no steering table", name_of(order.id));
}

// How its boot goes, and what becomes of it.
void PlayedHost::decide_fate(const BootOrder& order) {
  Random& random = scene_.random;
  const GuestPlan& plan = scene_.plan.guests;
  const bool trouble = !scene_.calm;
  FakeScript script{.spawn_delay_ns = 1 + random.below(kNsPerMs),
                    .guest_up_after_ns = 1 + random.below(plan.up_max_ns),
                    .stop_delay_ns = random.below(10 * kNsPerMs),
                    .prepare_delay_ns = random.below(2 * kNsPerMs),
                    .pause_delay_ns = random.below(kNsPerMs),
                    .resume_delay_ns = random.below(kNsPerMs),
                    .cpu_millicores = static_cast<uint32_t>(random.below(1000))};
  if (trouble && random.percent(plan.boot_fails_percent)) {
    ++scene_.excuses;
    switch (random.below(3)) {
      case 0:
        script.start_failure = "played";
        scene_.covered.count(Event::k_boots_not_started);
        break;
      case 1:
        script.guest_up_after_ns = std::nullopt;
        scene_.covered.count(Event::k_boots_not_up);
        break;
      default:
        script.dies_after_ns = random.below(2 * plan.up_max_ns);
        if (*script.dies_after_ns <= *script.guest_up_after_ns) script.guest_up_after_ns = std::nullopt;
        scene_.covered.count(Event::k_boots_died_young);
    }
  } else if (trouble && random.percent(plan.crashes_percent)) {
    ++scene_.excuses;
    script.dies_after_ns = *script.guest_up_after_ns + 1 + random.spread(kNsPerMs, 500 * kNsPerMs);
    scene_.covered.count(Event::k_kills);
  }
  driver_.script_default(script);
  Slot& slot = slots_[order.id.slot.value];
  const ServiceConfig& service = links_.service_of(order.id.slot);
  if (slot.guest != nullptr) {
    given_before_ += slot.guest->packets_given();
    sent_before_ += slot.guest->packets_sent();
  }
  slot = {.vm = order.id.generation,
          .self = &scene_.book.add_instance(order.id, service.vip.value(), service.port.value())};
  slot.guest = std::make_unique<PlayedGuest>(scene_, *slot.self, service);
  slot.listens_after_ns = plan.listens_max_ns == 0 ? 0 : random.below(plan.listens_max_ns);
  if (trouble && random.percent(plan.falls_ill_percent)) {
    slot.ill_at_ns = scene_.now_ns() + random.spread(10 * kNsPerMs, 800 * kNsPerMs);
  }
  scene_.covered.count(Event::k_boots);
}

void PlayedHost::boot(BootOrder order) {
  scene_.journal.note(What::kBootOrder, order.id.slot.value, order.id.generation.value);
  expect_order(order, true);
  decide_fate(order);
  driver_.boot(std::move(order));
}

void PlayedHost::prepare(BootOrder order) {
  scene_.journal.note(What::kPrepareOrder, order.id.slot.value, order.id.generation.value);
  expect_order(order, false);
  decide_fate(order);
  driver_.prepare(std::move(order));
}

void PlayedHost::run(InstanceId id) {
  scene_.journal.note(What::kRunOrder, id.slot.value, id.generation.value);
  HOLDS(scene_.journal, links_.steering->latest()->value.slot(id.slot).generation == id.generation,
        "nothing is run before a steering table lists it", name_of(id));
  scene_.covered.count(slots_[id.slot.value].up ? Event::k_instances_resumed : Event::k_shells_run);
  driver_.run(id);
}

void PlayedHost::pause(InstanceId id) {
  scene_.journal.note(What::kPauseOrder, id.slot.value, id.generation.value);
  const auto* newest = links_.steering->latest();
  HOLDS(scene_.journal, newest->value.slot(id.slot).role == SlotRole::kStandby,
        "nothing is paused that a steering table shows as running", name_of(id));
  scene_.covered.count(Event::k_instances_paused);
  driver_.pause(id);
}

void PlayedHost::stop(InstanceId id) {
  scene_.journal.note(What::kStopOrder, id.slot.value, id.generation.value);
  const auto* newest = links_.steering->latest();
  HOLDS(scene_.journal, !(newest->value.slot(id.slot).generation == id.generation),
        "nothing is stopped while a steering table lists it", name_of(id));
  HOLDS(scene_.journal, links_.is_known(id.slot), "nothing is stopped before every worker knows that it goes",
        name_of(id));
  scene_.covered.count(Event::k_stops);
  Slot& slot = slots_[id.slot.value];
  if (slot.vm == id.generation) slot.self->gone = true;
  driver_.stop(id);
}

std::optional<DriverEvent> PlayedHost::next_event() {
  if (told_.empty() || told_.front().time_ns > scene_.now_ns()) return std::nullopt;
  DriverEvent event = std::move(told_.front().event);
  told_.pop_front();
  Slot& slot = slots_[event.id.slot.value];
  if (event.kind == DriverEventKind::kExited && slot.self != nullptr && slot.self->id == event.id) {
    slot.exit_known = true;
    if (!slot.connected) scene_.covered.count(Event::k_downs_seen_first);
  }
  return event;
}

// --- what happens below

void PlayedHost::guest_up(const BootOrder& order) {
  Slot& slot = slots_[order.id.slot.value];
  if (!(slot.vm == order.id.generation)) return;
  if (slot.up) return slot.guest->run(slot.listens_after_ns);  // resumed, its device stayed
  if (!slot.connected) later(Step::kConnect, order.id.slot.value, slot.vm, kSocketDelayNs);
  later(Step::kUp, order.id.slot.value, slot.vm, kSocketDelayNs);
}

void PlayedHost::later(Step step, uint16_t slot, Generation generation, uint64_t most_ns) {
  uint64_t time_ns = scene_.now_ns() + scene_.random.below(most_ns);
  if (!vhost_.empty()) time_ns = std::max(time_ns, vhost_.back().time_ns);
  vhost_.push_back({.time_ns = time_ns, .step = step, .slot = slot, .generation = generation});
}

void PlayedHost::take_driver_events() {
  driver_.advance_to(scene_.now_ns());
  while (std::optional<DriverEvent> event = driver_.next_event()) {
    const InstanceId id = event->id;
    scene_.journal.note(What::kDriverTells, id.slot.value, id.generation.value,
                        static_cast<uint64_t>(event->kind));
    Slot& slot = slots_[id.slot.value];
    switch (event->kind) {
      case DriverEventKind::kSpawned:
      case DriverEventKind::kPrepared:
        if (!slot.connected && scene_.random.percent(50))
          later(Step::kConnect, id.slot.value, slot.vm, kSocketDelayNs);
        break;
      case DriverEventKind::kPaused:
        slot.guest->pause();
        if (scene_.plan.guests.down_when_paused) later(Step::kDown, id.slot.value, slot.vm, kSocketDelayNs);
        break;
      case DriverEventKind::kExited:
        slot.vm = {};
        slot.self->gone = true;
        slot.guest->pause();
        // Its descriptors are closed by the kernel; whether the sockets' thread or the driver sees it first is open.
        later(Step::kDown, id.slot.value, id.generation, 2 * kNsPerMs);
        later(Step::kClose, id.slot.value, id.generation, kSocketDelayNs);
        break;
    }
    uint64_t time_ns = scene_.now_ns() + (scene_.random.percent(50) ? 0 : scene_.random.below(3 * kNsPerMs));
    if (!told_.empty()) time_ns = std::max(time_ns, told_.back().time_ns);
    told_.push_back({time_ns, std::move(*event)});
  }
}

bool PlayedHost::tell_workers(SocketEvent& event, const PortMessage& message) {
  const auto rings = links_.workers->port_messages();
  while (event.sent < rings.size() && rings[event.sent]->push(message)) ++event.sent;
  return event.sent == rings.size();
}

// Whether it is done; if not, the thread stands.
bool PlayedHost::serve(SocketEvent& event) {
  Slot& slot = slots_[event.slot];
  const bool current = slot.self != nullptr && slot.self->id.generation == event.generation;
  switch (event.step) {
    case Step::kConnect:
      if (current && slot.vm == event.generation) slot.connected = true;
      return true;
    case Step::kUp:
      if (!current || !(slot.vm == event.generation) || slot.up) return true;
      slot.connected = true;
      if (!tell_workers(event, {.kind = PortMessage::Kind::kUp,
                                .slot = event.slot,
                                .port = slot.guest.get(),
                                .connected_ns = scene_.now_ns(),
                                .ring_up_ns = scene_.now_ns()})) {
        return false;
      }
      slot.up = true;
      slot.guest->open();
      slot.guest->run(slot.listens_after_ns);
      scene_.journal.note(What::kPortUp, event.slot, event.generation.value);
      return true;
    case Step::kDown:
      if (!current || !slot.up) return true;
      if (!tell_workers(event, {.kind = PortMessage::Kind::kDown, .slot = event.slot})) return false;
      if (!waits_for_workers_) ++downs_sent_;
      waits_for_workers_ = links_.workers->downs_acknowledged() < downs_sent_;
      if (waits_for_workers_) return false;
      slot.up = false;
      slot.guest->close();
      scene_.port_went_down = true;
      if (slot.vm.value == 0) {
        if (slot.exit_known) scene_.covered.count(Event::k_downs_seen_late);
        // The library frees the device now.
        given_before_ += slot.guest->packets_given();
        sent_before_ += slot.guest->packets_sent();
        slot.guest.reset();
      }
      scene_.journal.note(What::kPortDown, event.slot, event.generation.value);
      return true;
    case Step::kClose:
      if (current) slot.connected = false;
      return true;
  }
  return true;
}

void PlayedHost::serve_sockets() {
  while (!vhost_.empty() && vhost_.front().time_ns <= scene_.now_ns() && serve(vhost_.front()))
    vhost_.pop_front();
}

void PlayedHost::act() {
  take_driver_events();
  serve_sockets();
  for (Slot& slot : slots_) {
    if (slot.guest == nullptr) continue;
    if (slot.ill_at_ns != 0 && scene_.now_ns() >= slot.ill_at_ns) guest_falls_ill(slot);
    slot.guest->act();
  }
}

void PlayedHost::guest_falls_ill(Slot& slot) {
  slot.ill_at_ns = 0;
  if (scene_.calm) return;
  constexpr std::pair<PlayedGuest::Health, Event> kIlls[] = {
      {PlayedGuest::Health::kSlow, Event::k_guests_slow},
      {PlayedGuest::Health::kSilent, Event::k_guests_silent},
      {PlayedGuest::Health::kStuck, Event::k_guests_stuck},
      {PlayedGuest::Health::kMad, Event::k_guests_mad}};
  const auto& [health, event] = kIlls[scene_.random.below(4)];
  slot.guest->becomes(health);
  scene_.covered.count(event);
}

void PlayedHost::trouble() {
  Slot& slot = scene_.random.one_of(slots_);
  if (slot.vm.value == 0 || slot.guest == nullptr) return;
  if (scene_.random.percent(scene_.plan.guests.falls_ill_percent)) return guest_falls_ill(slot);
  if (!scene_.random.percent(scene_.plan.guests.crashes_percent)) return;
  scene_.covered.count(Event::k_kills);
  ++scene_.excuses;
  driver_.crash({slot.self->id});
}

// Who is still ill dies, as nobody else would end it where health.silent_after is 0.
void PlayedHost::heal() {
  for (Slot& slot : slots_) {
    slot.ill_at_ns = 0;
    if (slot.vm.value != 0) driver_.crash({slot.self->id});
  }
  ++scene_.excuses;
}

uint64_t PlayedHost::due_ns() const {
  uint64_t due = driver_.next_due_ns().value_or(UINT64_MAX);
  if (!vhost_.empty()) due = std::min(due, std::max(vhost_.front().time_ns, scene_.now_ns() + 10 * kNsPerUs));
  if (!told_.empty()) due = std::min(due, told_.front().time_ns);
  for (const Slot& slot : slots_) {
    if (slot.guest == nullptr) continue;
    due = std::min(due, slot.guest->due_ns());
    if (slot.ill_at_ns != 0) due = std::min(due, slot.ill_at_ns);
  }
  return due;
}

bool PlayedHost::is_busy() const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.guest != nullptr && slot.guest->is_busy(); });
}

uint64_t PlayedHost::packets_given() const {
  uint64_t sum = given_before_;
  for (const Slot& slot : slots_) sum += slot.guest == nullptr ? 0 : slot.guest->packets_given();
  return sum;
}

uint64_t PlayedHost::packets_sent() const {
  uint64_t sum = sent_before_;
  for (const Slot& slot : slots_) sum += slot.guest == nullptr ? 0 : slot.guest->packets_sent();
  return sum;
}

std::string PlayedHost::describe() const {
  std::string words;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    words += " " + std::to_string(i) + ":" + (slot.vm.value != 0 ? "vm" : "-") +
             (slot.connected ? "+c" : "") + (slot.up ? "+u" : "");
  }
  return words;
}

}  // namespace cheshire::sim
