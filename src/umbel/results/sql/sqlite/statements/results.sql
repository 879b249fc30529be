-- name: store
-- SUCCESS wins, a final state is never replaced by one that is not, and what has expired is not there.
INSERT INTO umbel_results
    (task_id, status, result, traceback, children, group_id, parent_id, extended, stored_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    status = excluded.status, result = excluded.result, traceback = excluded.traceback,
    children = excluded.children, group_id = excluded.group_id, parent_id = excluded.parent_id,
    extended = excluded.extended, stored_at = excluded.stored_at, expires_at = excluded.expires_at
WHERE umbel_results.expires_at <= excluded.stored_at
    OR umbel_results.status NOT IN ('SUCCESS', 'FAILURE', 'REVOKED')
    OR (umbel_results.status <> 'SUCCESS' AND excluded.status IN ('SUCCESS', 'FAILURE', 'REVOKED'));

-- name: read_one
SELECT task_id, status, result, traceback, children, group_id, parent_id, extended, stored_at, expires_at
FROM umbel_results
WHERE task_id = ? AND (expires_at IS NULL OR expires_at > ?);

-- name: read_many
SELECT task_id, status, result, traceback, children, group_id, parent_id, extended, stored_at, expires_at
FROM umbel_results
WHERE task_id IN (SELECT value FROM json_each(?)) AND (expires_at IS NULL OR expires_at > ?);

-- name: forget
DELETE FROM umbel_results WHERE task_id = ?;

-- name: prune_results
DELETE FROM umbel_results
WHERE rowid IN (SELECT rowid FROM umbel_results WHERE expires_at <= ? LIMIT ?);

-- name: save_group
INSERT INTO umbel_result_groups (group_id, content, expires_at) VALUES (?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at;

-- name: load_group
SELECT content FROM umbel_result_groups WHERE group_id = ? AND (expires_at IS NULL OR expires_at > ?);

-- name: delete_group
DELETE FROM umbel_result_groups WHERE group_id = ?;

-- name: prune_groups
DELETE FROM umbel_result_groups
WHERE rowid IN (SELECT rowid FROM umbel_result_groups WHERE expires_at <= ? LIMIT ?);
