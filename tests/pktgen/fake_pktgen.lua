-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- A stand-in for the Lua interface of Pktgen 23.03, for tests of pktgen-scripts/.
--
-- It records every call, and refuses what the real one would refuse, or, worse, would take silently: unknown
-- functions, wrong numbers of arguments, wrong types, words that are not in an enumeration, values that would
-- be clamped. `calls` below is the whole interface that a script may use; a function or command goes in when
-- somebody has looked it up in Pktgen's app/lpktgenlib.c or app/cli-functions.c.
--
-- Behind it is a virtual clock, that only delay() moves, and a device under test: it answers SYNs and segments
-- up to a rate, after a latency, and resets never. As with the real one, counters are taken over from the NIC
-- once a second, and the rate is computed from the single packet's size.
--
-- new(options) → fake, with
--   fake.pktgen    the table for the script
--   fake.log       every call: {name, arguments...}
--   fake.batches   every start: flags, sequence, range, count, rate of what was sent
--   fake.ms        the virtual clock, in milliseconds

local fake_pktgen = {}

local function complain(format, ...)
  error("fake pktgen: " .. string.format(format, ...), 0)
end

-- Arguments

local function one_of(...)
  local words = {...}
  return function(value)
    for _, word in ipairs(words) do
      if value == word then return nil end
    end
    return "is none of " .. table.concat(words, ", ")
  end
end

local function whole(least, most)
  return function(value)
    if type(value) ~= "number" or not math.tointeger(value) then return "is not a whole number" end
    if value < least or value > most then return string.format("is not in %d to %d", least, most) end
  end
end

local function number(least, most)
  return function(value)
    if type(value) ~= "number" or value ~= value then return "is not a number" end
    if value < least or value > most then return string.format("is not in %g to %g", least, most) end
  end
end

local function matches(pattern, what)
  return function(value)
    if type(value) ~= "string" or not value:match(pattern) then return "is not " .. what end
  end
end

local mac = matches("^" .. string.rep("%x%x:", 5) .. "%x%x$", "a MAC address")

local function address(value)
  local parts = type(value) == "string" and {value:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")} or {}
  if #parts ~= 4 then return "is not an IPv4 address" end
  for _, part in ipairs(parts) do
    if tonumber(part) > 255 then return "is not an IPv4 address" end
  end
end

local function network(value)
  if type(value) ~= "string" or not value:match("/%d+$") then return "is not an address with a prefix length" end
  return address((value:gsub("/%d+$", "")))
end

local function path(value)
  if type(value) ~= "string" or value == "" then return "is not a path" end
  if value:find(".lua", 1, true) then return "would be run as Lua" end
end

local on_off = one_of("on", "off")
local part_of_range = one_of("start", "min", "max", "inc")
local frame_bytes = whole(64, 1518)  -- smaller and larger are clamped

-- "ports" is a port list; these scripts name one port at a time.
local set_values = {
  count = whole(0, 2 ^ 32 - 1), size = frame_bytes, rate = number(1e-9, 100), burst = whole(1, 128),
  sport = whole(0, 65535), dport = whole(0, 65535), ttl = whole(1, 255),
}

local calls = {
  set = {"ports", one_of("count", "size", "rate", "burst", "sport", "dport", "ttl"),
         function(value, arguments) return set_values[arguments[2]](value) end},
  set_mac = {"ports", one_of("src", "dst"), mac},
  set_ipaddr = {"ports", one_of("src", "dst"),
                function(value, arguments) return (arguments[2] == "src" and network or address)(value) end},
  set_proto = {"ports", one_of("tcp", "udp", "icmp")},
  set_type = {"ports", one_of("ipv4", "ipv6")},
  set_range = {"ports", on_off},
  start = {"ports"}, stop = {"ports"}, clear = {"ports"}, reset = {"ports"},
  isSending = {"ports"}, linkState = {"ports"}, pktStats = {"ports"}, portInfo = {"ports"},
  portStats = {"ports", one_of("port", "rate")},
  portCount = {}, totalPorts = {}, clr = {}, cls = {}, update = {}, quit = {},
  delay = {whole(0, 3600 * 1000)},
  screen = {on_off},
  load = {path},
}

local range_calls = {
  dst_mac = {"ports", part_of_range, mac}, src_mac = {"ports", part_of_range, mac},
  dst_ip = {"ports", part_of_range, address}, src_ip = {"ports", part_of_range, address},
  dst_port = {"ports", part_of_range,
              function(value, arguments) return whole(0, arguments[2] == "inc" and 64 or 65535)(value) end},
  src_port = {"ports", part_of_range,
              function(value, arguments) return whole(0, arguments[2] == "inc" and 64 or 65535)(value) end},
  ip_proto = {"ports", one_of("tcp", "udp", "icmp")},
  pkt_size = {"ports", part_of_range,
              function(value, arguments)
                return (arguments[2] == "inc" and whole(0, 1518) or frame_bytes)(value)
              end},
}

-- Command files: the syntax of 23.03, which 24.10.2 replaced.
local tcp_flags = {urg = 32, ack = 16, psh = 8, rst = 4, syn = 2, fin = 1, all = 63}

local function run_command(fake, line)
  local port, verb, flag = line:match("^range (%d+) tcp flag (%a+) (%a+)$")
  if port and (verb == "set" or verb == "clr") and tcp_flags[flag] then
    local range = fake:port_of(port).range
    range.flags = verb == "set" and range.flags | tcp_flags[flag] or range.flags & ~tcp_flags[flag]
    return
  end
  local part, value
  port, part, value = line:match("^range (%d+) tcp seq (%a+) (%d+)$")
  if port and not part_of_range(part) and tonumber(value) < 2 ^ 31 then  -- read with atoi
    fake:port_of(port).range["seq_" .. part] = math.tointeger(tonumber(value))
    return
  end
  complain("unknown command %q", line)
end

-- State

local function defaults(port)
  port.single = {
    count = 0, size = 64, rate = 100, burst = 32, sport = 1234, dport = 5678, ttl = 64, proto = "tcp",
    dst_mac = "00:00:00:00:00:00", src_mac = port.own_mac,
    dst_ip = "192.168.1.1", src_ip = "192.168.0.1/24",
  }
  port.range = {
    flags = tcp_flags.ack, seq_start = 0x12378, seq_inc = 0, proto = "tcp",
    dst_mac = {start = "00:00:00:00:00:00", inc = "00:00:00:00:00:00"},
    src_mac = {start = port.own_mac, inc = "00:00:00:00:00:00"},
    dst_ip = {start = "192.168.1.1", min = "192.168.1.1", max = "192.168.1.254", inc = "0.0.0.1"},
    src_ip = {start = "192.168.0.1", min = "192.168.0.1", max = "192.168.0.254", inc = "0.0.0.0"},
    dst_port = {start = 5678, min = 0, max = 65535, inc = 1},
    src_port = {start = 1234, min = 0, max = 65535, inc = 1},
    pkt_size = {start = 64, min = 64, max = 1518, inc = 0},
  }
  port.range_on = false
end

local Fake = {}
Fake.__index = Fake

function Fake:port_of(text)
  local port = self.ports[tonumber(text)]
  if not port then complain("port %s is not mapped: the real one would crash", text) end
  return port
end

function Fake:pps_of(port)
  local wire_bits = (port.single.size + 20) * 8
  return math.floor(port.link_mbps * 1000000 // wire_bits * port.single.rate / 100)
end

-- The packets of one start, as Pktgen would make them.
function Fake:begin(port)
  local range = port.range
  if not port.range_on then complain("start without range mode: its flags are not the range's") end
  for _, part in ipairs({"start", "min", "max"}) do
    if range.pkt_size[part] ~= port.single.size then
      complain("range size %s, single size %s: the rate would be another", range.pkt_size[part],
               port.single.size)
    end
  end
  local batch = {
    port = port.id, at_ms = self.ms, flags = range.flags, sequence = range.seq_start, size = port.single.size,
    count = port.single.count, pps = self:pps_of(port), range = {}, sent = 0, returned = 0,
  }
  for _, field in ipairs({"dst_mac", "src_mac", "dst_ip", "src_ip", "dst_port", "src_port"}) do
    batch.range[field] = {}
    for part, value in pairs(range[field]) do batch.range[field][part] = value end
  end
  if batch.count == 0 then complain("start without a count: it would send for ever") end
  if batch.pps < 1 then complain("a rate below one packet per second") end
  self.batches[#self.batches + 1] = batch
  port.batch = batch
  self.starts = self.starts + 1
end

function Fake:send_for(port, ms)
  local batch = port.batch
  if not batch or self.stuck then return end
  local due = math.min(batch.count, math.floor(batch.pps * (self.ms + ms - batch.at_ms) / 1000))
  local new = due - batch.sent
  batch.sent = due
  port.live.opackets = port.live.opackets + new
  local answered = self.device.answers(batch, due)
  local fresh = answered - batch.returned
  batch.returned = answered
  if fresh > 0 then
    local to = self.ports[self.device.rx_port or port.id]
    self.flying[#self.flying + 1] = {at_ms = self.ms + ms + self.device.latency_ms, port = to, packets = fresh}
  end
  if due == batch.count then port.batch = nil end
end

function Fake:pass(ms)
  while ms > 0 do
    local step = math.min(ms, 10, 1000 - self.ms % 1000)
    for _, port in pairs(self.ports) do self:send_for(port, step) end
    self.ms = self.ms + step
    ms = ms - step
    for index = #self.flying, 1, -1 do
      local packets = self.flying[index]
      if packets.at_ms <= self.ms then
        packets.port.live.ipackets = packets.port.live.ipackets + packets.packets
        table.remove(self.flying, index)
      end
    end
    if self.ms % 1000 == 0 then
      for _, port in pairs(self.ports) do
        for name, value in pairs(port.live) do port.seen[name] = value - port.base[name] end
      end
    end
  end
end

local counters = {"ipackets", "opackets", "ibytes", "obytes", "ierrors", "oerrors", "rx_nombuf", "imissed"}

local function zeroes()
  local table_ = {}
  for _, name in ipairs(counters) do table_[name] = 0 end
  return table_
end

-- What the functions do. Those that are missing here do nothing.
local acts = {}

function acts.set(_, port, what, value) port.single[what] = value end
function acts.set_mac(_, port, what, value) port.single[what .. "_mac"] = value end
function acts.set_ipaddr(_, port, what, value) port.single[what .. "_ip"] = value end
function acts.set_proto(_, port, value) port.single.proto = value end
function acts.set_range(_, port, state)
  if port.batch then complain("range mode cannot change while the port sends") end
  port.range_on = state == "on"
end
function acts.start(fake, port)
  if port.batch then complain("port %d is sending already", port.id) end
  fake:begin(port)
end
function acts.stop(fake, port)
  port.batch = nil
  fake.stops = fake.stops + 1
end
function acts.clear(_, port)
  for _, name in ipairs(counters) do port.base[name], port.seen[name] = port.live[name], 0 end
end
function acts.reset(_, port)
  port.batch = nil
  defaults(port)
end
function acts.isSending(_, port) return {[port.id] = port.batch and "y" or "n", n = 1} end
function acts.linkState(_, port)
  return {[port.id] = port.up and string.format("<UP-%d-FD>", port.link_mbps) or "<--Down-->", n = 1}
end
function acts.pktStats(_, port)
  return {[port.id] = {mac_addr = port.own_mac, arp_pkts = 0, tx_failed = 0}, n = 1}
end
function acts.portStats(_, port)
  local copy = {}
  for name, value in pairs(port.seen) do copy[name] = value end
  return {[port.id] = copy, n = 1}
end
function acts.portInfo(_, port)
  local single = port.single
  return {
    [port.id] = {info = {
      tx_count = single.count == 0 and "Forever" or single.count, tx_rate = math.floor(single.rate),
      pkt_size = single.size, tx_burst = single.burst, eth_type = "IPv4", proto_type = single.proto:upper(),
      l2_l3_info = {
        src_port = single.sport, dst_port = single.dport, ttl = single.ttl, dst_ip = single.dst_ip,
        src_ip = single.src_ip, dst_mac = single.dst_mac, src_mac = single.src_mac,
      },
    }}, n = 1,
  }
end
function acts.portCount(fake) return fake.mapped end
function acts.totalPorts(fake) return fake.total end
function acts.delay(fake, ms) fake:pass(math.tointeger(ms)) end
function acts.screen(fake, state) fake.screen = state end
function acts.quit(fake) fake.has_quit = true end
function acts.load(fake, file_name)
  local file = fake.open_file(file_name, "r")
  if not file then error("load command failed for " .. file_name .. "\n", 0) end
  for line in file:lines() do run_command(fake, line) end
  file:close()
end

local range_acts = {}
for _, field in ipairs({"dst_mac", "src_mac", "dst_ip", "src_ip", "dst_port", "src_port", "pkt_size"}) do
  range_acts[field] = function(_, port, part, value) port.range[field][part] = value end
end
function range_acts.ip_proto(_, port, value) port.range.proto = value end

-- The function of one name: checks, records, acts.
local function guarded(fake, name, checks, act)
  return function(...)
    local arguments = table.pack(...)
    fake.log[#fake.log + 1] = {name, ...}
    if arguments.n ~= #checks then complain("%s takes %d arguments, not %d", name, #checks, arguments.n) end
    for index, check in ipairs(checks) do
      local value = arguments[index]
      local problem
      if check == "ports" then
        if type(value) ~= "string" or not value:match("^%d+$") then problem = "is not a port as text" end
      else
        problem = check(value, arguments)
      end
      if problem then complain("%s: argument %d, %s, %s", name, index, tostring(value), problem) end
    end
    if checks[1] == "ports" then
      local port = fake:port_of(arguments[1])
      return act and act(fake, port, table.unpack(arguments, 2, arguments.n))
    end
    return act and act(fake, table.unpack(arguments, 1, arguments.n))
  end
end

local function closed(table_, what)
  return setmetatable(table_, {
    __index = function(_, key) complain("there is no %s%s in Pktgen 23.03", what, tostring(key)) end,
    __newindex = function(_, key) complain("%s%s is not to be set", what, tostring(key)) end,
  })
end

-- options: ports, link_mbps, up, pool, version; of the device: capacity_pps, latency_ms, rx_port; stuck: the NIC
-- sends nothing; hook(fake) may change the device; open_file reads command files.
function fake_pktgen.new(options)
  local fake = setmetatable({
    ms = 0, log = {}, batches = {}, flying = {}, ports = {}, starts = 0, stops = 0, screen = "on",
    total = options.ports, mapped = options.ports, open_file = options.open_file, stuck = options.stuck,
  }, Fake)
  for id = 0, options.ports - 1 do
    local port = {
      id = id, own_mac = string.format("02:00:00:00:01:%02x", id), link_mbps = options.link_mbps or 10000,
      up = options.up ~= false, live = zeroes(), base = zeroes(), seen = zeroes(),
    }
    defaults(port)
    -- Somebody has used the port before.
    port.single.count, port.single.size, port.single.rate, port.single.burst = 1234, 256, 10, 16
    port.single.sport, port.single.dport, port.single.proto = 4000, 5000, "udp"
    fake.ports[id] = port
  end

  local capacity_pps = options.capacity_pps or 1e12
  fake.device = {latency_ms = options.latency_ms or 1, rx_port = options.rx_port}
  -- How many answers the first `sent` packets of a batch get. Resets get none.
  function fake.device.answers(batch, sent)
    if batch.flags == tcp_flags.rst then return 0 end
    if batch.pps <= capacity_pps then return sent end
    return math.floor(sent * capacity_pps / batch.pps)
  end

  if options.hook then options.hook(fake) end

  local pktgen = {
    info = closed({Pktgen_Version = options.version or "23.03.0", maxMbufsPerPort = options.pool or 24576,
                   minPktSize = 64, maxPktSize = 1518}, "info."),
    range = {},
  }
  for name, checks in pairs(range_calls) do
    pktgen.range[name] = guarded(fake, "range." .. name, checks, range_acts[name])
  end
  closed(pktgen.range, "range.")
  for name, checks in pairs(calls) do pktgen[name] = guarded(fake, name, checks, acts[name]) end
  fake.pktgen = closed(pktgen, "pktgen.")
  return fake
end

fake_pktgen.flags = tcp_flags

return fake_pktgen
