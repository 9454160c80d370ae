-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- What a script can be told. Pktgen gives a script no arguments, so they come from the environment:
-- the setting dut_mac is CHESHIRE_DUT_MAC. read() takes a list of settings, each with
--   name, kind (integer, number, integers, address, mac, text), default, and least / most for numbers
-- and returns a table by name. All problems are told at once. A setting without a default is required.
--
-- Addresses must lie in blocks that are meant for tests or private networks: these scripts send floods from
-- addresses that are not theirs.

local settings = {}

local test_blocks = {  -- RFC 2544 and 6815, RFC 5737, RFC 1918
  {"198.18.0.0", 15}, {"192.0.2.0", 24}, {"198.51.100.0", 24}, {"203.0.113.0", 24},
  {"10.0.0.0", 8}, {"172.16.0.0", 12}, {"192.168.0.0", 16},
}

-- "192.0.2.10" → 3221225994, or nil.
function settings.address_number(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  local number = 0
  for _, part in ipairs({a, b, c, d}) do
    if #part > 3 or tonumber(part) > 255 then return nil end
    number = number * 256 + math.tointeger(tonumber(part))
  end
  return number
end

function settings.address_text(number)
  return string.format("%d.%d.%d.%d", number >> 24 & 255, number >> 16 & 255, number >> 8 & 255, number & 255)
end

local function block_of(number)
  for index, block in ipairs(test_blocks) do
    local shift = 32 - block[2]
    if number >> shift == settings.address_number(block[1]) >> shift then return index end
  end
  return nil
end

-- Whether the addresses first .. first + count - 1 all lie in one of the blocks.
function settings.for_tests(first, count)
  local block = block_of(first)
  return block ~= nil and block == block_of(first + count - 1)
end

local function number_of(setting, text)
  local value = tonumber(text)
  if value and setting.kind ~= "number" then value = math.tointeger(value) end
  if not value or value ~= value then
    return nil, setting.kind == "number" and "is not a number" or "is not a whole number"
  end
  if value < setting.least or value > setting.most then
    return nil, string.format("is not in %s to %s", setting.least, setting.most)
  end
  return value
end

local parsers = {
  integer = number_of,
  number = number_of,
  integers = function(setting, text)
    local list = {}
    for part in (text .. ","):gmatch("%s*([^,]*),") do
      local value, problem = number_of(setting, part)
      if not value then return nil, string.format("has %q, which %s", part, problem) end
      list[#list + 1] = value
    end
    if #list > 32 then return nil, "has more than 32 values" end
    return list
  end,
  address = function(_, text)
    local number = settings.address_number(text)
    if not number then return nil, "is not an IPv4 address" end
    if not settings.for_tests(number, 1) then
      return nil, "is neither private (RFC 1918) nor for tests (198.18.0.0/15, 192.0.2.0/24, " ..
        "198.51.100.0/24, 203.0.113.0/24)"
    end
    return number
  end,
  mac = function(_, text)
    local pair = "%x%x"
    if not text:match("^" .. pair .. string.rep(":" .. pair, 5) .. "$") then
      return nil, "is not a MAC address such as 02:00:00:00:00:01"
    end
    if tonumber(text:sub(1, 2), 16) & 1 == 1 then return nil, "is a group address" end
    return text:lower()
  end,
  text = function(_, text) return text end,
}

function settings.variable(name)
  return "CHESHIRE_" .. name:upper()
end

function settings.read(list)
  local values, problems = {}, {}
  for _, setting in ipairs(list) do
    local variable = settings.variable(setting.name)
    local text = os.getenv(variable)
    if (text == nil or text == "") and setting.default ~= nil then text = tostring(setting.default) end
    if text == nil or text == "" then
      problems[#problems + 1] = variable .. " is missing: " .. setting.meaning
    else
      local value, problem = parsers[setting.kind](setting, text)
      if value == nil then problems[#problems + 1] = string.format("%s, %q, %s", variable, text, problem) end
      values[setting.name] = value
    end
  end
  if #problems > 0 then error(table.concat(problems, "\n"), 0) end
  return values
end

-- What every script asks for, followed by its own.
function settings.with_common(own)
  local list = {
    {name = "port", kind = "integer", default = 0, least = 0, most = 31,
     meaning = "Pktgen's port that sends"},
    {name = "rx_port", kind = "integer", default = os.getenv("CHESHIRE_PORT") or 0, least = 0, most = 31,
     meaning = "Pktgen's port that the answers come back to"},
    {name = "dut_mac", kind = "mac", meaning = "the MAC address of Cheshire's NIC"},
    {name = "vip", kind = "address", default = "192.0.2.10", meaning = "the service's address"},
    {name = "vip_port", kind = "integer", default = 80, least = 1, most = 65535,
     meaning = "the service's port"},
    {name = "first_client", kind = "address", default = "198.18.0.1", meaning = "the first client address"},
    -- Buffers of one TX queue's range pool. 0: what Pktgen says, which is right without --txd and --rxd.
    {name = "pool", kind = "integer", default = 0, least = 0, most = 1048576, meaning = "buffers per queue"},
    {name = "settle_ms", kind = "integer", default = 2500, least = 2000, most = 60000,
     meaning = "wait after sending, until the last answer is counted"},
    {name = "result_file", kind = "text", default = "cheshire-pktgen.txt", meaning = "gets what is printed"},
    {name = "quit", kind = "integer", default = 0, least = 0, most = 1,
     meaning = "1: leave Pktgen at the end"},
  }
  for _, setting in ipairs(own) do list[#list + 1] = setting end
  return list
end

return settings
