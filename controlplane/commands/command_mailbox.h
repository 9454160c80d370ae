// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Commands from the control socket's thread to the control thread, and answers back. Nobody waits: the
// control thread takes a command when it comes by, and an answer wakes the other's poll(). One mutex, held
// for a move of a value. Bounded by kPostedMax commands under way; more are refused by post().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "controlplane/commands/control_command.h"
#include "counter.h"
#include "handle.h"
#include "result.h"

namespace cheshire {

class CommandMailbox {
 public:
  static constexpr size_t kPostedMax = 128;

  struct Posted {
    uint64_t ticket = 0;  // the sender's, for the answer
    ControlCommand command;
  };
  struct Answered {
    uint64_t ticket = 0;
    CommandAnswer answer;
  };

  [[nodiscard]] static Result<std::unique_ptr<CommandMailbox>> create();

  // socket thread
  [[nodiscard]] bool post(Posted posted);  // false: full
  [[nodiscard]] std::optional<Answered> next_answer();
  [[nodiscard]] int wake_fd() const { return wake_.get(); }
  void clear_wake();

  // control thread; take() costs a load where nobody has posted
  [[nodiscard]] std::optional<Posted> take();
  void answer(uint64_t ticket, CommandAnswer answer);

  // any thread: lets the socket thread's poll() end
  void wake();

 private:
  explicit CommandMailbox(UniqueFd wake) : wake_(std::move(wake)) {}

  const UniqueFd wake_;  // eventfd
  Counter posted_;       // writer: socket thread; reader: control thread
  uint64_t taken_ = 0;   // control thread's own
  std::mutex mutex_;     // guards what follows
  std::deque<Posted> commands_;
  std::deque<Answered> answers_;
  size_t under_way_ = 0;  // posted, and the answer not yet fetched
};

}  // namespace cheshire
