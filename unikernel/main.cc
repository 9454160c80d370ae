// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// grin: answers HTTP from the first microsecond on. This file is the boot order and the main loop.
//
// The folder is one freestanding program, a guest of any VMM that keeps abi.h. One vCPU is its only thread:
// main.cc calls the protocols, turn by turn, and nothing else calls them but tests/grin on the host.

#include <cstdint>
#include <span>
#include <string_view>

#include "unikernel/abi.h"
#include "unikernel/clock.h"
#include "unikernel/cmdline.h"
#include "unikernel/console.h"
#include "unikernel/hash.h"
#include "unikernel/http_server.h"
#include "unikernel/idle.h"
#include "unikernel/io.h"
#include "unikernel/ip.h"
#include "unikernel/memory.h"
#include "unikernel/power.h"
#include "unikernel/tcp.h"
#include "unikernel/text.h"
#include "unikernel/virtio_net.h"

extern "C" std::byte image_end[];  // grin.ld

namespace cheshire::grin {
namespace {

using cheshire::abi::HvmMemmapEntry;
using cheshire::abi::HvmStartInfo;

// A frame in may lead to this many frames out before the main loop looks again.
constexpr size_t kSendReserve = 4;
// Received frames per look at timers and finished work.
constexpr int kReceiveBurst = 32;
constexpr uint64_t kDefaultMemoryBytes = 8U << 20;
constexpr size_t kCmdlineBytesMax = 4096;

struct System {
  Config config;
  Clock clock;
  VirtioNet net;
  Idle idle;
  Counters counters;
  Ip ip;
  Tcp tcp;
  HttpServer http;
  std::string_view clock_source;
  uint64_t ready_us = 0;  // when the device was told to go
};
constinit System system_state = {};

// `size_bytes` is the length of the command line, 0 if nobody has counted it (abi.h).
void read_cmdline(const HvmStartInfo& info, size_t size_bytes, Config& config) {
  if (info.magic != cheshire::abi::kHvmStartMagic) panic("no start info");
  if (info.cmdline_address == 0) return;
  const char* const text = reinterpret_cast<const char*>(info.cmdline_address);
  if (size_bytes == 0) {
    while (size_bytes < kCmdlineBytesMax && text[size_bytes] != '\0') ++size_bytes;
  }
  const CmdlineError error = parse_cmdline({text, size_bytes}, config);
  if (!error.what.empty()) panic(error.what, error.option);
}

// The RAM behind the image, up to the end of the map's entry that the image lies in.
std::span<std::byte> free_memory(const HvmStartInfo& info) {
  const auto start = reinterpret_cast<uintptr_t>(image_end);
  uint64_t end = kDefaultMemoryBytes;
  if (info.version >= 1 && info.memmap_count != 0) {
    const std::span map(reinterpret_cast<const HvmMemmapEntry*>(info.memmap_address), info.memmap_count);
    for (const HvmMemmapEntry& entry : map) {
      if (entry.type != cheshire::abi::kMemmapTypeRam) continue;
      if (entry.address <= start && entry.address + entry.size_bytes > start) {
        end = entry.address + entry.size_bytes;
      }
    }
  }
  constexpr uint64_t kEndMax = 0xc000'0000;  // below the devices
  if (end > kEndMax) end = kEndMax;
  return {image_end, static_cast<size_t>(end - start)};
}

// Tells instances apart and keys the hashes. RDRAND where there is one; the TSC alone varies by the jitter
// of the VMM's start.
uint64_t make_secret() {
  constexpr uint32_t kHasRdrand = 1U << 30;
  uint64_t random = 0;
  if ((cpuid(1).ecx & kHasRdrand) != 0) asm volatile("rdrand %0" : "=r"(random) : : "cc");
  return mix64(mix64(read_tsc(), random), 0x6772'696e'6772'696eULL);
}

void start_protocols(System& s, Arena arena) {
  constexpr size_t kPerConnection = Tcp::kBytesPerConnection + HttpServer::kBytesPerConnection;
  // What does not grow with the connections: entry 0 of every table, and rounding.
  constexpr size_t kFixedBytes = HttpServer::kFixedBytes + kPerConnection + 16 * Arena::kAlignmentBytes;
  if (arena.left_bytes() < kFixedBytes + 1024 * kPerConnection) panic("less than 8 MiB of memory");
  size_t capacity = (arena.left_bytes() - kFixedBytes) / kPerConnection;
  if (capacity > kConnectionsMax) capacity = kConnectionsMax;
  const uint64_t secret = make_secret();
  const bool ok = s.tcp.init({.frames = &s.net,
                              .application = &s.http,
                              .counters = &s.counters,
                              .mac = s.net.mac(),
                              .ip = s.config.ip,
                              .port = s.config.port,
                              .max_segment_bytes = static_cast<uint16_t>(s.net.mtu_bytes() - 40),
                              .listen_from_us = s.config.listen_delay_ms * uint64_t{1000},
                              .secret = secret},
                             arena, capacity) &&
                  s.http.init({.tcp = &s.tcp,
                               .counters = &s.counters,
                               .token = mix64(secret, secret >> 32),
                               .body_size_bytes = s.config.body_size_bytes,
                               .service_us = s.config.service_us,
                               .worker_count = s.config.worker_count},
                              arena, capacity);
  if (!ok) panic("tables do not fit the memory");
  s.ip.init(
      {.frames = &s.net, .tcp = &s.tcp, .counters = &s.counters, .mac = s.net.mac(), .ip = s.config.ip});
}

void print_boot_line(const System& s) {
  TextBuffer<100> line;
  line.append("grin: up ").append_decimal(s.ready_us).append(" us, ").append_decimal(s.tcp.capacity());
  line.append(" connections, tsc ").append_decimal(s.clock.tsc_khz()).append(" kHz by ");
  line.append(s.clock_source).append("\n");
  console_write(line.view());
}

// Returns how many frames were taken; stops early while there is no room to answer.
int receive_burst(System& s) {
  int count = 0;
  while (count < kReceiveBurst && s.net.can_send(kSendReserve)) {
    const std::span<const std::byte> frame = s.net.receive();
    if (frame.empty()) break;
    if (!s.config.silent) s.ip.input(frame);
    s.net.release();
    ++count;
  }
  return count;
}

// How long nothing will happen unless the device says so.
uint64_t idle_us(const System& s, uint64_t panic_us) {
  uint64_t deadline_us = s.tcp.next_deadline_us();
  if (s.http.next_deadline_us() < deadline_us) deadline_us = s.http.next_deadline_us();
  if (panic_us < deadline_us) deadline_us = panic_us;
  if (deadline_us == kNoDeadline) return kNoDeadline;
  const uint64_t now_us = s.clock.now_us();
  return deadline_us > now_us ? deadline_us - now_us : 0;
}

[[noreturn]] void run(System& s) {
  const bool halts = s.config.idle == IdleMethod::kHalt;
  const uint64_t panic_us =
      s.config.panic_after_ms == 0 ? kNoDeadline : s.config.panic_after_ms * uint64_t{1000};
  // A line costs an exit per byte, about 10 us each: only when there is nothing better to do.
  bool line_due = !s.config.quiet;
  for (;;) {
    const uint64_t now_us = s.clock.now_us();
    if (now_us >= panic_us) panic("grin.panic_after_ms");
    s.tcp.begin_turn(now_us);
    s.http.begin_turn(now_us);
    // What came in first: it may be what a VM was woken for.
    const int received = receive_burst(s);
    s.net.kick();
    s.tcp.run_timers();
    s.http.run_work();
    s.tcp.run_pending();
    s.net.kick();
    if (received != 0) continue;
    if (line_due) {
      print_boot_line(s);
      line_due = false;
      continue;
    }

    const bool wants_room = s.tcp.has_pending() || !s.net.can_send(kSendReserve);
    if (!s.net.arm_interrupts(wants_room)) {
      s.idle.wait(idle_us(s, panic_us));
      s.net.disarm_interrupts(halts);
    } else {
      s.net.disarm_interrupts(false);
    }
  }
}

}  // namespace
}  // namespace cheshire::grin

// From start.S, on the boot stack with interrupts off.
// The device first: the other side sets up its rings while we make our tables.
extern "C" [[noreturn]] void grin_main(const cheshire::abi::HvmStartInfo* info, size_t cmdline_size_bytes) {
  const uint64_t entered_tsc = cheshire::grin::read_tsc();
  cheshire::grin::System& s = cheshire::grin::system_state;
  cheshire::grin::read_cmdline(*info, cmdline_size_bytes, s.config);
  s.net.init({s.config.devices.data(), s.config.device_count});
  const bool halts = s.config.idle == cheshire::grin::IdleMethod::kHalt;
  const uint64_t ready_tsc = cheshire::grin::read_tsc();
  s.clock_source = s.clock.init(s.config.tsc_khz, halts, entered_tsc);
  if (s.clock_source.empty()) cheshire::grin::panic("TSC frequency unknown, give grin.tsc_khz");
  const cheshire::grin::Arena arena(cheshire::grin::free_memory(*info));
  s.idle.init(s.config.idle, s.net.irq());
  cheshire::grin::start_protocols(s, arena);
  s.ready_us = s.clock.to_us(ready_tsc);
  cheshire::grin::run(s);
}
