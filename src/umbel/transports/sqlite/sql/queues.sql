-- name: find_queue
SELECT id, paused, message_ttl FROM queues WHERE name = ?

-- name: add_queue
INSERT INTO queues (name, used_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING

-- name: set_options
UPDATE queues SET
    expires = coalesce(:expires, expires),
    message_ttl = coalesce(:message_ttl, message_ttl),
    owner = coalesce(:owner, owner)
WHERE name = :name

-- name: touch_queue
UPDATE queues SET used_at = ? WHERE name = ?

-- name: last_id
SELECT coalesce(max(id), 0) FROM messages

-- name: add_message
INSERT INTO messages (id, queue, state, priority, visible_at, ready_at, group_key, layout, task_hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_envelope
INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: remember
-- One row changes when the key is new or its window is over, none when it is a repeat.
INSERT INTO dedup (queue, key, until) VALUES (:queue, :key, :until)
ON CONFLICT (queue, key) DO UPDATE SET until = excluded.until WHERE dedup.until <= :now

-- name: size
SELECT count(*) FROM (
    SELECT 1 FROM messages INDEXED BY messages_ready
    WHERE queue = :queue AND state = 0 AND group_key IS NULL
    UNION ALL
    SELECT 1 FROM messages INDEXED BY messages_ready_grouped
    WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL
    UNION ALL
    SELECT 1 FROM messages INDEXED BY messages_delayed WHERE queue = :queue AND state = 1
)

-- name: waiting_ids
SELECT id FROM messages INDEXED BY messages_ready WHERE queue = :queue AND state = 0 AND group_key IS NULL
UNION ALL
SELECT id FROM messages INDEXED BY messages_ready_grouped
WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL
UNION ALL
SELECT id FROM messages INDEXED BY messages_delayed WHERE queue = :queue AND state = 1
LIMIT :limit

-- name: held_ids
SELECT id FROM messages INDEXED BY messages_parked WHERE queue = :queue AND state = 3
UNION ALL
SELECT id FROM messages INDEXED BY messages_claimed WHERE queue = :queue AND state = 2

-- name: count_parked
SELECT count(*) FROM messages INDEXED BY messages_parked WHERE queue = ? AND state = 3

-- name: drop_message
DELETE FROM messages WHERE id = ?

-- name: drop_envelope
DELETE FROM envelopes WHERE id = ?

-- name: drop_dedup
DELETE FROM dedup WHERE queue = ?

-- name: drop_bindings
DELETE FROM bindings WHERE queue = ?

-- name: drop_queue
DELETE FROM queues WHERE id = ?
