-- The first shape of the store. One text for SQLite and PostgreSQL: TEXT for ids, enums and JSON; BIGINT for minor
-- units, counts and microseconds; BYTEA-compatible BLOB for sealed bytes. What we search by is a column.

CREATE TABLE installation (
    -- Always 1: there is one.
    place BIGINT PRIMARY KEY,
    id TEXT NOT NULL,
    schema_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    single_operator BOOLEAN NOT NULL
);

-- By which a node knows that its master key is this installation's.
CREATE TABLE master_keys (
    place BIGINT PRIMARY KEY,
    fingerprint TEXT NOT NULL
);

-- One key a subject (a customer) and lane, wrapped by the master key. Destroying the row erases what it sealed.
CREATE TABLE subject_keys (
    lane TEXT NOT NULL,
    subject TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (lane, subject)
);

CREATE TABLE events (
    lane TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    created_s BIGINT NOT NULL,
    api_version TEXT,
    request_key TEXT,
    object_kind TEXT,
    object_id TEXT,
    -- A thin event may name the snapshot event about the same change.
    snapshot_event TEXT,
    sameness TEXT NOT NULL,
    sameness_any_version TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    body_hash TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    -- What became of the object that a thin event refers to: `read`, `gone`, or `left` to the snapshot event.
    resolved TEXT,
    -- The id first: people type it without a lane.
    PRIMARY KEY (id, lane)
);
CREATE INDEX events_by_audit ON events (audit_id);
CREATE INDEX events_by_creation ON events (created_s, id);
CREATE INDEX events_by_type ON events (type, created_s, id);
CREATE INDEX events_by_object ON events (object_id, created_s, id);
CREATE INDEX events_by_receipt ON events (received_at);
CREATE INDEX events_by_request ON events (lane, request_key, created_s) WHERE request_key IS NOT NULL;
CREATE INDEX events_by_snapshot ON events (lane, snapshot_event) WHERE snapshot_event IS NOT NULL;

CREATE TABLE quarantine (
    id TEXT PRIMARY KEY,
    lane TEXT,
    -- Whose secret or key it came by: where its lane is looked for when it is tried again.
    connection TEXT,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    -- The same for two deliveries of one event, whatever way they came.
    sameness TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    body BLOB NOT NULL,
    -- `waiting` until a person tried it again: then `accepted` or `refused`.
    state TEXT NOT NULL,
    settled_at BIGINT,
    settled_by TEXT,
    settled_why TEXT
);
CREATE UNIQUE INDEX quarantine_once ON quarantine (sameness, reason);
CREATE INDEX quarantine_by_state ON quarantine (state);
CREATE INDEX quarantine_by_receipt ON quarantine (received_at, id);

CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Jobs of one key run one at a time.
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    -- `queued`, `leased`, `dead`; `held` while a kill switch stops its lane.
    state TEXT NOT NULL,
    clock TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    -- The node that has it, or had it last.
    holder TEXT,
    last_error TEXT
);
CREATE INDEX jobs_due ON jobs (state, clock, due_at, id);
CREATE INDEX jobs_by_key ON jobs (key, state);
CREATE INDEX jobs_dead ON jobs (state, created_at) WHERE state = 'dead';
-- Two nodes that claim at the same moment cannot both get a job of one key.
CREATE UNIQUE INDEX jobs_one_of_a_key ON jobs (key) WHERE state = 'leased';

CREATE TABLE objects (
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Business time of the snapshot: the event's creation or the moment of the read.
    version_at BIGINT NOT NULL,
    -- A tie or a doubt: read again before use.
    stale BOOLEAN NOT NULL,
    deleted BOOLEAN NOT NULL,
    customer TEXT,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (lane, kind, id)
);
CREATE INDEX objects_by_customer ON objects (lane, kind, customer);

CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    playbook TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    customer TEXT,
    state TEXT NOT NULL,
    state_data TEXT NOT NULL,
    class TEXT,
    owner TEXT,
    amount BIGINT,
    currency TEXT,
    due_at BIGINT,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    closed_at BIGINT,
    subject TEXT NOT NULL,
    details BLOB NOT NULL
);
CREATE UNIQUE INDEX cases_open_once ON cases (lane, playbook, object_kind, object_id) WHERE closed_at IS NULL;
CREATE INDEX cases_by_object ON cases (object_id, updated_at, id);
CREATE INDEX cases_by_customer ON cases (customer, updated_at, id);
CREATE INDEX cases_by_state ON cases (state, updated_at, id);
CREATE INDEX cases_by_update ON cases (updated_at, id);
CREATE INDEX cases_open ON cases (updated_at, id) WHERE closed_at IS NULL;
CREATE INDEX cases_open_counted ON cases (state, playbook, closed_at) WHERE closed_at IS NULL;

CREATE TABLE timeline (
    id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    place BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL,
    lane TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX timeline_by_case ON timeline (case_id, at, written_at, place);

-- Content-addressed answers to reads, sealed.
CREATE TABLE inputs (
    lane TEXT NOT NULL,
    hash TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (lane, hash)
);

CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    case_id TEXT NOT NULL,
    playbook TEXT NOT NULL,
    at BIGINT NOT NULL,
    signal TEXT NOT NULL,
    class TEXT NOT NULL,
    rule TEXT NOT NULL,
    mode TEXT NOT NULL,
    policy_set TEXT NOT NULL,
    settings_hash TEXT NOT NULL,
    inputs_hash TEXT NOT NULL
);
CREATE INDEX decisions_by_case ON decisions (case_id, at);

CREATE TABLE proposals (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    case_id TEXT NOT NULL,
    decision_id TEXT,
    verb TEXT NOT NULL,
    target TEXT,
    template TEXT,
    customer TEXT,
    amount BIGINT,
    currency TEXT,
    amount_home BIGINT,
    actor TEXT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    policy_set TEXT NOT NULL,
    policy_verdict TEXT NOT NULL,
    verdict TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    expires_at BIGINT,
    settled_at BIGINT,
    -- A code. The words are sealed: they may be somebody's, or name somebody.
    settled_why TEXT,
    settled_words BLOB,
    subject TEXT NOT NULL,
    content BLOB NOT NULL,
    content_hash TEXT NOT NULL
);
CREATE INDEX proposals_by_case ON proposals (case_id, proposed_at);
CREATE INDEX proposals_by_customer ON proposals (lane, customer, verb);
CREATE INDEX proposals_by_target ON proposals (lane, target, verb, state);
CREATE INDEX proposals_by_digest ON proposals (digest);
CREATE INDEX proposals_by_state ON proposals (state, settled_at, id);

CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    requirements TEXT NOT NULL,
    makers TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    closed_at BIGINT,
    -- A code.
    closed_why TEXT
);
CREATE UNIQUE INDEX approvals_by_proposal ON approvals (proposal_id);
CREATE INDEX approvals_by_state ON approvals (state, opened_at, id);
CREATE INDEX approvals_by_time ON approvals (opened_at, id);

CREATE TABLE votes (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    approval_id TEXT NOT NULL,
    person TEXT NOT NULL,
    -- Those it was cast with: it never counts with more.
    roles TEXT NOT NULL,
    choice TEXT NOT NULL,
    digest TEXT NOT NULL,
    at BIGINT NOT NULL,
    method TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason BLOB
);
CREATE UNIQUE INDEX votes_one_each ON votes (approval_id, person);

-- The row of an intent is never deleted.
CREATE TABLE executions (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    proposal_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    verb TEXT NOT NULL,
    digest TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_method TEXT NOT NULL,
    request_path TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    api_version TEXT NOT NULL,
    account TEXT,
    subject TEXT NOT NULL,
    request BLOB NOT NULL,
    intended_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    first_sent_at BIGINT,
    sends BIGINT NOT NULL,
    -- Of the sends, those that may have arrived.
    maybe_sent BIGINT NOT NULL,
    -- What it holds of a day's budget; nothing once that was given back.
    reserved TEXT,
    state TEXT NOT NULL,
    waiting_for TEXT,
    -- Until when Stripe's own approval can be given, business time.
    waiting_until BIGINT,
    absent_since BIGINT,
    outcome_at BIGINT,
    outcome_code TEXT,
    receipt TEXT
);
CREATE UNIQUE INDEX executions_by_proposal ON executions (proposal_id);
CREATE UNIQUE INDEX executions_by_key ON executions (idempotency_key);
CREATE INDEX executions_by_state ON executions (state, intended_at);

-- Money reserved or spent a day, by counter: `lane`, `customer:cus_…`, `actor:…`.
CREATE TABLE budgets (
    lane TEXT NOT NULL,
    counter TEXT NOT NULL,
    day TEXT NOT NULL,
    currency TEXT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (lane, counter, day, currency)
);

CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    case_id TEXT NOT NULL,
    role TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    done_at BIGINT,
    subject TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX tasks_by_case ON tasks (case_id);
CREATE INDEX tasks_open ON tasks (created_at, id) WHERE state = 'open';

CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    writer TEXT NOT NULL,
    writer_seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    -- What waits is chained in this order.
    place BIGINT NOT NULL,
    seq BIGINT,
    hash TEXT,
    UNIQUE (writer, writer_seq)
);
CREATE UNIQUE INDEX audit_by_seq ON audit (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_unsealed ON audit (place, writer, writer_seq) WHERE seq IS NULL;

CREATE TABLE policy_sets (
    hash TEXT PRIMARY KEY,
    files TEXT NOT NULL,
    loaded_at BIGINT NOT NULL
);
CREATE TABLE policy_activations (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL
);
CREATE TABLE playbook_settings (
    hash TEXT PRIMARY KEY,
    playbook TEXT NOT NULL,
    body TEXT NOT NULL,
    loaded_at BIGINT NOT NULL
);

CREATE TABLE modes (
    lane TEXT NOT NULL,
    playbook TEXT NOT NULL,
    mode TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (lane, playbook)
);
-- What is stopped: `all`, `lane:…`, `playbook:…`, `agent:…`.
CREATE TABLE kill_switches (
    scope TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    thrown_at BIGINT NOT NULL,
    thrown_by TEXT NOT NULL
);

CREATE TABLE people (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    password_hash TEXT,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);
CREATE UNIQUE INDEX people_by_email ON people (email);
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    person TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    roles TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE UNIQUE INDEX tokens_by_hash ON tokens (hash);
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Which account each configured connection turned out to be.
CREATE TABLE connections (
    name TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    key_hash TEXT NOT NULL
);

CREATE TABLE pollers (
    lane TEXT PRIMARY KEY,
    -- Everything created up to here is known to be held.
    complete_to_s BIGINT NOT NULL,
    -- What was there before we came: read newest first, done when the two meet.
    history_from_s BIGINT NOT NULL,
    history_to_s BIGINT NOT NULL,
    polled_at BIGINT,
    last_error TEXT
);
CREATE TABLE gaps (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL,
    from_s BIGINT NOT NULL,
    to_s BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    events BIGINT NOT NULL,
    -- How many of each type.
    held TEXT NOT NULL
);
CREATE INDEX gaps_by_time ON gaps (found_at);

-- Requests that carried an Idempotency-Key of their own: what they filed, in the commit that filed it, and what they
-- were answered.
CREATE TABLE request_keys (
    actor TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    proposal_id TEXT,
    status BIGINT,
    answer TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);

-- Processes that work on this installation, by the database's clock.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
-- What one node at a time does: `sealer`, `poller:…`.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL
);
