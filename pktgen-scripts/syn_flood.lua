-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- A flood of SYNs from addresses that nobody has, on a service at zero.
--
-- Topology
--   +--------+ port 0                    NIC +----------+   no VM yet
--   | Pktgen |==============================>| Cheshire |- - - - - - -> ?
--   +--------+ answers go to Pktgen's MAC    +-----+----+
--                                                  | another NIC or a VLAN, or the same switch
--                                            +-----+-----+
--                                            |  client   |  curl, once a second
--                                            +-----------+
--
-- Answers: what a spoofed flood costs a service that has no instance: are VMs woken for nobody, are queues
-- bounded, does a real client still get in?
--
-- How to read it. Beside it run a real client,
--   while sleep 1; do curl -sS -o /dev/null -m 5 -w '%{http_code} %{time_total}\n' http://192.0.2.10/; done
-- and watch `cheshire status --watch`. It is good if held_syns never exceeds hold.syns_max, hold_full counts
-- the rest, boots stays at max at most (one instance for a flood that no address stands behind is better),
-- the daemon's memory does not grow, and curl goes on answering 200. With `flood: {challenge: wake, syn_rate: 0}`
-- boots stays at 0 until curl comes. Answers that Pktgen counts are challenges (ACKs), resets of SYNs that were
-- refused, and SYN-ACKs once a VM was woken. No SYN is sent twice in one run.
--
-- Start:  CHESHIRE_DUT_MAC=52:54:00:00:00:01 pktgen -l 0-2 -n 4 -a 0000:03:00.0 -- -P -m "[1:2].0" \
--           -f pktgen-scripts/syn_flood.lua
-- Cheshire: examples/cheshire.yaml as it is (min: 0, hold.syns_max: 128). The service must be at zero when
-- the flood starts. Only on a network of your own: every address here is from a block for tests or a private
-- one.

local here = os.getenv("CHESHIRE_SCRIPTS") or debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local function lib(name) return assert(loadfile(here .. "/lib/" .. name .. ".lua"))(lib) end

local settings, flows, sender, report = lib("settings"), lib("flows"), lib("sender"), lib("report")

local values = settings.read(settings.with_common({
  {name = "flood_pps", kind = "integer", default = 100000, least = 100, most = 20000000,
   meaning = "SYNs per second"},
  {name = "flood_s", kind = "number", default = 10, least = 0.1, most = 600, meaning = "length"},
}))
local out = report.open(values.result_file)

sender.with(values, out, function(port)
  local slab = flows.endless(values.first_client)
  local total = math.floor(values.flood_pps * values.flood_s)
  if total > slab.flows then
    error(string.format("%d SYNs are more than there are addresses and ports, %d", total, slab.flows), 0)
  end
  port:aim(slab, 64)
  port:speak("syn", sender.sequence.open)
  local pps = port:pace(values.flood_pps)
  out:start_clock()
  local _, from = out:now()
  out:line("syn_flood: %d SYNs at %.0f per second, from %s", total, pps, from)
  port:count_from_here()
  local left = total
  while left > 0 do left = left - port:send(math.min(left, port.room)) end
  local _, until_ = out:now()
  local result = port:counted()
  out:line("until %s: sent %d, answered %d (%.1f %%), own losses %d", until_, result.sent, result.returned,
           100 * (1 - result.loss), result.own_losses)
end)
