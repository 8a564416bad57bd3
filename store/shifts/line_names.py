"""How a line is called in what is summed up by lines."""

# Over rows of main.tags. A line goes by its name; where several sites or areas use one name, by its
# whole place.
LINE_SQL = """CASE
            WHEN count(DISTINCT (site, area)) OVER (PARTITION BY line) = 1 THEN line
            ELSE concat_ws('/', site, area, line)
        END"""

# Every machine of every line that has tags, null where tags of a line name none.
MACHINES_SQL = f"""
SELECT DISTINCT site, area, line, machine FROM (
    SELECT site, area, machine, {LINE_SQL} AS line FROM main.tags WHERE line IS NOT NULL
) ORDER BY ALL
""".strip()  # noqa: S608  # of our own words
