-- What the lines did in each spell of their site's calendar, which is the table shift_spells.
-- Made anew for each question, in temporary tables: late and re-judged readings are in the answer.
-- What is said of a spell does not depend on how many others are asked for.
-- The table measured says since when each machine has told its state.
-- Braces: which metric is what, which states mean what, how long a state holds.

-- A work work_unit is a machine of a line.
CREATE OR REPLACE TEMP TABLE work_units AS
WITH places AS (
    SELECT
        tag, site, area, machine, metric,
        {line} AS line
    FROM main.tags
    WHERE line IS NOT NULL AND metric IS NOT NULL
)

SELECT
    tag, site, line, machine, metric,
    {calendar} AS calendar,  -- whose spells it goes by: those of its site, or of its own
    row_number() OVER (ORDER BY tag) AS id,
    dense_rank() OVER (ORDER BY site, line, machine) AS work_unit
FROM places
WHERE metric IN ({state}, {good}, {scrap}, {rework}, {energy});

-- Where a counter was read last before the time that is asked for, and in which hour first after
-- it: their steps reach into it. Told by sums, so that no reading between is looked at.
CREATE OR REPLACE TEMP TABLE neighbours AS
SELECT
    u.id,
    max(h.last_time) FILTER (h.hour < {since}) AS before_time,
    arg_max(h.last, h.last_time) FILTER (h.hour < {since}) AS before_value,
    min(h.hour) FILTER (h.hour >= {until}) AS after_hour
FROM main.hour AS h
JOIN work_units AS u ON h.tag = u.tag
WHERE u.metric <> {state} AND h.value_count > 0
    AND h.hour >= {since} - INTERVAL {longest} AND h.hour < {beyond}
GROUP BY u.id;

-- A repeat of the same tag and time is no reading of its own.
CREATE OR REPLACE TEMP TABLE taken AS
SELECT
    u.id, u.work_unit, u.metric, epoch_us(r.source_time) AS us, r.arrival, r.value_clean, r.quality,
    r.quality < 2 AND r.value_clean IS NOT NULL AS is_trusted,
    r.reasons & {backwards} <> 0 AS is_backwards
FROM clean.named AS r
JOIN work_units AS u ON r.tag = u.tag
WHERE r.reasons & {repeats} = 0
    AND r.source_time >= {since} AND r.source_time < {until}
UNION ALL
SELECT u.id, u.work_unit, u.metric, epoch_us(n.before_time), -1, n.before_value, 0, true, false
FROM neighbours AS n
JOIN work_units AS u ON n.id = u.id
WHERE n.before_time IS NOT NULL
UNION ALL
SELECT
    u.id, u.work_unit, u.metric, epoch_us(r.source_time), r.arrival, r.value_clean, r.quality, true,
    r.reasons & {backwards} <> 0
FROM clean.named AS r
JOIN work_units AS u ON r.tag = u.tag
JOIN neighbours AS n ON u.id = n.id
WHERE r.source_time >= (SELECT min(after_hour) FROM neighbours)
    AND r.source_time < (SELECT max(after_hour) FROM neighbours) + INTERVAL 1 HOUR
    AND r.source_time >= n.after_hour AND r.source_time < n.after_hour + INTERVAL 1 HOUR
    AND r.quality < 2 AND r.value_clean IS NOT NULL AND r.reasons & {repeats} = 0;

-- A step belongs to the state in which it began, which may have been long before.
INSERT INTO taken
SELECT DISTINCT
    u.id, u.work_unit, u.metric, epoch_us(r.source_time), r.arrival, r.value_clean, r.quality,
    r.quality < 2 AND r.value_clean IS NOT NULL, r.reasons & {backwards} <> 0
FROM (
    SELECT u.work_unit, n.before_time
    FROM neighbours AS n
    JOIN work_units AS u ON n.id = u.id
    WHERE n.before_time IS NOT NULL
        AND n.id IN (SELECT id FROM taken WHERE is_trusted AND us > epoch_us(n.before_time))
) AS b
JOIN work_units AS u ON b.work_unit = u.work_unit AND u.metric = {state}
JOIN clean.named AS r
    ON u.tag = r.tag AND r.source_time <= b.before_time
    AND r.source_time > b.before_time - INTERVAL ({holds}) MICROSECOND
WHERE r.source_time < {since} AND r.reasons & {repeats} = 0
    AND r.source_time > (SELECT min(before_time) FROM neighbours)
        - INTERVAL ({holds}) MICROSECOND;

-- From when on a machine is planned to work: its first state. One whose first comes later is none.
CREATE OR REPLACE TEMP TABLE beginnings AS
WITH first_hours AS (
    SELECT u.work_unit, min(m.first_hour) AS hour
    FROM measured AS m
    JOIN work_units AS u ON m.tag = u.tag
    GROUP BY u.work_unit
),

first_states AS (
    SELECT work_unit, min(us) AS us FROM taken WHERE metric = {state} AND is_trusted
    GROUP BY work_unit
)

SELECT f.work_unit, CASE WHEN f.hour < {since} THEN 0 ELSE s.us END AS us
FROM first_hours AS f
LEFT JOIN first_states AS s ON f.work_unit = s.work_unit
WHERE f.hour < {until};

-- Spells and what is measured are matched by hour: the later of the two begins is in that hour.
CREATE OR REPLACE TEMP TABLE hours_of_spells AS
SELECT
    *,
    unnest(generate_series(begins_us // {hour}, (ends_us - 1) // {hour})) AS hour
FROM (
    SELECT *, epoch_us(begins) AS begins_us, epoch_us(ends) AS ends_us FROM shift_spells
);

-- A state holds until the next reading, whatever that is worth, and not for longer than {holds} us.
CREATE OR REPLACE TEMP TABLE state_spans AS
SELECT
    work_unit, begins_us, ends_us, value_clean AS state,
    CASE
        WHEN value_clean IN {running} THEN 'run'
        WHEN value_clean IN {setup} THEN 'setup'
        WHEN value_clean IN {down} THEN 'down'
        WHEN value_clean IN {unplanned} THEN 'unplanned'
        ELSE 'delay'
    END AS category
FROM (
    SELECT
        *,
        us AS begins_us,
        least(lead(us, 1, us + {holds}) OVER (PARTITION BY id ORDER BY us, arrival), us + {holds})
            AS ends_us
    FROM taken
    WHERE metric = {state}
)
WHERE is_trusted AND ends_us > begins_us;

CREATE OR REPLACE TEMP TABLE state_pieces AS
SELECT
    s.work_unit, s.state, s.category, c.day, c.shift, c.kind,
    greatest(s.begins_us, c.begins_us) AS begins_us,
    least(s.ends_us, c.ends_us) AS ends_us
{state_spans_by_spell};

-- Planned pieces of one category that follow one another are one stop; a break between them is
-- passed over, a time of which nothing is known is not. A new shift is a new row of it.
CREATE OR REPLACE TEMP TABLE stops AS
WITH followed AS (
    SELECT
        *,
        lag(category) OVER in_time AS before,
        lag(ends_us) OVER in_time AS before_us,
        lag((day, shift)) OVER in_time AS before_shift
    FROM state_pieces
    WHERE kind <> 'off'
    WINDOW in_time AS (PARTITION BY work_unit ORDER BY begins_us)
),

marked AS (
    SELECT
        *,
        before IS NOT DISTINCT FROM category AND before_us = begins_us AS goes_on
    FROM followed
),

numbered AS (
    SELECT
        *,
        sum(CASE WHEN goes_on AND before_shift = (day, shift) THEN 0 ELSE 1 END)
            OVER (PARTITION BY work_unit ORDER BY begins_us) AS number
    FROM marked
)

SELECT
    work_unit, day, shift, category AS kind,
    min(begins_us) AS begins_us,
    max(ends_us) AS ends_us,
    sum(ends_us - begins_us) FILTER (kind = 'work') / 1e6 AS seconds,
    arg_min(state, begins_us) AS state,
    arg_min(goes_on, begins_us) AS is_continued,
    sum(ends_us - begins_us) FILTER (kind = 'work') < {small} * 1e6 AS is_small
FROM numbered
WHERE category IN ('down', 'delay')
GROUP BY work_unit, number, day, shift, category
HAVING sum(ends_us - begins_us) FILTER (kind = 'work') > 0;

-- A step of a counter, spread evenly over the time from one reading to the next. One that drops
-- was reset: it has counted the new value since. One that the judge says ran backwards was not.
CREATE OR REPLACE TEMP TABLE steps AS
WITH stepped AS (
    SELECT
        *,
        lead(us) OVER readings_of_tag AS next_us,
        lead(value_clean) OVER readings_of_tag AS next_value,
        lead(is_backwards) OVER readings_of_tag AS next_is_backwards
    FROM taken
    WHERE is_trusted AND metric <> {state}
    WINDOW readings_of_tag AS (PARTITION BY id ORDER BY us, arrival)
),

grown AS (
    SELECT
        work_unit, metric, us AS begins_us, next_us AS ends_us,
        CASE
            WHEN next_value >= value_clean THEN next_value - value_clean
            WHEN next_is_backwards THEN 0
            ELSE greatest(next_value, 0)
        END AS increase
    FROM stepped
    WHERE next_us > us AND next_us - us <= {longest_us}
)

SELECT g.*, CASE WHEN g.begins_us < s.ends_us THEN s.category END AS category
FROM grown AS g
ASOF LEFT JOIN state_spans AS s ON g.work_unit = s.work_unit AND g.begins_us >= s.begins_us
WHERE g.increase > 0;

CREATE OR REPLACE TEMP TABLE step_pieces AS
SELECT
    s.work_unit, s.metric, s.category, c.day, c.shift,
    c.kind = 'work' AND s.category IS DISTINCT FROM 'unplanned' AS is_planned,
    s.increase * (least(s.ends_us, c.ends_us) - greatest(s.begins_us, c.begins_us))
        / (s.ends_us - s.begins_us) AS increase
{steps_by_spell};

-- Energy by the hour, with the carbon that a kWh of that hour has set free.
CREATE OR REPLACE TEMP TABLE carbon AS
WITH energy_by_hour AS (
    SELECT
        s.work_unit, c.day, c.shift, c.hour,
        sum(s.increase * (
            least(s.ends_us, c.ends_us, (c.hour + 1) * {hour})
            - greatest(s.begins_us, c.begins_us, c.hour * {hour})
        ) / (s.ends_us - s.begins_us)) AS energy_kwh
    FROM (
        SELECT
            *, unnest(generate_series(begins_us // {hour}, (ends_us - 1) // {hour})) AS hour
        FROM steps
        WHERE metric = {energy}
    ) AS s
    JOIN (SELECT DISTINCT work_unit, calendar FROM work_units) AS u ON s.work_unit = u.work_unit
    JOIN hours_of_spells AS c
        ON u.calendar IS NOT DISTINCT FROM c.site AND s.hour = c.hour
        AND s.begins_us < c.ends_us AND c.begins_us < s.ends_us
    GROUP BY ALL
)

SELECT
    e.work_unit, e.day, e.shift,
    e.energy_kwh * coalesce(f.mean, {co2_kg_per_kwh}) AS co2e_kg,
    CASE WHEN f.mean IS NOT NULL THEN e.energy_kwh END AS hourly_factor_kwh
FROM energy_by_hour AS e
LEFT JOIN main.hour AS f
    ON f.tag = {co2_tag} AND f.hour = make_timestamptz(e.hour * {hour})
    AND f.hour >= {since} - INTERVAL 1 HOUR AND f.hour < {until};

CREATE OR REPLACE TEMP TABLE sums AS
WITH named_work_units AS (
    SELECT DISTINCT work_unit, site, line, calendar FROM work_units
),

planned AS (
    SELECT
        c.work_unit, c.day, c.shift, c.seconds AS calendar_s,
        CASE WHEN c.kind = 'work' THEN c.seconds ELSE 0 END AS pbt_s
    FROM (
        SELECT
            u.work_unit, c.day, c.shift, c.kind,
            (epoch_us(c.ends) - greatest(epoch_us(c.begins), b.us)) / 1e6 AS seconds
        FROM (SELECT DISTINCT work_unit, calendar FROM work_units) AS u
        JOIN beginnings AS b ON u.work_unit = b.work_unit
        JOIN shift_spells AS c ON u.calendar IS NOT DISTINCT FROM c.site
    ) AS c
    WHERE c.seconds > 0
),

read AS (
    SELECT
        t.work_unit, c.day, c.shift, count(*) AS reading_count,
        count(*) FILTER (t.quality = 0) AS good_reading_count
    FROM taken AS t
    JOIN named_work_units AS u ON t.work_unit = u.work_unit
    JOIN hours_of_spells AS c
        ON u.calendar IS NOT DISTINCT FROM c.site AND t.us // {hour} = c.hour
        AND t.us >= c.begins_us AND t.us < c.ends_us
    GROUP BY ALL
),

parts AS (
    SELECT work_unit, day, shift, calendar_s, pbt_s FROM planned
    UNION ALL BY NAME
    SELECT
        work_unit, day, shift,
        CASE WHEN category = 'unplanned' THEN (begins_us - ends_us) / 1e6 END AS pbt_s,
        CASE WHEN category = 'run' THEN (ends_us - begins_us) / 1e6 END AS apt_s,
        CASE WHEN category = 'setup' THEN (ends_us - begins_us) / 1e6 END AS setup_s,
        CASE WHEN category = 'down' THEN (ends_us - begins_us) / 1e6 END AS adot_s,
        CASE WHEN category = 'delay' THEN (ends_us - begins_us) / 1e6 END AS delay_s
    FROM state_pieces WHERE kind = 'work'
    UNION ALL BY NAME
    SELECT
        work_unit, day, shift,
        CASE WHEN is_small THEN seconds END AS small_stop_s,
        CASE WHEN kind = 'down' AND NOT is_small THEN seconds END AS failure_s,
        CASE WHEN NOT is_continued THEN 1 END AS stop_count,
        CASE WHEN NOT is_continued AND is_small THEN 1 END AS small_stop_count,
        CASE WHEN NOT is_continued AND kind = 'down' AND NOT is_small THEN 1 END AS failure_count
    FROM stops
    UNION ALL BY NAME
    SELECT
        work_unit, day, shift,
        CASE WHEN metric = {good} AND is_planned THEN increase END AS good,
        CASE WHEN metric = {scrap} AND is_planned THEN increase END AS scrap,
        CASE WHEN metric = {rework} AND is_planned THEN increase END AS rework,
        CASE WHEN metric = {scrap} AND is_planned AND category = 'setup' THEN increase END
            AS startup_scrap,
        CASE WHEN metric = {good} AND NOT is_planned THEN increase END AS unplanned_good,
        CASE WHEN metric = {energy} THEN increase END AS energy_kwh,
        CASE WHEN metric = {energy} AND category <> 'run' THEN increase END AS idle_kwh
    FROM step_pieces
    UNION ALL BY NAME
    SELECT * FROM carbon
    UNION ALL BY NAME
    SELECT * FROM read
)

SELECT
    u.site, u.line, p.day, p.shift,
    {summed},
    coalesce(sum(pbt_s), 0) - coalesce(sum(apt_s), 0) - coalesce(sum(setup_s), 0)
        - coalesce(sum(adot_s), 0) - coalesce(sum(delay_s), 0) AS unknown_s
FROM parts AS p
JOIN named_work_units AS u ON p.work_unit = u.work_unit
GROUP BY u.site, u.line, p.day, p.shift
