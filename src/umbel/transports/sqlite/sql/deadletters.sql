-- name: bury
INSERT INTO dead_letters (
    queue, reason, error, error_code, died_at, deliveries, crashes,
    task_id, task, head, body, priority, visible_at, expires_at, group_key, dedup, replay,
    correlation_id, signature, key_id, layout
)
VALUES (?, ?, ?, ?, ?, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: list
SELECT
    id, queue, reason, error, died_at, deliveries, crashes,
    task_id, task, head, body, priority, visible_at, expires_at, group_key,
    dedup, replay, correlation_id, signature, key_id, layout
FROM dead_letters
WHERE {where}
ORDER BY died_at DESC, id DESC
LIMIT :limit

-- name: count
SELECT count(*) FROM dead_letters WHERE {where}

-- name: get
SELECT
    id, queue,
    task_id, task, head, body, priority, visible_at, expires_at, group_key,
    dedup, replay, correlation_id, signature, key_id, layout
FROM dead_letters
WHERE id = ? AND layout <= ?

-- name: discard
DELETE FROM dead_letters WHERE id = ?

-- name: prune_age
DELETE FROM dead_letters WHERE died_at < ?

-- name: prune_count
DELETE FROM dead_letters WHERE id IN (
    SELECT id FROM dead_letters ORDER BY died_at DESC, id DESC LIMIT -1 OFFSET ?
)
