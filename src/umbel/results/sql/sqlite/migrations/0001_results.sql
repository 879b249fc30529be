-- result, children, extended: text or bytes, as the backend's serializer wrote them.
CREATE TABLE umbel_results (
    task_id TEXT PRIMARY KEY NOT NULL,
    status TEXT NOT NULL,
    result,
    traceback TEXT,
    children,
    group_id TEXT,
    parent_id TEXT,
    extended,
    stored_at REAL NOT NULL,
    expires_at REAL
);
CREATE INDEX umbel_results_expiry ON umbel_results (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE umbel_result_groups (
    group_id TEXT PRIMARY KEY NOT NULL,
    content NOT NULL,
    expires_at REAL
);
CREATE INDEX umbel_result_groups_expiry ON umbel_result_groups (expires_at) WHERE expires_at IS NOT NULL;

-- returned and failed count the rows of umbel_chord_members, and are changed only with them.
CREATE TABLE umbel_chords (
    group_id TEXT PRIMARY KEY NOT NULL,
    size INTEGER,
    extra INTEGER NOT NULL DEFAULT 0,
    returned INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'open',
    structure,
    expires_at REAL
);
CREATE INDEX umbel_chords_expiry ON umbel_chords (expires_at) WHERE expires_at IS NOT NULL;

-- A header may name one frozen signature twice: the parts then share a task id and differ in position.
CREATE TABLE umbel_chord_members (
    id INTEGER PRIMARY KEY,
    group_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    status TEXT NOT NULL,
    result,
    UNIQUE (group_id, task_id, position)
);

CREATE TABLE umbel_chord_extras (
    group_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (group_id, task_id)
) WITHOUT ROWID;
