-- What operators are told about the installation itself.

-- A trouble, from when it was first seen until it is over.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    -- What it is, and about what: a connection, a lane, or nothing in particular.
    code TEXT NOT NULL,
    about TEXT NOT NULL,
    -- Counts and names, as last seen.
    facts TEXT NOT NULL,
    -- Machine time of the first and the last look that found it.
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- When it had lasted long enough to be told, when it was last told, and when it was over.
    opened_at BIGINT,
    told_at BIGINT,
    closed_at BIGINT,
    notices BIGINT NOT NULL
);
CREATE UNIQUE INDEX alerts_once ON alerts (code, about) WHERE closed_at IS NULL;
CREATE INDEX alerts_by_opening ON alerts (opened_at, id) WHERE opened_at IS NOT NULL;
CREATE INDEX alerts_closed ON alerts (closed_at) WHERE closed_at IS NOT NULL;

-- What is to be sent about an alert, by each way on its own.
CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    alert_id TEXT NOT NULL,
    -- `webhook`, or `mail` and the place of an address in the configuration.
    way TEXT NOT NULL,
    -- Of one alert and way, one goes after the other.
    number BIGINT NOT NULL,
    body TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- `waiting`, `delivered`, `given_up`.
    state TEXT NOT NULL,
    last_error TEXT
);
CREATE UNIQUE INDEX notices_in_order ON notices (alert_id, way, number);
CREATE INDEX notices_waiting ON notices (way, due_at, id) WHERE state = 'waiting';
CREATE INDEX notices_by_time ON notices (made_at);
