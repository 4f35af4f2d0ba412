-- What waits of each lane, in its order: found however long the line of another lane is. Whoever looks writes the condition
-- as it stands here, so that no other index can serve them: a planner that has not noticed yet how long a line became
-- would walk along all of it.
CREATE INDEX jobs_of_lane ON jobs (clock, lane, due_at, id) WHERE state || '' = 'queued';
