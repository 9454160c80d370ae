// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// HTTP/1.1 on top of Tcp: requests in, pages out, with the work model in between.
//
// One request of a connection is served at a time. While it is, and while kPipelineDepth answers are not yet
// acknowledged, further input stays in TCP's receive buffer, whose window then closes: a client that
// pipelines without reading is slowed down, not buffered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "unikernel/cmdline.h"
#include "unikernel/http_parser.h"
#include "unikernel/memory.h"
#include "unikernel/pages.h"
#include "unikernel/tcp.h"
#include "unikernel/work_queue.h"

namespace cheshire::grin {

class HttpServer final : public StreamHandler {
 public:
  struct Options {
    Tcp* tcp;
    Counters* counters;
    uint64_t token;
    uint32_t body_size_bytes;
    uint32_t service_us;
    uint32_t worker_count;
  };
  static constexpr size_t kPipelineDepth = 4;

 private:
  struct Response {
    const Page* page;
    uint32_t start;  // offset in the stream
    uint32_t size_bytes;
  };
  struct Session {
    RequestParser parser;
    std::array<Response, kPipelineDepth> responses;  // a ring, oldest first
    uint32_t stream_end;                             // offset after the last answer
    uint8_t response_first;
    uint8_t response_count;
    bool in_service;   // the request is with the work queue
    bool head_only;    // of the request in service
    bool wants_close;  // of the request in service, or the peer has closed
    bool closing;      // the last answer is promised; all input is discarded
  };

 public:
  static constexpr size_t kBytesPerConnection = sizeof(Session) + sizeof(IndexLink);
  static constexpr size_t kFixedBytes = sizeof(Pages) + kWorkersMax * sizeof(WorkQueue::Job);

  [[nodiscard]] bool init(const Options& options, Arena& arena, size_t capacity);

  void begin_turn(uint64_t now_us) { now_us_ = now_us; }
  // Answers the requests whose service has ended.
  void run_work();
  [[nodiscard]] uint64_t next_deadline_us() const { return work_.next_deadline_us(); }
  [[nodiscard]] const WorkQueue& work() const { return work_; }

  void on_open(ConnectionId id) override;
  [[nodiscard]] size_t on_data(ConnectionId id, std::span<const std::byte> data) override;
  void on_peer_closed(ConnectionId id) override;
  void on_acked(ConnectionId id, uint32_t offset_bytes) override;
  [[nodiscard]] bool on_idle(ConnectionId id) override;
  void on_gone(ConnectionId id) override;
  void fill(ConnectionId id, uint32_t offset_bytes, std::span<std::byte> out) override;

 private:
  void handle_request(ConnectionId id);
  void handle_error(ConnectionId id, ParseEvent event);
  void answer(ConnectionId id, PageId page, bool head_only, bool close);
  void answer_stats(ConnectionId id, bool head_only, bool close);
  void queue_response(ConnectionId id, const Page& page, bool head_only, bool close);

  Options options_ = {};
  uint64_t now_us_ = 0;
  Pages* pages_ = nullptr;  // in the arena
  WorkQueue work_;
  std::span<Session> sessions_;  // indexed by connection
};

}  // namespace cheshire::grin
