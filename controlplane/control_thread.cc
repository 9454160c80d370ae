// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/control_thread.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "log.h"
#include "naps.h"

namespace cheshire {
namespace {

// The nap while nothing happens, in ticks; and while there is no instance either, which leaves signals,
// commands and edges: the latter two end it at once or wait that long.
constexpr uint64_t kIdleTickFactor = 20;
constexpr uint64_t kNobodyTickFactor = 200;
constexpr uint64_t kShutdownMaxNs = 5 * kNsPerSecond;

// Its number, or 0.
uint32_t next_signal(const UniqueFd& signals) {
  signalfd_siginfo info;
  const bool is_one = ::read(signals.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
  return is_one ? info.ssi_signo : 0;
}

// While the workers' turns are all idle, nothing comes that could not wait for a nap a little longer.
class ControlNaps {
 public:
  ControlNaps(const ControlLoop& control, const LoadBoard& board) : control_(control), board_(board) {}

  void read_tick_again() { naps_ = naps_of(control_.config().control.tick_ns); }
  // Of the nap that follows a round; 0: none.
  [[nodiscard]] uint64_t next_ns(bool round_was_busy) {
    const uint64_t busy_turns = board_.sum(&WorkerLoad::turns) - board_.sum(&WorkerLoad::idle_turns);
    if (round_was_busy || busy_turns != busy_turns_seen_) naps_.begin_again();
    busy_turns_seen_ = busy_turns;
    const uint64_t bound_ns = kIdleTickFactor * control_.config().control.tick_ns;
    const uint64_t ns = naps_.next();
    return ns > bound_ns && !control_.all_gone() ? bound_ns : ns;
  }

 private:
  [[nodiscard]] static Naps naps_of(uint64_t tick_ns) { return Naps(tick_ns, kNobodyTickFactor * tick_ns); }

  const ControlLoop& control_;
  const LoadBoard& board_;
  Naps naps_ = naps_of(control_.config().control.tick_ns);
  uint64_t busy_turns_seen_ = 0;
};

void turn_until_told_to_end(const ControlThreadLinks& links) {
  ControlNaps naps(links.control, links.board);
  for (uint32_t signal = 0; signal == 0 || signal == SIGHUP; signal = next_signal(links.signals)) {
    if (signal == SIGHUP) links.socket.request_reload();
    while (auto posted = links.mailbox.take()) {
      links.mailbox.answer(posted->ticket, links.control.execute(posted->command, monotonic_ns()));
      naps.read_tick_again();
    }
    const bool busy = links.control.tick(monotonic_ns());
    if (const uint64_t ns = naps.next_ns(busy); ns != 0) links.nap_or_be_woken(ns);
  }
}

void turn_until_all_are_gone(ControlLoop& control) {
  control.begin_shutdown();
  const uint64_t deadline_ns = monotonic_ns() + kShutdownMaxNs;
  while (!control.all_gone() && monotonic_ns() < deadline_ns) {
    control.tick(monotonic_ns());
    nap(control.config().control.tick_ns);
  }
  if (!control.all_gone()) log::warn("some instances did not end in time and are killed");
}

}  // namespace

Result<UniqueFd> take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return Error{ErrorCode::kInternal, std::string("signalfd: ") + std::strerror(errno)};
  return fd;
}

void run_control(const ControlThreadLinks& links) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  turn_until_told_to_end(links);
  log::info("ending: every instance is stopped, open flows are reset");
  turn_until_all_are_gone(links.control);
}

}  // namespace cheshire
