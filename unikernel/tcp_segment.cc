// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/tcp_segment.h"

#include "unikernel/checksum.h"

namespace cheshire::grin {
namespace {

constexpr uint8_t kOptionEnd = 0;
constexpr uint8_t kOptionNothing = 1;
constexpr uint8_t kOptionMaxSegment = 2;

uint8_t byte_at(std::span<const std::byte> bytes, size_t index) {
  return std::to_integer<uint8_t>(bytes[index]);
}

// RFC 9293 3.1: a malformed list ends the reading, not the segment.
uint16_t find_max_segment(std::span<const std::byte> options) {
  size_t at = 0;
  while (at < options.size()) {
    const uint8_t kind = byte_at(options, at);
    if (kind == kOptionEnd) return 0;
    if (kind == kOptionNothing) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) return 0;
    const size_t size = byte_at(options, at + 1);
    if (size < 2 || size > options.size() - at) return 0;
    if (kind == kOptionMaxSegment && size == 4) return header_at<be16>(options, at + 2).value();
    at += size;
  }
  return 0;
}

}  // namespace

bool parse_segment(std::span<const std::byte> bytes, uint32_t source_ip, uint32_t destination_ip,
                   Segment& segment) {
  if (bytes.size() < sizeof(TcpHeader)) return false;
  const auto& header = header_at<TcpHeader>(bytes, 0);
  const size_t header_size_bytes = (header.data_offset >> 4) * size_t{4};
  if (header_size_bytes < sizeof(TcpHeader) || header_size_bytes > bytes.size()) return false;
  const uint64_t pseudo = pseudo_header_sum(source_ip, destination_ip, kIpProtocolTcp, bytes.size());
  if (finish_checksum(partial_checksum(bytes, pseudo)) != 0) return false;

  segment.source_ip = source_ip;
  segment.source_port = header.source_port.value();
  segment.destination_port = header.destination_port.value();
  segment.sequence = header.sequence.value();
  segment.acknowledgment = header.acknowledgment.value();
  segment.flags = header.flags;
  segment.window = header.window.value();
  if (segment.has(kTcpSyn) && header_size_bytes > sizeof(TcpHeader)) {
    segment.max_segment =
        find_max_segment(bytes.subspan(sizeof(TcpHeader), header_size_bytes - sizeof(TcpHeader)));
  }
  segment.payload = bytes.subspan(header_size_bytes);
  return true;
}

}  // namespace cheshire::grin
