// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "start_drivers.h"

#include <utility>

#include "controlplane/config/command_line.h"
#include "dataplane/port/eal.h"
#include "hypervisor/fake/fake_driver.h"
#include "hypervisor/kvm/kvm_driver.h"
#include "hypervisor/qemu/qemu_driver.h"
#include "log.h"

namespace cheshire {
namespace {

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

}  // namespace

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

}  // namespace cheshire
