/**
 * Tables of the embedded zone store, one script per schema version (`PRAGMA user_version`); a script that was released is
 * never changed, the next one goes behind it.
 *
 * The SQL is what PostgreSQL also understands, but for the table suffixes (WITHOUT ROWID, STRICT). What repeats in every
 * row (gateway, epoch, device, quantity, tick, factor) is a small integer here and its name once in a table of names.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE gateway (
  id INTEGER PRIMARY KEY,
  zone TEXT NOT NULL,
  edge TEXT NOT NULL,
  UNIQUE (zone, edge)
) STRICT;

CREATE TABLE gateway_state (
  gateway_id INTEGER PRIMARY KEY REFERENCES gateway (id),
  epoch TEXT,
  online INTEGER NOT NULL,
  bd_seq INTEGER,
  last_seen_ms INTEGER,
  born_at_ms INTEGER,
  pending INTEGER,
  oldest_pending_ms INTEGER,
  clock_offset_ms REAL,
  software TEXT,
  duplicates INTEGER NOT NULL,
  received INTEGER NOT NULL
) STRICT;

-- One life of a gateway's journal: batch numbers are unique within it.
CREATE TABLE epoch (
  id INTEGER PRIMARY KEY,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  epoch TEXT NOT NULL,
  UNIQUE (gateway_id, epoch)
) STRICT;

-- batch_span_ms: the longest to_ms - from_ms of any batch of the device; it bounds the search by time.
CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  device TEXT NOT NULL,
  batch_span_ms INTEGER NOT NULL DEFAULT 0,
  UNIQUE (gateway_id, device)
) STRICT;

CREATE TABLE meter (
  device_id INTEGER PRIMARY KEY REFERENCES device (id),
  model TEXT NOT NULL,
  model_version TEXT NOT NULL,
  carrier TEXT NOT NULL,
  role TEXT NOT NULL,
  parent TEXT,
  interval_ms INTEGER NOT NULL,
  time_zone TEXT NOT NULL,
  name_vi TEXT,
  name_en TEXT
) STRICT;

CREATE TABLE birth (
  id INTEGER PRIMARY KEY,
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  device_id INTEGER NOT NULL REFERENCES device (id),
  sha256 TEXT NOT NULL,
  metrics TEXT NOT NULL,
  UNIQUE (epoch_id, device_id, sha256)
) STRICT;

-- batch_key = epoch_id * 2^36 + number: one integer is key, order and row address at once.
CREATE TABLE batch (
  batch_key INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  birth_id INTEGER NOT NULL REFERENCES birth (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  payload BLOB NOT NULL
) STRICT;
CREATE INDEX batch_by_time ON batch (device_id, to_ms);

-- The batch numbers held, as disjoint ranges that do not touch.
CREATE TABLE batch_range (
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (epoch_id, first)
) WITHOUT ROWID, STRICT;

CREATE TABLE quarantine (
  batch_key INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  device TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (batch_key, crc32c)
) STRICT;

CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  topic TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  code TEXT NOT NULL,
  why TEXT NOT NULL,
  payload BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letter_by_gateway ON dead_letter (gateway_id);

CREATE TABLE alarm (
  id INTEGER PRIMARY KEY,
  code TEXT NOT NULL,
  gateway_id INTEGER REFERENCES gateway (id),
  device TEXT,
  at_ms INTEGER NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE TABLE tick (
  id INTEGER PRIMARY KEY,
  amount TEXT NOT NULL,
  unit TEXT NOT NULL,
  UNIQUE (amount, unit)
) STRICT;

-- One counter of one meter.
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  quantity TEXT NOT NULL,
  UNIQUE (device_id, quantity)
) STRICT;

-- Narrow on purpose: a year of a zone is summed by reading these rows. Register words stand in interval_evidence.
-- verification: 0 pending, 1 agreed, 2 disagreed.
-- odd: anything but a whole, measured, undisputed figure. Few rows are, so sums look at them apart.
CREATE TABLE book_interval (
  series_id INTEGER NOT NULL REFERENCES series (id),
  from_ms INTEGER NOT NULL,
  length_ms INTEGER NOT NULL,
  tick_id INTEGER NOT NULL REFERENCES tick (id),
  ticks INTEGER,
  odd INTEGER NOT NULL GENERATED ALWAYS AS (CASE
    WHEN flag IN ('M', 'C') AND coverage = 1 AND ticks IS NOT NULL AND verification <> 2 THEN 0 ELSE 1 END) STORED,
  flag TEXT NOT NULL,
  coverage REAL NOT NULL,
  polls_expected INTEGER NOT NULL,
  polls_answered INTEGER NOT NULL,
  cause TEXT,
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  batch INTEGER NOT NULL,
  verification INTEGER NOT NULL,
  PRIMARY KEY (series_id, from_ms)
) WITHOUT ROWID, STRICT;
CREATE INDEX interval_to_verify ON book_interval (epoch_id, batch) WHERE verification = 0;
CREATE INDEX interval_disagreed ON book_interval (series_id, from_ms) WHERE verification = 2;
CREATE INDEX interval_odd
  ON book_interval (series_id, from_ms, flag, ticks, coverage, length_ms, verification) WHERE odd = 1;

CREATE TABLE interval_evidence (
  series_id INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  boundaries TEXT NOT NULL,
  PRIMARY KEY (series_id, from_ms)
) WITHOUT ROWID, STRICT;

-- Figures that a better one replaced, as they stood.
CREATE TABLE interval_superseded (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL REFERENCES series (id),
  from_ms INTEGER NOT NULL,
  length_ms INTEGER NOT NULL,
  tick_id INTEGER NOT NULL REFERENCES tick (id),
  ticks INTEGER,
  flag TEXT NOT NULL,
  coverage REAL NOT NULL,
  polls_expected INTEGER NOT NULL,
  polls_answered INTEGER NOT NULL,
  cause TEXT,
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  batch INTEGER NOT NULL,
  verification INTEGER NOT NULL,
  boundaries TEXT NOT NULL,
  superseded_ms INTEGER NOT NULL
) STRICT;

-- One gas of one meter.
CREATE TABLE emission_series (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  gas TEXT NOT NULL,
  UNIQUE (device_id, gas)
) STRICT;

CREATE TABLE emission_source (
  id INTEGER PRIMARY KEY,
  carrier TEXT NOT NULL,
  scope INTEGER NOT NULL,
  factor_id TEXT NOT NULL,
  factor_version TEXT NOT NULL,
  match TEXT NOT NULL,
  ncv TEXT NOT NULL,
  UNIQUE (carrier, scope, factor_id, factor_version, match, ncv)
) STRICT;

-- Entries are never changed but for the mark that a newer version supersedes them.
CREATE TABLE book_emission (
  series_id INTEGER NOT NULL REFERENCES emission_series (id),
  from_ms INTEGER NOT NULL,
  version INTEGER NOT NULL,
  id INTEGER NOT NULL,
  length_ms INTEGER NOT NULL,
  source_id INTEGER NOT NULL REFERENCES emission_source (id),
  mg INTEGER NOT NULL,
  known_from_ms INTEGER NOT NULL,
  superseded_by INTEGER,
  superseded_ms INTEGER,
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  batch INTEGER NOT NULL,
  PRIMARY KEY (series_id, from_ms, version)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX emission_by_id ON book_emission (id);

CREATE TABLE own_value (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
`,
  `
-- What a gateway reported of itself: losses, clock corrections, meter swaps, polls. One row a batch.
CREATE TABLE node_record (
  batch_key INTEGER PRIMARY KEY,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  kind TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  json TEXT NOT NULL
) STRICT;
CREATE INDEX node_record_by_time ON node_record (gateway_id, kind, to_ms);

-- Batch numbers a gateway reported lost, or that were set aside here, as disjoint ranges that do not touch.
CREATE TABLE lost_range (
  epoch_id INTEGER NOT NULL REFERENCES epoch (id),
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (epoch_id, first)
) WITHOUT ROWID, STRICT;

CREATE TABLE presence (
  id INTEGER PRIMARY KEY,
  gateway_id INTEGER NOT NULL REFERENCES gateway (id),
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX presence_by_time ON presence (gateway_id, at_ms);
`,
  `
-- What a run of restating did to one gas of one meter from one factor to another. factor_before '' = nothing was booked.
CREATE TABLE restatement (
  id INTEGER PRIMARY KEY,
  run_ms INTEGER NOT NULL,
  device_id INTEGER NOT NULL REFERENCES device (id),
  gas TEXT NOT NULL,
  factor_before TEXT NOT NULL,
  factor_after TEXT NOT NULL,
  reason TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  before_mg INTEGER NOT NULL,
  after_mg INTEGER NOT NULL,
  UNIQUE (run_ms, device_id, gas, factor_before, factor_after)
) STRICT;
CREATE INDEX restatement_by_device ON restatement (device_id, from_ms);

-- Entries that a restatement made.
CREATE TABLE restated_entry (
  entry_id INTEGER PRIMARY KEY,
  restatement_id INTEGER NOT NULL REFERENCES restatement (id)
) STRICT;
`,
  `
-- Whose and of when the newest content of a dead letter is, where that could be read.
ALTER TABLE dead_letter ADD COLUMN device TEXT;
ALTER TABLE dead_letter ADD COLUMN content_ms INTEGER;
`,
  `
-- Gaps that were filled by a rule: never changed, a better fill is another row.
CREATE TABLE substitution (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  series_id INTEGER NOT NULL REFERENCES series (id),
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  rule TEXT NOT NULL,
  flag TEXT NOT NULL,
  inputs TEXT NOT NULL,
  author TEXT NOT NULL,
  intervals INTEGER NOT NULL,
  known_from_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX substitution_by_series ON substitution (series_id, from_ms);
`,
  `
-- What a meter states of itself since 0.1: accuracy classes in per cent, and the site of the zone that sells to it.
ALTER TABLE meter ADD COLUMN meter_pct REAL;
ALTER TABLE meter ADD COLUMN ct_pct REAL;
ALTER TABLE meter ADD COLUMN vt_pct REAL;
ALTER TABLE meter ADD COLUMN supplier TEXT;
`,
  `
-- Whether the batch is a poll of the meter's main counter; null: not known, as of batches from before this was noted.
-- The key of a batch is its epoch's id * 2^36 + its number: those of the books are no polls.
ALTER TABLE batch ADD COLUMN is_poll INTEGER;
UPDATE batch SET is_poll = 0 WHERE batch_key IN (SELECT epoch_id * 68719476736 + batch FROM book_interval);
`,
  `
-- What gateways sent that number no batches: their samples are told apart by meter, metric and time. The content stands in
-- batches of the epoch ''.
CREATE TABLE plain_metric (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device (id),
  metric TEXT NOT NULL,
  UNIQUE (device_id, metric)
) STRICT;
CREATE TABLE plain_sample (
  metric_id INTEGER NOT NULL REFERENCES plain_metric (id),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (metric_id, at_ms)
) WITHOUT ROWID, STRICT;
`,
  `
-- Figures that gave way are asked for by the interval they were of.
CREATE INDEX interval_superseded_by_start ON interval_superseded (series_id, from_ms);
`,
];
