// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A config file that is read again while the control loop runs: whole, or not at all.
#include "controlplane/commands/reload.h"

#include <gtest/gtest.h>

#include "tests/controlplane/operator.h"

namespace cheshire::test {
namespace {

ServiceConfig named(const char* name, uint16_t port, ServiceConfig service = only_one()) {
  service = service_config(service);
  service.name = name;
  service.port = be16(port);
  return service;
}

// One service, room for two more and for three more instances.
Config file_of_one() {
  return with_spare(one_service(three()), 3, 2);
}

bool is_at(const Config& config, uint16_t index, const char* name, bool removed) {
  const ServiceConfig& service = config.services.at(index);
  return service.name == name && service.removed == removed;
}

// --- services

TEST(Reload, a_new_service_is_served) {
  ControlStage stage(file_of_one());
  Config file = file_of_one();
  file.services.insert(file.services.begin(), named("api", 443));
  EXPECT_EQ(told(stage, reload_of(file)), "reloaded; services: added 1 (api)");
  EXPECT_TRUE(is_at(stage.control().config(), 0, "web", false)) << "indices stay";
  EXPECT_TRUE(is_at(stage.control().config(), 1, "api", false));
  stage.syns_wait(1, 1);
  stage.tick();
  EXPECT_EQ(stage.table().find(be32(0xc000020a), be16(443)), ServiceIndex{1});
  EXPECT_EQ(stage.driver().boots().back().order.name, "api/0/1");
}

TEST(Reload, a_service_that_is_gone_drains_and_leaves_its_index_and_slots) {
  Config file = file_of_one();
  file.services.push_back(named("api", 443));
  ControlStage stage(file);
  has_served(stage);
  stage.has_flows(0, 1);
  Config without = file;
  without.services.erase(without.services.begin());
  EXPECT_EQ(told(stage, reload_of(without)), "reloaded; services: removed 1 (web)");
  stage.tick();
  EXPECT_EQ(stage.instance(0).state, InstanceState::kDraining);
  EXPECT_TRUE(stage.table().service({0}).refuse) << "new clients are reset";
  EXPECT_EQ(stage.table().find(be32(0xc000020a), be16(80)), ServiceIndex{0}) << "its flow goes on";
  stage.has_flows(0, 0);
  stage.advance(30 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).state, InstanceState::kAbsent);
  EXPECT_FALSE(stage.table().find(be32(0xc000020a), be16(80)));
  EXPECT_EQ(stage.control().config().instances_most(), 1U) << "none for what is gone";
  // Its index and its slots are another one's now, whose address it may even have.
  without.services.push_back(named("shop", 80, three()));
  EXPECT_EQ(told(stage, reload_of(without)), "reloaded; services: added 1 (shop)");
  EXPECT_TRUE(is_at(stage.control().config(), 0, "shop", false));
  stage.syns_wait(9, 0);
  stage.tick();
  EXPECT_EQ(stage.table().find(be32(0xc000020a), be16(80)), ServiceIndex{0});
  EXPECT_EQ(stage.driver().boots().size(), 4U);
}

TEST(Reload, a_service_that_comes_back_while_it_drains_is_the_same_one) {
  Config file = file_of_one();
  file.services.push_back(named("api", 443));
  ControlStage stage(file);
  has_served(stage);
  stage.has_flows(0, 1);
  Config without = file;
  without.services.erase(without.services.begin());
  static_cast<void>(told(stage, reload_of(without)));
  stage.tick();
  static_cast<void>(told(stage, reload_of(file)));
  EXPECT_TRUE(is_at(stage.control().config(), 0, "web", false));
  stage.syns_wait(1);
  stage.advance(kBootNs);
  EXPECT_EQ(stage.states().substr(0, 16), "draining booting");
}

TEST(Reload, another_name_for_the_same_listen_is_the_same_service) {
  ControlStage stage(file_of_one());
  has_served(stage);
  stage.has_flows(0, 1);
  Config file = file_of_one();
  file.services[0].name = "www";
  static_cast<void>(told(stage, reload_of(file)));
  stage.tick();
  EXPECT_EQ(stage.states().substr(0, 6), "active");
  EXPECT_EQ(stage.control().name_of(stage.instance(0)), "www/0/1");
}

TEST(Reload, sizes_of_the_file_take_the_place_of_what_commands_set) {
  ControlStage stage(file_of_one());
  static_cast<void>(told(stage, scale_init(2, 5)));
  static_cast<void>(told(stage, reload_of(file_of_one())));
  EXPECT_EQ(stage.control().config().services[0].instances_min, 0U);
  EXPECT_EQ(stage.control().config().services[0].instances_max, 3U);
}

TEST(Reload, what_was_kept_ready_goes_where_less_is_wanted) {
  Config file = file_of_one();
  file.services[0].shells = 2;
  ControlStage stage(file);
  stage.advance(200 * kNsPerMs);
  ASSERT_EQ(stage.states().substr(0, 11), "shell shell");
  file.services[0].shells = 1;
  static_cast<void>(told(stage, reload_of(file)));
  stage.advance(50 * kNsPerMs);
  EXPECT_EQ(stage.states().substr(0, 12), "shell absent");
}

// --- refused

TEST(Reload, what_cannot_change_is_named_and_nothing_changes) {
  ControlStage stage(file_of_one());
  const Config* const before = &stage.control().config();
  Config file = file_of_one();
  file.name = "other";
  file.worker.flows_max = 1024;
  file.nic.device = "net_null1";
  file.eal.lcores = {7};
  file.services[0].port = be16(81);
  file.services[0].instances_max = 1;
  file.images[0].driver = DriverKind::kQemu;
  const std::string why = refusal(stage, reload_of(file));
  for (const char* part : {"\nname: cannot change", "\nworker: cannot change", "\nnic: ", "\neal: ",
                           "\nservices.web.listen: cannot change", "\nimages.image.driver: no image had"}) {
    EXPECT_NE(why.find(part), std::string::npos) << part << " in " << why;
  }
  EXPECT_EQ(&stage.control().config(), before);
}

TEST(Reload, more_than_was_made_at_start_is_refused) {
  ControlStage stage(file_of_one());
  Config services = file_of_one();
  for (uint16_t port = 1; port <= 3; ++port) {
    services.services.push_back(named(("s" + std::to_string(port)).c_str(), port));
  }
  EXPECT_NE(refusal(stage, reload_of(services)).find("services.s3: there is no room for one more service"),
            std::string::npos);
  Config slots = file_of_one();
  slots.services[0].instances_max = 7;
  EXPECT_NE(refusal(stage, reload_of(slots)).find("7, and 6 slots were made at start"), std::string::npos);
}

// --- images

Config other_image(Config file) {
  file.images[0].command_line = "another one";
  return file;
}

TEST(ReloadImage, one_successor_at_a_time_boots_before_an_old_one_drains) {
  ControlStage stage(file_of_one());
  start_three(stage);
  stage.has_flows(1, 1);
  stage.tick();
  EXPECT_EQ(told(stage, reload_of(other_image(file_of_one()))),
            "reloaded; services: with another image 1 (web)");
  stage.tick();
  EXPECT_EQ(stage.states(), "active active active booting absent absent") << "in a slot from the pool";
  stage.advance(kBootNs);
  stage.answers_a_probe(3);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "active draining active active booting absent") << "the emptiest went first";
  EXPECT_EQ(stage.driver().boots().back().order.command_line, "another one");
  stage.advance(kBootNs);
  stage.answers_a_probe(4);
  stage.advance(kNsPerMs);
  stage.has_flows(1, 0);
  stage.advance(kBootNs + 20 * kNsPerMs);
  for (uint16_t slot = 0; slot < 6; ++slot) {
    if (stage.instance(slot).state == InstanceState::kBooting) stage.answers_a_probe(slot);
    stage.has_flows(slot, 0);
  }
  stage.advance(50 * kNsPerMs);
  uint32_t active = 0;
  for (const Instance& instance : stage.control().instances()) {
    if (instance.state == InstanceState::kAbsent) continue;
    EXPECT_EQ(instance.revision, 2U) << stage.states();
    active += instance.state == InstanceState::kActive ? 1 : 0;
  }
  EXPECT_EQ(active, 3U) << stage.states();
}

TEST(ReloadImage, the_last_old_one_has_one_successor) {
  ControlStage stage(file_of_one());
  has_served(stage);
  stage.has_flows(0, 1);
  static_cast<void>(told(stage, reload_of(other_image(file_of_one()))));
  stage.tick();
  ASSERT_EQ(stage.states(), "active booting absent absent absent absent");
  stage.advance(kBootNs);
  stage.answers_a_probe(1);
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "draining active absent absent absent absent");
  EXPECT_EQ(stage.driver().boots().size(), 2U);
}

TEST(ReloadImage, without_a_free_slot_the_old_one_goes_first_and_still_serves) {
  ControlStage stage(with_spare(one_service(only_one()), 0));
  has_served(stage);
  stage.has_flows(0, 1);
  static_cast<void>(told(stage, reload_of(other_image(with_spare(one_service(only_one()), 0)))));
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states(), "draining");
  EXPECT_EQ(stage.listed(0).role, SlotRole::kAccepting) << "there is nobody else";
  stage.has_flows(0, 0);
  stage.syns_wait(1);
  stage.advance(30 * kNsPerMs);
  EXPECT_EQ(stage.states(), "booting");
  EXPECT_EQ(stage.driver().boots().back().order.command_line, "another one");
}

TEST(ReloadImage, old_ones_stay_while_successors_fail) {
  ControlStage stage(file_of_one());
  has_served(stage);
  stage.has_flows(0, 1);
  stage.driver().script_default({.start_failure = "no such file"});
  static_cast<void>(told(stage, reload_of(other_image(file_of_one()))));
  stage.advance(kNsPerSecond);
  EXPECT_EQ(stage.states().substr(0, 6), "active");
  EXPECT_GT(stage.driver().boots().size(), 2U) << "tried again, with back-off";
}

TEST(ReloadImage, what_was_kept_ready_of_the_old_one_goes_and_is_made_anew) {
  Config file = file_of_one();
  file.services[0].shells = 1;
  ControlStage stage(file);
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.states().substr(0, 5), "shell");
  static_cast<void>(told(stage, reload_of(other_image(file))));
  stage.advance(200 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent shell absent absent absent absent");
  EXPECT_EQ(stage.driver().boots().back().order.command_line, "another one");
}

TEST(ReloadImage, a_sleeper_with_flows_is_woken_and_drained) {
  Config file = file_of_one();
  file.services[0].idle = IdleAction::kPause;
  ControlStage stage(file);
  has_served(stage);
  stage.has_flows(0, 1);
  stage.advance(200 * kNsPerMs);
  ASSERT_EQ(stage.states().substr(0, 7), "standby");
  static_cast<void>(told(stage, reload_of(other_image(file))));
  stage.advance(kNsPerMs);
  EXPECT_EQ(stage.states().substr(0, 8), "draining");
  stage.has_flows(0, 0);
  stage.advance(30 * kNsPerMs);
  EXPECT_EQ(stage.states(), "absent absent absent absent absent absent");
}

}  // namespace
}  // namespace cheshire::test
