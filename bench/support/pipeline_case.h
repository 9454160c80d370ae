// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One measurement of pipeline_bench, in words and as JSON: it crosses from the process that orders it to the
// one that runs it, since DPDK starts once per process.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace cheshire {

// What comes in. Frames of 64 bytes (60 without the checksum that a NIC strips) but for imix, and timestamps: ACKs with
// TCP's option of that name, 70 bytes.
struct Traffic {
  // uniform, zipf, syn, half_syn, imix, timestamps, null (net_null: zeros, for nobody)
  std::string kind = "uniform";
  uint32_t flows = 4096;

  [[nodiscard]] std::string name() const { return kind + "-" + std::to_string(flows); }
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

struct PipelineCase {
  Traffic traffic;
  uint16_t instances = 8;
  bool mapped = false;  // VIP and port are others than the guest's
  uint16_t workers = 1;

  [[nodiscard]] std::string name() const {
    return traffic.name() + " to " + std::to_string(instances) + (mapped ? ", mapped" : "") +
           (workers > 1 ? ", " + std::to_string(workers) + " workers" : "");
  }
  friend bool operator==(const PipelineCase&, const PipelineCase&) = default;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Traffic, kind, flows)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PipelineCase, traffic, instances, mapped, workers)

// The service of the frames, and where it is in the guest.
inline constexpr uint32_t kBenchVip = 0xc000020a;    // 192.0.2.10 (RFC 5737)
inline constexpr uint32_t kBenchGuest = 0x0a000002;  // 10.0.0.2, when mapped
inline constexpr uint16_t kBenchPort = 80;
inline constexpr uint16_t kBenchGuestPort = 8080;
// Of a new flow per frame: as many as a table of flows_max takes in one pass.
inline constexpr uint32_t kSynFrames = 1U << 20U;

// Writes the frames of that traffic as a pcap file, to be read in a circle.
void write_pcap(const Traffic& traffic, const std::string& path);
[[nodiscard]] uint32_t frames_of(const Traffic& traffic);
// EAL's argument for a device from which they come.
[[nodiscard]] std::string device_of(const Traffic& traffic, const std::string& pcap);

// In the process that runs it: the file's frames through the real worker. Prints one line of JSON on the
// standard output: {"cycles_per_packet": [one per sample], "instructions_per_packet": n or null, …}.
// Returns the process's exit code.
struct PipelineRun {
  std::string pcap;
  bool quick = false;
  // Under callgrind, which counts what happens inside of measured_turns(): without huge pages, which it does not
  // know, and with few packets.
  bool counted = false;
};
int run_pipeline_case(const PipelineCase& wanted, const PipelineRun& run);

}  // namespace cheshire
