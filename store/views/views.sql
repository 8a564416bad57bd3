-- The views of the lake: what engineers ask. Each is replaced when this file changes.
-- What stands in braces is made by store/views.py: of contracts.quality.Reason, of store/rollups.py,
-- of store/tag_names.py.

-- A tag whose readings are shown under another name. Its columns are named with their table: a
-- macro that has a parameter `tag` reads this view, and DuckDB takes a name alone for that.
CREATE OR REPLACE VIEW main.renamed_tags AS
SELECT
    n.tag AS stored,  -- as its readings are stored
    n.shown AS tag,   -- as they are shown
    n.changed_at AS renamed_at
FROM (
    SELECT e.* FROM house.tag_names AS e
    QUALIFY row_number() OVER (PARTITION BY e.tag ORDER BY e.revision DESC) = 1
) AS n
WHERE n.shown IS NOT NULL;

-- One tag: where it stands, its unit, its kind (gauge, counter, inventory, state, waveform).
CREATE OR REPLACE VIEW main.tags AS
SELECT
    tag,      -- the full path of one measured thing
    site,     -- place, by ISA-95; null where the tag does not say
    area,
    line,     -- work center
    machine,  -- work unit
    metric,   -- what is measured
    unit,     -- of the values; null: not known
    kind,     -- gauge, counter, inventory, state, waveform
    edited,   -- the columns that were set by hand, with blanks between; null: none
    gateway   -- that sent it first; null: it did not name itself
FROM house.tag_entries{not_renamed}
QUALIFY row_number() OVER (PARTITION BY tag ORDER BY revision DESC) = 1;

-- What was said of a tag, change by change.
CREATE OR REPLACE VIEW main.tag_history AS
SELECT
    revision,    -- of the catalogue: a number that grows
    changed_at,  -- null: an older gainline did not note it
    tag, site, area, line, machine, metric, unit,
    unit_from,   -- from when on the unit holds; null: for all readings
    kind, edited
FROM house.tag_entries;

-- One unit of one tag, and the readings that it holds for. A unit without a beginning holds for all
-- readings, whatever was said before.
CREATE OR REPLACE VIEW main.units AS
WITH entries AS (
    SELECT
        tag, unit, unit_from, revision,
        max(revision) FILTER (unit_from IS NULL) OVER (PARTITION BY tag) AS first_revision
    FROM house.tag_entries
),

said AS (
    SELECT * FROM entries
    WHERE first_revision IS NULL OR revision >= first_revision
    QUALIFY row_number() OVER (PARTITION BY tag, unit_from ORDER BY revision DESC) = 1
)
SELECT
    tag,
    unit,
    unit_from AS from_time,  -- null: since ever
    lead(unit_from) OVER (PARTITION BY tag ORDER BY unit_from NULLS FIRST) AS to_time  -- null: still
FROM said;

-- clean.readings with each tag as it is shown.
CREATE OR REPLACE VIEW clean.named AS
{named_readings};

-- One reading with its verdict.
CREATE OR REPLACE VIEW main.readings AS
SELECT
    r.tag,
    t.site,
    t.area,
    t.line,
    t.machine,
    t.metric,
    {unit} AS unit,
    r.source_time,     -- stamped by the device; received_time where it sent none
    r.received_time,   -- stamped by us
    r.value,           -- as it came; null where it was no finite number
    r.text,            -- what came instead of a number
    r.value_clean,     -- to be used; null where there is no trustworthy value
    r.quality,         -- 0 GOOD, 1 UNCERTAIN, 2 BAD
    {reasons} AS reasons,  -- why the quality is not GOOD
    r.source_quality,  -- the source's own verdict: 0, 1, 2
    r.gateway,         -- who sent it, since which start, its count
    r.epoch,
    r.seq,
    r.topic,
    r.rule_version     -- the rules that gave the verdict, by their number; null: not known
FROM clean.named AS r
LEFT JOIN main.tags AS t ON r.tag = t.tag{units_joined};

-- The newest reading of each tag, as the judge left it. One that is stamped in the future would stay
-- the newest for ever: it is passed over.
CREATE OR REPLACE VIEW clean.newest AS
SELECT * FROM ({latest_parts})
QUALIFY row_number() OVER (PARTITION BY tag ORDER BY (source_time, arrival) DESC) = 1;

-- The newest reading of each tag.
CREATE OR REPLACE VIEW main.latest AS
SELECT
    r.tag, t.site, t.area, t.line, t.machine, t.metric, {unit} AS unit,
    r.source_time, r.received_time, r.value, r.text, r.value_clean, r.quality,
    {reasons} AS reasons,
    r.source_quality, r.gateway, r.epoch, r.seq, r.topic
FROM clean.newest AS r
LEFT JOIN main.tags AS t ON r.tag = t.tag{units_joined};

-- Count, mean, min, max, last of a tag's values that are not BAD in a minute; share of GOOD
-- readings among all. Made of parts that were summed up before, and of what is newer.
CREATE OR REPLACE VIEW main.minute AS
SELECT
    tag,
    bucket AS minute,
    CAST(sum(count) AS BIGINT) AS count,  -- all readings, whatever their quality
    sum(total) / nullif(sum(value_count), 0) AS mean,
    min(min) AS min,
    max(max) AS max,
    max_by(last, (last_time, last_arrival)) AS last,
    sum(good_count) / sum(count) AS good_share,
    CAST(sum(value_count) AS BIGINT) AS value_count,  -- values that are not BAD: of these the rest
    max(last_time) AS last_time                       -- when the last of them was measured
FROM ({minute_parts})
GROUP BY tag, bucket;

-- The same for an hour.
CREATE OR REPLACE VIEW main.hour AS
SELECT
    tag,
    bucket AS hour,
    CAST(sum(count) AS BIGINT) AS count,
    sum(total) / nullif(sum(value_count), 0) AS mean,
    min(min) AS min,
    max(max) AS max,
    max_by(last, (last_time, last_arrival)) AS last,
    sum(good_count) / sum(count) AS good_share,
    CAST(sum(value_count) AS BIGINT) AS value_count,  -- values that are not BAD: of these the rest
    max(last_time) AS last_time                       -- when the last of them was measured
FROM ({hour_parts})
GROUP BY tag, bucket;

-- The balance of one gateway, in messages: received = stored + duplicate + dead_letter.
-- Messages that name no gateway count under ''.
CREATE OR REPLACE VIEW main.ledger AS
SELECT
    gateway,
    CAST(sum(received) AS BIGINT) AS received,
    CAST(sum(stored) AS BIGINT) AS stored,
    CAST(sum(duplicate) AS BIGINT) AS duplicate,
    CAST(sum(dead_letter) AS BIGINT) AS dead_letter
FROM house.ledger_entries
GROUP BY gateway;

-- Readings of one gateway's stored messages that a rule of [privacy] has kept out of the store.
CREATE OR REPLACE VIEW main.left_out AS
SELECT
    gateway,
    CAST(sum(left_out) AS BIGINT) AS readings
FROM house.ledger_entries
GROUP BY gateway
HAVING sum(left_out) > 0;

-- Counts of one gateway in one epoch that never came, each range as one row: they lie below the
-- highest count that came.
CREATE OR REPLACE VIEW main.gaps AS
SELECT
    gateway,
    epoch,
    first_seq,  -- the first that is missing
    last_seq,   -- the last
    last_seq - first_seq + 1 AS count
FROM house.gap_entries
GROUP BY gateway, epoch, first_seq, last_seq
HAVING sum(change) > 0;

-- One message that could not be read.
CREATE OR REPLACE VIEW main.dead_letters AS
SELECT
    d.topic,
    d.payload,         -- the bytes as they came
    d.reason,          -- a code and words
    d.received_time,
    d.gateway,
    EXISTS (SELECT 1 FROM house.dead_letter_replays AS p WHERE p.position = d.position) AS replayed
FROM house.dead_letters AS d;

-- The rules and their configuration that gave verdicts, each with its number.
CREATE OR REPLACE VIEW main.rule_versions AS
SELECT
    number AS rule_version,
    since,         -- when it was used first
    digest,        -- of the rules and the configuration
    configuration  -- what the judge was told, as JSON
FROM house.rule_versions;

-- What was judged again: the rows of `readings` from from_time on and before to_time.
CREATE OR REPLACE VIEW main.rejudgements AS
SELECT
    made_at,
    from_time,
    to_time,       -- null: without an end
    pattern,       -- of the tags; null: all
    rule_version,  -- that gave the new verdicts
    replaced,      -- readings
    changed        -- those of them whose verdict or repaired value is another
FROM house.rejudgements;

-- One estimate of what one upgrade has earned, of the programme of all, or of a next line: of each
-- scheduled report one, so that these are the history of the estimate.
CREATE OR REPLACE VIEW main.gains AS
SELECT
    scope,        -- programme, line, next_line
    line,         -- null: not of one line
    upgraded_on,  -- null: not of one line
    alpha,        -- output as a multiple of what it would have been
    alpha_low,
    alpha_high,
    beta,         -- share of the variable cost of a good unit that was removed
    beta_low,
    beta_high,
    level,        -- of the intervals
    verdict,      -- causal, before_after
    CASE
        WHEN warnings IS NULL THEN CAST([] AS VARCHAR[]) ELSE string_split(warnings, chr(10))
    END AS warnings,
    until,        -- readings before this moment
    made_at,
    schedule,     -- of the report
    until = max(until) OVER (PARTITION BY schedule) AS is_newest
FROM house.gain_estimates;

-- One note: what a person has said, or taken back.
CREATE OR REPLACE VIEW main.notes AS
WITH said AS (
    SELECT * FROM house.notes
    QUALIFY row_number() OVER (PARTITION BY note_id ORDER BY received_time, via) = 1
)

SELECT
    n.note_id,
    n.kind,          -- downtime_reason, planned_stop, upgrade, price, target, remark, retraction
    n.site,          -- what it is about; null: all of that level
    n.area,
    n.line,
    n.machine,
    n.begins,        -- the time that it is about
    n.ends,          -- no part of it; null: open
    n.name,          -- which reason, which price, which target
    n.value,
    n.text,
    n.author,
    n.source_time,   -- when it was said
    n.received_time,
    n.via,           -- mqtt, csv, verb
    n.retracts,      -- the note that it takes back
    r.retracted_by IS NULL AS is_in_force,
    r.retracted_by   -- the first note that takes it back
FROM said AS n
LEFT JOIN (
    SELECT retracts, arg_min(note_id, (source_time, note_id)) AS retracted_by
    FROM said WHERE retracts IS NOT NULL GROUP BY retracts
) AS r ON n.note_id = r.retracts;

-- The KPIs of one line in one shift by ISO 22400-2, and what they are made of: summed up by
-- store/kept_shifts.py. To roll up, sum the times, pieces and kWh; a mean of ratios is none.
CREATE OR REPLACE VIEW main.shift_kpi AS
SELECT
    site,
    line,
    day,    -- on which the shift begins
    shift,
    apt_s / nullif(pbt_s, 0) AS availability,
    ideal_s / nullif(apt_s, 0) AS effectiveness,  -- null: what is planned is not known
    good / nullif(produced, 0) AS quality_ratio,
    apt_s / nullif(pbt_s, 0) * (ideal_s / nullif(apt_s, 0)) * (good / nullif(produced, 0)) AS oee,
    apt_s / nullif(pbt_s, 0) * (ideal_s / nullif(apt_s, 0)) * (good / nullif(produced, 0))
        * (pbt_s / nullif(calendar_s, 0)) AS teep,
    apt_s / 3600 / nullif(failure_count, 0) AS mtbf_h,
    failure_s / 3600 / nullif(failure_count, 0) AS mttr_h,
    scrap / nullif(produced, 0) AS scrap_ratio,
    rework / nullif(produced, 0) AS rework_ratio,
    good * 3600 / nullif(pbt_s, 0) AS throughput,  -- good pieces an hour of planned time
    energy_kwh / nullif(good, 0) AS energy_per_good,
    co2e_kg / nullif(good, 0) AS co2e_per_good,
    idle_kwh / nullif(energy_kwh, 0) AS idle_energy_ratio,
    (pbt_s - unknown_s) / nullif(pbt_s, 0) AS coverage,  -- share of planned time that is known
    good_reading_count / nullif(reading_count, 0) AS good_share,
    calendar_s, pbt_s, apt_s, setup_s, adot_s, delay_s, unknown_s, small_stop_s, failure_s,
    stop_count, small_stop_count, failure_count,
    good, scrap, rework, startup_scrap, unplanned_good,
    energy_kwh, idle_kwh, co2e_kg, hourly_factor_kwh, ideal_s,
    reading_count, good_reading_count, units_per_hour, worth_of_piece, currency, co2_source
FROM (
    SELECT
        *,
        good + scrap + rework AS produced,
        (good + scrap + rework) * 3600 / units_per_hour AS ideal_s
    FROM clean.shift_sums
)
WHERE shift IS NOT NULL;

-- One stop in the planned time of one shift, with the reason that people have given. Which of several
-- notes counts, analytics/said.py says: the same as here.
CREATE OR REPLACE VIEW main.downtime AS
WITH shared AS (
    SELECT
        s.site, s.line, s.machine, s.begins, n.name, n.author, n.note_id,
        n.source_time, n.received_time,
        CASE
            WHEN n.machine IS NOT NULL THEN 4
            WHEN n.line IS NOT NULL THEN 3
            WHEN n.area IS NOT NULL THEN 2
            WHEN n.site IS NOT NULL THEN 1
            ELSE 0
        END AS narrowness,
        CASE  -- without an end it is on all of the stop that its beginning lies in
            WHEN n.ends IS NULL AND n.begins IS NOT NULL
                THEN CASE WHEN n.begins >= s.begins THEN epoch(s.ends - s.begins) ELSE 0 END
            ELSE epoch(least(coalesce(n.ends, s.ends), s.ends)
                - greatest(coalesce(n.begins, s.begins), s.begins))
        END AS seconds,
        epoch(s.ends - s.begins) / 2 AS half
    FROM main.notes AS n
    JOIN clean.stops AS s
        ON coalesce(n.begins, s.begins) < s.ends AND coalesce(n.ends, s.ends) > s.begins
        AND (n.site IS NULL OR n.site = s.site)
        AND (n.machine IS NULL OR n.machine = s.machine)
        AND (n.line IS NULL OR n.line IN (s.line, string_split(s.line, '/')[-1]))
        AND (n.area IS NULL OR coalesce(string_split(s.line, '/')[-2], n.area) = n.area)
    WHERE n.kind = 'downtime_reason' AND n.is_in_force
),

reasons AS (
    SELECT
        site, line, machine, begins,
        max_by(
            {'name': name, 'author': author, 'note_id': note_id},
            (
                seconds >= half, CASE WHEN seconds >= half THEN 0 ELSE seconds END,
                narrowness, source_time, received_time, note_id
            )
        ) AS counts
    FROM shared
    WHERE seconds > 0
    GROUP BY site, line, machine, begins
)

SELECT
    s.site, s.line, s.machine, s.day, s.shift, s.begins, s.ends,
    s.seconds,       -- of planned time: a break in it is left out
    s.kind,          -- down, delay
    s.state,         -- that it began with
    s.is_small,      -- too short to be a failure
    s.is_continued,  -- of the shift before: the same stop, which is counted there
    r.counts.name AS reason,
    r.counts.author AS reason_author,
    r.counts.note_id AS reason_note
FROM clean.stops AS s
LEFT JOIN reasons AS r
    ON s.site IS NOT DISTINCT FROM r.site AND s.line = r.line
    AND s.machine IS NOT DISTINCT FROM r.machine AND s.begins = r.begins;

-- Energy and carbon of one line in one shift, or between two.
CREATE OR REPLACE VIEW main.energy AS
SELECT
    site, line, day,
    shift,       -- null: between shifts
    energy_kwh,
    idle_kwh,    -- the part of it without production
    co2e_kg,
    good + unplanned_good AS good,
    energy_kwh / nullif(good + unplanned_good, 0) AS energy_per_good,
    co2e_kg / nullif(good + unplanned_good, 0) AS co2e_per_good,
    co2e_kg / nullif(energy_kwh, 0) AS co2_kg_per_kwh,
    hourly_factor_kwh / nullif(energy_kwh, 0) AS hourly_factor_share,  -- with a factor of its hour
    co2_source
FROM clean.shift_sums;

COMMENT ON VIEW main.tags IS 'one tag: where it stands, its unit, its kind';
COMMENT ON VIEW main.renamed_tags IS 'a tag whose readings are shown under another name';
COMMENT ON VIEW main.tag_history IS 'what was said of a tag, change by change';
COMMENT ON VIEW main.units IS 'one unit of one tag, and the readings that it holds for';
COMMENT ON VIEW main.readings IS 'one reading with its verdict';
COMMENT ON VIEW main.latest IS 'the newest reading of each tag';
COMMENT ON VIEW main.minute IS 'count, mean, min, max, last, good_share of a tag in a minute';
COMMENT ON VIEW main.hour IS 'count, mean, min, max, last, good_share of a tag in an hour';
COMMENT ON VIEW main.ledger IS 'the balance of one gateway, in messages';
COMMENT ON VIEW main.left_out IS 'readings that a rule of privacy has kept out';
COMMENT ON VIEW main.gaps IS 'counts of one gateway in one epoch that never came';
COMMENT ON VIEW main.dead_letters IS 'one message that could not be read';
COMMENT ON VIEW main.gains IS 'one estimate of one upgrade';
COMMENT ON VIEW main.notes IS 'what a person has said of lines, machines, prices';
COMMENT ON VIEW main.rule_versions IS 'rules and configuration that gave verdicts';
COMMENT ON VIEW main.rejudgements IS 'one range of readings that was judged again';
COMMENT ON VIEW main.shift_kpi IS 'the KPIs of one line in one shift';
COMMENT ON VIEW main.downtime IS 'one stop in the planned time of one shift';
COMMENT ON VIEW main.energy IS 'energy and carbon of one line in one shift';
