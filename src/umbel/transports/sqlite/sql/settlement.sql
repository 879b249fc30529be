-- A receipt is (id, fence): it owns its message while that is under this very claim.

-- name: ack
DELETE FROM messages WHERE id = ? AND fence = ? AND state = 2

-- name: release
UPDATE messages SET state = 0, owner = 0, alone = 0, ready_at = :now
WHERE id = :id AND fence = :fence AND state = 2

-- name: release_until
UPDATE messages SET
    state = :visible_at > :now, owner = 0, alone = 0, visible_at = :visible_at, ready_at = max(:visible_at, :now)
WHERE id = :id AND fence = :fence AND state = 2

-- name: bury
INSERT INTO dead_letters (
    queue, reason, error, error_code, died_at, deliveries, crashes,
    task_id, task, head, body, priority, visible_at, expires_at, group_key, dedup, replay,
    correlation_id, signature, key_id, layout
)
SELECT
    q.name, :reason, :error, :error_code, :now, m.deliveries, m.crashes,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key, e.dedup, e.replay,
    e.correlation_id, e.signature, e.key_id, m.layout
FROM messages AS m JOIN envelopes AS e ON e.id = m.id JOIN queues AS q ON q.id = m.queue
WHERE m.id = :id AND m.fence = :fence AND m.state = 2

-- name: park
UPDATE messages SET state = 3, owner = 0, alone = 0 WHERE id = :id AND fence = :fence AND state = 2

-- name: unpark
UPDATE messages SET state = 0, ready_at = :now WHERE id IN (
    SELECT m.id
    FROM messages AS m INDEXED BY messages_parked CROSS JOIN envelopes AS e ON e.id = m.id
    WHERE m.queue = (SELECT id FROM queues WHERE name = :queue) AND m.state = 3
        AND e.task IN (SELECT value FROM json_each(:tasks))
)

-- name: isolate
UPDATE messages SET alone = 1 WHERE id = ? AND fence = ? AND state = 2

-- name: held_by_receipt
SELECT m.id, m.fence, e.task_id, m.crashes, m.suspect, m.alone, m.verdict
FROM messages AS m JOIN envelopes AS e ON e.id = m.id
WHERE m.id = ? AND m.fence = ? AND m.state = 2

-- name: held_by_owner
SELECT m.id, m.fence, e.task_id, m.crashes, m.suspect, m.alone, m.verdict
FROM messages AS m INDEXED BY messages_claimed CROSS JOIN envelopes AS e ON e.id = m.id
WHERE m.owner = ? AND m.state = 2
ORDER BY m.id

-- name: sentence
UPDATE messages SET
    state = 0, owner = 0, alone = 0, ready_at = ?, crashes = ?, suspect = ?, verdict = ?
WHERE id = ?

-- name: forget_consumer
DELETE FROM consumers WHERE id = ? RETURNING seq
