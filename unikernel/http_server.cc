// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/http_server.h"

namespace cheshire::grin {

bool HttpServer::init(const Options& options, Arena& arena, size_t capacity) {
  options_ = options;
  const std::span<Pages> pages = arena.take<Pages>(1);
  const std::span<IndexLink> links = arena.take<IndexLink>(capacity + 1);
  const std::span<WorkQueue::Job> jobs = arena.take<WorkQueue::Job>(options.worker_count);
  sessions_ = arena.take<Session>(capacity + 1);
  if (pages.empty() || links.empty() || jobs.empty() || sessions_.empty()) return false;
  pages_ = pages.data();
  pages_->init(options.token, options.body_size_bytes);
  work_.init(
      {.worker_count = options.worker_count, .service_us = options.service_us, .links = links, .jobs = jobs});
  return true;
}

void HttpServer::on_open(ConnectionId id) {
  sessions_[id] = Session{};
}

size_t HttpServer::on_data(ConnectionId id, std::span<const std::byte> data) {
  Session& session = sessions_[id];
  size_t taken = 0;
  while (taken < data.size()) {
    if (session.closing) return data.size();
    if (session.in_service || session.response_count == kPipelineDepth) break;
    const ParseResult result = session.parser.feed(data.subspan(taken));
    taken += result.taken_bytes;
    switch (result.event) {
      case ParseEvent::kNeedMore:
        break;
      case ParseEvent::kExpectContinue:
        queue_response(id, pages_->page(PageId::kContinue, false), false, false);
        break;
      case ParseEvent::kRequest:
        handle_request(id);
        break;
      default:
        handle_error(id, result.event);
        break;
    }
  }
  return taken;
}

void HttpServer::handle_request(ConnectionId id) {
  Session& session = sessions_[id];
  const Request& request = session.parser.request();
  const bool head_only = request.method == Method::kHead;
  if (request.method == Method::kOther) {
    ++options_.counters->bad_requests;
    answer(id, PageId::kMethodNotAllowed, false, request.close);
    return;
  }
  ++options_.counters->requests;
  if (request.target == Target::kHealth) {
    answer(id, PageId::kHealth, head_only, request.close);
  } else if (request.target == Target::kStats) {
    answer_stats(id, head_only, request.close);
  } else if (options_.service_us == 0) {
    answer(id, PageId::kHello, head_only, request.close);
  } else {
    session.in_service = true;
    session.head_only = head_only;
    session.wants_close = request.close;
    work_.submit(id, now_us_);
  }
}

void HttpServer::handle_error(ConnectionId id, ParseEvent event) {
  ++options_.counters->bad_requests;
  PageId page = PageId::kBadRequest;
  if (event == ParseEvent::kHeadTooLarge) page = PageId::kHeadTooLarge;
  if (event == ParseEvent::kNotImplemented) page = PageId::kNotImplemented;
  answer(id, page, false, true);
}

void HttpServer::run_work() {
  for (Index id = work_.pop_finished(now_us_); id != kNoIndex; id = work_.pop_finished(now_us_)) {
    Session& session = sessions_[id];
    session.in_service = false;
    answer(id, PageId::kHello, session.head_only, session.wants_close);
    options_.tcp->resume(id);
  }
}

void HttpServer::answer(ConnectionId id, PageId page, bool head_only, bool close) {
  queue_response(id, pages_->page(page, close), head_only, close);
}

void HttpServer::answer_stats(ConnectionId id, bool head_only, bool close) {
  const StatsView view = {.uptime_us = now_us_,
                          .connections = options_.tcp->open_count(),
                          .time_wait = options_.tcp->time_wait_count(),
                          .waiting = work_.waiting_count(),
                          .running = work_.running_count()};
  const Page* page = pages_->take_stats(*options_.counters, view, close);
  if (page == nullptr) page = &pages_->page(PageId::kUnavailable, close);
  queue_response(id, *page, head_only, close);
}

void HttpServer::queue_response(ConnectionId id, const Page& page, bool head_only, bool close) {
  Session& session = sessions_[id];
  const uint32_t size_bytes = head_only ? page.head_size_bytes : page.size_bytes();
  const size_t slot = (session.response_first + session.response_count) % kPipelineDepth;
  session.responses[slot] = {&page, session.stream_end, size_bytes};
  ++session.response_count;
  session.stream_end += size_bytes;
  options_.tcp->extend(id, size_bytes);
  if (!close) return;
  session.closing = true;
  options_.tcp->close(id);
}

void HttpServer::on_peer_closed(ConnectionId id) {
  Session& session = sessions_[id];
  if (session.in_service) {
    session.wants_close = true;
  } else {
    session.closing = true;
    options_.tcp->close(id);
  }
}

void HttpServer::on_acked(ConnectionId id, uint32_t offset_bytes) {
  Session& session = sessions_[id];
  while (session.response_count != 0) {
    const Response& oldest = session.responses[session.response_first];
    if (seq_before(offset_bytes, oldest.start + oldest.size_bytes)) return;
    pages_->give_back(oldest.page);
    session.response_first = (session.response_first + 1) % kPipelineDepth;
    --session.response_count;
  }
}

bool HttpServer::on_idle(ConnectionId id) {
  return !sessions_[id].in_service;
}

void HttpServer::on_gone(ConnectionId id) {
  Session& session = sessions_[id];
  if (session.in_service) work_.cancel(id);
  on_acked(id, session.stream_end);
}

void HttpServer::fill(ConnectionId id, uint32_t offset_bytes, std::span<std::byte> out) {
  const Session& session = sessions_[id];
  size_t done = 0;
  for (size_t i = 0; i < session.response_count && done < out.size(); ++i) {
    const Response& response = session.responses[(session.response_first + i) % kPipelineDepth];
    const uint32_t from = offset_bytes + static_cast<uint32_t>(done) - response.start;
    if (from >= response.size_bytes) continue;
    const size_t left = response.size_bytes - from;
    const size_t count = left < out.size() - done ? left : out.size() - done;
    response.page->copy(from, out.subspan(done, count));
    done += count;
  }
}

}  // namespace cheshire::grin
