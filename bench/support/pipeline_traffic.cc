// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "bench/support/pipeline_case.h"
#include "dataplane/packet/checksum.h"
#include "net.h"

namespace cheshire {
namespace {

constexpr uint32_t kFramesAtLeast = 4096;
constexpr uint32_t kZipfFrames = 1U << 16U;
constexpr double kZipfExponent = 1.0;
constexpr size_t kSmallFrame = 60;
// Simple IMIX: seven of 64, four of 594, one of 1,518 bytes, each with the checksum that is not in the file.
constexpr std::array<size_t, 12> kImix = {60, 60, 60, 60, 60, 60, 60, 590, 590, 590, 590, 1514};
// What every Linux sends with each segment (RFC 7323 appendix A): twice NOP, then two timestamps.
constexpr std::array<uint8_t, 12> kTimestamps = {1, 1, 8, 10, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
// net_pcap's first device has this address, in 22.11: 02, "pca", 'p', number.
constexpr MacAddress kPcapMac{{0x02, 0x70, 0x63, 0x61, 0x70, 0x00}};
constexpr MacAddress kClient{{0x52, 0x54, 0x00, 0x11, 0x22, 0x33}};
constexpr uint32_t kFirstClient = 0x64400001;  // 100.64.0.1 (RFC 6598)
constexpr uint32_t kPortsPerClient = 60000;

struct Frame {
  EthernetHeader ethernet;
  Ipv4Header ip;
  TcpHeader tcp;
};
static_assert(sizeof(Frame) == 54);

struct PcapHeader {
  uint32_t magic = 0xa1b2c3d4;
  uint16_t major = 2;
  uint16_t minor = 4;
  uint32_t zone = 0;
  uint32_t accuracy = 0;
  uint32_t length_max = 65535;
  uint32_t link = 1;  // Ethernet
};
struct PcapRecord {
  uint32_t seconds = 0;
  uint32_t microseconds = 0;
  uint32_t captured = 0;
  uint32_t length = 0;
};

template <typename T>
std::span<const uint8_t> bytes_of(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}

// `options`: of TCP, a multiple of four bytes.
std::vector<uint8_t> frame_of(uint32_t flow, uint8_t flags, size_t length, std::span<const uint8_t> options) {
  Frame frame{};
  frame.ethernet = {kPcapMac, kClient, be16(kEtherTypeIpv4)};
  frame.ip.version_ihl = 0x45;
  // Small frames carry no payload, only padding.
  const size_t packet = length == kSmallFrame ? sizeof(Frame) : length;
  frame.ip.total_length = be16(static_cast<uint16_t>(packet - sizeof(EthernetHeader)));
  frame.ip.flags_fragment = be16(kIpv4DontFragment);
  frame.ip.ttl = 64;
  frame.ip.protocol = kIpProtocolTcp;
  frame.ip.source = be32(kFirstClient + flow / kPortsPerClient);
  frame.ip.destination = be32(kBenchVip);
  frame.tcp.source_port = be16(static_cast<uint16_t>(1024 + flow % kPortsPerClient));
  frame.tcp.destination_port = be16(kBenchPort);
  frame.tcp.sequence = be32(1000);
  frame.tcp.acknowledgment = be32(flags == kTcpSyn ? 0 : 5001);
  frame.tcp.data_offset = static_cast<uint8_t>((sizeof(TcpHeader) + options.size()) / 4 << 4U);
  frame.tcp.flags = flags;
  frame.tcp.window = be16(65535);
  const auto finished = [](uint64_t sum) {
    return be16::from_raw(static_cast<uint16_t>(~checksum_fold(sum)));
  };
  frame.ip.checksum = finished(checksum_sum(bytes_of(frame.ip)));
  // The payload is zeros.
  const auto segment = static_cast<uint16_t>(packet - sizeof(EthernetHeader) - sizeof(Ipv4Header));
  frame.tcp.checksum = finished(tcp_pseudo_header_sum(frame.ip.source, frame.ip.destination, segment) +
                                checksum_sum(bytes_of(frame.tcp)) + checksum_sum(options));
  const auto head = bytes_of(frame);
  std::vector<uint8_t> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), options.begin(), options.end());
  bytes.resize(length);
  return bytes;
}

// `count` draws of 0 .. flows-1, n-th likeliest as 1/n.
std::vector<uint32_t> zipf(uint32_t flows, uint32_t count, std::mt19937& random) {
  std::vector<double> sums(flows);
  double sum = 0;
  for (uint32_t i = 0; i < flows; ++i) sums[i] = sum += 1.0 / std::pow(i + 1, kZipfExponent);
  std::uniform_real_distribution<double> any(0, sum);
  std::vector<uint32_t> drawn(count);
  for (uint32_t& flow : drawn) {
    flow = static_cast<uint32_t>(std::lower_bound(sums.begin(), sums.end(), any(random)) - sums.begin());
  }
  return drawn;
}

}  // namespace

uint32_t frames_of(const Traffic& traffic) {
  if (traffic.kind == "syn" || traffic.kind == "half_syn") return kSynFrames;
  if (traffic.kind == "zipf") return kZipfFrames;
  return std::max(kFramesAtLeast, traffic.flows);
}

std::string device_of(const Traffic& traffic, const std::string& pcap) {
  if (traffic.kind == "null") return "--vdev=net_null0,size=64,copy=1";
  return "--vdev=net_pcap0,rx_pcap=" + pcap + ",infinite_rx=1";
}

void write_pcap(const Traffic& traffic, const std::string& path) {
  std::mt19937 random(7);
  const uint32_t count = frames_of(traffic);
  std::vector<uint32_t> flows(count);
  if (traffic.kind == "zipf") {
    flows = zipf(traffic.flows, count, random);
  } else {
    std::iota(flows.begin(), flows.end(), 0U);
    std::shuffle(flows.begin(), flows.end(), random);
    if (traffic.kind != "syn") {
      for (uint32_t& flow : flows) flow %= traffic.flows;
    }
  }
  std::ofstream file(path, std::ios::binary);
  const auto put = [&](std::span<const uint8_t> bytes) {
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  put(bytes_of(PcapHeader{}));
  for (uint32_t i = 0; i < count; ++i) {
    const bool new_flow = traffic.kind == "syn" || (traffic.kind == "half_syn" && i % 2 == 1);
    const bool timestamps = traffic.kind == "timestamps";
    const size_t length = traffic.kind == "imix" ? kImix[i % kImix.size()]
                          : timestamps           ? sizeof(Frame) + kTimestamps.size()
                                                 : kSmallFrame;
    const std::span<const uint8_t> options(kTimestamps.data(), timestamps ? kTimestamps.size() : 0);
    // New flows beside the established ones: others than those.
    const uint32_t flow = new_flow ? traffic.flows + i : flows[i];
    const std::vector<uint8_t> bytes = frame_of(flow, new_flow ? kTcpSyn : kTcpAck, length, options);
    const auto size = static_cast<uint32_t>(bytes.size());
    put(bytes_of(PcapRecord{.captured = size, .length = size}));
    put(bytes);
  }
}

}  // namespace cheshire
