// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "bench/failfast/open_loop.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>
#include <future>
#include <optional>
#include <queue>

#include "handle.h"
#include "units.h"

namespace cheshire::bench {
namespace {

constexpr int kEventsMax = 256;
constexpr size_t kAnswerKept = 1024;  // of an answer: its head
constexpr uint64_t kOtherFiles = 64;  // of a thread's table: not connections
constexpr uint64_t kThreadsMax = 16;

struct Request {
  uint64_t start_ns = 0;
  uint32_t client = 0;
  uint8_t tries = 1;
};
struct Later {
  bool operator()(const Request& a, const Request& b) const { return a.start_ns > b.start_ns; }
};

struct Connection {
  UniqueFd socket;
  Request request;
  uint32_t uses = 0;  // of this place: tells an event, or a deadline, of a former one
  bool sent = false;
  size_t received = 0;
  size_t kept = 0;
  std::array<char, kAnswerKept> text;
};

// The number after a header's name; nothing there: `otherwise`.
uint64_t header_number(std::string_view head, std::string_view name, uint64_t otherwise) {
  const size_t at = head.find(name);
  if (at == std::string_view::npos) return otherwise;
  uint64_t number = otherwise;
  const char* from = head.data() + at + name.size();
  static_cast<void>(std::from_chars(from, head.data() + head.size(), number));
  return number;
}

struct Share {
  uint64_t number = 0;
  uint64_t of = 1;
  uint64_t began_ns = 0;  // the same for all
};

uint64_t requests_of(const Phase& phase) {
  return static_cast<uint64_t>(std::llround(phase.per_second * phase.seconds));
}

class Load {
 public:
  Load(const LoadOptions& options, const Share& share)
      : options_(options), share_(share), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Result<LoadResult> run();

 private:
  struct Deadline {
    uint64_t at_ns;
    uint32_t place;
    uint32_t uses;
  };

  void plan();
  [[nodiscard]] uint64_t now() const { return monotonic_ns() - share_.began_ns; }
  void start(const Request& request);
  void on_event(uint32_t place, uint32_t events);
  void on_readable(uint32_t place);
  void finish(uint32_t place, Answer answer);
  void record(const Request& request, Answer answer, uint64_t retry_ns);
  [[nodiscard]] Answer answer_of(const Connection& connection) const;
  void wait();

  const LoadOptions options_;
  const Share share_;
  const UniqueFd epoll_;
  const std::string text_ = "GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
  std::vector<Request> planned_;  // in order
  size_t next_planned_ = 0;
  std::priority_queue<Request, std::vector<Request>, Later> again_;
  std::deque<Connection> connections_;
  std::vector<uint32_t> free_;
  std::deque<Deadline> deadlines_;  // all the same time ahead, hence in order
  uint64_t open_ = 0;
  LoadResult result_;
};

void Load::plan() {
  double at_s = 0;
  uint64_t client = 0;
  for (const Phase& phase : options_.phases) {
    const uint64_t count = requests_of(phase);
    for (uint64_t i = 0; i < count && client < options_.requests_max; ++i, ++client) {
      if (client % share_.of != share_.number) continue;
      const double start_s = at_s + static_cast<double>(i) / phase.per_second;
      planned_.push_back(
          {.start_ns = static_cast<uint64_t>(start_s * 1e9), .client = static_cast<uint32_t>(client)});
    }
    at_s += phase.seconds;
  }
  result_.asked = planned_.size();
  result_.records.reserve(planned_.size());
}

Result<LoadResult> Load::run() {
  if (!epoll_.valid()) return Error{ErrorCode::kUnavailable, std::strerror(errno)};
  plan();
  while (next_planned_ < planned_.size() || !again_.empty() || open_ != 0) {
    while (next_planned_ < planned_.size() && planned_[next_planned_].start_ns <= now()) {
      start(planned_[next_planned_++]);
    }
    while (!again_.empty() && again_.top().start_ns <= now()) {
      const Request request = again_.top();
      again_.pop();
      start(request);
    }
    while (!deadlines_.empty() && deadlines_.front().at_ns <= now()) {
      const Deadline deadline = deadlines_.front();
      deadlines_.pop_front();
      const Connection& connection = connections_[deadline.place];
      if (connection.uses == deadline.uses && connection.socket.valid())
        finish(deadline.place, Answer::kTimeout);
    }
    wait();
  }
  return std::move(result_);
}

void Load::wait() {
  uint64_t next_ns = now() + 100 * kNsPerMs;
  if (next_planned_ < planned_.size()) next_ns = std::min(next_ns, planned_[next_planned_].start_ns);
  if (!again_.empty()) next_ns = std::min(next_ns, again_.top().start_ns);
  if (!deadlines_.empty()) next_ns = std::min(next_ns, deadlines_.front().at_ns);
  const uint64_t left_ns = next_ns > now() ? next_ns - now() : 0;
  const timespec timeout{.tv_sec = static_cast<time_t>(left_ns / kNsPerSecond),
                         .tv_nsec = static_cast<long>(left_ns % kNsPerSecond)};
  std::array<epoll_event, kEventsMax> events;
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), kEventsMax, &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<uint32_t>(events[static_cast<size_t>(i)].data.u64);
    const auto uses = static_cast<uint32_t>(events[static_cast<size_t>(i)].data.u64 >> 32U);
    if (connections_[place].uses == uses) on_event(place, events[static_cast<size_t>(i)].events);
  }
}

void Load::start(const Request& request) {
  result_.late_ns = std::max(result_.late_ns, now() - std::min(now(), request.start_ns));
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.valid()) return record(request, Answer::kError, 0);
  if (!(options_.first_source == be32{})) {
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    sockaddr_in from{.sin_family = AF_INET};
    from.sin_addr.s_addr = be32(options_.first_source.value() + request.client % options_.sources).raw();
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
      return record(request, Answer::kError, 0);
    }
  }
  sockaddr_in to{.sin_family = AF_INET, .sin_port = options_.port.raw()};
  to.sin_addr.s_addr = options_.address.raw();
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    return record(request, errno == ECONNREFUSED ? Answer::kReset : Answer::kError, 0);
  }
  uint32_t place = 0;
  if (free_.empty()) {
    place = static_cast<uint32_t>(connections_.size());
    connections_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
  }
  Connection& connection = connections_[place];
  connection.socket = std::move(socket);
  connection.request = request;
  connection.sent = false;
  connection.received = 0;
  connection.kept = 0;
  ++connection.uses;
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP};
  event.data.u64 = uint64_t{connection.uses} << 32U | place;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event);
  deadlines_.push_back({now() + options_.timeout_ns, place, connection.uses});
  result_.open_most = std::max(result_.open_most, ++open_);
}

void Load::on_event(uint32_t place, uint32_t events) {
  Connection& connection = connections_[place];
  if (!connection.sent && (events & EPOLLOUT) != 0 && (events & EPOLLERR) == 0) {
    connection.sent = true;
    if (::send(connection.socket.get(), text_.data(), text_.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text_.size())) {
      const bool reset = errno == ECONNRESET || errno == ECONNREFUSED || errno == EPIPE;
      return finish(place, reset ? Answer::kReset : Answer::kError);
    }
  }
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) on_readable(place);
}

void Load::on_readable(uint32_t place) {
  Connection& connection = connections_[place];
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t count = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      const size_t keep = std::min(static_cast<size_t>(count), kAnswerKept - connection.kept);
      std::memcpy(connection.text.data() + connection.kept, buffer.data(), keep);
      connection.kept += keep;
      connection.received += static_cast<size_t>(count);
      continue;
    }
    if (count == 0) return finish(place, answer_of(connection));
    if (errno == EAGAIN || errno == EINTR) return;
    const bool reset = errno == ECONNRESET || errno == ECONNREFUSED || errno == EPIPE;
    return finish(place, reset ? Answer::kReset : Answer::kError);
  }
}

// Only a whole answer counts: all that Content-Length promises.
Answer Load::answer_of(const Connection& connection) const {
  const std::string_view text(connection.text.data(), connection.kept);
  const size_t head_end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || head_end == std::string_view::npos) return Answer::kError;
  const uint64_t length = header_number(text, "Content-Length: ", 0);
  if (connection.received != head_end + 4 + length) return Answer::kError;
  const std::string_view status = text.substr(9, 3);
  if (status == "200") return Answer::k200;
  return status == "503" ? Answer::k503 : Answer::kOtherStatus;
}

void Load::finish(uint32_t place, Answer answer) {
  Connection& connection = connections_[place];
  uint64_t retry_ns = options_.reset_pause_ns;
  if (answer == Answer::k503 && options_.obey_retry_after) {
    const std::string_view text(connection.text.data(), connection.kept);
    retry_ns = header_number(text, "Retry-After: ", 1) * kNsPerSecond;
  }
  if (answer == Answer::kTimeout) {  // no lingering in the kernel
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  connection.socket.reset();
  free_.push_back(place);
  --open_;
  record(connection.request, answer, retry_ns);
}

void Load::record(const Request& request, Answer answer, uint64_t retry_ns) {
  const uint64_t ended_ns = now();
  result_.records.push_back({.start_ns = request.start_ns,
                             .latency_ns = ended_ns - std::min(ended_ns, request.start_ns),
                             .answer = answer,
                             .tries = request.tries});
  if (answer == Answer::k200) ++result_.served;
  const bool refused = answer == Answer::k503 || answer == Answer::kReset;
  if (!refused || request.tries > options_.retries) return;
  again_.push({.start_ns = ended_ns + retry_ns,
               .client = request.client,
               .tries = static_cast<uint8_t>(request.tries + 1)});
}

}  // namespace

namespace {

// So many that each has files enough, were nobody to answer before the timeout.
uint64_t threads_for(const LoadOptions& options) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  uint64_t requests = 0;
  double per_second = 0;
  for (const Phase& phase : options.phases) {
    requests += requests_of(phase);
    per_second = std::max(per_second, phase.per_second);
  }
  const auto open = static_cast<uint64_t>(per_second * static_cast<double>(options.timeout_ns) * 1e-9);
  const uint64_t each = std::max<uint64_t>(files.rlim_cur, 2 * kOtherFiles) - kOtherFiles;
  return std::clamp<uint64_t>((std::min({open, requests, options.requests_max}) + each - 1) / each, 1,
                              kThreadsMax);
}

void add(LoadResult& sum, LoadResult&& part) {
  sum.records.insert(sum.records.end(), part.records.begin(), part.records.end());
  sum.asked += part.asked;
  sum.served += part.served;
  sum.late_ns = std::max(sum.late_ns, part.late_ns);
  sum.open_most += part.open_most;
}

}  // namespace

Result<LoadResult> run_load(const LoadOptions& options) {
  const uint64_t count = threads_for(options);
  const uint64_t began_ns = monotonic_ns();
  if (count == 1) return Load(options, {.began_ns = began_ns}).run();
  std::vector<std::future<Result<LoadResult>>> parts;
  for (uint64_t number = 0; number < count; ++number) {
    parts.push_back(
        std::async(std::launch::async, [&options, number, count, began_ns]() -> Result<LoadResult> {
          // From here on its table of files is its own.
          if (::unshare(CLONE_FILES) != 0) return Error{ErrorCode::kUnavailable, std::strerror(errno)};
          return Load(options, {number, count, began_ns}).run();
        }));
  }
  LoadResult sum;
  std::optional<Error> error;
  for (auto& part : parts) {
    Result<LoadResult> result = part.get();
    if (result.ok()) {
      add(sum, std::move(result).value());
    } else {
      error = result.error();
    }
  }
  if (error) return *error;
  std::sort(sum.records.begin(), sum.records.end(), [](const Record& a, const Record& b) {
    return a.start_ns + a.latency_ns < b.start_ns + b.latency_ns;
  });
  return sum;
}

}  // namespace cheshire::bench
