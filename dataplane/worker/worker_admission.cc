// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which new flows are let in, and what the others are told. Nothing here keeps anything for a flow that is
// not let in: neither a flow entry nor a packet. docs/overload.md has the whole of it.
#include <algorithm>
#include <iterator>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/http_refusal.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/worker.h"

namespace cheshire {
namespace {

// Bytes from the frame's begin to the end of its buffer.
size_t room_of(const rte_mbuf* packet) {
  return static_cast<size_t>(packet->buf_len) - packet->data_off;
}

std::span<const uint8_t> options_of(rte_mbuf* packet, const ParsedPacket& parsed) {
  return {bytes_of(packet) + parsed.l4_offset + sizeof(TcpHeader),
          parsed.tcp_header_length - sizeof(TcpHeader)};
}

ClientSegment segment_of(rte_mbuf* packet, const ParsedPacket& parsed) {
  const auto& tcp = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset);
  return {.flags = parsed.tcp_flags,
          .sequence = tcp.sequence.value(),
          .acknowledgment = tcp.acknowledgment.value(),
          .payload = {bytes_of(packet) + parsed.l4_offset + parsed.tcp_header_length,
                      static_cast<size_t>(parsed.l4_length - parsed.tcp_header_length)}};
}

}  // namespace

// Whether this client has to show first that it receives what is sent to its address.
bool Worker::must_prove(const FlowKey& key, const Chooser::Choice& choice) {
  const SteeringService& service = table_->value.service(key.service);
  const AdmissionRules& rules = service.rules();
  if (rules.challenge == Challenge::kNever) return false;
  // With nobody to take it, or with one flow less than wakes the next instance: a flood never gets so far.
  const bool would_wake = rules.challenge == Challenge::kWake &&
                          (choice.outcome != Chooser::Outcome::kChosen ||
                           slots_[choice.slot.value].in_flight + 1 >= service.in_flight_soft);
  const bool too_many =
      rules.any_unknown_proves || !admission_.syn_meters[key.service.value].take(now_ns_, rules.syns);
  return (would_wake || too_many) && !admission_.sources.is_proven(key.client_ip, now_ns_);
}

void Worker::challenge(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key) {
  board_.service(key.service).challenges_sent.increment();
  const uint32_t cookie = admission_.cookies.make(CookieKind::kChallenge, key, 0, now_ns_);
  set_length(packet, write_challenge(bytes_of(packet), parsed, cookie));
  send_to_client(packet);
}

// A reset of no flow: perhaps the answer to a challenge.
void Worker::reset_without_flow(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key) {
  const AdmissionRules& rules = table_->value.service(key.service).rules();
  if (rules.challenge == Challenge::kNever) return drop(packet, DropReason::k_no_flow_reset);
  const uint32_t cookie = header_at<TcpHeader>(bytes_of(packet), parsed.l4_offset).sequence.value();
  if (!admission_.cookies.check(CookieKind::kChallenge, key, cookie, now_ns_)) {
    return drop(packet, DropReason::k_no_flow_reset);
  }
  board_.service(key.service).challenges_passed.increment();
  admission_.sources.remember_proof(key.client_ip, now_ns_, now_ns_ + rules.remember_ns);
  board_.worker.proofs_displaced.set(admission_.sources.proofs_displaced());
  drop(packet, DropReason::k_challenge_passed);
}

// How many SYNs of a service may wait: as many as the instances can take that may still become ready, and
// those that will have room with time alone.
uint32_t Worker::hold_bound(ServiceIndex index, Chooser::Outcome outcome) const {
  const SteeringService& service = table_->value.service(index);
  const AdmissionRules& rules = service.rules();
  if (rules.action == OverloadAction::kHold) return service.hold_syns_max;
  uint32_t each = service.in_flight_hard;
  if (rules.hard_is_auto) each = admission_limit(admission_.options, AdmissionState{});
  const uint32_t ready = chooser_.members(index);
  const uint32_t coming = service.refuse || service.instances_max < ready ? 0 : service.instances_max - ready;
  const uint32_t able = coming + (outcome == Chooser::Outcome::kPaced ? ready : 0);
  // Without a limit an instance takes all that there is, as soon as it is ready.
  if (each == 0) return able == 0 && ready == 0 ? 0 : service.hold_syns_max;
  return static_cast<uint32_t>(std::min<uint64_t>(service.hold_syns_max, uint64_t{able} * each));
}

// A SYN that nobody takes. The packet leaves as the answer, or is dropped.
void Worker::reject(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key, Rejection why) {
  const AdmissionRules& rules = table_->value.service(key.service).rules();
  ServiceLoad& load = board_.service(key.service);
  load.rejected(why).increment();
  const auto with = [&load](Refusal how) { load.rejected_with[static_cast<size_t>(how)].increment(); };
  if (rules.action == OverloadAction::kDrop) {
    with(Refusal::kDrop);
    return drop(packet, DropReason::k_overload);
  }
  if (!admission_.sources.may_refuse(key.client_ip, now_ns_, rules.refusals)) {
    with(Refusal::kSilent);
    return drop(packet, DropReason::k_source_rate);
  }
  ++rejections_in_turn_;
  if (rules.action == OverloadAction::kHttp503) {
    const std::optional<uint8_t> mss = mss_class(mss_of_options(options_of(packet, parsed)));
    if (mss.has_value() && room_of(packet) >= refusal_frame_max(rules.page)) {
      with(Refusal::kHttp503);
      const uint32_t cookie = admission_.cookies.make(CookieKind::kHandshake, key, *mss, now_ns_);
      set_length(packet, write_cookie_syn_ack(bytes_of(packet), parsed, cookie));
      return send_to_client(packet);
    }
  }
  with(Refusal::kReset);
  answer_with_reset(packet, parsed);
}

// A segment of no flow, neither SYN nor RST, of a service that refuses by HTTP.
void Worker::refuse_by_http(rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key) {
  const AdmissionRules& rules = table_->value.service(key.service).rules();
  ServiceLoad& load = board_.service(key.service);
  RefusalReply reply;
  if ((parsed.tcp_flags & kTcpAck) != 0 && room_of(packet) >= refusal_frame_max(rules.page)) {
    reply = refuse_segment(admission_.cookies, rules.page, key, segment_of(packet, parsed), now_ns_);
  }
  switch (reply.step) {
    case RefusalStep::kForeign:
      load.cookies_bad.increment();
      board_.worker.resets_no_flow.increment();
      return answer_with_reset(packet, parsed);
    case RefusalStep::kNotHttp:
      load.not_http.increment();
      return answer_with_reset(packet, parsed);
    case RefusalStep::kNothing:
      return drop(packet, DropReason::k_refusal_done);
    case RefusalStep::kAnswer:
      load.refusals_answered.increment();
      ++rejections_in_turn_;
      [[fallthrough]];
    case RefusalStep::kAcknowledge:
      set_length(packet, write_refusal(bytes_of(packet), parsed, rules.page, reply));
      return send_to_client(packet);
  }
}

// After they were given to the NIC: how long this turn's rejections took.
void Worker::time_rejections() {
  const uint64_t left_ns = monotonic_ns();
  const uint64_t us = (left_ns - std::min(now_ns_, left_ns)) / kNsPerUs;
  const auto* bound = std::lower_bound(kRejectionBoundsUs.begin(), kRejectionBoundsUs.end(), us);
  board_.worker.rejections_within[static_cast<size_t>(std::distance(kRejectionBoundsUs.begin(), bound))].add(
      rejections_in_turn_);
  rejections_in_turn_ = 0;
}

// Limits that are found by themselves, and instances that nobody asks anything.
void Worker::look_after_instances() {
  for (const SlotIndex index : polled_) {
    SlotState& slot = slots_[index.value];
    const AdmissionRules& rules = table_->value.service(slot.service).rules();
    if (slot.limit_is_auto) adapt_limit(index, slot);
    const bool serves = slot.ready && slot.role == SlotRole::kAccepting;
    if (!serves || rules.probe_every_ns == 0 || slot.in_flight != 0 || slot.asked_ns != 0) continue;
    if (now_ns_ - std::max(slot.heard_ns, slot.ready_ns) < rules.probe_every_ns) continue;
    if (send_probe(index)) asks(index, slot);
  }
}

void Worker::begin_limit(SlotIndex index) {
  SlotState& slot = slots_[index.value];
  const SteeringService& service = table_->value.service(slot.service);
  slot.limit_is_auto = service.rules().hard_is_auto;
  board_.slot(index).flows_limit.set(service.in_flight_hard);
  if (!slot.limit_is_auto) return;
  AnswerWatch& watch = admission_.answers[index.value];
  watch.state = AdmissionState{};
  watch.begin(now_ns_);
  const uint32_t limit = admission_limit(admission_.options, watch.state);
  chooser_.set_limit(index, limit);
  board_.slot(index).flows_limit.set(limit);
}

// A new table may say another limit, or another kind.
void Worker::update_limit(SlotIndex index) {
  const SlotState& slot = slots_[index.value];
  const SteeringService& service = table_->value.service(slot.service);
  if (slot.limit_is_auto != service.rules().hard_is_auto) return begin_limit(index);
  if (!slot.limit_is_auto) board_.slot(index).flows_limit.set(service.in_flight_hard);
}

void Worker::adapt_limit(SlotIndex index, const SlotState& slot) {
  AnswerWatch& watch = admission_.answers[index.value];
  const AdmissionInterval interval =
      watch.interval(slot.owing, board_.slot(index).queue_delay_ns.get(), now_ns_);
  if (!interval_is_whole(admission_.options, interval)) return;
  watch.step(next_admission(admission_.options, watch.state, interval), now_ns_);
  watch.note_in_flight(slot.in_flight);
  const uint32_t limit = admission_limit(admission_.options, watch.state);
  chooser_.set_limit(index, limit);
  board_.slot(index).flows_limit.set(limit);
}

// The instance got something that it has to answer, if only with an ACK.
void Worker::asks(SlotIndex index, SlotState& slot) {
  if (slot.asked_ns != 0) return;
  slot.asked_ns = now_ns_;
  board_.slot(index).silent_since_ns.set(now_ns_);
}

void Worker::heard(SlotIndex index, SlotState& slot) {
  slot.heard_ns = now_ns_;
  if (slot.asked_ns == 0) return;
  slot.asked_ns = 0;
  board_.slot(index).silent_since_ns.set(0);
}

}  // namespace cheshire
