//! Work to be done: claimed with a lease and a fence token, one job of a key at a time, finished in the transaction of
//! what it did. A job that keeps failing parks itself and nothing else.

mod head;

use bursar_domain::id::JobId;
use serde_json::Value as Json;

pub use head::Head;

use crate::dialect::{ROWS_MAX, values};
use crate::planted::{Bug, planted};
use crate::{Db, Error, Result, Row, Tx, Value, params};

/// Which clock `due_at` is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Business,
    Machine,
}

impl Clock {
    pub fn as_str(self) -> &'static str {
        match self {
            Clock::Business => "business",
            Clock::Machine => "machine",
        }
    }
}

#[derive(Clone, Debug)]
pub struct NewJob {
    pub id: JobId,
    pub lane: String,
    /// `event`, `timer`, `execute`, `expire`.
    pub kind: &'static str,
    pub key: String,
    pub payload: Json,
    pub clock: Clock,
    pub due_at: i64,
    pub created_at: i64,
}

/// A job in our hands until `lease_until` by the database's clock.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub lane: String,
    pub kind: String,
    pub key: String,
    pub payload: Json,
    /// Counting this one.
    pub attempts: i64,
    pub fence: i64,
    pub created_at: i64,
    /// On the clock it was due by.
    pub due_at: i64,
    pub clock: Clock,
}

pub async fn add(tx: &mut Tx, job: &NewJob) -> Result<()> {
    add_many(tx, std::iter::once(job)).await
}

pub async fn add_many<'j>(tx: &mut Tx, jobs: impl Iterator<Item = &'j NewJob>) -> Result<()> {
    let jobs: Vec<&NewJob> = jobs.collect();
    for chunk in jobs.chunks(ROWS_MAX) {
        let payloads: Vec<String> = chunk.iter().map(|job| job.payload.to_string()).collect();
        let mut row: Vec<Value<'_>> = Vec::with_capacity(chunk.len() * 12);
        for (job, payload) in chunk.iter().zip(&payloads) {
            row.extend([
                Value::from(job.id.as_str()),
                (&job.lane).into(),
                job.kind.into(),
                (&job.key).into(),
                payload.into(),
                "queued".into(),
                job.clock.as_str().into(),
                job.due_at.into(),
                job.created_at.into(),
                0_i64.into(),
                0_i64.into(),
                0_i64.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO jobs (id, lane, kind, key, payload, state, clock, due_at, created_at, attempts, fence,
                 lease_until) SELECT * FROM (VALUES {}) AS new WHERE column1 IS NOT NULL",
            values(chunk.len(), 12)
        );
        tx.built(sql, &row).await?;
    }
    Ok(())
}

/// Whether a claim would find anything: asked of a reader, so that an idle engine writes nothing.
pub async fn any_due(db: &mut Db, claim: Claim) -> Result<bool> {
    let sql = "SELECT CAST(CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND clock = 'machine' AND due_at <= $1 AND due_at >= $2)
                   OR EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND clock = 'business' AND due_at <= $3)
                   THEN 1 ELSE 0 END AS BIGINT) AS due";
    let row = params![claim.machine_now, claim.first(Clock::Machine), claim.business_now];
    if db.number(sql, row).await? != 0 {
        return Ok(true);
    }
    if claim.since.is_some() {
        return Ok(false);
    }
    let now = leases_now(db, claim.machine_now).await?;
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE state = 'leased' AND lease_until < $1 LIMIT 1) AS lapsed";
    Ok(db.number(sql, params![now]).await? != 0)
}

/// What a claim asks for.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub business_now: i64,
    pub machine_now: i64,
    /// On the machine's clock nothing that was due before this is looked at, nor leases that lapsed. `PostgreSQL` keeps
    /// places in line for jobs that were done until the next vacuum, all of them at its head, and whoever looks at the whole
    /// line passes them one by one.
    pub since: Option<i64>,
    pub lease_us: i64,
    pub limit: i64,
}

impl Claim {
    fn first(&self, clock: Clock) -> i64 {
        match clock {
            Clock::Machine => self.since.unwrap_or(i64::MIN),
            Clock::Business => i64::MIN,
        }
    }
}

/// Takes due jobs whose key nobody works on. Where the whole line is looked at, lapsed leases come back first.
pub async fn claim(tx: &mut Tx, claim: Claim) -> Result<Vec<Job>> {
    let now = give_back_lapsed(tx, claim).await?;
    let mut taken = Vec::new();
    for clock in [Clock::Machine, Clock::Business] {
        let room = claim.limit - i64::try_from(taken.len()).unwrap_or(i64::MAX);
        let line = "WHERE due.state = 'queued' AND due.clock = $2 AND due.due_at <= $3 AND due.due_at >= $6";
        claim_from(tx, Claim { limit: room, ..claim }, (clock, line, &[]), now, &mut taken).await?;
    }
    Ok(taken)
}

/// The same, but nothing of these lanes. Only the head of the line is looked at, however long it is, and what is due at the
/// same moment as its end.
pub async fn claim_past(tx: &mut Tx, claim: Claim, lanes: &[String]) -> Result<Vec<Job>> {
    let now = give_back_lapsed(tx, claim).await?;
    let places: Vec<String> = (7..7 + lanes.len()).map(|place| format!("${place}")).collect();
    let past = places.join(", ");
    let line = format!(
        "WHERE due.state = 'queued' AND due.clock = $2 AND due.lane NOT IN ({past})
               AND due.due_at >= $6 AND due.due_at <= (SELECT MAX(head.due_at) FROM (
                   SELECT first.due_at FROM jobs AS first
                   WHERE first.state = 'queued' AND first.clock = $2 AND first.due_at <= $3 AND first.due_at >= $6
                   ORDER BY first.due_at, first.id LIMIT 64) AS head)"
    );
    let mut taken = Vec::new();
    for clock in [Clock::Machine, Clock::Business] {
        let room = claim.limit - i64::try_from(taken.len()).unwrap_or(i64::MAX);
        claim_from(tx, Claim { limit: room, ..claim }, (clock, &line, lanes), now, &mut taken).await?;
    }
    Ok(taken)
}

/// Takes due jobs of one lane and clock. What waits of others is not looked at, however much of it is due before.
pub async fn claim_of(tx: &mut Tx, claim: Claim, of: &Waiting) -> Result<Vec<Job>> {
    let mut taken = Vec::new();
    let line = "WHERE due.state || '' = 'queued' AND due.clock = $2 AND due.due_at <= $3
                    AND due.due_at >= $6 AND due.lane = $7";
    let now = leases_now(tx, claim.machine_now).await?;
    claim_from(tx, claim, (of.clock, line, std::slice::from_ref(&of.lane)), now, &mut taken).await?;
    Ok(taken)
}

/// Says by what moment.
async fn give_back_lapsed(tx: &mut Tx, claim: Claim) -> Result<i64> {
    let now = leases_now(tx, claim.machine_now).await?;
    if claim.since.is_some() {
        return Ok(now);
    }
    let for_claim = tx.for_claim();
    let lapsed = format!(
        "UPDATE jobs SET state = 'queued' WHERE id IN (
             SELECT due.id FROM jobs AS due WHERE due.state = 'leased' AND due.lease_until < $1 {for_claim})"
    );
    tx.built_anew(lapsed, params![now]).await.map(|_| now)
}

/// What leases are measured by.
async fn leases_now(db: &mut Db, machine_now: i64) -> Result<i64> {
    if planted(Bug::LeaseByWallClock) { Ok(machine_now) } else { db.now().await }
}

/// Takes from a line, which is a condition on `due` with these words as `$7` and on, and `$6` where it begins. Leases begin `now`.
async fn claim_from(
    tx: &mut Tx,
    claim: Claim,
    (clock, line, words): (Clock, &str, &[String]),
    now: i64,
    taken: &mut Vec<Job>,
) -> Result<()> {
    if claim.limit <= 0 {
        return Ok(());
    }
    // Of several due jobs of one key only the first: the rest stay queued until it is done. Where two nodes look at the
    // same moment, the unique index has the last word. What stands ahead is looked for among those of its key: said the
    // other way round, the clock would lead along the whole line. With an offset PostgreSQL asks row by row, as is meant: it
    // would else join the line with itself, which costs as much as the line is long wherever it does not know how long.
    let for_claim = tx.for_claim();
    let sql = format!(
        "WITH taken AS MATERIALIZED (
             SELECT due.id FROM jobs AS due {line}
               AND NOT EXISTS (
                   SELECT 1 FROM jobs AS other WHERE other.key = due.key AND other.state = 'leased' LIMIT 1 OFFSET 0)
               AND NOT EXISTS (
                   SELECT 1 FROM jobs AS ahead
                   WHERE ahead.key = due.key AND ahead.state = 'queued' AND NOT (ahead.clock <> due.clock)
                     AND (ahead.due_at < due.due_at OR (ahead.due_at = due.due_at AND ahead.id < due.id))
                   LIMIT 1 OFFSET 0)
             ORDER BY due.due_at, due.id LIMIT $4 {for_claim})
         UPDATE jobs SET state = 'leased', attempts = attempts + 1, fence = fence + 1, lease_until = $1, holder = $5
         WHERE id IN (SELECT id FROM taken)
         RETURNING id, lane, kind, key, payload, attempts, fence, created_at, due_at"
    );
    let node = tx.node();
    let due = match clock {
        Clock::Business => claim.business_now,
        Clock::Machine => claim.machine_now,
    };
    let row = params![now + claim.lease_us, clock.as_str(), due, claim.limit, &*node, claim.first(clock)];
    let row: Vec<Value<'_>> = row.iter().copied().chain(words.iter().map(Value::from)).collect();
    take(tx, &sql, &row, clock, taken).await
}

/// A lane with work that is due, on one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub lane: String,
    pub clock: Clock,
    /// Since when.
    pub due_at: i64,
}

/// The lanes of which something is due; on each clock whoever has waited longest first. Costs a look for each lane that has
/// anything in line, however much that is.
pub async fn waiting(db: &mut Db, business_now: i64, machine_now: i64) -> Result<Vec<Waiting>> {
    let sql = "WITH RECURSIVE lines (lane) AS (
                   SELECT MIN(lane) FROM jobs WHERE state || '' = 'queued' AND clock = $1
                   UNION ALL
                   SELECT (SELECT MIN(next.lane) FROM jobs AS next
                           WHERE next.state || '' = 'queued' AND next.clock = $1 AND next.lane > lines.lane)
                   FROM lines WHERE lines.lane IS NOT NULL)
               SELECT lane, (SELECT MIN(oldest.due_at) FROM jobs AS oldest
                             WHERE oldest.state || '' = 'queued' AND oldest.clock = $1 AND oldest.lane = lines.lane) AS due_at
               FROM lines WHERE lane IS NOT NULL";
    let mut waiting = Vec::new();
    for (clock, due) in [(Clock::Machine, machine_now), (Clock::Business, business_now)] {
        let mut of_clock: Vec<Waiting> = Vec::new();
        for row in db.all(sql, params![clock.as_str()]).await? {
            // Whoever took the last of a lane meanwhile leaves nothing.
            if let Some(due_at) = row.opt_int("due_at")?.filter(|due_at| *due_at <= due) {
                of_clock.push(Waiting { lane: row.text("lane")?, clock, due_at });
            }
        }
        of_clock.sort_by(|one, other| (one.due_at, &one.lane).cmp(&(other.due_at, &other.lane)));
        waiting.extend(of_clock);
    }
    Ok(waiting)
}

/// Takes more due jobs of a kind that many of are done at once. Only the head of the line is looked at, however long it is.
pub async fn claim_more(tx: &mut Tx, claim: Claim, kind: &str) -> Result<Vec<Job>> {
    if claim.limit <= 0 {
        return Ok(Vec::new());
    }
    let now = tx.now().await?;
    let for_claim = tx.for_claim();
    // Apart from the other claims: an order here would lead SQLite along the whole line.
    let sql = format!(
        "WITH taken AS MATERIALIZED (
             SELECT due.id FROM jobs AS due
             WHERE due.id IN (
                     SELECT head.id FROM jobs AS head
                     WHERE head.state = 'queued' AND head.clock = 'machine' AND head.due_at <= $2 AND head.due_at >= $6
                     ORDER BY head.due_at, head.id LIMIT $3)
               AND due.state = 'queued' AND due.kind = $4
               AND NOT EXISTS (
                   SELECT 1 FROM jobs AS other WHERE other.key = due.key AND other.state = 'leased' LIMIT 1 OFFSET 0)
               AND NOT EXISTS (
                   SELECT 1 FROM jobs AS ahead
                   WHERE ahead.key = due.key AND ahead.state = 'queued' AND NOT (ahead.clock <> due.clock)
                     AND (ahead.due_at < due.due_at OR (ahead.due_at = due.due_at AND ahead.id < due.id))
                   LIMIT 1 OFFSET 0)
             {for_claim})
         UPDATE jobs SET state = 'leased', attempts = attempts + 1, fence = fence + 1, lease_until = $1, holder = $5
         WHERE id IN (SELECT id FROM taken)
         RETURNING id, lane, kind, key, payload, attempts, fence, created_at, due_at"
    );
    let (node, mut taken) = (tx.node(), Vec::new());
    let row = params![
        now + claim.lease_us,
        claim.machine_now,
        claim.limit,
        kind,
        &*node,
        claim.first(Clock::Machine)
    ];
    take(tx, &sql, row, Clock::Machine, &mut taken).await?;
    Ok(taken)
}

async fn take(tx: &mut Tx, sql: &str, row: &[Value<'_>], clock: Clock, taken: &mut Vec<Job>) -> Result<()> {
    let before = taken.len();
    for row in tx.built_anew(sql.to_owned(), row).await? {
        match Job::from_row(&row, clock) {
            Ok(job) => taken.push(job),
            Err(error) => park_unreadable(tx, &row.text("id")?, &error).await?,
        }
    }
    // An update answers in no order.
    taken[before..]
        .sort_by(|one, other| (one.due_at, one.id.as_str()).cmp(&(other.due_at, other.id.as_str())));
    Ok(())
}

/// A row that nobody can read waits for a person, and holds up no other.
async fn park_unreadable(tx: &mut Tx, id: &str, error: &Error) -> Result<()> {
    tracing::error!(id, %error, "a job cannot be read and was parked");
    let sql = "UPDATE jobs SET state = 'dead', last_error = $1 WHERE id = $2";
    tx.execute(sql, params![&error.to_string(), id]).await.map(|_| ())
}

impl Job {
    fn from_row(row: &Row, clock: Clock) -> Result<Self> {
        Ok(Self {
            id: row.parse("jobs", "id", |id| id.parse().ok())?,
            lane: row.text("lane")?,
            kind: row.text("kind")?,
            key: row.text("key")?,
            payload: row.json("jobs", "payload")?,
            attempts: row.int("attempts")?,
            fence: row.int("fence")?,
            created_at: row.int("created_at")?,
            due_at: row.int("due_at")?,
            clock,
        })
    }
}

/// Whether we still hold the job. Every change a job makes begins with this or with `finish`, in the same transaction.
pub async fn check_fence(tx: &mut Tx, job: &Job) -> Result<()> {
    if planted(Bug::NoFence) {
        return Ok(());
    }
    let for_update = tx.for_update();
    let sql = format!("SELECT id FROM jobs WHERE id = $1 AND fence = $2 AND state = 'leased' {for_update}");
    match tx.built(sql, params![job.id.as_str(), job.fence]).await?.len() {
        1 => Ok(()),
        _ => Err(Error::Fenced(job.id.to_string())),
    }
}

/// The job is done: its row goes.
pub async fn finish(tx: &mut Tx, job: &Job) -> Result<()> {
    let sql = "DELETE FROM jobs WHERE id = $1 AND fence = $2 AND state = 'leased'";
    fenced(tx.execute(sql, params![job.id.as_str(), job.fence]).await?, job)
}

/// The same for many: all of them are ours and go, or none does.
pub async fn finish_many(tx: &mut Tx, jobs: &[&Job]) -> Result<()> {
    for chunk in jobs.chunks(ROWS_MAX) {
        let names: Vec<Value<'_>> =
            chunk.iter().flat_map(|job| [Value::from(job.id.as_str()), job.fence.into()]).collect();
        let sql = format!(
            "DELETE FROM jobs WHERE state = 'leased'
                 AND (id, fence) IN (SELECT column1, column2 FROM (VALUES {}) AS done) RETURNING id",
            values(chunk.len(), 2)
        );
        let gone = tx.built(sql, &names).await?;
        if gone.len() != chunk.len() && !planted(Bug::NoFence) {
            return Err(Error::Fenced(format!("one of {} jobs", chunk.len())));
        }
    }
    Ok(())
}

/// Not now: back into the queue until `due_at`, with the reason people see. `counts` is false for waiting that is no
/// failure of the job.
pub async fn put_back(
    tx: &mut Tx,
    job: &Job,
    clock: Clock,
    due_at: i64,
    why: &str,
    counts: Counts,
) -> Result<()> {
    let sql =
        "UPDATE jobs SET state = 'queued', clock = $1, due_at = $2, last_error = $3, attempts = attempts - $4
               WHERE id = $5 AND fence = $6 AND state = 'leased'";
    let back = i64::from(counts == Counts::No);
    let touched =
        tx.execute(sql, params![clock.as_str(), due_at, why, back, job.id.as_str(), job.fence]).await?;
    fenced(touched, job)
}

/// Whether an attempt counts towards parking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    Yes,
    No,
}

/// Work that looks at what arrived and decides. It waits while its lane is stopped; what was decided before is still
/// executed or denied, and questions still expire.
pub fn waits_for_its_lane(kind: &str) -> bool {
    matches!(kind, "event" | "thin_event" | "decide" | "timer")
}

/// Takes a job out of the line until its lane may go on. That is no attempt.
pub async fn hold(tx: &mut Tx, job: &Job) -> Result<()> {
    let sql = "UPDATE jobs SET state = 'held', attempts = attempts - 1
               WHERE id = $1 AND fence = $2 AND state = 'leased'";
    fenced(tx.execute(sql, params![job.id.as_str(), job.fence]).await?, job)
}

/// What was held goes on where no switch stops its lane any more: in the order it had, and nothing of it is lost. At most so
/// much at once: a line may be long, and a change must be short.
pub async fn release_held(tx: &mut Tx, limit: i64) -> Result<u64> {
    let sql = "UPDATE jobs SET state = 'queued' WHERE state = 'held' AND id IN (
                   SELECT held.id FROM jobs AS held WHERE held.state = 'held'
                     AND NOT EXISTS (SELECT 1 FROM kill_switches WHERE scope = 'all' OR scope = 'lane:' || held.lane)
                   LIMIT $1)";
    tx.execute(sql, params![limit]).await
}

/// Whether anything is held that no switch stops.
pub async fn any_to_release(db: &mut Db) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM (
                   SELECT 1 FROM jobs AS held WHERE held.state = 'held'
                     AND NOT EXISTS (SELECT 1 FROM kill_switches WHERE scope = 'all' OR scope = 'lane:' || held.lane)
                   LIMIT 1) AS freed";
    Ok(db.number(sql, &[]).await? > 0)
}

/// Parks a job for a person.
pub async fn park(tx: &mut Tx, job: &Job, why: &str) -> Result<()> {
    let sql =
        "UPDATE jobs SET state = 'dead', last_error = $1 WHERE id = $2 AND fence = $3 AND state = 'leased'";
    fenced(tx.execute(sql, params![why, job.id.as_str(), job.fence]).await?, job)
}

fn fenced(touched: u64, job: &Job) -> Result<()> {
    if touched == 1 || planted(Bug::NoFence) { Ok(()) } else { Err(Error::Fenced(job.id.to_string())) }
}

/// Gives every lease of this process back: at shutdown, and at the start of the one owner of the file.
pub async fn release_all(tx: &mut Tx) -> Result<u64> {
    tx.execute("UPDATE jobs SET state = 'queued' WHERE state = 'leased'", &[]).await
}

/// Gives back what this node is said to hold and nobody there knows of: whatever is not among those in hand. That was no
/// attempt.
pub async fn release_others(tx: &mut Tx, in_hand: &[String]) -> Result<()> {
    let node = tx.node();
    // An empty list is no list to every database: no job is called nothing.
    let mut row: Vec<Value<'_>> = vec![Value::from(&*node), "".into()];
    row.extend(in_hand.iter().map(Value::from));
    let places: Vec<String> = (2..=row.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "UPDATE jobs SET state = 'queued', attempts = attempts - 1
         WHERE state = 'leased' AND holder = $1 AND id NOT IN ({})",
        places.join(", ")
    );
    tx.built(sql, &row).await.map(|_| ())
}

/// Drops queued jobs of a kind that have one of these keys: a timer that is set anew, work that no longer makes sense.
pub async fn drop_queued(tx: &mut Tx, kind: &str, keys: &[String]) -> Result<()> {
    for chunk in keys.chunks(ROWS_MAX) {
        let rows: Vec<Value<'_>> = chunk.iter().flat_map(|key| [Value::from(key), kind.into()]).collect();
        let sql = format!(
            "DELETE FROM jobs WHERE state IN ('queued', 'held')
                 AND (key, kind) IN (SELECT column1, column2 FROM (VALUES {}) AS gone)",
            values(chunk.len(), 2)
        );
        tx.built(sql, &rows).await?;
    }
    Ok(())
}

/// A job that waits, as people see it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    pub id: String,
    pub lane: String,
    pub kind: String,
    pub key: String,
    pub payload: Json,
    pub attempts: i64,
    pub created_at: i64,
    pub last_error: Option<String>,
}

/// Parked jobs, oldest first.
pub async fn dead(db: &mut Db, limit: i64) -> Result<Vec<Listed>> {
    let sql = "SELECT id, lane, kind, key, payload, attempts, created_at, last_error FROM jobs
               WHERE state = 'dead' ORDER BY created_at LIMIT $1";
    let rows = db.all(sql, params![limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                id: row.text("id")?,
                lane: row.text("lane")?,
                kind: row.text("kind")?,
                key: row.text("key")?,
                // Shown to a person, also where it is what cannot be read.
                payload: serde_json::from_str(&row.text("payload")?).unwrap_or(Json::Null),
                attempts: row.int("attempts")?,
                created_at: row.int("created_at")?,
                last_error: row.opt_text("last_error")?,
            })
        })
        .collect()
}

/// A person wants a parked job tried again.
pub async fn revive(tx: &mut Tx, id: &str, due_at: i64) -> Result<()> {
    let sql = "UPDATE jobs SET state = 'queued', clock = 'machine', due_at = $1, attempts = 0
               WHERE id = $2 AND state = 'dead'";
    tx.execute_one("parked job", sql, params![due_at, id]).await
}

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Depth {
    /// Due and waiting.
    pub due: i64,
    pub leased: i64,
    pub dead: i64,
    /// Timers in the future.
    pub later: i64,
    /// Of a lane that a kill switch stops.
    pub held: i64,
    /// Since when the job that has waited longest has been due, machine time. Where business time runs ahead of the
    /// machine's, no longer than since it was made.
    pub oldest_due: Option<i64>,
}

/// Events, and decisions about them, that were not come to yet.
pub async fn events_waiting(db: &mut Db) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'leased') AND kind IN ('event', 'thin_event', 'decide')";
    db.number(sql, &[]).await
}

pub async fn depth(db: &mut Db, business_now: i64, machine_now: i64) -> Result<Depth> {
    let sql = "SELECT COUNT(*) FILTER (WHERE state = 'leased') AS leased,
                      COUNT(*) FILTER (WHERE state = 'dead') AS dead,
                      COUNT(*) FILTER (WHERE state = 'held') AS held,
                      COUNT(*) FILTER (WHERE state = 'queued' AND due_at <= CASE clock WHEN 'business' THEN $1 ELSE $2 END) AS due,
                      COUNT(*) FILTER (WHERE state = 'queued' AND due_at > CASE clock WHEN 'business' THEN $1 ELSE $2 END) AS later,
                      MIN(CASE WHEN state <> 'queued' OR due_at > CASE clock WHEN 'business' THEN $1 ELSE $2 END THEN NULL
                               WHEN clock <> 'business' THEN due_at
                               WHEN created_at > due_at + $2 - $1 THEN created_at
                               ELSE due_at + $2 - $1 END) AS oldest_due
               FROM jobs";
    let row = db.first(sql, params![business_now, machine_now]).await?;
    row.map_or(Ok(Depth::default()), |row| {
        Ok(Depth {
            due: row.int("due")?,
            leased: row.int("leased")?,
            dead: row.int("dead")?,
            later: row.int("later")?,
            held: row.int("held")?,
            oldest_due: row.opt_int("oldest_due")?,
        })
    })
}
