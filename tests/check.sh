#!/bin/sh
# Runs every check, then every test; `./run test` calls it. Arguments go to pytest.
#
# pytest comes last and names the checks that failed before it, so that the end of the output
# tells all. No wait is endless.
set -eu
cd "$(dirname "$0")/.."

check_limit_s=300   # the slowest, mypy without its cache, takes about 60 s on two cores
session_limit_s=2400 # on two idle cores it takes about a third
processes=4          # many tests wait for other processes; each takes up to a gigabyte
mkdir -p "${TMPDIR:-/tmp}"

failed=
check() {
    echo "== $*"
    status=0
    timeout "$check_limit_s" ".venv/bin/$@" || status=$?
    [ "$status" = 0 ] || failed="$failed${failed:+, }$* (exit $status)"
}

# The judge becomes machine code once, on the other core, and not in each process of the tests.
warm=$(mktemp -d)
trap 'rm -rf "$warm"' EXIT
printf 'tag,source_time,value\na,2026-01-01T00:00:00Z,1\n' >"$warm/in.csv"
timeout "$check_limit_s" .venv/bin/gainline clean "$warm/in.csv" "$warm/out.csv" &

check ruff format --check
check ruff check
check mypy
check lint-imports
wait

export OMP_NUM_THREADS=1 # the processes share the cores
GAINLINE_FAILED_CHECKS=$failed .venv/bin/python -m pytest \
    --numprocesses "$processes" --dist worksteal \
    --continue-on-collection-errors --session-timeout "$session_limit_s" "$@"
