// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/admission.h"

#include <algorithm>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/http_refusal.h"

namespace cheshire {
namespace {

std::span<const uint8_t> options_of(std::span<uint8_t> frame, const ParsedPacket& parsed) {
  return frame.subspan(parsed.l4_offset + sizeof(TcpHeader), parsed.tcp_header_length - sizeof(TcpHeader));
}

ClientSegment segment_of(std::span<uint8_t> frame, const ParsedPacket& parsed) {
  const auto& tcp = header_at<TcpHeader>(frame.data(), parsed.l4_offset);
  return {.flags = parsed.tcp_flags,
          .sequence = tcp.sequence.value(),
          .acknowledgment = tcp.acknowledgment.value(),
          .payload = frame.subspan(size_t{parsed.l4_offset} + parsed.tcp_header_length,
                                   static_cast<size_t>(parsed.l4_length - parsed.tcp_header_length))};
}

}  // namespace

Admission::Admission(const Options& options, const WorkerBoard& board, const SlotArray& slots,
                     const SteeringHash& steering_hash, Chooser& chooser, const InstanceLimits& limits,
                     Egress& egress)
    : board_(board),
      slots_(slots),
      steering_hash_(steering_hash),
      chooser_(chooser),
      limits_(limits),
      egress_(egress),
      cookies_(options.cookie_key, options.config.cookie_period_ns),
      sources_(options.config.sources_max, options.source_key),
      syn_meters_(options.services) {}

Chooser::Choice Admission::choose(const Turn& turn, const FlowKey& key) {
  return chooser_.choose(key.service, steering_hash_(key), turn.now_ns);
}

bool Admission::must_prove(const Turn& turn, const FlowKey& key, const Chooser::Choice& choice) {
  const SteeringService& service = turn.service(key.service);
  const AdmissionRules& rules = service.rules();
  if (rules.challenge == Challenge::kNever) return false;
  // With nobody to take it, or with one flow less than wakes the next instance: a flood never gets so far.
  const bool would_wake = rules.challenge == Challenge::kWake &&
                          (choice.outcome != Chooser::Outcome::kChosen ||
                           slots_[choice.slot.value].in_flight + 1 >= service.in_flight_soft);
  const bool too_many =
      rules.any_unknown_proves || !syn_meters_[key.service.value].take(turn.now_ns, rules.syns);
  return (would_wake || too_many) && !sources_.is_proven(key.client_ip, turn.now_ns);
}

void Admission::challenge(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed,
                          const FlowKey& key) {
  board_.service(key.service).challenges_sent.increment();
  const uint32_t cookie = cookies_.make(CookieKind::kChallenge, key, 0, turn.now_ns);
  egress_.answer(turn, packet, write_challenge(frame_of(packet).data(), parsed, cookie));
}

bool Admission::take_proof(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed,
                           const FlowKey& key) {
  const AdmissionRules& rules = turn.service(key.service).rules();
  if (rules.challenge == Challenge::kNever) return false;
  const uint32_t cookie = header_at<TcpHeader>(frame_of(packet).data(), parsed.l4_offset).sequence.value();
  if (!cookies_.check(CookieKind::kChallenge, key, cookie, turn.now_ns)) return false;
  board_.service(key.service).challenges_passed.increment();
  sources_.remember_proof(key.client_ip, turn.now_ns, turn.now_ns + rules.remember_ns);
  board_.worker.proofs_displaced.set(sources_.proofs_displaced());
  egress_.drop(packet, DropReason::k_challenge_passed);
  return true;
}

uint32_t Admission::hold_bound(const Turn& turn, ServiceIndex index, Chooser::Outcome outcome) const {
  const SteeringService& service = turn.service(index);
  if (service.rules().action == OverloadAction::kHold) return service.hold_syns_max;
  const uint32_t each = limits_.of_fresh_instance(service);
  const uint32_t ready = chooser_.members(index);
  const uint32_t coming = service.refuse || service.instances_max < ready ? 0 : service.instances_max - ready;
  const uint32_t able = coming + (outcome == Chooser::Outcome::kPaced ? ready : 0);
  // Without a limit an instance takes all that there is, as soon as it is ready.
  if (each == 0) return able == 0 && ready == 0 ? 0 : service.hold_syns_max;
  return static_cast<uint32_t>(std::min<uint64_t>(service.hold_syns_max, uint64_t{able} * each));
}

void Admission::reject(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, const FlowKey& key,
                       Rejection why) {
  const AdmissionRules& rules = turn.service(key.service).rules();
  ServiceLoad& load = board_.service(key.service);
  load.rejected(why).increment();
  const auto with = [&load](Refusal how) { load.rejected_with[static_cast<size_t>(how)].increment(); };
  if (rules.action == OverloadAction::kDrop) {
    with(Refusal::kDrop);
    return egress_.drop(packet, DropReason::k_overload);
  }
  if (!sources_.may_refuse(key.client_ip, turn.now_ns, rules.refusals)) {
    with(Refusal::kSilent);
    return egress_.drop(packet, DropReason::k_source_rate);
  }
  egress_.note_rejection();
  if (rules.action == OverloadAction::kHttp503) {
    const std::span<uint8_t> frame = frame_of(packet);
    const std::optional<uint8_t> mss = mss_class(mss_of_options(options_of(frame, parsed)));
    if (mss.has_value() && room_of(packet) >= refusal_frame_max(rules.page)) {
      with(Refusal::kHttp503);
      const uint32_t cookie = cookies_.make(CookieKind::kHandshake, key, *mss, turn.now_ns);
      return egress_.answer(turn, packet, write_cookie_syn_ack(frame.data(), parsed, cookie));
    }
  }
  with(Refusal::kReset);
  egress_.reset_client(turn, packet, parsed);
}

void Admission::refuse_by_http(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed,
                               const FlowKey& key) {
  const AdmissionRules& rules = turn.service(key.service).rules();
  ServiceLoad& load = board_.service(key.service);
  const std::span<uint8_t> frame = frame_of(packet);
  RefusalReply reply;
  if ((parsed.tcp_flags & kTcpAck) != 0 && room_of(packet) >= refusal_frame_max(rules.page)) {
    reply = refuse_segment(cookies_, rules.page, key, segment_of(frame, parsed), turn.now_ns);
  }
  switch (reply.step) {
    case RefusalStep::kForeign:
      load.cookies_bad.increment();
      board_.worker.resets_no_flow.increment();
      return egress_.reset_client(turn, packet, parsed);
    case RefusalStep::kNotHttp:
      load.not_http.increment();
      return egress_.reset_client(turn, packet, parsed);
    case RefusalStep::kNothing:
      return egress_.drop(packet, DropReason::k_refusal_done);
    case RefusalStep::kAnswer:
      load.refusals_answered.increment();
      egress_.note_rejection();
      [[fallthrough]];
    case RefusalStep::kAcknowledge:
      return egress_.answer(turn, packet, write_refusal(frame.data(), parsed, rules.page, reply));
  }
}

}  // namespace cheshire
