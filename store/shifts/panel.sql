-- What each metric of a line did in each period; {every}: day, week or month, in UTC.
-- Only trusted readings count: not BAD, a value, and not a repeat of the same tag and time.
WITH places AS (
    SELECT
        tag, site, area, metric, row_number() OVER () AS id,
        {line} AS line
    FROM main.tags
    WHERE line IS NOT NULL AND metric IS NOT NULL
),

trusted AS (
    SELECT
        p.id, epoch_us(r.source_time) AS us, r.arrival, r.value_clean, r.quality,
        r.reasons & {backwards} <> 0 AS is_backwards
    FROM clean.named AS r
    JOIN places AS p ON r.tag = p.tag
    WHERE r.source_time < {until}
      AND r.quality < 2 AND r.value_clean IS NOT NULL AND r.reasons & {repeats} = 0
),

stepped AS (
    SELECT
        *,
        lead(value_clean) OVER readings_of_tag AS next_value,
        lead(is_backwards) OVER readings_of_tag AS next_is_backwards
    FROM trusted
    WINDOW readings_of_tag AS (PARTITION BY id ORDER BY us, arrival)
),

-- A step from one reading to the next belongs to the period of the earlier one. A counter that
-- drops was reset: it has counted the new value since. One that the judge says ran backwards was
-- not: it has counted nothing.
by_tag AS (
    SELECT
        id,
        CAST(date_trunc('{every}', make_timestamp(us)) AS DATE) AS period,
        sum(CASE
            WHEN next_value IS NULL THEN 0
            WHEN next_value >= value_clean THEN next_value - value_clean
            WHEN next_is_backwards THEN 0
            ELSE greatest(next_value, 0)
        END) AS increase,
        avg(value_clean) AS mean,
        avg(CASE WHEN value_clean <> 0 THEN 1.0 ELSE 0.0 END) AS active_share,
        count(*) AS count,
        count(*) FILTER (WHERE quality = 0) AS good_count
    FROM stepped
    GROUP BY ALL
)

-- The machines of a line: increases add up, means and shares are averaged.
SELECT
    p.line,
    b.period,
    p.metric,
    sum(b.increase) AS increase,
    avg(b.mean) AS mean,
    avg(b.active_share) AS active_share,
    CAST(sum(b.count) AS BIGINT) AS count,
    CAST(sum(b.good_count) AS BIGINT) AS good_count,
    p.site,
    p.area
FROM by_tag AS b
JOIN places AS p ON b.id = p.id
GROUP BY p.site, p.area, p.line, b.period, p.metric
ORDER BY p.site, p.area, p.line, b.period, p.metric
