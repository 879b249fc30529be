-- name: peek
-- Whether a claim is worth the write lock. An idle consumer only ever reads.
SELECT
    q.paused,
    q.expires,
    q.used_at,
    EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_ready
        WHERE queue = q.id AND state = 0 AND group_key IS NULL AND layout <= :layout
    ) AS plain,
    EXISTS (
        SELECT 1 FROM messages INDEXED BY messages_ready_grouped
        WHERE queue = q.id AND state = 0 AND group_key IS NOT NULL AND layout <= :layout
    ) AS grouped,
    (SELECT min(visible_at) FROM messages INDEXED BY messages_delayed WHERE queue = q.id AND state = 1) AS next_due
FROM queues AS q
WHERE q.name = :name

-- name: consumer
SELECT seq FROM consumers WHERE id = ?

-- name: next_due
SELECT min(visible_at) FROM messages INDEXED BY messages_delayed WHERE queue = ? AND state = 1

-- name: promote
-- Bounded, so that a million messages which fall due at once do not hold the write lock for seconds.
UPDATE messages SET state = 0, ready_at = visible_at WHERE id IN (
    SELECT id FROM messages INDEXED BY messages_delayed
    WHERE queue = :queue AND state = 1 AND visible_at <= :now ORDER BY visible_at LIMIT :limit
)

-- name: has_groups
SELECT 1 FROM messages INDEXED BY messages_ready_grouped
WHERE queue = ? AND state = 0 AND group_key IS NOT NULL LIMIT 1

-- name: outlived
SELECT id FROM (
    SELECT * FROM (
        SELECT id, ready_at FROM messages INDEXED BY messages_ready
        WHERE queue = :queue AND state = 0 AND group_key IS NULL ORDER BY priority DESC, id LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
        SELECT id, ready_at FROM messages INDEXED BY messages_ready_grouped
        WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL ORDER BY priority DESC, id LIMIT :limit
    )
)
WHERE ready_at < :fresh

-- name: plain
-- Ready messages of a queue in which none has a group: straight off the index.
SELECT
    m.id, m.deliveries, m.crashes, m.suspect, m.verdict,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key,
    e.dedup, e.replay, e.correlation_id, e.signature, e.key_id, m.layout
FROM messages AS m INDEXED BY messages_ready CROSS JOIN envelopes AS e ON e.id = m.id
WHERE m.queue = :queue AND m.state = 0 AND m.group_key IS NULL AND m.layout <= :layout AND m.ready_at >= :fresh
ORDER BY m.priority DESC, m.id
LIMIT :limit

-- name: mixed
-- Ready messages with and without a group. Of the grouped ones only the first :window are looked at, so
-- that a million messages of blocked groups cost no more than that; see by_group.
SELECT
    m.id, m.deliveries, m.crashes, m.suspect, m.verdict,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key,
    e.dedup, e.replay, e.correlation_id, e.signature, e.key_id, m.layout
FROM (
    SELECT * FROM (
        SELECT id, priority FROM messages INDEXED BY messages_ready
        WHERE queue = :queue AND state = 0 AND group_key IS NULL AND layout <= :layout AND ready_at >= :fresh
        ORDER BY priority DESC, id LIMIT :limit
    )
    UNION ALL
    SELECT * FROM (
        SELECT id, priority FROM (
            SELECT id, priority, group_key FROM messages INDEXED BY messages_ready_grouped
            WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL
                AND layout <= :layout AND ready_at >= :fresh
            ORDER BY priority DESC, id LIMIT :window
        )
        WHERE group_key NOT IN (SELECT value FROM json_each(:skip))
        ORDER BY priority DESC, id LIMIT :limit
    )
) AS picked
CROSS JOIN messages AS m ON m.id = picked.id
CROSS JOIN envelopes AS e ON e.id = m.id
ORDER BY m.priority DESC, m.id
LIMIT :limit

-- name: by_group
-- Blocked groups fill the whole window: step from group to group by index, a few messages of each.
WITH RECURSIVE groups (key) AS (
    SELECT min(group_key) FROM messages INDEXED BY messages_ready_by_group
    WHERE queue = :queue AND state = 0 AND group_key IS NOT NULL
    UNION ALL
    SELECT (
        SELECT min(group_key) FROM messages INDEXED BY messages_ready_by_group
        WHERE queue = :queue AND state = 0 AND group_key > groups.key
    )
    FROM groups WHERE groups.key IS NOT NULL
)
SELECT
    m.id, m.deliveries, m.crashes, m.suspect, m.verdict,
    e.task_id, e.task, e.head, e.body, m.priority, m.visible_at, e.expires_at, m.group_key,
    e.dedup, e.replay, e.correlation_id, e.signature, e.key_id, m.layout
FROM groups
CROSS JOIN messages AS m
CROSS JOIN envelopes AS e ON e.id = m.id
WHERE groups.key IS NOT NULL
    AND groups.key NOT IN (SELECT value FROM json_each(:skip))
    AND m.id IN (
        SELECT id FROM messages INDEXED BY messages_ready_by_group
        WHERE queue = :queue AND state = 0 AND group_key = groups.key AND group_key IS NOT NULL
            AND layout <= :layout AND ready_at >= :fresh
        ORDER BY priority DESC, id LIMIT :limit
    )
ORDER BY m.priority DESC, m.id
LIMIT :limit

-- name: take
UPDATE messages SET state = 2, owner = ?, fence = ?, deliveries = deliveries + 1, alone = 0
WHERE id IN (SELECT value FROM json_each(?))
