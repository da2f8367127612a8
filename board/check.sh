# shellcheck shell=bash
# Sourced by the `check` of each folder: a line for each thing that was looked at, and the sum. `here` is the folder of the caller,
# `binary` the program to look at, `work` a folder that goes with the check.

binary=$(realpath "${1:-$here/../../target/debug/guild-bridge}")
[[ -x $binary ]] || { echo "check: $binary is not there; cargo build" >&2; exit 66; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 skipped=0 passed=0

ok() { passed=$((passed + 1)) && echo "ok $1"; }
no() { failed=$((failed + 1)) && echo "FAILED $1: $2"; }
skip() { skipped=$((skipped + 1)) && echo "SKIP $1: $2"; }
# that NAME COMMAND…: the command says yes
that() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else no "$name" "not so: $*"; fi
}

# the sum, and the exit code
close() {
    echo "${sum_of:-board/$(basename "$here")/check}: $passed passed, $failed failed, $skipped skipped"
    ((failed == 0))
}
