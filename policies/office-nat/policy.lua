-- Office NAT, the Lua twin of the component beside it: the same settings, the same answers. README.md explains both.
--
--   local office_nat = assert(loadfile("policies/office-nat/policy.lua"))({ people = 10 })
--   setAllow({ office_nat.allow, "brute-force" })
--   setReport({ office_nat.report, "brute-force" })
--   setReset({ office_nat.reset, "brute-force" })

local folder = debug.getinfo(1, "S").source:match("^@(.*/)") or ""
local known = dofile(folder .. "../known-good/policy.lua")

local settings = known.settings("office-nat", { people = 5, strangers = 5, strangers_percent = 10, passwords = 5 }, ...)

newStringStatsDB("office_week", 86400, 7, { people = "hll" })
newStringStatsDB("office_hour", 600, 6, { strangers = "hll", different = "hll" })
local week, hour = getStringStatsDB("office_week"), getStringStatsDB("office_hour")
week:twSetv6Prefix(64)
hour:twSetv6Prefix(64)

local policy = {}

function policy.report(lt)
    if not known.counts(lt) then
        return
    end
    local pair = known.pair(lt.remote, lt.login)
    if lt.success then
        hour:twReset(pair)
        week:twAdd(lt.remote, "people", lt.login)
        known.note(lt)
        return
    end
    hour:twAdd(pair, "different", known.password(lt))
    if not known.here(lt) then
        hour:twAdd(lt.remote, "strangers", lt.login)
    end
end

function policy.allow(lt)
    local people = week:twGet(lt.remote, "people")
    if people < settings.people then
        return "pass"
    end
    if hour:twGet(known.pair(lt.remote, lt.login), "different") > settings.passwords then
        return "pass"
    end
    local usual = settings.strangers + math.floor(people * settings.strangers_percent / 100)
    if hour:twGet(lt.remote, "strangers") > usual and not known.here(lt) then
        return "pass"
    end
    return 0, "", "office", { office_people = people }
end

function policy.reset(kind, login, address)
    if kind ~= "login" and kind ~= "ja3" then
        hour:twReset(address)
        if kind == "ip:login" then
            hour:twReset(known.pair(address, login))
        end
    end
    return kind ~= "ja3"
end

return policy
