-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- One sending port of Pktgen 23.03, and the port that the answers come back to.
--
-- What Pktgen does, and this file has to live with:
--  * Range mode writes the packets into the queue's buffers once per start, as many as the pool has, and
--    sends them round and round. One start has at most as many flows as the pool has buffers, and every start
--    goes on counting where the last one ended. With several TX queues the flows are dealt out unevenly: one.
--  * Every field counts by default (destination port and address too), so every field is set here. "start" is
--    taken only by a field whose "inc" is 0.
--  * The rate is a percentage of the link, computed from the *single* packet's size, in range mode too.
--  * The Lua interface cannot set TCP flags. A command file can: "range 0 tcp flag clr all", then "set".
--    The default is ACK.
--  * Counters are read from the NIC once a second, by a timer that only runs while a script delays.
--  * portInfo() tells what the single packet looks like but not the range, so restore() resets the port to
--    Pktgen's defaults and then puts back what portInfo() told.
--
-- Sending is bounded by a count of packets always, and waiting by time.

local lib = ...
local settings = lib("settings")

local sender = {}
sender.__index = sender

local no_mac = "00:00:00:00:00:00"
local frame_overhead_bytes = 20  -- preamble, start of frame, gap; the frame size has the FCS
local busy_poll_ms = 5
local count_max = 2 ^ 32 - 1     -- Pktgen keeps the count in 32 bits

-- Sequence numbers. A segment at `probe` is 300,000 bytes to the left of the window that a SYN at `open`
-- makes: the guest answers it with an ACK and changes nothing (RFC 9293, 3.10.7.4). A reset is obeyed only at
-- `close`.
sender.sequence = {open = 1000000, probe = 700000, close = 1000001}

local function check_version()
  local text = tostring(pktgen.info.Pktgen_Version)
  local year, month = text:match("(%d+)%.(%d+)")
  local version = year and math.tointeger(tonumber(year)) * 100 + math.tointeger(tonumber(month)) or 0
  if version < 2207 or version > 2310 then
    error("this is Pktgen " .. text .. "; these scripts are for 23.03 (22.07 to 23.10 have its calls)", 0)
  end
end

local function check_port(port)
  local total = pktgen.totalPorts()
  if port >= total or pktgen.portCount() < 1 then
    error(string.format("port %d is missing: DPDK sees %d port(s), Pktgen uses %d; see -a and -m", port,
                        total, pktgen.portCount()), 0)
  end
  local state = pktgen.linkState(tostring(port))[port]
  if state == nil then error(string.format("port %d is not mapped to a core; see -m", port), 0) end
  local speed_mbps = state:match("UP%-(%d+)")
  if not speed_mbps then error(string.format("port %d has no link: %s", port, state), 0) end
  return math.tointeger(tonumber(speed_mbps))
end

-- values: the common settings.
function sender.open(values)
  check_version()
  local self = setmetatable({}, sender)
  self.link_mbps = check_port(values.port)
  if values.rx_port ~= values.port then check_port(values.rx_port) end
  self.id, self.rx_id = values.port, values.rx_port
  self.port, self.rx_port = tostring(values.port), tostring(values.rx_port)
  self.settle_ms = values.settle_ms
  self.dut_mac, self.vip, self.vip_port = values.dut_mac, values.vip, values.vip_port
  if pktgen.isSending(self.port)[self.id] ~= "n" then
    error(string.format("port %d is sending already", self.id), 0)
  end
  local pool = values.pool > 0 and values.pool or pktgen.info.maxMbufsPerPort
  -- What lies in the NIC's TX ring is not back in the pool yet: three quarters can be counted on.
  self.room = pool * 3 // 4
  self.before = pktgen.portInfo(self.port)[self.id].info
  pktgen.screen("off")
  return self
end

function sender:line_pps(frame_bytes)
  return self.link_mbps * 1e6 / ((frame_bytes + frame_overhead_bytes) * 8)
end

local function range_of(set, port, first, count)
  local text = type(first) == "string"
  set(port, "start", first)
  set(port, "min", first)
  local last = (text and settings.address_number(first) or first) + count - 1
  set(port, "max", text and settings.address_text(last) or last)
  local step = count > 1 and 1 or 0
  set(port, "inc", text and settings.address_text(step) or step)
end

-- From now on the packets are those of this slab, to the service, of this size (FCS included).
function sender:aim(slab, frame_bytes)
  if not settings.for_tests(slab.first_address, slab.addresses) then
    error("the client addresses leave their test block: take another CHESHIRE_FIRST_CLIENT", 0)
  end
  local port, range = self.port, pktgen.range
  self.frame_bytes, self.slab = frame_bytes, slab
  pktgen.set_proto(port, "tcp")
  pktgen.set(port, "size", frame_bytes)
  range.ip_proto(port, "tcp")
  for _, what in ipairs({"start", "min", "max"}) do range.pkt_size(port, what, frame_bytes) end
  range.pkt_size(port, "inc", 0)
  -- Answers go to the MAC that a flow came from, so the source is the port's own.
  range.src_mac(port, "start", pktgen.pktStats(port)[self.id].mac_addr)
  range.src_mac(port, "inc", no_mac)
  range.dst_mac(port, "start", self.dut_mac)
  range.dst_mac(port, "inc", no_mac)
  range_of(range.dst_ip, port, settings.address_text(self.vip), 1)
  range_of(range.dst_port, port, self.vip_port, 1)
  range_of(range.src_ip, port, settings.address_text(slab.first_address), slab.addresses)
  range_of(range.src_port, port, slab.first_port, slab.ports)
  pktgen.set_range(port, "on")
end

-- flag: "syn", "ack" or "rst", alone.
function sender:speak(flag, sequence)
  local commands = {
    string.format("range %s tcp flag clr all", self.port),
    string.format("range %s tcp flag set %s", self.port, flag),
    string.format("range %s tcp seq start %d", self.port, sequence),
    string.format("range %s tcp seq inc 0", self.port),
  }
  local path = os.tmpname()
  local file, problem = io.open(path, "w")
  if not file then error("cannot write a command file: " .. problem, 0) end
  file:write(table.concat(commands, "\n"), "\n")
  file:close()
  local loaded, why = pcall(pktgen.load, path)
  os.remove(path)
  if not loaded then error(why, 0) end
end

function sender:pace(pps)
  local line_pps = self:line_pps(self.frame_bytes)
  pps = math.min(pps, line_pps)
  -- Pktgen sends a burst, then waits: small bursts at low rates, so that the gaps stay below a millisecond.
  pktgen.set(self.port, "burst", math.max(1, math.min(32, math.floor(pps / 2000))))
  pktgen.set(self.port, "rate", 100 * pps / line_pps)
  self.pps = pps
  return pps
end

-- Sends count packets at the pace set before, and returns when they are out.
function sender:send(count)
  count = math.tointeger(math.floor(count))
  if count < 1 or count > count_max then error("a count of " .. count .. " packets is out of bounds", 0) end
  pktgen.set(self.port, "count", count)
  local bound_ms = math.ceil(2000 * count / self.pps) + 10000
  pktgen.start(self.port)
  local waited_ms = 0
  while pktgen.isSending(self.port)[self.id] == "y" do
    if waited_ms >= bound_ms then
      pktgen.stop(self.port)
      error(string.format("port %d has not sent %d packets in %d ms", self.id, count, bound_ms), 0)
    end
    pktgen.delay(busy_poll_ms)
    waited_ms = waited_ms + busy_poll_ms
  end
  pktgen.stop(self.port)
  return count
end

-- Every flow of the slab at least once. The pool's ring may begin anywhere in the round: two rounds.
function sender:send_all(flag, sequence)
  self:speak(flag, sequence)
  return self:send(2 * self.slab.flows)
end

-- Zeroes the counters of both ports.
function sender:count_from_here()
  pktgen.clear(self.port)
  if self.rx_id ~= self.id then pktgen.clear(self.rx_port) end
end

-- Waits for the stragglers, then: packets sent and come back, and what the tester itself lost.
function sender:counted()
  pktgen.delay(self.settle_ms)
  local tx = pktgen.portStats(self.port, "port")[self.id]
  local rx = pktgen.portStats(self.rx_port, "port")[self.rx_id]
  local result = {
    sent = tx.opackets, returned = rx.ipackets,
    own_losses = rx.imissed + rx.ierrors + rx.rx_nombuf + tx.oerrors,
  }
  result.lost = math.max(0, result.sent - result.returned)
  result.loss = result.sent > 0 and result.lost / result.sent or 1
  return result
end

function sender:restore()
  local port, info = self.port, self.before
  if pktgen.isSending(port)[self.id] == "y" then pktgen.stop(port) end
  pktgen.set_range(port, "off")
  pktgen.reset(port)
  local packet = info.l2_l3_info
  pktgen.set_mac(port, "dst", packet.dst_mac)
  pktgen.set_mac(port, "src", packet.src_mac)
  pktgen.set_ipaddr(port, "dst", packet.dst_ip)
  pktgen.set_ipaddr(port, "src", packet.src_ip)
  pktgen.set(port, "sport", packet.src_port)
  pktgen.set(port, "dport", packet.dst_port)
  pktgen.set_proto(port, info.proto_type:lower())
  pktgen.set(port, "size", info.pkt_size)
  pktgen.set(port, "burst", info.tx_burst)
  pktgen.set(port, "rate", info.tx_rate)
  pktgen.set(port, "count", info.tx_count == "Forever" and 0 or info.tx_count)
  pktgen.screen("on")
end

-- Opens the port, calls body(port), and restores the port whatever happens.
function sender.with(values, report, body)
  local port = sender.open(values)
  local done, problem = pcall(body, port)
  port:restore()
  if not done then
    report:line("stopped: %s", problem)
    report:close()
    error(problem, 0)
  end
  report:close()
  if values.quit == 1 then pktgen.quit() end
end

return sender
