// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "hypervisor/vmm/vmm.h"

namespace cheshire {
namespace {

// The one global of the VMM: a signal handler has no other way to find its object. Written before the first
// signal.
kvm_run* g_run = nullptr;

void on_signal(int) {
  if (g_run != nullptr) g_run->immediate_exit = 1;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // without SA_RESTART: a poll is to return as well
  sigaction(SIGIO, &action, nullptr);
  sigaction(SIGALRM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

void stop_on_signal(kvm_run* run) {
  g_run = run;
}

void raise_signal_when_readable(int fd) {
  fcntl(fd, F_SETOWN, getpid());
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
}

}  // namespace cheshire
