-- name: open
INSERT INTO umbel_chords (group_id, structure, expires_at) VALUES (?, ?, ?)
ON CONFLICT (group_id) DO NOTHING;

-- name: resize
INSERT INTO umbel_chords (group_id, size, expires_at) VALUES (?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET size = excluded.size;

-- name: add_extra
INSERT INTO umbel_chord_extras (group_id, task_id) VALUES (?, ?)
ON CONFLICT DO NOTHING;

-- name: count_extra
INSERT INTO umbel_chords (group_id, extra, expires_at) VALUES (?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET extra = extra + excluded.extra;

-- name: state
SELECT state FROM umbel_chords WHERE group_id = ?;

-- name: add_member
INSERT INTO umbel_chord_members (group_id, task_id, position, status, result) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: redeem_member
UPDATE umbel_chord_members SET status = ?, result = ?
WHERE group_id = ? AND task_id = ? AND position = ? AND status IN ('FAILURE', 'REVOKED');

-- name: advance
INSERT INTO umbel_chords (group_id, returned, failed, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT (group_id) DO UPDATE SET
    returned = returned + excluded.returned, failed = failed + excluded.failed, expires_at = excluded.expires_at;

-- name: progress
SELECT size, extra, returned, failed, state FROM umbel_chords WHERE group_id = ?;

-- name: members
SELECT task_id, status, result FROM umbel_chord_members WHERE group_id = ? ORDER BY position, id;

-- name: structure
SELECT structure FROM umbel_chords WHERE group_id = ?;

-- name: settle
UPDATE umbel_chords SET state = ?, expires_at = ? WHERE group_id = ?;

-- name: delete_chord
DELETE FROM umbel_chords WHERE group_id = ?;

-- name: delete_members
DELETE FROM umbel_chord_members WHERE group_id = ?;

-- name: delete_extras
DELETE FROM umbel_chord_extras WHERE group_id = ?;

-- name: expired
SELECT group_id FROM umbel_chords WHERE expires_at <= ? LIMIT ?;
