// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/sim/journal.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "units.h"

namespace cheshire::sim {
namespace {

struct Words {
  What what;
  const char* text;  // of three numbers
};
constexpr Words kWords[] = {
    {What::kClientSends, "client: connection %llu sends, flags %02llx, seq %llu"},
    {What::kClientGets, "client: connection %llu gets, flags %02llx, seq %llu"},
    {What::kClientEnds, "client: connection %llu ends, outcome %llu"},
    {What::kWireLoses, "wire: loses a frame of connection %llu"},
    {What::kGuestGets, "guest: instance %llu gets, flags %02llx, of connection %llu"},
    {What::kGuestSends, "guest: instance %llu sends, flags %02llx, in connection %llu"},
    {What::kGuestChanges, "guest: instance %llu becomes %llu"},
    {What::kBootOrder, "driver: boot slot %llu generation %llu service %llu"},
    {What::kPrepareOrder, "driver: prepare slot %llu generation %llu service %llu"},
    {What::kRunOrder, "driver: run slot %llu generation %llu"},
    {What::kPauseOrder, "driver: pause slot %llu generation %llu"},
    {What::kStopOrder, "driver: stop slot %llu generation %llu"},
    {What::kDriverTells, "driver: tells of slot %llu generation %llu: event %llu"},
    {What::kPortUp, "vhost: slot %llu generation %llu is up"},
    {What::kPortDown, "vhost: slot %llu generation %llu is down"},
    {What::kState, "control: slot %llu generation %llu is in state %llu"},
    {What::kDecision, "control: service %llu has %llu, wants %llu"},
    {What::kWorkerLate, "fault: worker %llu is late by %llu ms"},
    {What::kControlLate, "fault: the control thread is late by %llu ms"},
    {What::kPoolEmpty, "fault: no packet buffers for %llu ms"},
    {What::kCommand, "operator: command %llu, obeyed %llu"},
    {What::kPhase, "world: phase %llu begins"},
};

const Journal* g_newest = nullptr;

// A CHECK of the code under test: say which world it was.
void on_abort(int) {
  if (g_newest != nullptr) {
    g_newest->print_newest();
    std::fprintf(stderr,
                 "sim: seed %llu, at %.6f ms: the code under test gave up; again: sim_whole --seed %llu\n",
                 static_cast<unsigned long long>(g_newest->seed()), ns_to_ms(g_newest->now_ns),
                 static_cast<unsigned long long>(g_newest->seed()));
  }
  std::fflush(nullptr);
  std::_Exit(1);
}

}  // namespace

Journal::Journal(uint64_t seed, bool tells) : seed_(seed), tells_(tells) {
  g_newest = this;
  std::signal(SIGABRT, on_abort);
}

Journal::~Journal() {
  g_newest = nullptr;
}

void Journal::note(What what, uint64_t a, uint64_t b, uint64_t c) {
  const Line line{now_ns, what, a, b, c};
  newest_[lines_++ % kNewest] = line;
  mix(now_ns);
  mix(static_cast<uint64_t>(what) << 56U ^ a << 40U ^ b << 32U ^ c);
  if (tells_) print(line);
}

void Journal::print(const Line& line) {
  std::fprintf(stderr, "%14.6f ms  ", ns_to_ms(line.time_ns));
  std::fprintf(stderr, kWords[static_cast<size_t>(line.what)].text, static_cast<unsigned long long>(line.a),
               static_cast<unsigned long long>(line.b), static_cast<unsigned long long>(line.c));
  std::fputc('\n', stderr);
}

void Journal::print_newest() const {
  if (tells_) return;
  for (uint64_t i = lines_ < kNewest ? 0 : lines_ - kNewest; i < lines_; ++i) print(newest_[i % kNewest]);
}

void Journal::fail(const char* sentence, const std::string& details) const {
  print_newest();
  const auto seed = static_cast<unsigned long long>(seed_);
  std::fprintf(stderr,
               "sim: seed %llu, at %.6f ms: BROKEN: %s\n  %s\n  again: sim_whole --seed %llu --tell\n", seed,
               ns_to_ms(now_ns), sentence, details.c_str(), seed);
  std::fflush(nullptr);
  std::_Exit(1);
}

}  // namespace cheshire::sim
