-- Up Migration
-- The move of this database to another server, step by step, so that a step that was killed is continued and none is taken out
-- of order. Both servers have a row of the move: the source, which decides, and the target. New tables only: nothing waits for a
-- lock. Older code ignores them.
CREATE TABLE operations.moves (
  id uuid PRIMARY KEY,
  role text NOT NULL CHECK (role IN ('source', 'target')),
  source text NOT NULL,
  target text NOT NULL,
  -- 'switching' and 'switching-back': some functions may write to the other server already; from there it only goes on.
  stage text NOT NULL CHECK (stage IN ('copying', 'cutting-over', 'switching', 'cut-over',
                                       'rolling-back', 'switching-back', 'rolled-back', 'finished')),
  started_at timestamptz NOT NULL,
  stage_at timestamptz NOT NULL,
  verified_at timestamptz,
  cut_over_at timestamptz,
  refused_at timestamptz,
  pause_ms integer CHECK (pause_ms >= 0),
  -- What gives tables back the replica identity that they had.
  identities text[] NOT NULL DEFAULT '{}',
  -- Digests of definitions that read otherwise on the new server since it was made; any other difference is a change.
  known_differences text[] NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX moves_one_open ON operations.moves ((true)) WHERE stage NOT IN ('rolled-back', 'finished');

-- A row that one server writes and the other receives shows how far behind replication is.
CREATE TABLE operations.move_beats (
  side text PRIMARY KEY CHECK (side IN ('source', 'target')),
  beat bigint NOT NULL,
  at timestamptz NOT NULL
);

-- Down Migration
DROP TABLE operations.move_beats;
DROP TABLE operations.moves;
