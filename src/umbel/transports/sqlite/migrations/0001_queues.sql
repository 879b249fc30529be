-- Queues, messages under claims, consumers, bindings, dead letters.
--
-- A message is two rows: the narrow one in `messages` changes with every claim, the wide one in
-- `envelopes` is written once and read once. One wide row would be rewritten by each claim and costs
-- a third of the throughput. There is no index on the task id for the same reason (random keys touch a
-- page each, which costs another third): `task_hash` makes finding one among a million a 50 ms scan.

CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    paused INTEGER NOT NULL DEFAULT 0,
    expires REAL,
    message_ttl REAL,
    owner TEXT,
    used_at REAL NOT NULL
);

-- state: 0 ready, 1 delayed, 2 claimed, 3 parked. `id` is the order of publishing: above that of every
-- message that is there, but used again once the newest is gone (AUTOINCREMENT would write one more page
-- for each publish). So the name of a claim is (id, fence), and `fence` is 62 random bits of its claim.
-- `owner` is consumers.seq while claimed, else 0. `alone` is set while a suspect runs alone.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    visible_at REAL NOT NULL,
    ready_at REAL NOT NULL,
    owner INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0,
    verdict TEXT,
    group_key TEXT,
    layout INTEGER NOT NULL,
    task_hash INTEGER NOT NULL
);

CREATE TABLE envelopes (
    id INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    task TEXT NOT NULL,
    head BLOB NOT NULL,
    body BLOB NOT NULL,
    expires_at REAL,
    dedup TEXT,
    replay INTEGER NOT NULL,
    correlation_id TEXT,
    signature BLOB,
    key_id TEXT
);

-- Partial, so that rows of one state never slow the search for another.
CREATE INDEX messages_ready ON messages (queue, priority DESC, id, ready_at)
    WHERE state = 0 AND group_key IS NULL;
CREATE INDEX messages_ready_grouped ON messages (queue, priority DESC, id, ready_at, group_key)
    WHERE state = 0 AND group_key IS NOT NULL;
CREATE INDEX messages_ready_by_group ON messages (queue, group_key, priority DESC, id)
    WHERE state = 0 AND group_key IS NOT NULL;
CREATE INDEX messages_delayed ON messages (queue, visible_at) WHERE state = 1;
CREATE INDEX messages_claimed ON messages (owner, queue) WHERE state = 2;
CREATE INDEX messages_parked ON messages (queue, id) WHERE state = 3;

CREATE TABLE dedup (
    queue INTEGER NOT NULL,
    key TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX dedup_until ON dedup (until);

CREATE TABLE consumers (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started_at REAL NOT NULL,
    lease_until REAL NOT NULL,
    run_table TEXT
);

CREATE TABLE bindings (
    exchange TEXT NOT NULL,
    routing_key TEXT NOT NULL,
    pattern TEXT NOT NULL,
    queue TEXT NOT NULL,
    PRIMARY KEY (exchange, routing_key, pattern, queue)
) WITHOUT ROWID;
CREATE INDEX bindings_queue ON bindings (queue);

-- `queue` is a name: a dead letter outlives its queue.
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    error_code TEXT,
    died_at REAL NOT NULL,
    deliveries INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    task TEXT NOT NULL,
    head BLOB NOT NULL,
    body BLOB NOT NULL,
    priority INTEGER NOT NULL,
    visible_at REAL NOT NULL,
    expires_at REAL,
    group_key TEXT,
    dedup TEXT,
    replay INTEGER NOT NULL,
    correlation_id TEXT,
    signature BLOB,
    key_id TEXT,
    layout INTEGER NOT NULL
);
CREATE INDEX dead_letters_died_at ON dead_letters (died_at, id);
CREATE INDEX dead_letters_task_id ON dead_letters (task_id);
