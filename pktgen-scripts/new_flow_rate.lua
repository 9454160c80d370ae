-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- New flows per second: SYNs, each of another client, at rising rates.
--
-- Topology
--   +--------+ port 0                    NIC +----------+ vhost-user +-----+
--   | Pktgen |==============================>| Cheshire |===========>| VMs |
--   +--------+<==============================|          |<===========|     |
--              answers, to the same port     +----------+            +-----+
--
-- Answers: how many new connections per second Cheshire can steer to instances that are there.
--
-- How to read it. Per rate: SYNs sent, answers counted, the part that is missing. The highest rate with
-- nothing missing is the figure. Pktgen counts packets, not SYN-ACKs: a reset is an answer too, and so is a
-- SYN-ACK sent again (grin repeats them after 1 s). So compare with `cheshire status --json` before and
-- after: syns and flows_opened must rise by what was sent; hold_full, refused and the drops flow_table_full
-- and guest_ring_full tell who was turned away; resets_no_flow that rises means that the packets carry no SYN
-- flag (README.md, "Check the flags"). A batch is short (its SYNs divided by the rate): the rate is that of a
-- burst which the NIC's ring and Cheshire's queues may help to bridge; --txd and --rxd make batches longer. A
-- column of own losses that is not 0: Pktgen itself was too slow, the line counts for nothing.
--
-- Start:  CHESHIRE_DUT_MAC=52:54:00:00:00:01 pktgen -l 0-2 -n 4 -a 0000:03:00.0 -- -P -m "[1:2].0" \
--           -f pktgen-scripts/new_flow_rate.lua
-- Cheshire: examples/cheshire.yaml with
--   worker: {flows_max: 4194304, idle_timeout: 5s}
--   services.hello: {instances: {min: 4, max: 4}, in_flight: {soft: 1048576}}
-- The instances run before the test starts: this is not about cold starts. The VMs must take the SYNs: with
-- guests that are slower than the data plane, guest_ring_full is the answer. Nothing ends the flows but
-- idle_timeout; wait for it between two runs (flows of 0 in the workers' table).

local here = os.getenv("CHESHIRE_SCRIPTS") or debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
local function lib(name) return assert(loadfile(here .. "/lib/" .. name .. ".lua"))(lib) end

local settings, flows, sender, report = lib("settings"), lib("flows"), lib("sender"), lib("report")

local values = settings.read(settings.with_common({
  {name = "rates_pps", kind = "integers", least = 1000, most = 100000000, meaning = "SYNs per second",
   default = "100000,200000,500000,1000000,2000000,5000000,10000000"},
  {name = "batches", kind = "integer", default = 4, least = 1, most = 100, meaning = "batches per rate"},
  {name = "syns_max", kind = "integer", default = 2000000, least = 1000, most = 100000000,
   meaning = "SYNs over all rates"},
}))
local out = report.open(values.result_file)

sender.with(values, out, function(port)
  out:line("new_flow_rate: SYNs of 64 bytes, batches of %d, %d batches per rate", port.room, values.batches)
  out:line("%12s %12s %12s %10s %10s", "SYNs/s", "sent", "answered", "missing %", "own losses")
  port:aim(flows.endless(values.first_client), 64)
  port:speak("syn", sender.sequence.open)
  local left, best_pps = values.syns_max, 0
  for _, wanted_pps in ipairs(values.rates_pps) do
    local pps = port:pace(wanted_pps)
    local batches = math.min(values.batches, left // port.room)
    if batches == 0 then
      out:line("syns_max is reached: the rates from %d on are left out", wanted_pps)
      break
    end
    port:count_from_here()
    for _ = 1, batches do left = left - port:send(port.room) end
    local result = port:counted()
    out:line("%12.0f %12d %12d %10.3f %10d", pps, result.sent, result.returned, 100 * result.loss,
             result.own_losses)
    if result.lost == 0 and result.own_losses == 0 then best_pps = pps end
    if pps < wanted_pps then
      out:line("the link carries no more")
      break
    end
  end
  out:line("new flows per second with every SYN answered: %.0f", best_pps)
end)
