// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/commands/command_mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cheshire {

Result<std::unique_ptr<CommandMailbox>> CommandMailbox::create() {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return Error{ErrorCode::kInternal, std::string("eventfd: ") + std::strerror(errno)};
  return std::unique_ptr<CommandMailbox>(new CommandMailbox(std::move(wake)));
}

bool CommandMailbox::post(Posted posted) {
  {
    const std::lock_guard lock(mutex_);
    if (under_way_ == kPostedMax) return false;
    ++under_way_;
    commands_.push_back(std::move(posted));
  }
  posted_.publish(posted_.get() + 1);
  return true;
}

std::optional<CommandMailbox::Answered> CommandMailbox::next_answer() {
  const std::lock_guard lock(mutex_);
  if (answers_.empty()) return std::nullopt;
  Answered answered = std::move(answers_.front());
  answers_.pop_front();
  --under_way_;
  return answered;
}

void CommandMailbox::clear_wake() {
  uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof(count)));
}

std::optional<CommandMailbox::Posted> CommandMailbox::take() {
  if (posted_.observe() == taken_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  Posted posted = std::move(commands_.front());
  commands_.pop_front();
  ++taken_;
  return posted;
}

void CommandMailbox::answer(uint64_t ticket, CommandAnswer answer) {
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back({ticket, std::move(answer)});
  }
  wake();
}

void CommandMailbox::wake() {
  constexpr uint64_t kOne = 1;
  static_cast<void>(::write(wake_.get(), &kOne, sizeof(kOne)));  // full: it is awake already
}

}  // namespace cheshire
