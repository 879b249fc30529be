-- name: register
INSERT INTO consumers (id, name, host, pid, started_at, lease_until, run_table) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: renew
UPDATE consumers SET lease_until = ? WHERE id = ?

-- name: consumers
SELECT
    c.id, c.name, c.host, c.pid, c.started_at, c.lease_until, c.run_table,
    (SELECT count(*) FROM messages AS m INDEXED BY messages_claimed WHERE m.owner = c.seq AND m.state = 2)
FROM consumers AS c
ORDER BY c.seq
