-- Objects of Stripe's from before we came, read into the mirror: how far each kind of each lane is.
CREATE TABLE history (
    lane TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- Objects created from here on are wanted.
    since_s BIGINT NOT NULL,
    -- Creation of the newest object, where reading began, and of the oldest that was read.
    from_s BIGINT,
    down_to_s BIGINT,
    -- The next page begins after this object; without it, at `down_to_s`.
    after_id TEXT,
    objects BIGINT NOT NULL,
    pages BIGINT NOT NULL,
    -- How long reading has taken so far, microseconds.
    spent_us BIGINT NOT NULL,
    -- `reading`, `done`.
    state TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    read_at BIGINT NOT NULL,
    -- Not tried again before.
    due_at BIGINT NOT NULL,
    last_error TEXT,
    PRIMARY KEY (lane, kind)
);
