-- name: bind
INSERT INTO bindings (exchange, routing_key, pattern, queue) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: unbind
DELETE FROM bindings WHERE exchange = ? AND routing_key = ? AND pattern = ? AND queue = ?

-- name: bindings
SELECT exchange, routing_key, pattern, queue FROM bindings WHERE exchange = ? ORDER BY queue, routing_key, pattern

-- name: queue_exists
SELECT 1 FROM queues WHERE name = ?

-- name: outdated
-- Queues whose owner is gone, and those that nobody has used for their time. One with a living owner is in
-- use, however long the owner is busy with something else; so is one with claims out.
SELECT name FROM queues AS q
WHERE (q.owner IS NOT NULL AND q.owner NOT IN (SELECT id FROM consumers))
    OR (
        q.owner IS NULL AND q.expires IS NOT NULL AND q.used_at + q.expires <= :now
        AND NOT EXISTS (SELECT 1 FROM messages AS m INDEXED BY messages_claimed WHERE m.state = 2 AND m.queue = q.id)
    )

-- name: owned_by
SELECT name FROM queues WHERE owner = ?

-- name: with_ttl
SELECT id, message_ttl FROM queues WHERE message_ttl IS NOT NULL

-- name: outlived
SELECT id FROM messages INDEXED BY messages_ready
WHERE queue = :queue AND state = 0 AND group_key IS NULL AND ready_at < :fresh
UNION ALL
SELECT id FROM messages INDEXED BY messages_ready_grouped
WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL AND ready_at < :fresh

-- name: forget_dedup
DELETE FROM dedup WHERE until <= ?
