// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The daemon's control socket, runtime_dir/NAME/control.sock: one JSON object a line comes in, one goes out
// (docs/control.md, command_json.h). A thread of its own reads, checks and writes; only whole, well-formed
// commands reach the control thread, through CommandMailbox, and it never waits for a client.
//
//   connect ─► same user or root? ─► line ─► parse ─► mailbox ─► control thread
//                  │no: closed          │ bad: an error is answered       │
//   client ◄──────────────────────────── answer ◄─────────────────────────┘
//
// A connection has one command under way at a time, so what it can make the daemon keep is a line and an
// answer. The bounds, each with a counter for when it is hit:
//
//   kConnectionsMax  connections; one more takes the place of the one that has been idle for longest
//   kLineBytesMax    bytes of a line; the connection is told and closed
//   kIdleNs          without a whole line; closed
//   kSlowNs          without taking its answer; closed
//
// start() and the destructor on the main thread; request_reload() from any. Errors: the socket cannot be
// made.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "controlplane/commands/command_mailbox.h"
#include "counter.h"
#include "handle.h"
#include "result.h"
#include "units.h"

struct pollfd;

namespace cheshire {

// writer: the socket's thread; readers: telemetry
struct ControlSocketCounters {
  Counter connections;         // accepted, of a user who may
  Counter commands;            // well formed, handed to the control thread
  Counter bad_lines;           // no command: answered with an error
  Counter refused_user;        // of another user: closed
  Counter refused_full;        // bound hit: kConnectionsMax, all busy
  Counter evicted_idle;        // bound hit: kConnectionsMax, the idlest had to go
  Counter closed_idle;         // bound hit: kIdleNs
  Counter closed_slow_reader;  // bound hit: kSlowNs
  Counter line_too_long;       // bound hit: kLineBytesMax
  Counter half_lines;          // bytes without an end of line when the client left
};

struct ControlSocketOptions {
  std::string path;
  std::string config_path;  // read again by reload
  CommandMailbox* mailbox = nullptr;
  uint64_t idle_ns = 30 * kNsPerSecond;
  uint64_t slow_ns = 5 * kNsPerSecond;
};

class ControlSocket {
 public:
  static constexpr size_t kConnectionsMax = 64;
  static constexpr size_t kLineBytesMax = 64 * kKiB;

  // What stands at the path is replaced: the caller holds the daemon's lock.
  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>> start(ControlSocketOptions options);
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  // Ends the thread and removes the socket; the counters stay.
  void stop();
  ~ControlSocket() { stop(); }

  // As the command does; what came of it goes to the log.
  void request_reload();
  [[nodiscard]] const ControlSocketCounters& counters() const { return counters_; }
  [[nodiscard]] const std::string& path() const { return options_.path; }

 private:
  struct Connection {
    UniqueFd fd;
    std::string in;   // at most kLineBytesMax, and one read more
    std::string out;  // the rest of one answer
    ControlCommand command;
    std::string warning;    // of a config file that was read, for the answer
    bool awaits = false;    // its command is with the control thread
    bool ends = false;      // closed as soon as `out` is
    uint64_t moved_ns = 0;  // last progress
    [[nodiscard]] bool idle() const { return !awaits && out.empty(); }
  };
  using Connections = std::map<uint64_t, Connection>;  // by ticket

  ControlSocket(ControlSocketOptions options, UniqueFd listener)
      : options_(std::move(options)), listener_(std::move(listener)) {}

  void run();
  void serve(uint64_t ticket, short events, uint64_t now_ns);
  void accept_one(uint64_t now_ns);
  [[nodiscard]] bool make_room();
  [[nodiscard]] bool read_some(Connection& connection);
  void next_line(uint64_t ticket, Connection& connection);
  void obey(uint64_t ticket, Connection& connection, std::string_view line);
  [[nodiscard]] Result<ControlCommand> load_file(ControlCommand command, std::string* warning);
  void reload_by_signal();
  void take_answers(uint64_t now_ns);
  [[nodiscard]] bool flush(Connection& connection);
  void close_the_late(uint64_t now_ns);

  const ControlSocketOptions options_;
  const UniqueFd listener_;
  ControlSocketCounters counters_;
  Connections connections_;
  uint64_t next_ticket_ = 1;  // 0 is the signal's
  Counter stop_;              // writer: main thread
  Counter reloads_wanted_;    // writer: main thread
  uint64_t reloads_begun_ = 0;
  std::thread thread_;
};

}  // namespace cheshire
