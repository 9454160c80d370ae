// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// New flows that nobody can take: by which rule, what the client sees, and that nothing stays behind.
#include "dataplane/packet/http_refusal.h"
#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

using ::testing::StartsWith;

class Overload : public WorkerTest {
 protected:
  static constexpr uint32_t kHard = 2;

  // The service web with one instance at the most, which takes two flows.
  void rules(const AdmissionRules& rules, uint16_t slots = 1) {
    service(kWeb).in_flight_hard = kHard;
    service(kWeb).instances_max = slots;
    service(kWeb).rules_given = std::make_shared<const AdmissionRules>(rules);
    publish();
    run();
  }
  void fill(uint16_t slot = 0) {
    is_ready(slot);
    for (uint16_t port = 1; port <= kHard; ++port) opens(Flow{.port = port}, slot);
    static_cast<void>(client.got());
    static_cast<void>(guest(slot).got());
  }
  [[nodiscard]] uint64_t rejected(Rejection why) { return load(kWeb).rejected(why).get(); }
  [[nodiscard]] uint64_t with(Refusal how) {
    return load(kWeb).rejected_with[static_cast<size_t>(how)].get();
  }
  [[nodiscard]] uint64_t flows() {
    advance(2 * kNsPerMs);
    return board().worker(0).flows.get();
  }
  static AdmissionRules http() {
    return {.action = OverloadAction::kHttp503, .page = make_refusal_page(1, 0, "busy\n")};
  }
  // The SYN-ACK's sequence number.
  uint32_t gets_cookie(const Flow& flow) {
    client.sends(flow.syn());
    const std::vector<Bytes> frames = take_from_wire();
    EXPECT_EQ(frames.size(), 1U);
    if (frames.empty()) return 0;
    EXPECT_EQ(frames[0][47], kTcpSyn | kTcpAck);
    return read32(frames[0], 38);
  }
};

struct Action {
  const char* what;
  OverloadAction action;
  const char* answer;  // to a SYN of sequence number 1000; empty: none
};
constexpr Action kActions[] = {{"reset", OverloadAction::kReset, "web>7 RST-ACK seq 0 ack 1001"},
                               {"http503", OverloadAction::kHttp503, "web>7 SYN-ACK"},
                               {"hold", OverloadAction::kHold, ""},
                               {"drop", OverloadAction::kDrop, ""}};

TEST_F(Overload, each_action_answers_a_full_service_in_its_way) {
  for (const Action& c : kActions) {
    SCOPED_TRACE(c.what);
    AdmissionRules r = http();
    r.action = c.action;
    rules(r);
    if (load(0).in_flight.get() == 0) fill();
    const uint64_t before = flows();
    client.sends(Flow{.port = 7}.syn());
    const Words got = client.got();
    if (c.answer[0] == '\0') {
      EXPECT_THAT(got, IsEmpty());
    } else {
      EXPECT_THAT(got, ElementsAre(StartsWith(c.answer)));
    }
    EXPECT_THAT(guest(0).got(), IsEmpty());
    EXPECT_EQ(flows(), before + (c.action == OverloadAction::kHold ? 1 : 0)) << "a rejected flow leaves none";
    if (c.action == OverloadAction::kHold) client.sends(Flow{.port = 7}.rst());
  }
  EXPECT_EQ(rejected(Rejection::kFull), 3U);
  EXPECT_EQ(with(Refusal::kReset), 1U);
  EXPECT_EQ(with(Refusal::kHttp503), 1U);
  EXPECT_EQ(with(Refusal::kDrop), 1U);
  EXPECT_EQ(dropped(DropReason::k_overload), 1U);
}

TEST_F(Overload, a_place_that_becomes_free_is_given_away_at_once) {
  rules({});
  fill();
  client.sends(Flow{.port = 7}.syn());
  EXPECT_THAT(client.got(), ElementsAre("web>7 RST-ACK seq 0 ack 1001"));
  guest(0).sends(Flow{.port = 1}.from_guest(kTcpRst | kTcpAck, 5001, 1001));
  static_cast<void>(client.got());
  client.sends(Flow{.port = 8}.syn());
  EXPECT_THAT(guest(0).got(), ElementsAre("8>web SYN seq 1000"));
  EXPECT_EQ(load(0).in_flight.get(), kHard);
}

TEST_F(Overload, what_is_held_at_a_full_service_follows_when_there_is_room_and_is_reset_when_there_is_none) {
  rules({.action = OverloadAction::kHold});
  fill();
  client.sends(Flow{.port = 7}.syn(), Flow{.port = 8}.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 2U);
  guest(0).sends(Flow{.port = 1}.from_guest(kTcpRst | kTcpAck, 5001, 1001));
  EXPECT_THAT(guest(0).got(), ElementsAre("7>web SYN seq 1000"));
  static_cast<void>(client.got());
  advance(3 * kNsPerSecond);
  EXPECT_THAT(client.got(), ElementsAre("web>8 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(rejected(Rejection::kExpired), 1U);
}

// --- while an instance boots ---

TEST_F(Overload, so_many_wait_as_those_that_boot_can_take) {
  rules({}, 3);
  service(kWeb).hold_syns_max = 100;
  publish();
  for (uint16_t port = 1; port <= 8; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 3 * kHard) << "three may boot, with two flows each";
  EXPECT_THAT(client.got(), ElementsAre("web>7 RST-ACK seq 0 ack 1001", "web>8 RST-ACK seq 0 ack 1001"));
  EXPECT_EQ(rejected(Rejection::kHoldFull), 2U);
}

TEST_F(Overload, with_one_full_and_one_to_come_those_wait_that_fit_into_it) {
  rules({}, 2);
  fill();
  for (uint16_t port = 5; port <= 7; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), kHard);
  EXPECT_THAT(client.got(), ElementsAre("web>7 RST-ACK seq 0 ack 1001"));
  expects(1);
  comes_up(1);
  EXPECT_THAT(guest(1).got(), ElementsAre("5>web SYN seq 1000")) << "it has to show that it is ready";
  guest(1).sends(Flow{.port = 5}.syn_ack());
  EXPECT_EQ(client.got().size(), 1U);
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 0U);
  EXPECT_EQ(load(1).in_flight.get(), kHard);
  EXPECT_EQ(load(0).in_flight.get(), kHard) << "never more";
}

TEST_F(Overload, where_boots_fail_the_action_is_the_same) {
  rules(http());
  refuses(kWeb);
  client.sends(Flow{.port = 7}.syn());
  EXPECT_THAT(client.got(), ElementsAre(StartsWith("web>7 SYN-ACK")));
  EXPECT_EQ(rejected(Rejection::kRefusing), 1U);
}

// --- 503 ---

TEST_F(Overload, a_503_from_the_syn_to_the_last_ack) {
  rules(http());
  fill();
  Flow flow{.port = 7};
  flow.guest_isn = gets_cookie(flow);
  client.sends(flow.ack());
  EXPECT_THAT(client.got(), IsEmpty());
  client.sends(flow.data("GET / HTTP/1.1\r\n\r\n"));
  const std::vector<Bytes> answers = take_from_wire();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_TRUE(tcp_checksum_is_right(answers[0]));
  const std::string text(answers[0].begin() + 54, answers[0].end());
  EXPECT_THAT(text, StartsWith("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1 "));
  EXPECT_TRUE(text.ends_with("\r\n\r\nbusy\n"));
  const auto end = static_cast<uint32_t>(flow.guest_isn + 1 + text.size() + 1);
  client.sends(flow.from_client(kTcpAck | kTcpFin, flow.isn + 19, end));
  EXPECT_THAT(client.got(), ElementsAre("web>7 ACK seq " + std::to_string(end) + " ack 1020"));
  EXPECT_THAT(guest(0).got(), IsEmpty());
  EXPECT_EQ(load(kWeb).refusals_answered.get(), 1U);
  EXPECT_EQ(dropped(DropReason::k_refusal_done), 1U);
}

TEST_F(Overload, bad_cookies_and_other_protocols_are_reset_and_counted) {
  rules(http());
  fill();
  Flow flow{.port = 7};
  flow.guest_isn = gets_cookie(flow);
  Flow thief = flow;
  thief.client_ip = be32(0xc6336408);
  Flow guess = flow;
  guess.guest_isn += 17;
  client.sends(thief.data("GET / HTTP/1.1\r\n\r\n"), guess.data("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(load(kWeb).cookies_bad.get(), 2U);
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  client.sends(flow.data(hello), flow.data("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  EXPECT_EQ(load(kWeb).not_http.get(), 2U);
  for (const Bytes& frame : take_from_wire()) EXPECT_EQ(frame[47], kTcpRst);
  advance(65 * kNsPerSecond);
  client.sends(flow.data("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(load(kWeb).cookies_bad.get(), 3U) << "too old";
  EXPECT_EQ(load(kWeb).refusals_answered.get(), 0U);
  EXPECT_THAT(guest(0).got(), IsEmpty());
}

TEST_F(Overload, a_client_of_a_tiny_mss_is_reset) {
  rules(http());
  fill();
  TcpFrame syn = Flow{.port = 7}.syn();
  syn.tcp.options = {2, 4, 0, 88};
  client.sends(syn);
  EXPECT_THAT(client.got(), ElementsAre("web>7 RST-ACK seq 0 ack 1001"));
}

TEST_F(Overload, who_hammers_gets_no_answer) {
  AdmissionRules r;
  r.refusals = {.interval_ns = 100 * kNsPerMs, .burst = 2};
  rules(r);
  fill();
  for (int i = 0; i < 5; ++i) client.sends(Flow{.port = 7}.syn());
  EXPECT_EQ(client.got().size(), 2U);
  EXPECT_EQ(with(Refusal::kSilent), 3U);
  EXPECT_EQ(dropped(DropReason::k_source_rate), 3U);
  Flow other{.port = 7};
  other.client_ip = be32(0xc6336408);
  client.sends(other.syn());
  EXPECT_EQ(with(Refusal::kReset), 3U) << "another address is answered";
  static_cast<void>(client.got());
  advance(kNsPerSecond);
  client.sends(Flow{.port = 7}.syn());
  EXPECT_EQ(client.got().size(), 1U);
}

// --- floods ---

TEST_F(Overload, a_flood_of_invented_addresses_wakes_nobody_and_takes_no_flow) {
  rules({.challenge = Challenge::kWake, .remember_ns = kNsPerSecond});
  for (uint32_t i = 0; i < 1000; ++i) {
    Flow spoofed{.port = 7};
    spoofed.client_ip = be32(0x0a640000 + i);
    client.sends(spoofed.syn());
    EXPECT_EQ(take_from_wire().size(), 1U);
  }
  EXPECT_EQ(load(kWeb).challenges_sent.get(), 1000U);
  EXPECT_EQ(load(kWeb).held_syns.get(), 0U);
  EXPECT_EQ(flows(), 0U);
  EXPECT_THAT(edges(), IsEmpty()) << "nobody was told of any demand";
}

TEST_F(Overload, a_client_that_is_there_passes_and_is_remembered_for_a_while) {
  rules({.challenge = Challenge::kWake, .remember_ns = 10 * kNsPerSecond});
  const Flow flow{.port = 7};
  client.sends(flow.syn());
  const std::vector<Bytes> challenge = take_from_wire();
  ASSERT_EQ(challenge.size(), 1U);
  EXPECT_EQ(challenge[0][47], kTcpAck);
  const uint32_t cookie = read32(challenge[0], 42);
  client.sends(flow.from_client(kTcpRst, cookie + 1, 0));
  EXPECT_EQ(load(kWeb).challenges_passed.get(), 0U) << "somebody guesses";
  client.sends(flow.from_client(kTcpRst, cookie, 0));
  EXPECT_EQ(load(kWeb).challenges_passed.get(), 1U);
  EXPECT_EQ(dropped(DropReason::k_challenge_passed), 1U);
  client.sends(flow.syn());
  EXPECT_EQ(load(kWeb).waiting_syns.get(), 1U) << "the SYN that it sends again is let in";
  client.sends(Flow{.port = 8}.syn());
  EXPECT_EQ(load(kWeb).challenges_sent.get(), 1U) << "so are others of the same address";
  client.sends(flow.rst(), Flow{.port = 8}.rst());
  advance(11 * kNsPerSecond);
  client.sends(Flow{.port = 9}.syn());
  EXPECT_EQ(load(kWeb).challenges_sent.get(), 2U);
  EXPECT_EQ(take_from_wire().size(), 1U);
}

TEST_F(Overload, a_late_answer_to_a_challenge_resets_no_flow_that_its_client_has_by_now) {
  rules({.challenge = Challenge::kWake, .remember_ns = 10 * kNsPerSecond});
  const Flow flow{.port = 7};
  const Flow other{.port = 8};
  client.sends(flow.syn(), other.syn());
  const std::vector<Bytes> challenges = take_from_wire();
  ASSERT_EQ(challenges.size(), 2U);
  client.sends(other.from_client(kTcpRst, read32(challenges[1], 42), 0));
  is_ready(0);
  opens(flow, 0);
  static_cast<void>(guest(0).got());
  client.sends(flow.from_client(kTcpRst, read32(challenges[0], 42), 0));
  EXPECT_EQ(load(0).in_flight.get(), 1U);
  EXPECT_EQ(guest(0).got().size(), 0U);
  EXPECT_EQ(load(kWeb).challenges_passed.get(), 2U);
}

TEST_F(Overload, above_the_rate_the_unknown_are_challenged_and_open_flows_go_on) {
  service(kWeb).in_flight_soft = 1000;
  AdmissionRules r{.challenge = Challenge::kFlood, .remember_ns = kNsPerSecond};
  r.syns = {.interval_ns = 10 * kNsPerMs, .burst = 2};
  rules(r, 3);
  service(kWeb).in_flight_hard = 0;
  publish();
  is_ready(0);
  const Flow open{.port = 1};
  opens(open, 0);
  advance(kNsPerSecond);
  static_cast<void>(client.got());
  static_cast<void>(guest(0).got());
  for (uint16_t port = 10; port < 20; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_EQ(load(kWeb).challenges_sent.get(), 8U) << "two are within the burst";
  EXPECT_EQ(take_from_wire().size(), 8U);
  EXPECT_EQ(guest(0).got().size(), 2U);
  client.sends(open.data("hello"));
  EXPECT_EQ(guest(0).got().size(), 1U);
}

// --- health ---

TEST_F(Overload, an_instance_that_nobody_asks_is_asked_by_us_and_limits_do_not_matter) {
  service(kWeb).gateway_ip = be32(0x0a000001);
  rules({.probe_every_ns = kNsPerSecond});
  is_ready(0);
  advance(2 * kNsPerSecond);
  static_cast<void>(guest(0).got());
  const uint64_t probes = load(0).probes.get();
  EXPECT_NE(load(0).silent_since_ns.get(), 0U) << "it has not answered";
  advance(10 * kNsPerSecond);
  EXPECT_EQ(load(0).probes.get(), probes) << "one question at a time";
  guest(0).sends(Flow{.port = 4711}.syn_ack());
  EXPECT_EQ(load(0).silent_since_ns.get(), 0U);
}

TEST_F(Overload, silence_is_since_the_first_question_without_any_answer) {
  rules({});
  is_ready(0);
  const Flow flow{.port = 1};
  opens(flow, 0);
  EXPECT_EQ(load(0).silent_since_ns.get(), 0U);
  client.sends(flow.ack());
  EXPECT_EQ(load(0).silent_since_ns.get(), 0U) << "an ACK asks nothing";
  client.sends(flow.data("hello"));
  const uint64_t since = load(0).silent_since_ns.get();
  EXPECT_NE(since, 0U);
  advance(kNsPerSecond);
  client.sends(flow.data("hello"));
  EXPECT_EQ(load(0).silent_since_ns.get(), since);
  guest(0).sends(flow.from_guest(kTcpAck, flow.guest_isn + 1, flow.isn + 6));
  EXPECT_EQ(load(0).silent_since_ns.get(), 0U) << "slow, and alive";
}

// --- a limit that is found by itself ---

TEST_F(Overload, an_automatic_limit_is_in_force_from_the_beginning) {
  rules({.hard_is_auto = true});
  service(kWeb).in_flight_hard = 0;
  publish();
  is_ready(0);
  EXPECT_EQ(load(0).flows_limit.get(), 16U);
  for (uint16_t port = 100; port < 130; ++port) client.sends(Flow{.port = port}.syn());
  EXPECT_EQ(load(0).in_flight.get(), 16U);
  EXPECT_EQ(rejected(Rejection::kFull), 14U);
  static_cast<void>(client.got());
}

}  // namespace
}  // namespace cheshire::test
