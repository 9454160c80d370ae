// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// cheshired: the daemon. main() is the order of its life.
#include <sys/random.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "controlplane/commands/control_socket.h"
#include "controlplane/config/config_yaml.h"
#include "controlplane/control_loop.h"
#include "controlplane/control_thread.h"
#include "controlplane/runtime_directory.h"
#include "controlplane/telemetry/telemetry.h"
#include "dataplane/offload/offload_thread.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/flow_offload_rte.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/port/vhost_server.h"
#include "dataplane/worker/worker_group.h"
#include "doorbell.h"
#include "log.h"
#include "start_drivers.h"

namespace cheshire {
namespace {

constexpr int kExitStartFailed = 1;
constexpr int kExitBadConfig = 2;
int start_failed(const Error& error) {
  log::critical("{}", error.what);
  return kExitStartFailed;
}

// Sockets, pipes and process descriptors of some hundred VMs are more than the usual soft limit.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("cannot raise the limit of open files");
}

HashKey random_hash_key() {
  HashKey key;
  CHECK(::getrandom(&key, sizeof(key), 0) == static_cast<ssize_t>(sizeof(key)));
  return key;
}

bool shares_cpus(const Config& config) {
  const std::set<uint32_t> cpus(config.eal.lcores.begin(), config.eal.lcores.end());
  return cpus.size() < config.workers();
}

struct Nic {
  uint16_t port_id;
  NicPort port;
};

Result<Nic> start_nic(const Config& config, rte_mempool* pool) {
  const auto port_id = find_ethdev(config.nic.device);
  if (!port_id) return port_id.error();
  if (config.nic.flow_offload != FlowOffloadMode::kOff) ask_for_marks(port_id.value());
  auto port = NicPort::start({.port_id = port_id.value(),
                              .rx_descriptors = config.nic.rx_descriptors,
                              .tx_descriptors = config.nic.tx_descriptors,
                              .pool = pool,
                              .workers = config.workers(),
                              .wakes = config.worker.idle_sleep_ns != 0});
  if (!port) return port.error();
  log::info("nic {}: {}", config.nic.device, port.value().description());
  return Nic{port_id.value(), std::move(port).value()};
}

WorkerGroupOptions worker_options(const Config& config, rte_mempool* pool) {
  return {.workers = config.workers(),
          .shares_cpus = shares_cpus(config),
          .each = {.slots = config.slots(),
                   .services = config.services_made(),
                   .held_syns_max = config.held_syns_max,
                   .config = config.worker,
                   .flow_hash_key = random_hash_key(),
                   .cookie_key = random_hash_key(),
                   .pool = pool}};
}

// None where the NIC is not to be given rules.
std::unique_ptr<OffloadThread> start_offload(const Config& config, Nic& nic, FlowMarkBoard& marks,
                                             OffloadBoard& board, WorkerGroup& workers) {
  if (config.nic.flow_offload == FlowOffloadMode::kOff) return nullptr;
  return std::make_unique<OffloadThread>(make_rte_flow_device(nic.port_id), marks, board,
                                         FlowOffloadOptions{.queues = nic.port.rx_queue_numbers(),
                                                            .rules_max = config.nic.flow_rules_max,
                                                            .pins_max = config.nic.pins_max},
                                         workers.pin_requests());
}

std::map<DriverKind, Driver*> by_kind(const Drivers& drivers) {
  std::map<DriverKind, Driver*> kinds;
  for (const auto& [kind, driver] : drivers) kinds[kind] = driver.get();
  return kinds;
}

// Telemetry is to be forgotten before all that it reads.
struct TelemetryEnd {
  ~TelemetryEnd() { forget_telemetry(); }
};

int run(const Config& config, const std::string& config_path) {
  log::start("cheshired", config.log_level);
  auto signals = take_signals();
  if (!signals) return start_failed(signals.error());
  const std::string directory = config.runtime_dir + "/" + config.name;
  auto lock = lock_runtime_dir(directory, config.name);
  if (!lock) return start_failed(lock.error());
  raise_descriptor_limit();

  auto drivers = start_drivers(config);
  if (!drivers) return start_failed(drivers.error());
  auto eal = Eal::start(config);
  if (!eal) return start_failed(eal.error());
  auto pool = make_packet_pool(packet_buffers_wanted(config), shares_cpus(config));
  if (!pool) return start_failed(pool.error());
  auto nic = start_nic(config, pool.value());
  if (!nic) return start_failed(nic.error());

  LoadBoard board(config.slots(), config.services_made(), config.workers());
  Doorbell doorbell;
  Published<SteeringTable> steering(config.workers());
  StatusBoard status;
  FlowMarkBoard marks(config.services_made(), config.workers());
  OffloadBoard offload_board;
  DecisionTrace trace;
  if (!config.control.trace.empty()) {
    if (auto result = trace.write_to(config.control.trace, config.control.trace_max_bytes); !result) {
      return start_failed(result.error());
    }
  }
  const bool offloads = config.nic.flow_offload != FlowOffloadMode::kOff;
  auto workers = std::make_unique<WorkerGroup>(worker_options(config, pool.value()),
                                               WorkerGroupLinks{.nic = &nic.value().port,
                                                                .steering = &steering,
                                                                .board = &board,
                                                                .marks = offloads ? &marks : nullptr,
                                                                .doorbell = &doorbell});
  auto vhost = VhostServer::start({.directory = directory,
                                   .slots = config.slots(),
                                   .port_messages = workers->port_messages(),
                                   .downs_acknowledged = [&] { return workers->downs_acknowledged(); }});
  if (!vhost) return start_failed(vhost.error());
  auto offload = start_offload(config, nic.value(), marks, offload_board, *workers);

  ControlLoop control(config,
                      {.board = &board,
                       .load_rings = workers->load_rings(),
                       .steering = &steering,
                       .status = &status,
                       .drivers = by_kind(drivers.value()),
                       .connected = [&](SlotIndex slot) { return vhost.value()->connected(slot); },
                       .vhost_socket = [&](SlotIndex slot) { return vhost.value()->socket_path(slot); },
                       .published =
                           [&](const SteeringTable& table) {
                             if (offload) offload->set_services(table);
                           },
                       .trace = &trace});
  auto mailbox = CommandMailbox::create();
  if (!mailbox) return start_failed(mailbox.error());
  auto socket = ControlSocket::start(
      {.path = directory + "/control.sock", .config_path = config_path, .mailbox = mailbox.value().get()});
  if (!socket) return start_failed(socket.error());
  if (auto result =
          register_telemetry({&board, &status, socket.value().get(), &offload_board, &marks, &trace});
      !result)
    return start_failed(result.error());
  const TelemetryEnd telemetry_end;

  if (auto result = eal.value().launch(workers->size(), [&](size_t number) { workers->run(number); });
      !result) {
    workers->stop();  // those that run already
    eal.value().join();
    return start_failed(result.error());
  }
  for (const auto& [kind, driver] : drivers.value()) log::info("driver {}", driver->description());
  log::info("ready: {} services, up to {} instances", config.services.size(), config.instances_most());
  run_control({.control = control,
               .mailbox = *mailbox.value(),
               .socket = *socket.value(),
               .board = board,
               .signals = signals.value(),
               .nap_or_be_woken = [&](uint64_t longest_ns) {
                 doorbell.sleep(longest_ns, [&] { return workers->has_load_records(); });
               }});

  socket.value()->stop();
  // No VM, no poll, no socket, no packet. The workers go before the sockets: the library frees the device of
  // a peer that is still connected without a word to us.
  drivers.value().clear();
  offload.reset();
  workers->stop();
  eal.value().join();
  vhost.value().reset();
  workers.reset();
  remove_runtime_dir(directory);
  log::info("ended");
  return 0;
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  CLI::App app("Cheshire: servers that appear when a client looks for them");
  std::string config_path;
  bool check_only = false;
  app.add_option("--config", config_path, "the YAML file that configures the daemon (docs/config.md)");
  app.add_option_function<std::string>(
      "--check",
      [&](const std::string& path) {
        config_path = path;
        check_only = true;
      },
      "only check this file: every problem with line, key and remedy; exit 2 if there is one");
  CLI11_PARSE(app, argc, argv);
  if (config_path.empty()) {
    std::cerr << app.help();
    return cheshire::kExitBadConfig;
  }
  if (check_only) return cheshire::check_config_file(config_path, std::cout);
  const cheshire::ConfigResult loaded = cheshire::load_config(config_path);
  std::cerr << cheshire::format_problems(loaded.problems);
  if (!loaded.ok()) return cheshire::kExitBadConfig;
  return cheshire::run(*loaded.config, std::filesystem::absolute(config_path).string());
}
