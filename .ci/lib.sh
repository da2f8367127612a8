# Sourced by .ci/run and .ci/full: steps with their seconds, skips that are seen, a closing line.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CI=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}" CARGO_INCREMENTAL=0
exec </dev/null

passed=0 failed=0 skipped=0 began=$SECONDS

# step NAME COMMAND…: runs it, prints its seconds. A failure is counted, and the steps go on.
step() {
    local name=$1 at=$SECONDS code=0
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" || code=$?
    if ((code == 0)); then
        passed=$((passed + 1))
        printf '== %s: ok, %d s\n' "$name" $((SECONDS - at))
    else
        failed=$((failed + 1))
        printf '== %s: FAILED with %d, %d s\n' "$name" "$code" $((SECONDS - at))
    fi
}

# skip NAME WHY: loud, and counted.
skip() {
    skipped=$((skipped + 1))
    printf '\n== %s: SKIPPED: %s\n' "$1" "$2"
}

# component NAME PROGRAM: whether a component of the toolchain is there, after an attempt to add it.
component() {
    command -v "$2" >/dev/null && "$2" --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null && rustup component add "$1" && "$2" --version >/dev/null 2>&1
}

# kilobytes FILE: what it weighs.
size() {
    printf '%s: %d bytes, %d kB\n' "$1" "$(stat -c %s "$1")" "$(($(stat -c %s "$1") / 1000))"
}

# the closing line; the exit code.
close() {
    printf '\n%s: %d passed, %d failed, %d skipped, %d s in all\n' "$1" "$passed" "$failed" "$skipped" $((SECONDS - began))
    ((failed == 0))
}
