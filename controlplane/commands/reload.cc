// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/commands/reload.h"

#include <algorithm>
#include <vector>

#include "controlplane/commands/control_command.h"
#include "controlplane/config/command_line.h"
#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

bool is_free(const ServiceConfig& service) {
  return service.removed && service.name.empty();
}
bool listens_alike(const ServiceConfig& a, const ServiceConfig& b) {
  return a.vip == b.vip && a.port == b.port;
}

class Merge {
 public:
  Merge(const ReloadFacts& facts, const Config& file) : facts_(facts), file_(file), next_(file) {
    next_.services = facts.running.services;
  }

  Result<Config> run() {
    check_what_stays();
    check_drivers();
    place_services();
    remove_the_others();
    check_slots();
    if (errors_.empty()) return std::move(next_);
    return Error{ErrorCode::kInvalidArgument, "nothing was changed:" + errors_};
  }

 private:
  void error(const std::string& key, const std::string& what) { errors_ += "\n" + key + ": " + what; }

  void check_what_stays() {
    const Config& now = facts_.running;
    struct Fixed {
      const char* key;
      bool same;
    };
    const Fixed kFixed[] = {{"name", now.name == file_.name},
                            {"runtime_dir", now.runtime_dir == file_.runtime_dir},
                            {"held_syns_max", now.held_syns_max == file_.held_syns_max},
                            {"eal", now.eal == file_.eal},
                            {"nic", now.nic == file_.nic},
                            {"worker", now.worker == file_.worker},
                            {"spare", now.spare == file_.spare}};
    for (const Fixed& fixed : kFixed) {
      if (!fixed.same)
        error(fixed.key, "cannot change while the daemon runs; restart it, or take the change back");
    }
  }

  void check_drivers() {
    for (const ImageConfig& image : file_.images) {
      if (facts_.drivers.contains(image.driver)) continue;
      error(
          "images." + image.name + ".driver",
          "no image had this driver at start, so none was started; restart the daemon, or take another one");
    }
  }

  // The index that a service of the file has had so far; kNobodys.
  [[nodiscard]] ServiceIndex known_as(const ServiceConfig& wanted) const {
    const auto& services = facts_.running.services;
    for (uint16_t index = 0; index < services.size(); ++index) {
      if (!is_free(services[index]) && services[index].name == wanted.name) return ServiceIndex{index};
    }
    for (uint16_t index = 0; index < services.size(); ++index) {
      if (!is_free(services[index]) && listens_alike(services[index], wanted)) return ServiceIndex{index};
    }
    return kNobodys;
  }

  void place_services() {
    placed_.assign(next_.services.size(), false);
    std::vector<const ServiceConfig*> fresh;
    for (const ServiceConfig& service : file_.services) {
      const ServiceIndex index = known_as(service);
      if (index == kNobodys || placed_[index.value]) {
        fresh.push_back(&service);
        continue;
      }
      const ServiceConfig& before = facts_.running.services[index.value];
      const std::string key = "services." + service.name;
      if (!listens_alike(before, service)) {
        error(key + ".listen",
              "cannot change while its connections are open; give the new address a service "
              "of another name, or restart the daemon");
      } else if (!(before.guest_ip == service.guest_ip) || !(before.guest_port == service.guest_port)) {
        error(key + ".guest", "cannot change while its connections are open; restart the daemon");
      } else if (owner_of(before, index) != owner_of(service, index)) {
        error(key + ".worker", "cannot change while its connections are open; give it back worker " +
                                   std::to_string(owner_of(before, index)) + ", or restart the daemon");
      }
      put(index.value, service);
    }
    for (const ServiceConfig* service : fresh) place_new(*service);
  }

  [[nodiscard]] uint32_t owner_of(const ServiceConfig& service, ServiceIndex index) const {
    return service.worker == kAnyWorker ? index.value % next_.workers() : service.worker;
  }

  void place_new(const ServiceConfig& service) {
    size_t index = 0;
    const auto may_have = [&](size_t at) {
      return !placed_[at] && is_free(next_.services[at]) &&
             !facts_.not_free_yet.contains(static_cast<uint16_t>(at));
    };
    while (index < next_.services.size() && !may_have(index)) ++index;
    if (index == facts_.services_made) {
      return error("services." + service.name,
                   "there is no room for one more service: " + std::to_string(facts_.services_made) +
                       " were made at start; raise spare.services and restart");
    }
    if (index == next_.services.size()) {
      next_.services.emplace_back();
      placed_.push_back(false);
    }
    put(index, service);
  }

  void put(size_t index, const ServiceConfig& service) {
    next_.services[index] = service;
    placed_[index] = true;
  }

  void remove_the_others() {
    for (size_t index = 0; index < next_.services.size(); ++index) {
      ServiceConfig& service = next_.services[index];
      if (placed_[index] || is_free(service)) continue;
      service.removed = true;
      service.instances_min = 0;
      service.instances_max = 0;
      service.shells = 0;
      service.standby = 0;
      service.policies.clear();
      service.image = keep_image(facts_.running.images[service.image]);
    }
  }

  // For as long as an instance of it is shown.
  uint32_t keep_image(const ImageConfig& image) {
    for (uint32_t index = 0; index < next_.images.size(); ++index) {
      if (next_.images[index].name == image.name) return index;
    }
    next_.images.push_back(image);
    return static_cast<uint32_t>(next_.images.size() - 1);
  }

  void check_slots() {
    if (next_.instances_most() <= facts_.slots) return;
    error("services", "instances.max over all services is " + std::to_string(next_.instances_most()) +
                          ", and " + std::to_string(facts_.slots) +
                          " slots were made at start; lower some max, or raise spare.slots and restart");
  }

  const ReloadFacts& facts_;
  const Config& file_;
  Config next_;
  std::vector<bool> placed_;  // by index: a service of the file has it
  std::string errors_;
};

std::string counted(const char* sign, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return std::string(" ") + sign + std::to_string(names.size()) + " (" + list + ")";
}

}  // namespace

Result<Config> reloaded(const ReloadFacts& facts, const Config& file) {
  return Merge(facts, file).run();
}

bool boots_otherwise(const Config& before, const Config& after, ServiceIndex service) {
  const ServiceConfig& old_service = before.services[service.value];
  const ServiceConfig& new_service = after.services[service.value];
  const ImageConfig& old_image = before.images[old_service.image];
  const ImageConfig& new_image = after.images[new_service.image];
  return old_image.kernel != new_image.kernel || old_image.file_stamp != new_image.file_stamp ||
         old_image.memory_bytes != new_image.memory_bytes || old_image.driver != new_image.driver ||
         old_image.accelerator != new_image.accelerator ||
         expand_command_line(old_image, old_service) != expand_command_line(new_image, new_service);
}

std::string describe_change(const Config& before, const Config& after) {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> rebooted;
  for (uint16_t index = 0; index < after.services.size(); ++index) {
    const ServiceConfig& now = after.services[index];
    const bool was = index < before.services.size() && !before.services[index].removed;
    if (!was && !now.removed) added.push_back(now.name);
    if (was && now.removed) removed.push_back(now.name);
    if (was && !now.removed && boots_otherwise(before, after, ServiceIndex{index}))
      rebooted.push_back(now.name);
  }
  std::string text;
  text += counted("added ", added);
  text += counted("removed ", removed);
  text += counted("with another image ", rebooted);
  return text.empty() ? "no service came, went, or changed its image" : "services:" + text;
}

}  // namespace cheshire
