#!/usr/bin/env bash
# Has libFuzzer look for inputs that break something, one target after another, in one process each.
#
# Usage: run.sh SECONDS [TARGET...]
#   SECONDS  for each target, of which there is one for each file in fuzz_targets
# What is found interesting is kept in corpus/TARGET, what breaks something in artifacts/TARGET; exits with 1 if anything does.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
if [ $# = 0 ]; then
    for path in fuzz_targets/*.rs; do
        name=${path##*/}
        set -- "$@" "${name%.rs}"
    done
fi

echo "fuzz: building (ten minutes the first time)" >&2
cargo build --quiet --release --locked "${@/#/--bin=}"
binaries=target/$(rustc --print host-tuple)/release

for target; do
    echo "fuzz: $target, for $seconds s" >&2
    mkdir -p "corpus/$target" "artifacts/$target"
    # libFuzzer writes a line for all that is new to it: what matters is how it ends
    if ! "$binaries/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target/" "corpus/$target" "seeds/$target" >"artifacts/$target.log" 2>&1; then
        grep -v '^#[0-9]' "artifacts/$target.log" | tail -n 40 >&2
        echo "fuzz: $target breaks on the input above; all of it is in fuzz/artifacts/$target.log" >&2
        exit 1
    fi
    grep -E '^stat::(number_of_executed_units|average_exec_per_sec)' "artifacts/$target.log"
done
