// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// QEMU's machine protocol (JSON lines) over a socket pair that QEMU inherits: no socket file ever exists.
//
// The handshake costs the boot nothing: the client's half of it is in the socket before QEMU runs, and so may
// be the first commands; QEMU takes them when its main loop turns.
// QEMU's process is not trusted more than its guest: lines, replies awaited and bytes unsent are bounded, and
// what is no valid message is ignored. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "handle.h"
#include "hypervisor/process/line_splitter.h"
#include "result.h"

namespace cheshire {

class QmpClient {
 public:
  using Json = nlohmann::json;
  // `value` is what the command returned, nullptr if it failed and `error` says why.
  using OnReply = std::function<void(const Json* value, std::string_view error)>;
  using OnEvent = std::function<void(std::string_view event, const Json& data)>;

  static constexpr size_t kLineBytesMax = 64 * 1024;
  static constexpr size_t kPendingMax = 32;

  // A connected stream socket, non-blocking. Sends the handshake.
  QmpClient(UniqueFd socket, OnEvent on_event);

  [[nodiscard]] int fd() const { return socket_.get(); }
  // Returns at once. kUnavailable: QEMU has stopped reading; kLimit: too many replies are awaited.
  Result<void> execute(std::string_view command, OnReply on_reply = {}, const Json& arguments = {});
  // Call when fd() is readable: runs the callbacks. False once QEMU has closed its end.
  [[nodiscard]] bool read();

 private:
  struct Pending {
    uint64_t id;
    OnReply on_reply;
  };
  void on_line(std::string_view line);
  void on_reply(const Json& message);

  UniqueFd socket_;
  OnEvent on_event_;
  LineSplitter lines_{kLineBytesMax};
  std::deque<Pending> pending_;
  uint64_t id_ = 0;
};

}  // namespace cheshire
