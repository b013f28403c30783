# SPDX-License-Identifier: BSD-3-Clause
#
# What dev/demo and dev/check share: steps with progress, and the build.
# Sourced in the root of the source tree.

builddir=build

say ()
{
    printf '%s\n' "$*"
}

# step LOG TITLE CMD...: run a command with its output in a log.  A terminal
# sees the latest line of it.  When it fails the end of the log is shown.
step ()
{
    local log=$1 title=$2 status=0 start=$SECONDS line width
    shift 2
    if test -t 1; then
        width=$(tput cols 2>/dev/null) || width=80
        ("$@") </dev/null 2>&1 | tee "$log" |
            while IFS= read -r line; do
                line="$title: ${line//[^[:print:]]/ }"
                printf '\r\033[K%s' "${line:0:width - 1}"
            done
        status=${PIPESTATUS[0]}
        printf '\r\033[K'
    else
        ("$@") </dev/null >"$log" 2>&1 || status=$?
    fi
    if test "$status" -ne 0; then
        say "$title: failed with status $status, the end of $log:"
        tail -n "${step_tail:-60}" "$log"
        return "$status"
    fi
    say "$title: done ($((SECONDS - start)) s)"
}

# A tree that was configured in place cannot be built elsewhere.
unconfigure ()
{
    if test -e config.status; then
        say "this tree is configured in place: cleaning it (make distclean)"
        make -s distclean >/dev/null
    fi
}

# configure_in DIR ARGS...: configure this tree in DIR.
configure_in ()
{
    local root=$PWD dir=$1
    shift
    mkdir -p "$dir" && cd "$dir" && "$root/configure" "$@"
}
