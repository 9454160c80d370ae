// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// guest_steps: how many instructions a guest runs from its entry to DRIVER_OK, from there to its first sleep,
// and from a SYN in its ring to the SYN-ACK in the other. Where KVM only emulates, each costs about a
// microsecond, so these numbers are a start's time; and other than a time they are exact, on any machine.
//
// The VM is single-stepped, and this program is its data plane: nothing else is connected.
//   guest_steps [--kernel=grin.elf] [--append=…] [--check] [--json] [--addresses=FILE]
// Exit status 77: KVM is missing, or does not step.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "bench/guest_steps_net.h"
#include "bench/support/figures.h"
#include "hypervisor/kvm_api/cpuid_table.h"
#include "hypervisor/vmm/boot_parameters.h"
#include "hypervisor/vmm/machine.h"
#include "hypervisor/vmm/virtio_mmio.h"
#include "hypervisor/vmm/vm.h"
#include "unikernel/abi.h"
#include "units.h"

namespace cheshire {
namespace {

constexpr int kSkipped = 77;
constexpr uint64_t kStepsMax = 1'000'000;
constexpr uint64_t kMemoryBytes = 8 * kMiB;
constexpr uint32_t kSyns = 3;

// What grin needs on this machine model. A change that costs more has to say why.
constexpr uint64_t kToDriverOkMax = 700;
constexpr uint64_t kToIdleMax = 550;
constexpr uint64_t kToSynAckMax = 650;

enum class Moment : uint8_t { kDriverOk, kIdle, kSent };

struct Options {
  std::string kernel;
  std::string append = "grin.quiet=1";
  std::string addresses;
  bench::FiguresWanted wanted;
};

// One VM under the stepper: counts instructions until something that matters happens.
class Stepper {
 public:
  Stepper(VirtioMmio& device, Vm& vm, std::ostream* addresses)
      : device_(device), vm_(vm), addresses_(addresses) {}

  struct Stop {
    Moment moment;
    uint64_t steps;
  };
  Result<Stop> run_to(Moment wanted, const GuestNetwork& network);

 private:
  std::optional<Moment> take_exit();
  std::optional<Moment> take_port();
  std::optional<Moment> take_mmio();

  VirtioMmio& device_;
  Vm& vm_;
  std::ostream* addresses_;
};

std::optional<Moment> Stepper::take_port() {
  kvm_run& exit = vm_.exit();
  auto* data = reinterpret_cast<std::byte*>(&exit) + exit.io.data_offset;
  if (exit.io.direction == KVM_EXIT_IO_OUT) {
    if (exit.io.port == abi::kIdlePort) return Moment::kIdle;
    return std::nullopt;
  }
  std::memset(data, 0xff, size_t{exit.io.size} * exit.io.count);
  return std::nullopt;
}

std::optional<Moment> Stepper::take_mmio() {
  kvm_run& exit = vm_.exit();
  const uint64_t offset = exit.mmio.phys_addr - kNetDeviceAddress;
  if (offset >= kNetDeviceBytes) return std::nullopt;
  uint64_t value = 0;
  if (exit.mmio.is_write == 0) {
    value = device_.read(offset, exit.mmio.len);
    std::memcpy(exit.mmio.data, &value, exit.mmio.len);
    return std::nullopt;
  }
  std::memcpy(&value, exit.mmio.data, exit.mmio.len);
  if (offset == kVirtioNotifyOffset) return std::nullopt;
  const bool goes = device_.write(offset, exit.mmio.len, value) == VirtioEvent::kDriverOk;
  return goes ? std::optional(Moment::kDriverOk) : std::nullopt;
}

std::optional<Moment> Stepper::take_exit() {
  switch (vm_.exit().exit_reason) {
    case KVM_EXIT_IO:
      return take_port();
    case KVM_EXIT_MMIO:
      return take_mmio();
    default:
      return std::nullopt;
  }
}

Result<Stepper::Stop> Stepper::run_to(Moment wanted, const GuestNetwork& network) {
  uint64_t steps = 0;
  while (steps < kStepsMax) {
    if (!vm_.run()) return kvm_error("KVM_RUN");
    const uint32_t reason = vm_.exit().exit_reason;
    if (reason == KVM_EXIT_DEBUG) {
      ++steps;
      if (addresses_ != nullptr) *addresses_ << std::hex << vm_.exit().debug.arch.pc << "\n";
      // A data plane that polls sees a frame before it is told of it.
      if (wanted == Moment::kSent && network.has_frame()) return Stop{wanted, steps};
      continue;
    }
    if (reason != KVM_EXIT_IO && reason != KVM_EXIT_MMIO) {
      return Error{ErrorCode::kUnavailable, "the guest ended with exit " + std::to_string(reason)};
    }
    const auto moment = take_exit();
    if (moment == wanted) return Stop{*moment, steps};
  }
  return Error{ErrorCode::kUnavailable, "a million instructions and no end"};
}

int skip(const Error& why) {
  std::cerr << "skipped: " << why.what << "\n";
  return kSkipped;
}

int fail(const std::string& why) {
  std::cerr << why << "\n";
  return 1;
}

int run(const Options& options) {
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) return skip(kvm_error("/dev/kvm"));
  auto memory = GuestMemory::create(kMemoryBytes, false);
  if (!memory) return skip(memory.error());
  auto image = load_elf(options.kernel.c_str(), memory.value());
  if (!image) return fail(image.error().what);
  const EntryKind kind = image.value().entry_kind;
  const std::string line = full_command_line(options.append, kind, IdleMethod::kPort);
  if (auto written = write_boot_parameters(memory.value(), kind, line); !written) {
    return fail(written.error().what);
  }
  auto vm = Vm::create(kvm.get(), memory.value(), InterruptChips::kSplit);
  if (!vm) return skip(vm.error());
  auto cpuid = supported_cpuid(kvm.get());
  if (!cpuid) return skip(cpuid.error());
  if (auto added = vm.value().add_vcpu(kvm.get(), cpuid.value()); !added) return skip(added.error());
  if (auto set = vm.value().set_entry(kind, image.value().entry, line.size()); !set) return skip(set.error());
  if (auto stepped = vm.value().single_step(); !stepped) return skip(stepped.error());
  VirtioMmio device(kGuestMac, memory.value().size_bytes());
  device.offer(kVirtioBackEndFeatures, 1500);

  std::ofstream file;
  if (!options.addresses.empty()) file.open(options.addresses);
  Stepper stepper(device, vm.value(), file.is_open() ? &file : nullptr);
  const auto mark = [&](const char* what) {
    if (file.is_open()) file << "# " << what << "\n";
  };
  GuestNetwork network(memory.value(), device.queues());
  mark("driver_ok");
  auto to_driver_ok = stepper.run_to(Moment::kDriverOk, network);
  if (!to_driver_ok) return fail(to_driver_ok.error().what);
  mark("idle");
  auto to_idle = stepper.run_to(Moment::kIdle, network);
  if (!to_idle) return fail(to_idle.error().what);
  bench::Figures figures("guest_steps");
  const auto bounded = [&](const char* name, uint64_t steps, uint64_t most_steps) {
    figures.count_at_most(name, "instructions", static_cast<double>(steps), static_cast<double>(most_steps));
  };
  bounded("entry to DRIVER_OK", to_driver_ok.value().steps, kToDriverOkMax);
  bounded("DRIVER_OK to idle", to_idle.value().steps, kToIdleMax);
  uint64_t most = 0;
  for (uint32_t i = 0; i < kSyns; ++i) {
    if (!network.put_syn(i)) return fail("the guest gave no receive buffer");
    mark("syn_ack");
    auto to_answer = stepper.run_to(Moment::kSent, network);
    if (!to_answer) return fail(to_answer.error().what);
    if (!network.take_syn_ack(i)) return fail("the guest's answer is no SYN-ACK");
    most = std::max(most, to_answer.value().steps);
    mark("idle");
    auto idle = stepper.run_to(Moment::kIdle, network);
    if (!idle) return fail(idle.error().what);
    figures.add("SYN " + std::to_string(i) + ", from SYN-ACK to idle", "instructions",
                static_cast<double>(idle.value().steps), bench::Better::kLess);
  }
  bounded("SYN to SYN-ACK", most, kToSynAckMax);
  return bench::report(figures, options.wanted);
}

}  // namespace
}  // namespace cheshire

int main(int argc, char** argv) {
  cheshire::Options options;
  CLI::App app("Counts the instructions that a guest needs to come up and to answer");
  app.add_option("--kernel", options.kernel, "grin's ELF (that of this build)");
  app.add_option("--append", options.append, "its command line (grin.quiet=1)");
  app.add_option("--addresses", options.addresses, "a file for the address of every instruction");
  app.add_flag("--json", options.wanted.json, "print JSON instead of a table");
  app.add_flag("--check", options.wanted.check, "end non-zero when a bound is missed");
  CLI11_PARSE(app, argc, argv);
  if (options.kernel.empty()) {
    const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe");
    options.kernel = own.parent_path().parent_path() / "unikernel/grin.elf";
  }
  return cheshire::run(options);
}
