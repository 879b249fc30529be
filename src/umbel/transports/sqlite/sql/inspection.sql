-- name: queues
SELECT
    q.name,
    q.paused,
    (SELECT count(*) FROM dead_letters AS d WHERE d.queue = q.name)
FROM queues AS q
WHERE q.owner IS NULL
ORDER BY q.name

-- name: counts
-- Each state by its own covering index. A delayed message that is due counts as ready.
SELECT q.name, c.state, sum(c.number), min(c.oldest)
FROM (
    SELECT queue, 0 AS state, count(*) AS number, min(ready_at) AS oldest
    FROM messages INDEXED BY messages_ready WHERE state = 0 AND group_key IS NULL GROUP BY queue
    UNION ALL
    SELECT queue, 0, count(*), min(ready_at)
    FROM messages INDEXED BY messages_ready_grouped WHERE state = 0 AND group_key IS NOT NULL GROUP BY queue
    UNION ALL
    SELECT queue, visible_at > :now, count(*), min(visible_at)
    FROM messages INDEXED BY messages_delayed WHERE state = 1 GROUP BY queue, visible_at > :now
    UNION ALL
    SELECT queue, 2, count(*), NULL
    FROM messages INDEXED BY messages_claimed WHERE state = 2 GROUP BY queue
    UNION ALL
    SELECT queue, 3, count(*), NULL
    FROM messages INDEXED BY messages_parked WHERE state = 3 GROUP BY queue
) AS c
JOIN queues AS q ON q.id = c.queue
GROUP BY q.name, c.state

-- name: find
SELECT
    q.name, m.state, c.id,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key,
    e.dedup, e.replay, e.correlation_id, e.signature, e.key_id, m.layout
FROM messages AS m
CROSS JOIN envelopes AS e ON e.id = m.id
JOIN queues AS q ON q.id = m.queue
LEFT JOIN consumers AS c ON c.seq = m.owner
WHERE m.task_hash = ? AND e.task_id = ?
ORDER BY m.id DESC
LIMIT 1

-- name: held
SELECT
    q.name, c.id,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key,
    e.dedup, e.replay, e.correlation_id, e.signature, e.key_id, m.layout
FROM consumers AS c
CROSS JOIN messages AS m INDEXED BY messages_claimed ON m.owner = c.seq AND m.state = 2
CROSS JOIN envelopes AS e ON e.id = m.id
JOIN queues AS q ON q.id = m.queue
WHERE c.id = ?

-- name: find_dead
SELECT
    queue,
    task_id, task, head, body, priority, visible_at, expires_at, group_key,
    dedup, replay, correlation_id, signature, key_id, layout
FROM dead_letters
WHERE task_id = ?
ORDER BY died_at DESC, id DESC
LIMIT 1

-- name: waiting
SELECT m.id
FROM messages AS m CROSS JOIN envelopes AS e ON e.id = m.id
WHERE m.task_hash = ? AND e.task_id = ? AND m.state <> 2

-- name: pause
UPDATE queues SET paused = ? WHERE name = ?
