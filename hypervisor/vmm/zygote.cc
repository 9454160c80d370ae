// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/vmm/zygote.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "handle.h"
#include "hypervisor/vmm_messages/zygote_message.h"

namespace cheshire {
namespace {

struct Order {
  std::vector<std::string> arguments;
  std::array<UniqueFd, kZygoteDescriptors> descriptors;
};

std::vector<std::string> split(std::span<const char> text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = std::find(text.begin(), text.end(), '\0');
    words.emplace_back(text.begin(), end);
    text = text.subspan(std::min(text.size(), static_cast<size_t>(end - text.begin()) + 1));
  }
  return words;
}

// The descriptors that came along, whatever else is wrong: they must not stay open.
void take_descriptors(msghdr& message, Order& order) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kZygoteDescriptors> fds{};
    const size_t count = std::min((header->cmsg_len - CMSG_LEN(0)) / sizeof(int), fds.size());
    std::memcpy(fds.data(), CMSG_DATA(header), count * sizeof(int));
    for (size_t i = 0; i < count; ++i) order.descriptors[i].reset(fds[i]);
  }
}

// nullopt: the driver is gone, or talks nonsense, which comes to the same.
std::optional<Order> receive() {
  static std::array<char, sizeof(ZygoteRequest) + kZygoteArgumentsMax> buffer;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kZygoteDescriptors * sizeof(int))> control{};
  iovec bytes{.iov_base = buffer.data(), .iov_len = buffer.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(kVmmControlFd, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < static_cast<ssize_t>(sizeof(ZygoteRequest))) return std::nullopt;
  Order order;
  take_descriptors(message, order);
  ZygoteRequest request{};
  std::memcpy(&request, buffer.data(), sizeof request);
  const size_t arguments_bytes = static_cast<size_t>(size) - sizeof request;
  const bool all_there = std::all_of(order.descriptors.begin(), order.descriptors.end(),
                                     [](const UniqueFd& fd) { return fd.valid(); });
  if (request.magic != kZygoteMagic || request.arguments_bytes != arguments_bytes || !all_there) {
    return std::nullopt;
  }
  order.arguments = split(std::span(buffer).subspan(sizeof request, arguments_bytes));
  return order;
}

void answer(int32_t pid, int32_t error) {
  const ZygoteAnswer answer{kZygoteMagic, pid, error};
  (void)::send(kVmmControlFd, &answer, sizeof answer, MSG_NOSIGNAL);
}

// Called in the new VMM: makes it the driver's child, with descriptors in their places, as
// ChildProcess::spawn() does for programs that are executed.
void become_child(const Order& order, pid_t driver) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != driver) ::_exit(1);
  ::setpgid(0, 0);
  constexpr std::array<int, kZygoteDescriptors> kPlaces = {STDOUT_FILENO, STDERR_FILENO, kVmmControlFd};
  for (size_t i = 0; i < kPlaces.size(); ++i) {
    if (::dup2(order.descriptors[i].get(), kPlaces[i]) < 0) ::_exit(1);
  }
}

// Writes the VMM's name over our own arguments, which is what ps shows. They lie in one piece, in order.
void show_name(std::span<char*> own, const std::vector<std::string>& arguments) {
  if (own.empty() || arguments.empty()) return;
  char* const end = own.back() + std::strlen(own.back());
  char* at = own.front() + std::strlen(own.front()) + 1;
  if (at >= end) return;
  std::memset(at, 0, static_cast<size_t>(end - at));
  std::memcpy(at, arguments.front().data(),
              std::min(arguments.front().size(), static_cast<size_t>(end - at)));
}

}  // namespace

std::optional<std::vector<std::string>> serve_as_zygote(std::span<char*> own_arguments) {
  const pid_t driver = ::getppid();
  while (std::optional<Order> order = receive()) {
    // As fork() does it, but for the parent. The one thread of this process is the one that goes on.
    const long pid = ::syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0UL);
    if (pid == 0) {
      become_child(*order, driver);
      show_name(own_arguments, order->arguments);
      return std::move(order->arguments);
    }
    answer(static_cast<int32_t>(pid), pid < 0 ? errno : 0);
  }
  return std::nullopt;
}

}  // namespace cheshire
