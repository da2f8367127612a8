# Sourced by .ci/run and .ci/full: steps with their seconds, skips that are seen, a closing line.
# shellcheck shell=bash disable=SC2034

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
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

# tool NAME: a program from crates.io, in target/tools; it is built where it is missing.
tool() {
    [[ -x target/tools/bin/$1 ]] && return
    CARGO_TARGET_DIR=target/tools/build cargo install "$1" --locked --root target/tools
}

# debian PROGRAM PACKAGE: a program that tests look with, from Debian's archive where we may install it. Its tests say SKIP without.
debian() {
    command -v "$1" >/dev/null && return
    ((EUID == 0)) && command -v apt-get >/dev/null || return 0
    timeout 300 apt-get install -q -y --no-install-recommends "$2" >/dev/null 2>&1 ||
        { timeout 120 apt-get update -q >/dev/null 2>&1 && timeout 300 apt-get install -q -y --no-install-recommends "$2" >/dev/null 2>&1; } ||
        printf '%s is not to be had: apt-get install %s\n' "$1" "$2"
}

# nightly: whether the nightly toolchain is here. Nothing installs it.
nightly() {
    command -v rustup >/dev/null && rustup toolchain list | grep -q '^nightly'
}

fuzz_built=target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release

# fuzz SECONDS: builds the targets of tests/fuzz and runs each so long, two at a time, from the corpus in the repository.
# What is found goes to target/fuzz/found, what fails to target/fuzz/crashes.
fuzz() {
    local seconds=$1 targets target code=0
    tool cargo-fuzz || return
    PATH=$PWD/target/tools/bin:$PATH cargo +nightly fuzz build --fuzz-dir tests/fuzz --target-dir target/fuzz || return
    targets=$(sed -n 's|^path = "targets/\(.*\)\.rs"|\1|p' tests/fuzz/Cargo.toml)
    mkdir -p target/fuzz/crashes
    # shellcheck disable=SC2086,SC2016
    printf '%s\n' $targets | xargs -P 2 -I NAME bash -c 'fuzz_one NAME "$1"' _ "$seconds" || code=1
    for target in $targets; do
        fuzz_said "$target"
    done
    return "$code"
}

# fuzz_one TARGET SECONDS
fuzz_one() {
    local found=target/fuzz/found/$1 corpus=tests/fuzz/corpus/$1 dict=tests/fuzz/dict/$1 options=()
    mkdir -p "$found"
    [[ -f $dict ]] && options+=("-dict=$dict")
    "$fuzz_built/$1" "$found" "$corpus" "${options[@]}" -max_total_time="$2" -timeout=60 -max_len=16384 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="target/fuzz/crashes/$1-" >"target/fuzz/$1.log" 2>&1
}

# fuzz_said TARGET: a line of figures; where it failed, why, with the input and how to replay it.
fuzz_said() {
    local log=target/fuzz/$1.log input
    printf 'fuzz %-8s %9s executions, %s\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(grep -o 'cov: [0-9]* ft: [0-9]* corp: [0-9]*' "$log" | tail -n 1)"
    grep -q '^Done ' "$log" && return
    input=$(sed -n 's/.*Test unit written to //p' "$log")
    grep -A 6 -E 'panicked at|ERROR:|SUMMARY:' "$log" | cut -c 1-400 | head -n 20 || tail -n 5 "$log"
    if [[ -n $input ]]; then
        printf 'the input, in base64:\n%s\nreplay it: cargo +nightly fuzz run --fuzz-dir tests/fuzz %s %s\n' "$(base64 -w 0 "$input")" "$1" "$input"
    fi
}
export -f fuzz_one
export fuzz_built

# heard SECONDS COMMAND…: runs it, its output shown and its SKIP lines counted in `lost`. It is over when the command is, or
# after so many seconds: a process that it leaves behind holds a file, where it would hold a pipe open and the step with it.
heard() {
    local seconds=$1 out code=0 running
    shift
    out=$(mktemp)
    timeout --kill-after=10 "$seconds" "$@" >"$out" 2>&1 &
    running=$!
    trap 'kill "$running"; exit 130' INT TERM
    tail -n +1 -f --pid="$running" "$out"
    wait "$running" || code=$?
    trap - INT TERM
    ((code != 124)) || printf 'it took longer than %d s and was ended\n' "$seconds"
    lost=$(grep -c '^SKIP ' "$out" || true)
    rm -f "$out"
    return "$code"
}

# boards SECONDS OPTION…: board/check, its SKIP lines counted in `lost`.
boards() {
    heard "$1" board/check "${@:2}"
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
