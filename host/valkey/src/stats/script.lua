-- One call of a policy on the counts of some keys, all of it or nothing.
--
-- KEYS: of each key its hash, and of each partition that is written its index. ARGV: the current window's number, how
-- many windows there are, seconds that a key lives, now, the most keys of a partition (0: any number; -1: the index is
-- not there, and left alone), then the steps.
--
-- A hash never goes in the middle of a script: while its slot moves, the node could not make it again.
--
-- A hash has a field `w`, the window in which it was cleaned last, and counts under KIND WINDOW : CELL : FIELD.
local current, windows, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])
local at, answers, written = 6, {}, {}

local function take()
    at = at + 1
    return ARGV[at - 1]
end

-- The hash of a key that is written; windows that are over go when the first write of a new one comes.
local function open(place)
    local key = KEYS[place]
    if written[place] then return key end
    written[place] = true
    local cleaned = tonumber(redis.call('HGET', key, 'w') or '-1')
    if cleaned < current then
        if cleaned >= 0 then
            for _, name in ipairs(redis.call('HKEYS', key)) do
                local window = tonumber(string.match(name, '^%a(%d+):'))
                if window and window <= current - windows then redis.call('HDEL', key, name) end
            end
        end
        redis.call('HSET', key, 'w', ARGV[1])
    end
    return key
end

local function name(kind, window, cell, field)
    return kind .. string.format('%d', window) .. ':' .. cell .. ':' .. field
end

-- The register of a hashed value among so many, and its rank.
local function rank(hash, registers)
    local a, b, _, _, e, f, g, h = string.byte(hash, 1, 8)
    local high = e + f * 256 + g * 65536 + h * 16777216
    local _, exponent = math.frexp(high)
    return (a + b * 256) % registers, 33 - (high == 0 and 0 or exponent)
end

-- Distinct values: hashes of eight bytes, one behind the other, or a byte and then registers of one byte.
local function insert(key, field, hash, bits, most)
    local where = name('h', current, '', field)
    local set = redis.call('HGET', key, where) or ''
    if #set % 8 == 1 then
        local register, height = rank(hash, #set - 1)
        if height <= string.byte(set, register + 2) then return end
        set = string.sub(set, 1, register + 1) .. string.char(height) .. string.sub(set, register + 3)
    else
        for from = 1, #set, 8 do
            if string.sub(set, from, from + 7) == hash then return end
        end
        set = set .. hash
        if #set > most * 8 then
            local count, registers = 2 ^ bits, {}
            for number = 1, count do registers[number] = 0 end
            for from = 1, #set, 8 do
                local register, height = rank(string.sub(set, from, from + 7), count)
                if height > registers[register + 1] then registers[register + 1] = height end
            end
            for number = 1, count do registers[number] = string.char(registers[number]) end
            set = '\1' .. table.concat(registers)
        end
    end
    redis.call('HSET', key, where, set)
end

local steps = {}

function steps.i()
    local key, field, amount = open(tonumber(take())), take(), take()
    redis.call('HINCRBY', key, name('i', current, '', field), amount)
    return 0
end

function steps.h()
    local key, field, hash = open(tonumber(take())), take(), take()
    local bits, most = tonumber(take()), tonumber(take())
    insert(key, field, hash, bits, most)
    return 0
end

function steps.c()
    local key, field, amount, cells = open(tonumber(take())), take(), take(), tonumber(take())
    redis.call('HINCRBY', key, name('c', current, '', field), amount)
    for _ = 1, cells do
        redis.call('HINCRBY', key, name('c', current, take(), field), amount)
    end
    return 0
end

function steps.t()
    open(tonumber(take()))
    return 0
end

-- Some cells of some windows, the current window first.
function steps.g()
    local key, kind, field = KEYS[tonumber(take())], take(), take()
    local count, cells = tonumber(take()), tonumber(take())
    local names, found = {}, {}
    local function fetch()
        if #names == 0 then return end
        for _, value in ipairs(redis.call('HMGET', key, unpack(names))) do found[#found + 1] = value end
        names = {}
    end
    for _ = 1, cells do
        local cell = take()
        for back = 0, count - 1 do
            names[#names + 1] = name(kind, current - back, cell, field)
            if #names == 1000 then fetch() end
        end
    end
    fetch()
    return found
end

function steps.a()
    return redis.call('HGETALL', KEYS[tonumber(take())])
end

function steps.r()
    local key = KEYS[tonumber(take())]
    if redis.call('TTL', key) > 0 then
        redis.call('HSET', key, 'w', ARGV[1])
        for _, each in ipairs(redis.call('HKEYS', key)) do
            if each ~= 'w' then redis.call('HDEL', key, each) end
        end
    end
    return 0
end

function steps.f()
    local key, field = KEYS[tonumber(take())], take()
    for _, each in ipairs(redis.call('HKEYS', key)) do
        if string.match(each, '^%a%d+:%d*:(.*)$') == field then redis.call('HDEL', key, each) end
    end
    return 0
end

while at <= #ARGV do
    answers[#answers + 1] = steps[take()]()
end

for place in pairs(written) do
    local key = KEYS[place]
    redis.call('EXPIRE', key, ARGV[3])
    if most >= 0 then
        -- The name of the index is where the names of its hashes begin.
        local index = string.match(key, '^[^}]*}')
        redis.call('ZADD', index, ARGV[4], key)
        redis.call('EXPIRE', index, ARGV[3])
        if most > 0 and redis.call('ZCARD', index) > most then
            redis.call('ZREMRANGEBYSCORE', index, '-inf', tonumber(ARGV[4]) - tonumber(ARGV[3]))
            local surplus = redis.call('ZCARD', index) - most
            if surplus > 0 then
                local oldest = redis.call('ZRANGE', index, 0, math.min(surplus, 100) - 1)
                redis.call('ZREM', index, unpack(oldest))
                -- While their slot moves they may be on another node, and go when their time is over.
                redis.pcall('UNLINK', unpack(oldest))
            end
        end
    end
end
return answers
