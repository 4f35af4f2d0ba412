-- A database that turned out to be an old or another copy. While one is open, nothing leaves Bursar.
CREATE TABLE restores (
    id TEXT PRIMARY KEY,
    -- Always 1: of those that are open there is one.
    place BIGINT NOT NULL,
    -- How it was noticed, a code: `behind`, `other_chain`, `other_installation`, `anchor_unreadable`, `restored`.
    why TEXT NOT NULL,
    noticed_at BIGINT NOT NULL,
    -- Where the chain of the copy ends, and where the anchor says that it had come to.
    head_seq BIGINT NOT NULL,
    anchor_seq BIGINT,
    anchor_at BIGINT,
    -- Seconds of business time: whatever the copy does not know of happened after it.
    since_s BIGINT NOT NULL,
    -- Whether what the copy itself says about letters was looked through.
    stock_taken BOOLEAN NOT NULL,
    -- Machine time of the first of the looks that were complete one after the other, and of the last look.
    complete_since BIGINT,
    looked_at BIGINT,
    -- Why the last look was not complete.
    problem TEXT,
    lifted_at BIGINT,
    lifted_by TEXT
);
CREATE UNIQUE INDEX restores_open ON restores (place) WHERE lifted_at IS NULL;

-- What happened at Stripe under a key of ours that the copy knows nothing of.
CREATE TABLE lost_effects (
    lane TEXT NOT NULL,
    request_key TEXT NOT NULL,
    restore_id TEXT NOT NULL,
    proposal_id TEXT,
    object_kind TEXT,
    object_id TEXT,
    -- What it was done to, such as a charge.
    target TEXT,
    amount BIGINT,
    currency TEXT,
    happened_s BIGINT NOT NULL,
    PRIMARY KEY (lane, request_key)
);
CREATE INDEX lost_effects_by_target ON lost_effects (lane, target);
CREATE INDEX lost_effects_by_restore ON lost_effects (restore_id, happened_s, request_key);
