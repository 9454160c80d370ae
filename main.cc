// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// cheshired: the daemon. main() is the order of its life.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "controlplane/commands/control_socket.h"
#include "controlplane/config/config_yaml.h"
#include "controlplane/control_loop.h"
#include "controlplane/runtime_directory.h"
#include "controlplane/telemetry/telemetry.h"
#include "dataplane/offload/offload_thread.h"
#include "dataplane/port/eal.h"
#include "dataplane/port/flow_offload_rte.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/port/vhost_server.h"
#include "dataplane/worker/worker_group.h"
#include "doorbell.h"
#include "handle.h"
#include "hypervisor/fake/fake_driver.h"
#include "hypervisor/kvm/kvm_driver.h"
#include "hypervisor/qemu/qemu_driver.h"
#include "log.h"
#include "naps.h"

namespace cheshire {
namespace {

constexpr int kExitStartFailed = 1;
constexpr int kExitBadConfig = 2;
// The control thread's nap while nothing happens, in ticks; and while there is no instance either, which leaves
// signals, commands and edges: the latter two end it at once or wait that long.
constexpr uint64_t kIdleTickFactor = 20;
constexpr uint64_t kNobodyTickFactor = 200;
constexpr uint64_t kShutdownMaxNs = 5 * kNsPerSecond;

int start_failed(const Error& error) {
  log::critical("{}", error.what);
  return kExitStartFailed;
}

// Signals are read like any other event, by the control thread. Blocked before any other thread exists.
Result<UniqueFd> take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return Error{ErrorCode::kInternal, std::string("signalfd: ") + std::strerror(errno)};
  return fd;
}

// Its number, or 0.
uint32_t next_signal(const UniqueFd& signals) {
  signalfd_siginfo info;
  return ::read(signals.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info)) ? info.ssi_signo
                                                                                          : 0;
}

// Sockets, pipes and process descriptors of some hundred VMs are more than the usual soft limit.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("cannot raise the limit of open files");
}

using Drivers = std::map<DriverKind, std::unique_ptr<Driver>>;

Result<std::unique_ptr<Driver>> start_qemu(const Config& config, DriverKind kind) {
  QemuOptions options;
  options.cpus = cpus_beside_workers(config);
  // KVM is tried with the first image that leaves the choice to us, as its first service would boot it.
  for (const ServiceConfig& service : config.services) {
    const ImageConfig& image = config.images[service.image];
    if (image.driver != kind || image.accelerator != Accelerator::kAuto) continue;
    options.probe = BootOrder{.name = "probe",
                              .kernel = image.kernel,
                              .memory_bytes = image.memory_bytes,
                              .command_line = expand_command_line(image, service),
                              .mac = kGuestMac};
    break;
  }
  auto qemu = QemuDriver::create(std::move(options));
  if (!qemu) return qemu.error();
  return std::unique_ptr<Driver>(std::move(qemu).value());
}

Result<std::unique_ptr<Driver>> start_driver(const Config& config, DriverKind kind) {
  if (kind == DriverKind::kFake) return std::unique_ptr<Driver>(std::make_unique<FakeDriver>(monotonic_ns));
  if (kind == DriverKind::kQemu) return start_qemu(config, kind);
  KvmOptions options;
  options.cpus = cpus_beside_workers(config);
  auto kvm = KvmDriver::create(std::move(options));
  if (kvm) return std::unique_ptr<Driver>(std::move(kvm).value());
  if (kind == DriverKind::kKvm) return kvm.error();
  log::info("driver: auto: qemu, because kvm is not to be had: {}", kvm.error().what);
  return start_qemu(config, kind);
}

// One driver of each kind that the images ask for.
Result<Drivers> start_drivers(const Config& config) {
  Drivers drivers;
  for (const ImageConfig& image : config.images) {
    if (drivers.contains(image.driver)) continue;
    auto driver = start_driver(config, image.driver);
    if (!driver) return driver.error();
    drivers[image.driver] = std::move(driver).value();
  }
  return drivers;
}

HashKey random_hash_key() {
  HashKey key;
  CHECK(::getrandom(&key, sizeof(key), 0) == static_cast<ssize_t>(sizeof(key)));
  return key;
}

// What an operator asks for from outside of the process: by the control socket, or by a signal.
struct Operator {
  CommandMailbox* mailbox;
  ControlSocket* socket;
};

// An edge on the worker ends a nap (doorbell.h).
void run_control(ControlLoop& control, const Operator& from, const LoadBoard& board, const UniqueFd& signals,
                 const std::function<void(uint64_t)>& nap_or_be_woken) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  const auto naps_of = [](uint64_t tick_ns) { return Naps(tick_ns, kNobodyTickFactor * tick_ns); };
  // While the workers' turns are all idle, nothing comes that could not wait for a nap a little longer.
  Naps naps = naps_of(control.config().control.tick_ns);
  uint64_t busy_turns_seen = 0;
  for (uint32_t signal = 0; signal == 0 || signal == SIGHUP; signal = next_signal(signals)) {
    if (signal == SIGHUP) from.socket->request_reload();
    while (auto posted = from.mailbox->take()) {
      from.mailbox->answer(posted->ticket, control.execute(posted->command, monotonic_ns()));
      naps = naps_of(control.config().control.tick_ns);
    }
    const bool busy = control.tick(monotonic_ns());
    const uint64_t busy_turns = board.sum(&WorkerLoad::turns) - board.sum(&WorkerLoad::idle_turns);
    if (busy || busy_turns != busy_turns_seen) naps.begin_again();
    busy_turns_seen = busy_turns;
    const uint64_t bound_ns = kIdleTickFactor * control.config().control.tick_ns;
    uint64_t ns = naps.next();
    if (ns > bound_ns && !control.all_gone()) ns = bound_ns;
    if (ns != 0) nap_or_be_woken(ns);
  }
  log::info("ending: every instance is stopped, open flows are reset");
  control.begin_shutdown();
  const uint64_t deadline_ns = monotonic_ns() + kShutdownMaxNs;
  while (!control.all_gone() && monotonic_ns() < deadline_ns) {
    control.tick(monotonic_ns());
    nap(control.config().control.tick_ns);
  }
  if (!control.all_gone()) log::warn("some instances did not end in time and are killed");
}

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
  const std::set<uint32_t> cpus(config.eal.lcores.begin(), config.eal.lcores.end());
  const bool shares_cpus = cpus.size() < config.workers();
  auto pool = make_packet_pool(packet_buffers_wanted(config), shares_cpus);
  if (!pool) return start_failed(pool.error());
  auto port_id = find_ethdev(config.nic.device);
  if (!port_id) return start_failed(port_id.error());
  const bool offloads = config.nic.flow_offload != FlowOffloadMode::kOff;
  if (offloads) ask_for_marks(port_id.value());
  auto nic = NicPort::start({.port_id = port_id.value(),
                             .rx_descriptors = config.nic.rx_descriptors,
                             .tx_descriptors = config.nic.tx_descriptors,
                             .pool = pool.value(),
                             .workers = config.workers(),
                             .wakes = config.worker.idle_sleep_ns != 0});
  if (!nic) return start_failed(nic.error());
  log::info("nic {}: {}", config.nic.device, nic.value().description());

  const size_t slots = config.slots();
  LoadBoard board(slots, config.services_made(), config.workers());
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
  auto workers =
      std::make_unique<WorkerGroup>(WorkerGroupOptions{.workers = config.workers(),
                                                       .shares_cpus = shares_cpus,
                                                       .each = {.slots = slots,
                                                                .services = config.services_made(),
                                                                .held_syns_max = config.held_syns_max,
                                                                .config = config.worker,
                                                                .flow_hash_key = random_hash_key(),
                                                                .cookie_key = random_hash_key(),
                                                                .pool = pool.value()}},
                                    WorkerGroupLinks{.nic = &nic.value(),
                                                     .steering = &steering,
                                                     .board = &board,
                                                     .marks = offloads ? &marks : nullptr,
                                                     .doorbell = &doorbell});
  auto vhost = VhostServer::start({.directory = directory,
                                   .slots = slots,
                                   .port_messages = workers->port_messages(),
                                   .downs_acknowledged = [&] { return workers->downs_acknowledged(); }});
  if (!vhost) return start_failed(vhost.error());

  std::unique_ptr<OffloadThread> offload;
  if (offloads)
    offload = std::make_unique<OffloadThread>(make_rte_flow_device(port_id.value()), marks, offload_board,
                                              FlowOffloadOptions{.queues = nic.value().rx_queue_numbers(),
                                                                 .rules_max = config.nic.flow_rules_max,
                                                                 .pins_max = config.nic.pins_max},
                                              workers->pin_requests());
  std::map<DriverKind, Driver*> by_kind;
  for (const auto& [kind, driver] : drivers.value()) by_kind[kind] = driver.get();
  ControlLoop control(config,
                      {.board = &board,
                       .load_rings = workers->load_rings(),
                       .steering = &steering,
                       .status = &status,
                       .drivers = std::move(by_kind),
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
  struct TelemetryEnd {
    ~TelemetryEnd() { forget_telemetry(); }
  } telemetry_end;  // before all that it reads

  if (auto result = eal.value().launch(workers->size(), [&](size_t number) { workers->run(number); });
      !result) {
    workers->stop();  // those that run already
    eal.value().join();
    return start_failed(result.error());
  }
  for (const auto& [kind, driver] : drivers.value()) log::info("driver {}", driver->description());
  log::info("ready: {} services, up to {} instances", config.services.size(), config.instances_most());
  run_control(
      control, {mailbox.value().get(), socket.value().get()}, board, signals.value(),
      [&](uint64_t longest_ns) { doorbell.sleep(longest_ns, [&] { return workers->has_load_records(); }); });

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
