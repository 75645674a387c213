# What the probes share: a folder of tools under target/, and the demo's world to probe.
# Sourced from the root of the repository by tests/probe-tls and tests/probe-api.

target=${CARGO_TARGET_DIR:-target}
tools=$target/probes

# tool PACKAGE==VERSION PROGRAM: installs a Python package into a folder of its own, once.
tool() {
    local at="$tools/${1%%=*}"
    if ! [ -e "$at/$1" ]; then
        echo "installing $1" >&2
        python3 -m venv --clear "$at"
        "$at/bin/pip" install --quiet --disable-pip-version-check "$1"
        touch "$at/$1"
    fi
    program=$at/bin/$2
}

# Serves a small world in a folder that is gone afterwards. Sets `world` and `base` (its URL).
serve() {
    cargo build --quiet --features postgres
    scratch=$(mktemp -d)
    world=$scratch/world
    : >"$scratch/said"
    "$target/debug/sluice" demo --dir "$world" --people 200 >"$scratch/said" 2>&1 &
    demo=$!
    trap 'kill "$demo" || :; wait "$demo" || :; rm -rf "$scratch"' EXIT
    # It says where it serves once it does.
    until grep -q '^Sluice serves' "$scratch/said"; do
        kill -0 "$demo" 2>/dev/null || { cat "$scratch/said" >&2; exit 1; }
        sleep 0.1
    done
    base=$(sed -n 's/^Sluice serves \(https:[^ ]*\) .*/\1/p' "$scratch/said")
}
