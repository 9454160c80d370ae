// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "controlplane/config/command_line.h"
#include "controlplane/config/config_values.h"
#include "handle.h"

namespace cheshire {
namespace {

constexpr uint64_t kCpuMax = 1023;

// Everything that a check looks at and reports to.
struct Checked {
  ConfigDraft& draft;
  const KeyPlaces& places;
  ProblemList& problems;

  void error(const std::string& path, std::string message) const {
    problems.error(places.nearest(path), path, std::move(message));
  }
  void warning(const std::string& path, std::string message) const {
    problems.warning(places.nearest(path), path, std::move(message));
  }
  [[nodiscard]] bool usable(const std::string& a, const std::string& b) const {
    return places.usable(a) && places.usable(b);
  }
};

// What is wrong with an image file, or empty. Opens without waiting, as it may be a pipe. `stamp` becomes what
// tells this file from another one at the same path.
std::string image_file_fault(const std::string& path, uint64_t& stamp) {
  const std::string seen_as = in_quotes(path);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) {
    const std::string reason = std::strerror(errno);
    return seen_as + " cannot be read: " + reason +
           "; build the image, or correct the path (relative ones start at the config file's directory)";
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return seen_as + " is not a regular file; write the path of an ELF file";
  }
  stamp = static_cast<uint64_t>(status.st_mtim.tv_sec) * kNsPerSecond +
          static_cast<uint64_t>(status.st_mtim.tv_nsec) + status.st_ino +
          static_cast<uint64_t>(status.st_size);
  char magic[4] = {};
  if (::read(file.get(), magic, sizeof magic) != 4 || std::memcmp(magic, "\177ELF", 4) != 0) {
    return seen_as +
           " is not an ELF file; a unikernel image with a PVH entry is wanted, no bzImage or archive";
  }
  return "";
}

void check_images(const Checked& checked, const FileChecks& files) {
  struct Look {
    std::string fault;
    uint64_t stamp = 0;
  };
  std::unordered_map<std::string, Look> looks;  // each file is looked at once
  for (ImageConfig& image : checked.draft.images) {
    const std::string path = "images." + image.name;
    const std::string kernel_key = path + ".kernel";
    if (const Result<void> fine = check_command_line(image.command_line); !fine.ok()) {
      checked.error(path + ".command_line", fine.error().what);
    }
    if (image.kernel.empty() || !checked.places.usable(kernel_key)) continue;
    image.kernel = (std::filesystem::path(files.base_dir) / image.kernel).lexically_normal().string();
    // The fake driver boots nothing.
    if (!files.look || image.driver == DriverKind::kFake) continue;
    auto [found, fresh] = looks.try_emplace(image.kernel);
    Look& look = found->second;
    if (fresh) look.fault = image_file_fault(image.kernel, look.stamp);
    image.file_stamp = look.stamp;
    if (!look.fault.empty()) checked.error(kernel_key, look.fault);
  }
}

void resolve_image_names(const Checked& checked) {
  std::vector<std::string_view> names;
  std::unordered_map<std::string_view, uint32_t> index;
  for (const ImageConfig& image : checked.draft.images) {
    index.emplace(image.name, static_cast<uint32_t>(names.size()));
    names.push_back(image.name);
  }
  std::unordered_set<std::string_view> used;
  for (ServiceDraft& draft : checked.draft.services) {
    const std::string key = "services." + draft.config.name + ".image";
    if (draft.image_name.empty()) continue;
    used.insert(draft.image_name);
    if (const auto found = index.find(draft.image_name); found != index.end()) {
      draft.config.image = found->second;
    } else if (checked.places.usable("images." + printable(draft.image_name))) {
      checked.error(key, "there is no image " + in_quotes(draft.image_name) +
                             did_you_mean(draft.image_name, names) + "; write a name from images");
    }
  }
  for (const std::string_view name : names) {
    if (used.contains(name)) continue;
    checked.warning("images." + std::string(name),
                    "no service uses this image; remove it, or name it in one");
  }
}

// The guest's gateway lies in its /24, whose first and last address are no host's.
void check_guest_address(const Checked& checked, ServiceConfig& service, const std::string& path) {
  const bool mapped = checked.places.given(path + ".guest");
  if (!mapped) {
    service.guest_ip = service.vip;
    service.guest_port = service.port;
  }
  const std::string key = path + (mapped ? ".guest" : ".listen");
  if (!checked.places.usable(key)) return;
  const uint32_t last = service.guest_ip.value() & 0xff;
  if (last != 0 && last != 255) return;
  checked.error(key, format_ipv4(service.guest_ip) +
                         " is the network or broadcast address of the guest's /24; write another one" +
                         (mapped ? "" : ", or a guest address of its own (guest: 10.0.0.2:8080)"));
}

void check_listen_overlap(const Checked& checked) {
  std::unordered_map<uint64_t, std::string> taken;
  for (const ServiceDraft& draft : checked.draft.services) {
    const ServiceConfig& service = draft.config;
    const std::string key = "services." + service.name + ".listen";
    if (!checked.places.usable(key)) continue;
    const uint64_t endpoint = uint64_t{service.vip.value()} << 16 | service.port.value();
    const auto [first, fresh] = taken.emplace(endpoint, key);
    if (fresh) continue;
    checked.error(key, format_endpoint(service.vip, service.port) + " is already " + first->second +
                           " (line " + std::to_string(checked.places.nearest(first->second).line) +
                           "); write another address or port");
  }
}

void check_overload(const Checked& checked, ServiceConfig& service, const std::string& path) {
  const std::string soft = path + ".in_flight.soft";
  const std::string hard = path + ".in_flight.hard";
  const bool is_number = service.in_flight_hard != kHardNone && service.in_flight_hard != kHardAuto;
  if (checked.usable(soft, hard) && is_number && service.in_flight_soft > service.in_flight_hard) {
    if (checked.places.given(soft)) {
      checked.error(soft, std::to_string(service.in_flight_soft) + " is more than in_flight.hard, " +
                              std::to_string(service.in_flight_hard) +
                              ", so no instance ever has so many connections; lower soft or raise hard");
    } else {
      service.in_flight_soft = service.in_flight_hard;
    }
  }
  const std::string action = path + ".overload.action";
  if (!checked.usable(action, path + ".listen")) return;
  const bool http = service.overload.action == OverloadAction::kHttp503;
  const uint16_t port = service.port.value();
  if (http && (port == 443 || port == 8443)) {
    checked.error(action, "http503 answers in plain HTTP, and port " + std::to_string(port) +
                              " is for TLS, whose clients would see a broken connection; write reset");
  }
  for (const char* key : {".overload.retry_after", ".overload.retry_jitter", ".overload.body"}) {
    if (http || !checked.places.given(path + key)) continue;
    checked.warning(path + key, "has no effect: only overload.action http503 answers with it");
  }
}

void check_limits(const Checked& checked, ServiceConfig& service, const std::string& path) {
  const Config& config = checked.draft.config;
  const std::string min = path + ".instances.min";
  const std::string max = path + ".instances.max";
  if (checked.usable(min, max) && service.instances_min > service.instances_max) {
    checked.error(checked.places.given(min) ? min : max,
                  std::to_string(service.instances_min) + " is more than instances.max, " +
                      std::to_string(service.instances_max) + "; lower min or raise max");
  }
  for (const auto& [key, pool] :
       {std::pair(".instances.shells", service.shells), std::pair(".instances.standby", service.standby)}) {
    if (!checked.usable(path + key, max) || pool <= service.instances_max) continue;
    checked.error(path + key, std::to_string(pool) + " is more than instances.max, " +
                                  std::to_string(service.instances_max) +
                                  ", and each needs a slot of those; lower it or raise max");
  }
  const std::string soft = path + ".in_flight.soft";
  if (checked.usable(soft, "worker.flows_max") && service.in_flight_soft > config.worker.flows_max) {
    checked.error(soft, std::to_string(service.in_flight_soft) + " is more than worker.flows_max, " +
                            std::to_string(config.worker.flows_max) +
                            ", so no second instance would ever boot; lower soft or raise flows_max");
  }
  check_overload(checked, service, path);
  const std::string syns = path + ".hold.syns_max";
  if (checked.usable(syns, "held_syns_max") && service.hold_syns_max > config.held_syns_max) {
    checked.warning(syns, std::to_string(service.hold_syns_max) + " is more than held_syns_max, " +
                              std::to_string(config.held_syns_max) + ", which counts over all services");
  }
  const std::string hold = path + ".hold.time_max";
  const std::string boot = path + ".boot_deadline";
  if (checked.usable(hold, boot) && service.hold_time_max_ns < service.boot_deadline_ns) {
    checked.warning(checked.places.given(hold) ? hold : boot,
                    "hold.time_max, " + format_duration(service.hold_time_max_ns) +
                        ", is shorter than boot_deadline, " + format_duration(service.boot_deadline_ns) +
                        ": a client is given up while its instance may still boot; raise time_max");
  }
}

// Of each worker the CPU that it runs on.
void check_workers(const Checked& checked) {
  Config& config = checked.draft.config;
  const std::vector<std::string>& wanted = checked.draft.lcores;
  if (!checked.places.given("eal.lcore")) return;  // one worker, as by default
  if (!checked.places.usable("eal.lcore")) return;
  if (wanted.empty()) return checked.error("eal.lcore", "is empty; write the CPU of each worker");
  config.eal.lcores.clear();
  bool shared = false;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const Result<uint64_t> cpu = parse_count(wanted[i]);
    if (!cpu.ok() || cpu.value() > kCpuMax) {
      const std::string place = wanted.size() == 1 ? "" : "[" + std::to_string(i) + "]";
      checked.error("eal.lcore" + place,
                    in_quotes(wanted[i]) + " is no CPU; write a number from 0 to " + std::to_string(kCpuMax));
      continue;
    }
    const auto number = static_cast<uint32_t>(cpu.value());
    shared |=
        std::find(config.eal.lcores.begin(), config.eal.lcores.end(), number) != config.eal.lcores.end();
    config.eal.lcores.push_back(number);
  }
  if (shared && checked.places.usable("worker.idle_sleep") && config.worker.idle_sleep_ns == 0) {
    checked.warning("eal.lcore",
                    "several workers share a CPU, and none of them ever sleeps: they take turns at the "
                    "kernel's pace; set worker.idle_sleep");
  }
}

void check_owner(const Checked& checked, const ServiceConfig& service, const std::string& path) {
  const uint32_t workers = checked.draft.config.workers();
  if (service.worker == kAnyWorker || !checked.usable(path + ".worker", "eal.lcore")) return;
  if (service.worker < workers) return;
  checked.error(path + ".worker", "there is no worker " + std::to_string(service.worker) +
                                      ": eal.lcore makes " + std::to_string(workers) +
                                      ", numbered from 0; write a smaller number or auto");
}

void check_services(const Checked& checked) {
  uint64_t slots = 0;
  for (ServiceDraft& draft : checked.draft.services) {
    const std::string path = "services." + draft.config.name;
    check_guest_address(checked, draft.config, path);
    check_limits(checked, draft.config, path);
    check_owner(checked, draft.config, path);
    check_policies(draft, path, checked.places, checked.problems);
    if (checked.places.usable(path + ".instances.max")) slots += draft.config.instances_max;
  }
  check_listen_overlap(checked);
  if (slots > kSlotsMax) {
    checked.error("services", "instances.max over all services is " + std::to_string(slots) +
                                  ", and one daemon has " + std::to_string(kSlotsMax) +
                                  " slots; lower some max, or start a second daemon");
  }
}

// The longest file name below the runtime directory must fit a socket address.
void check_socket_path(const Checked& checked) {
  constexpr size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1;
  static_assert(kPathMax == 107);
  const Config& config = checked.draft.config;
  if (!checked.usable("name", "runtime_dir")) return;
  const std::string longest =
      config.runtime_dir + "/" + config.name + "/slot-" + std::to_string(kSlotsMax - 1) + ".sock";
  if (longest.size() <= kPathMax) return;
  checked.error("runtime_dir", "is " + std::to_string(longest.size() - kPathMax) +
                                   " bytes too long: a socket such as RUNTIME_DIR/NAME/slot-" +
                                   std::to_string(kSlotsMax - 1) + ".sock may have " +
                                   std::to_string(kPathMax) + "; shorten it or the name");
}

void check_not_empty(const Checked& checked) {
  if (checked.draft.images.empty() && checked.places.usable("images")) {
    checked.error("images", "has no usable entry; write at least one image");
  }
  if (checked.draft.services.empty() && checked.places.usable("services")) {
    checked.error("services", "has no usable entry; write at least one service");
  }
}

}  // namespace

Config finish_config(ConfigDraft draft, const KeyPlaces& places, const FileChecks& files,
                     ProblemList& problems) {
  const Checked checked{draft, places, problems};
  check_socket_path(checked);
  check_not_empty(checked);
  check_workers(checked);
  check_images(checked, files);
  resolve_image_names(checked);
  check_services(checked);
  Config config = std::move(draft.config);
  for (ImageConfig& image : draft.images) config.images.push_back(std::move(image));
  for (ServiceDraft& service : draft.services) config.services.push_back(std::move(service.config));
  return config;
}

}  // namespace cheshire
