// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/kvm/zygote_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hypervisor/kvm/kvm_vm.h"
#include "hypervisor/vmm_messages/zygote_message.h"

namespace cheshire {
namespace {

constexpr int kAnswerMaxMs = 1000;     // a fork; longer, and something is badly wrong
constexpr size_t kNameBytesMax = 160;  // of a VMM, for ps

Error failed(const char* what) {
  return {ErrorCode::kUnavailable, std::string("zygote: ") + what + ": " + std::strerror(errno)};
}

}  // namespace

Result<ZygoteLink> ZygoteLink::start(const VmmProgram& program) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) return failed("socketpair");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  Result<ChildProcess> process =
      ChildProcess::spawn({.program = program.path,
                           .arguments = {"cheshire-vmm", "--zygote", std::string(kNameBytesMax, ' ')},
                           .inherited = {theirs.get(), program.kvm.get(), program.cpuid.get()}});
  if (!process) return process.error();
  return ZygoteLink(std::move(ours), std::move(process).value());
}

Result<ChildProcess> ZygoteLink::spawn(std::span<const std::string> arguments, int control) {
  Result<ChildPipes> pipes = ChildPipes::create();
  if (!pipes) return pipes.error();
  if (Result<void> asked = send_request(arguments, pipes.value(), control); !asked) return asked.error();
  const Result<int32_t> pid = receive_pid();
  if (!pid) return pid.error();
  return ChildProcess::adopt(pid.value(), std::move(pipes).value());
}

Result<void> ZygoteLink::send_request(std::span<const std::string> arguments, const ChildPipes& pipes,
                                      int control) {
  std::string words;
  for (const std::string& argument : arguments) words.append(argument).push_back('\0');
  if (words.size() > kZygoteArgumentsMax) {
    return Error{ErrorCode::kInvalidArgument, "zygote: more than 16 KiB of arguments"};
  }
  ZygoteRequest request{kZygoteMagic, static_cast<uint32_t>(words.size())};
  std::array<iovec, 2> bytes = {{{&request, sizeof request}, {words.data(), words.size()}}};
  const std::array<int, kZygoteDescriptors> fds = {pipes.out.write_end.get(), pipes.err.write_end.get(),
                                                   control};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fds)> rights{};
  msghdr message{};
  message.msg_iov = bytes.data();
  message.msg_iovlen = bytes.size();
  message.msg_control = rights.data();
  message.msg_controllen = rights.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof fds);
  if (::sendmsg(socket_.get(), &message, MSG_NOSIGNAL) < 0) return failed("sendmsg");
  return {};
}

Result<int32_t> ZygoteLink::receive_pid() {
  pollfd answered{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&answered, 1, kAnswerMaxMs) != 1) {
    return Error{ErrorCode::kUnavailable, "zygote: no answer within a second"};
  }
  ZygoteAnswer answer{};
  const ssize_t size = ::recv(socket_.get(), &answer, sizeof answer, MSG_DONTWAIT);
  if (size != static_cast<ssize_t>(sizeof answer) || answer.magic != kZygoteMagic) {
    return Error{ErrorCode::kUnavailable, "zygote: it is gone"};
  }
  if (answer.pid <= 0) {
    errno = answer.error;
    return failed("clone");
  }
  return answer.pid;
}

}  // namespace cheshire
