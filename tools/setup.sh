#!/usr/bin/env bash
# Installs what is missing: Debian packages of tools/packages.txt, and .venv with pinned Python packages.
# Usage: tools/setup.sh STEP...   (build, test, check, demo, apps, fuzz, bench)
# Does nothing, quickly, when all is there. Needs root or sudo only when a Debian package is missing.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=" build $* "
missing=()
while read -r name step _; do
    case "$name" in '' | '#'*) continue ;; esac
    case "$wanted" in *" $step "*) ;; *) continue ;; esac
    # A tool that came some other way will do.
    case "$name" in gcc | g++ | make | pkg-config | python3 | clang) command -v "$name" >/dev/null && continue ;; esac
    [ "$name" = python3-venv ] && python3 -c 'import ensurepip, venv' 2>/dev/null && continue
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
done <tools/packages.txt

if [ ${#missing[@]} -gt 0 ]; then
    command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "setup: these packages are missing and this is no Debian-like system: ${missing[*]}" >&2
        exit 3
    elif [ "$(id -u)" = 0 ]; then
        echo "setup: installing ${missing[*]}"
        DEBIAN_FRONTEND=noninteractive bash -c "$command" >/dev/null
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        echo "setup: installing ${missing[*]}"
        sudo -n DEBIAN_FRONTEND=noninteractive bash -c "$command" >/dev/null
    else
        echo "setup: packages are missing; run this once, then try again:" >&2
        echo "  sudo sh -c '$command'" >&2
        exit 3
    fi
fi

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: Python 3.11 or newer is wanted; python3 is $(python3 --version)" >&2
    exit 3
fi

# Python packages: reinstalled when the pinned list changed. PyTorch first, by its exact name: a looser wish from
# another package would bring a build with gigabytes of GPU libraries.
stamp() { # FILE NAME: true when .venv was made from this list
    [ -x .venv/bin/python ] && [ "$(cat ".venv/.$2" 2>/dev/null)" = "$(cksum <"$1")" ]
}
if ! stamp tools/requirements.txt base; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    echo "setup: installing Python packages into .venv"
    .venv/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0 2>&1 | grep -v 'is ignored' || true
    .venv/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements.txt 2>&1 | grep -v 'is ignored' || true
    .venv/bin/python -c 'import torch, numpy, scipy, nibabel, pytest, mesonbuild' # fails here when the install did
    cksum <tools/requirements.txt >.venv/.base
fi
case "$wanted" in
*" apps "*)
    if ! stamp tools/requirements-apps.txt apps; then
        echo "setup: installing what the training programs need"
        .venv/bin/python -m pip install -q --disable-pip-version-check -r tools/requirements-apps.txt 2>&1 | grep -v 'is ignored' || true
        .venv/bin/python -c 'import monai' # fails here when the install did
        cksum <tools/requirements-apps.txt >.venv/.apps
    fi
    ;;
esac
case "$wanted" in
*" bench "*)
    if [ "${BENCH_PEERS:-0}" = 1 ] && ! stamp tools/requirements-bench.txt bench; then
        echo "setup: installing the peers to measure against"
        grep -v '^#' tools/requirements-bench.txt | while read -r package; do
            .venv/bin/python -m pip install -q --disable-pip-version-check "$package" 2>/dev/null ||
                echo "setup: $package does not install here; its rows will be left out"
        done
        cksum <tools/requirements-bench.txt >.venv/.bench
    fi
    ;;
esac
