# SPDX-License-Identifier: LGPL-2.1-or-later
# What ./quickstart and ./check share: a Python, a virtual environment, Debian packages. Sourced by both (POSIX sh);
# the caller sets $here to the checkout and $program to its own name.

say() { printf '%s: %s\n' "$program" "$*" >&2; }
fail() { say "$*"; exit 1; }

is_root() { [ "$(id -u)" = 0 ]; }
on_debian() { command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; }

# Installs those of the named Debian packages that are missing; fails where apt-get does. Root only.
apt_install() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "installing Debian packages:$missing"
    apt-get update -q >"$log" 2>&1 || return 1
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >>"$log" 2>&1
}

# A Python that can make a virtual environment.
usable_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for python in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3}; do
        if command -v "$python" >/dev/null 2>&1 && usable_python "$python"; then
            command -v "$python"
            return 0
        fi
    done
    return 1
}

# Sets $python, installing Debian's as root where there is none.
need_python() {
    python=$(find_python) && return 0
    if is_root && on_debian; then
        apt_install python3 python3-venv || fail "cannot install python3 and python3-venv (no network?): see $log"
        python=$(find_python) && return 0
    fi
    fail "needs Python 3.11 or newer with venv and ensurepip (on Debian: apt-get install python3-venv)"
}

# make_venv DIRECTORY EXTRAS: a virtual environment with this checkout in it. Without work, and without network,
# where it is there already and the list of what it needs has not changed.
make_venv() {
    venv=$1
    stamp=$venv/.virtproxy-$(id -u)
    if [ -x "$venv/bin/python" ] && [ -e "$stamp" ] && ! [ "$here/setup.cfg" -nt "$stamp" ]; then
        [ "$(cat "$stamp")" = "$here" ] && return 0
    fi
    need_python
    say "making $venv with $python"
    "$python" -m venv --clear "$venv" >"$log" 2>&1 || fail "cannot make $venv: $(last_words "$log")"
    # Without compat mode twistd does not see the plugins of an editable install.
    "$venv/bin/python" -m pip install --retries 1 --timeout 30 --config-settings editable_mode=compat \
        -e "$here$2" >"$log" 2>&1 || fail "$(why_not_installed)"
    printf '%s' "$here" >"$stamp"
}

why_not_installed() {
    if grep -qiE 'name resolution|connection (broken|refused|error)|network is unreachable|timed out|Max retries' "$log"; then
        echo "cannot install the Python packages virtproxy needs: the package index cannot be reached." \
            "Connect this machine to the network, or point pip at a local index (PIP_INDEX_URL), and try again."
    else
        echo "cannot install the Python packages virtproxy needs: $(last_words "$log")"
    fi
}

# The line of a log that says most: the first error that is not the frame around another, else the last line.
last_words() {
    grep -iE '^ *(E|error): ' "$1" | grep -v subprocess-exited | sed 's/^ *//' | head -n 1 | grep . ||
        grep . "$1" | tail -n 1
}
