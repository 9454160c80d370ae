// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/commands/control_socket.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "controlplane/commands/command_json.h"
#include "controlplane/config/config_yaml.h"
#include "controlplane/policy/policy_lint.h"
#include "log.h"

namespace cheshire {
namespace {

constexpr uint64_t kSignalTicket = 0;
constexpr int kPollMs = 1000;  // how late a deadline may be seen

Error unavailable(const std::string& path, const char* what) {
  return Error{ErrorCode::kUnavailable, "control socket " + path + ": " + what + ": " + std::strerror(errno)};
}

Result<UniqueFd> listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalidArgument, "control socket " + path + ": the path is too long"};
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return unavailable(path, "socket");
  // Before bind(): the file never exists with another mode.
  if (::fchmod(fd.get(), 0600) != 0) return unavailable(path, "fchmod");
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return unavailable(path, "bind");
  }
  if (::chmod(path.c_str(), 0600) != 0) return unavailable(path, "chmod");
  constexpr int kBacklog = 128;  // one is accepted a round; a client that does not block would be turned away
  if (::listen(fd.get(), kBacklog) != 0) return unavailable(path, "listen");
  return fd;
}

// Whoever may signal the daemon may command it.
bool is_our_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

// Policies that were changed by command are tried out as those of a file are: here, as the control thread has no
// time for it.
std::string swings_after(const ControlCommand& command, const CommandAnswer& answer) {
  const bool changes = command.kind == CommandKind::kScaleInit || command.kind == CommandKind::kScaleAdd ||
                       command.kind == CommandKind::kScaleRemove || command.kind == CommandKind::kScaleReset;
  if (!changes || answer.error || answer.config == nullptr) return {};
  const ServiceIndex index = find_service(*answer.config, command.service);
  if (index == kNobodys) return {};
  const std::string warning = swing_warning(answer.config->services[index.value]);
  return warning.empty() ? warning : command.service + " " + warning;
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::start(ControlSocketOptions options) {
  Result<UniqueFd> listener = listen_at(options.path);
  if (!listener.ok()) return listener.error();
  std::unique_ptr<ControlSocket> socket(new ControlSocket(std::move(options), std::move(listener).value()));
  socket->thread_ = std::thread([socket = socket.get()] { socket->run(); });
  return socket;
}

void ControlSocket::stop() {
  if (!thread_.joinable()) return;
  stop_.publish(1);
  options_.mailbox->wake();
  thread_.join();
  ::unlink(options_.path.c_str());
}

void ControlSocket::request_reload() {
  reloads_wanted_.publish(reloads_wanted_.get() + 1);
  options_.mailbox->wake();
}

void ControlSocket::run() {
  ::prctl(PR_SET_NAME, "control-socket");
  std::vector<pollfd> polled;
  std::vector<uint64_t> tickets;
  while (stop_.observe() == 0) {
    polled = {{options_.mailbox->wake_fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    tickets.clear();
    for (const auto& [ticket, connection] : connections_) {
      const int wanted = connection.awaits ? 0 : connection.out.empty() ? POLLIN : POLLOUT;
      polled.push_back({connection.fd.get(), static_cast<short>(wanted), 0});
      tickets.push_back(ticket);
    }
    static_cast<void>(::poll(polled.data(), polled.size(), kPollMs));  // interrupted: nothing is ready
    const uint64_t now_ns = monotonic_ns();
    if (polled[0].revents != 0) options_.mailbox->clear_wake();
    take_answers(now_ns);
    if (reloads_wanted_.observe() != reloads_begun_) reload_by_signal();
    for (size_t i = 0; i < tickets.size(); ++i) serve(tickets[i], polled[i + 2].revents, now_ns);
    if (polled[1].revents != 0) accept_one(now_ns);
    close_the_late(now_ns);
  }
}

// One round of one connection: writing, or reading and obeying one line.
void ControlSocket::serve(uint64_t ticket, short events, uint64_t now_ns) {
  const auto found = connections_.find(ticket);
  if (found == connections_.end() || events == 0) return;
  Connection& connection = found->second;
  bool alive = true;
  if ((events & POLLOUT) != 0) {
    connection.moved_ns = now_ns;
    alive = flush(connection) && !(connection.ends && connection.out.empty());
    if (alive && connection.out.empty()) next_line(ticket, connection);  // one that was sent with the last
  } else if ((events & POLLIN) != 0) {
    alive = read_some(connection);
    const bool was_idle = connection.idle();
    if (alive) next_line(ticket, connection);
    // A line that never ends is no progress.
    if (alive && was_idle && !connection.idle()) connection.moved_ns = now_ns;
  } else {
    alive = false;  // the client is gone
  }
  if (!alive) connections_.erase(found);
}

void ControlSocket::accept_one(uint64_t now_ns) {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    // Out of descriptors: the client stays in the backlog; not in a busy loop.
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 10'000'000};
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) nanosleep(&kPause, nullptr);
    return;
  }
  if (!is_our_user(fd.get())) return counters_.refused_user.increment();
  if (connections_.size() == kConnectionsMax && !make_room()) return counters_.refused_full.increment();
  counters_.connections.increment();
  Connection& connection = connections_[next_ticket_++];
  connection.fd = std::move(fd);
  connection.moved_ns = now_ns;
}

bool ControlSocket::make_room() {
  auto idlest = connections_.end();
  for (auto at = connections_.begin(); at != connections_.end(); ++at) {
    if (!at->second.idle()) continue;
    if (idlest == connections_.end() || at->second.moved_ns < idlest->second.moved_ns) idlest = at;
  }
  if (idlest == connections_.end()) return false;
  counters_.evicted_idle.increment();
  connections_.erase(idlest);
  return true;
}

// false: the client has ended.
bool ControlSocket::read_some(Connection& connection) {
  std::array<char, 16 * kKiB> chunk;
  const ssize_t got = ::recv(connection.fd.get(), chunk.data(), chunk.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    if (!connection.in.empty()) counters_.half_lines.increment();
    return false;
  }
  connection.in.append(chunk.data(), static_cast<size_t>(got));
  return true;
}

// Obeys the first whole line, if there is one.
void ControlSocket::next_line(uint64_t ticket, Connection& connection) {
  while (connection.idle()) {
    const size_t end = connection.in.find('\n');
    if (end > kLineBytesMax && connection.in.size() > kLineBytesMax) {
      counters_.line_too_long.increment();
      connection.in.clear();
      connection.ends = true;
      connection.out =
          format_error("a line is longer than " + std::to_string(kLineBytesMax) + " bytes") + "\n";
      return;
    }
    if (end == std::string::npos) return;
    const std::string line = connection.in.substr(0, end);
    connection.in.erase(0, end + 1);
    if (line.find_first_not_of(" \t\r") != std::string::npos) obey(ticket, connection, line);
  }
}

void ControlSocket::obey(uint64_t ticket, Connection& connection, std::string_view line) {
  Result<ControlCommand> command = parse_command(line);
  connection.warning.clear();
  if (command.ok() && command.value().kind == CommandKind::kReload) {
    command = load_file(std::move(command).value(), &connection.warning);
  }
  if (!command.ok()) {
    counters_.bad_lines.increment();
    connection.out = format_error(command.error().what) + "\n";
    return;
  }
  connection.command = command.value();
  connection.command.file.reset();  // the control thread's from here on
  if (!options_.mailbox->post({ticket, std::move(command).value()})) {
    connection.out = format_error("too many commands are under way; try again") + "\n";
    return;
  }
  counters_.commands.increment();
  connection.awaits = true;
}

Result<ControlCommand> ControlSocket::load_file(ControlCommand command, std::string* warning) {
  ConfigResult loaded = load_config(options_.config_path);
  std::string problems = format_problems(loaded.problems);
  if (!problems.empty()) problems.pop_back();
  if (!loaded.ok()) return Error{ErrorCode::kInvalidArgument, "nothing was changed:\n" + problems};
  if (!problems.empty()) log::warn("reload: {}", problems);
  *warning = std::move(problems);
  command.file = std::make_shared<const Config>(std::move(*loaded.config));
  return command;
}

void ControlSocket::reload_by_signal() {
  reloads_begun_ = reloads_wanted_.observe();
  std::string warning;  // it is in the log
  Result<ControlCommand> command = load_file({.kind = CommandKind::kReload}, &warning);
  if (!command.ok()) return log::error("reload: {}", command.error().what);
  if (!options_.mailbox->post({kSignalTicket, std::move(command).value()})) {
    log::error("reload: too many commands are under way; try again");
  }
}

void ControlSocket::take_answers(uint64_t now_ns) {
  while (auto answered = options_.mailbox->next_answer()) {
    if (answered->ticket == kSignalTicket) continue;  // it is in the log
    const auto found = connections_.find(answered->ticket);
    if (found == connections_.end()) continue;  // the client did not wait
    Connection& connection = found->second;
    connection.awaits = false;
    connection.moved_ns = now_ns;
    const std::string swings = swings_after(connection.command, answered->answer);
    connection.out =
        format_answer(connection.command, answered->answer, swings.empty() ? connection.warning : swings) +
        "\n";
    if (!flush(connection)) {
      connections_.erase(found);
    } else if (connection.out.empty()) {
      next_line(answered->ticket, connection);  // one that was sent with the last
    }
  }
}

// false: nobody takes it any more.
bool ControlSocket::flush(Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t sent =
        ::send(connection.fd.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.out.erase(0, static_cast<size_t>(sent));
  }
  return true;
}

void ControlSocket::close_the_late(uint64_t now_ns) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    const Connection& connection = at->second;
    const uint64_t quiet_ns = now_ns - std::min(connection.moved_ns, now_ns);
    const bool slow = !connection.out.empty() && quiet_ns >= options_.slow_ns;
    const bool idle = connection.idle() && quiet_ns >= options_.idle_ns;
    if (slow) counters_.closed_slow_reader.increment();
    if (idle) counters_.closed_idle.increment();
    at = slow || idle ? connections_.erase(at) : std::next(at);
  }
}

}  // namespace cheshire
