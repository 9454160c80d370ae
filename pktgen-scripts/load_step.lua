-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- A step of load that makes the autoscaler move: few connections, at once many, then few again.
--
-- Topology
--   +--------+ port 0                    NIC +----------+ vhost-user +-----+
--   | Pktgen |==============================>| Cheshire |===========>| VMs |
--   +--------+<==============================|          |<===========|     |
--              answers, to the same port     +----------+            +-----+
--
--   connections        step ____________
--                          |            |
--                  low ____|            |____ low, then 0
--                      hold     hold      hold
--
-- Answers: how long Cheshire takes from a step of load to the instances that carry it, and back.
--
-- How to read it. Every event has milliseconds since the start, and UTC to 10 ms, before and after the
-- packets went out. Beside it, on Cheshire's host, run before this script starts:
--   while sleep 0.05; do date -u +%FT%T.%3NZ; cheshire status --json; done >status.log
-- in_flight of the service must follow the steps; the instances that become active after "step sent" are the
-- reaction, and cold_starts has its parts in nanoseconds (docs/telemetry.md). The clocks of both hosts must
-- agree: chrony or PTP. With in_flight.soft of 32, 16 connections
-- are one instance and 16 + 112 are four. After
-- "closed" the instances go when idle_after and drain_deadline say so. grin gives up a connection that is
-- never acknowledged after 31 s, so three times hold_s must be less.
-- The line of answers must have at least one per connection; fewer, and the SYNs did not arrive.
--
-- Start:  CHESHIRE_DUT_MAC=52:54:00:00:00:01 pktgen -l 0-2 -n 4 -a 0000:03:00.0 -- -P -m "[1:2].0" \
--           -f pktgen-scripts/load_step.lua
-- Cheshire: examples/cheshire.yaml as it is (soft: 32, max: 4, min: 0).

local here = os.getenv("CHESHIRE_SCRIPTS") or debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local function lib(name) return assert(loadfile(here .. "/lib/" .. name .. ".lua"))(lib) end

local settings, flows, sender = lib("settings"), lib("flows"), lib("sender")
local report, connections = lib("report"), lib("connections")

local values = settings.read(settings.with_common({
  {name = "low", kind = "integer", default = 16, least = 1, most = 100000,
   meaning = "connections before and after"},
  {name = "step", kind = "integer", default = 112, least = 1, most = 1000000, meaning = "connections on top"},
  {name = "open_pps", kind = "integer", default = 10000, least = 100, most = 10000000,
   meaning = "rate of SYNs and resets"},
  {name = "hold_s", kind = "number", default = 8, least = 0.1, most = 600, meaning = "length of each level"},
}))
local out = report.open(values.result_file)

sender.with(values, out, function(port)
  local low, low_total = flows.slabs(values.low, port.room, values.first_client)
  local above = low[#low].first_address + low[#low].addresses
  local step, step_total = flows.slabs(values.step, port.room, above)
  out:line("load_step: %d connections, %d more, back", low_total, step_total)
  out:line("%10s  %-24s  %-14s %12s", "ms", "UTC", "event", "connections")
  out:start_clock()
  local connections_now = 0
  local function event(name)
    local ms, utc = out:now()
    out:line("%10d  %-24s  %-14s %12d", ms, utc, name, connections_now)
  end
  local function move(name, act, slabs, change)
    event(name .. " starts")
    act(port, slabs, 64, values.open_pps)
    connections_now = connections_now + change
    event(name .. " sent")
    pktgen.delay(math.floor(values.hold_s * 1000))
  end
  port:count_from_here()
  move("low", connections.open, low, low_total)
  move("step", connections.open, step, step_total)
  move("back", connections.close, step, -step_total)
  move("closed", connections.close, low, -low_total)
  local result = port:counted()
  out:line("packets sent %d, answers %d, own losses %d", result.sent, result.returned, result.own_losses)
end)
