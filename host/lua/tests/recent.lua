-- What recent.lua of trackalert's policies does, over a store and a clock of this file; the cases of recent/src/tests.rs and
-- recent/src/memory.rs.

local clock, store, asked, lines = 1700000000, {}, 0, {}
os.time = function() return clock end
infoLog = function(text) lines[#lines + 1] = text end
warnLog = infoLog

-- Those that fit, oldest first, of equal times the lesser id.
function reportsFindOldest(filter, limit, after)
    asked = asked + 1
    local found = {}
    for _, report in ipairs(store) do
        local fits = report.t >= filter.since and report.t < filter.before
        local behind = not after or report.t > after.t or (report.t == after.t and report.id > after.id)
        if fits and behind then
            found[#found + 1] = report
        end
    end
    table.sort(found, function(one, other) return one.t < other.t or (one.t == other.t and one.id < other.id) end)
    for place = #found, limit + 1, -1 do
        found[place] = nil
    end
    return found
end

local function reported(ago, login)
    store[#store + 1] = { t = clock + ago, id = ("%07d"):format(#store), login = login }
end

local recent = assert(loadfile(recent_file))()

local function begin()
    store, asked, lines = {}, 0, {}
    local scan = recent.scan()
    return scan, recent.walk(scan)
end

local function run(walk)
    local found = {}
    walk.successes(function(reports)
        assert(#reports >= 1 and #reports <= recent.TOGETHER, "so many together")
        for _, report in ipairs(reports) do
            found[#found + 1] = report.login
        end
    end)
    return table.concat(found, " "), #found
end

local function is(found, expected, what)
    if found ~= expected then
        error(("%s: expected %s, got %s"):format(what, tostring(expected), tostring(found)), 2)
    end
end

local cases = {}

function cases.pages()
    local _, walk = begin()
    local names = {}
    for number = 0, 3 * recent.MOST + 6 do
        names[#names + 1] = ("user%05d"):format(number)
        reported(-100 + math.floor(number / 3) * 0.05, names[#names])
    end
    reported(-600, "before")
    reported(-1, "fresh")
    is(run(walk), table.concat(names, " "), "in one walk")
    is(asked, 4, "each page once")
end

function cases.moment()
    local _, walk = begin()
    for number = 1, 2 * recent.MOST + 10 do
        reported(-30, "user" .. number)
    end
    local _, count = run(walk)
    is(count, 2 * recent.MOST + 10, "of one moment")
end

function cases.progress()
    local scan, walk = begin()
    reported(-100, "one")
    is(run(walk), "one", "the first run")
    clock = clock + 60
    reported(-60 - 5 - recent.OVERLAP + 1, "late")
    reported(-60, "two")
    is(run(walk), "late two", "the second")
    clock = clock + 600
    reported(-500, "three")
    is(run(walk), "three", "a late one")
    is(#lines, 0, "lines")
    clock = clock + 5000
    reported(-1000, "long ago")
    reported(-800, "a while ago")
    is(walk.skips(), true, "it will leave something out")
    is(run(walk), "a while ago", "one that is too late")
    is(#lines == 1 and lines[1]:match("%d+ s were left out"), "4100 s were left out", "the line")
    is(run(recent.walk(scan)), "", "a start")
end

function cases.budget()
    local scan, walk = begin()
    scan.seconds = 10
    local count, found, runs = 2 * recent.MOST, {}, 0
    for number = 1, count do
        reported(-90, ("user%05d"):format(number))
    end
    while #found < count do
        local before = #found
        walk.successes(function(reports)
            for _, report in ipairs(reports) do
                found[#found + 1] = report.login
                clock = clock + (#found % 10 == 0 and 1 or 0)
            end
        end)
        runs = runs + 1
        assert(#found - before <= recent.TOGETHER, "a run took too long")
        assert(runs < 100, "it does not get on")
    end
    for number = 1, count do
        is(found[number], ("user%05d"):format(number), "each once")
    end
    assert(runs >= 10 and lines[1]:find(" 85 s behind", 1, true), lines[1])
end

function cases.errors()
    local scan, walk = begin()
    local looked, found = recent.looked(scan), {}
    for _, login in ipairs({ "one", "two", "three" }) do
        reported(-50, login)
    end
    local function apart(report) return report.login end
    local function usual() return { false, false, false } end
    local function look(report)
        if #found == 1 and not found.failed then
            found.failed = true
            error("the store is away")
        end
        found[#found + 1] = report.login
        return true
    end
    local function each(reports)
        looked.at(reports, apart, usual, look)
    end
    looked.begin()
    is(pcall(walk.successes, each), false, "the first run")
    walk.successes(each)
    is(table.concat(found, " "), "one two three", "each once")
end

function cases.halves()
    local scan, walk = begin()
    local looked, found, most = recent.looked(scan), {}, 0
    for number = 1, 150 do
        reported(-50, ("user%05d"):format(number))
    end
    local function apart(report) return report.login end
    local function usual(reports)
        if #reports > most then
            error("it takes too long")
        end
        return {}
    end
    local function look(report)
        found[#found + 1] = report.login
        return false
    end
    local function each(reports)
        looked.at(reports, apart, usual, look)
    end
    looked.begin()
    is(pcall(walk.successes, each), false, "who is too much alone")
    most = 20
    walk.successes(each)
    is(#found, 150, "each once")
    is(found[150], "user00150", "in their order")
end

function cases.looked()
    local scan, walk = begin()
    local looked, looks = recent.looked(scan), {}
    local function apart(report) return report.login end
    local function usual(reports)
        return recent.each(reports, function(report)
            looks[report.login] = (looks[report.login] or 0) + 1
            return report.login ~= "told"
        end)
    end
    local function look(report)
        is(report.login, "told", "what is usual is not looked at")
        return true
    end
    for minute = 0, 39 do
        reported(-10, "quiet")
        reported(-9, "told")
        looked.begin()
        walk.successes(function(reports)
            looked.at(reports, apart, usual, look)
        end)
        if minute == 29 then
            is(looks.quiet, 1, "within half an hour")
            is(looks.told, 15, "once in two minutes")
        end
        clock = clock + 60
    end
    clock = clock + 3600
    looked.begin()
    local before = looks.quiet
    local two = { { id = "1", t = clock, login = "quiet" }, { id = "2", t = clock, login = "quiet" } }
    looked.at(two, apart, usual, look)
    is(looks.quiet, before + 1, "after an hour, the first of two")
end

function cases.memory()
    local scan = recent.scan()
    scan.remember, scan.remembered = 86400, 10000
    local memory = recent.memory(scan)
    for number = 0, 24999 do
        memory.set_time(1e9 + number)
        memory.put(memory.key("user" .. number), number)
        assert(memory.count() <= 10000, "too many")
    end
    for number = 20000, 24999 do
        is(memory.get(memory.key("user" .. number)), number, "the newest")
    end
    is(memory.get(memory.key("user10000")), nil, "the oldest")
    memory.update(memory.key("user24999"), 7)
    memory.update(memory.key("nobody"), 7)
    is(memory.get(memory.key("user24999")), 7, "changed")
    is(memory.get(memory.key("nobody")), nil, "not there")
    memory.set_time(1e9 + 24999 + 43000)
    is(memory.get(memory.key("user24999")), 7, "half a day later")
    memory.set_time(1e9 + 24999 + 86401)
    is(memory.get(memory.key("user24999")), nil, "a day later")
    memory.set_time(1e9)
    is(memory.count(), 0, "after the clock was put back")
end

function cases.settings()
    for name in pairs({ window = 1, seconds = 1, catch_up = 1, remember = 1, remembered = 1 }) do
        local scan = recent.scan()
        scan[name] = 0
        local fine, why = pcall(recent.walk, scan)
        assert(not fine and why:find(name, 1, true), tostring(why))
    end
end

return cases
