# SPDX-License-Identifier: BSD-3-Clause
#
# For tests of qbd torture; sourced after functions.sh.
#
#   torture URI...           quiet, and it may destroy
#   violates NAME URI...     it must find something that is called NAME
#   $broken                  torture-target.c's plugin
requires jq --version
requires nbdkit --version
broken=$QBD_BUILDDIR/tests/.libs/torture-target.so

torture () { timeout "$patience" qbd torture "$@" --overwrite --quiet; }

violates ()
{
    local name=$1 status=0
    shift
    torture "$@" --json >"$tmp/report" || status=$?
    test $status -eq 3 || fail "ended with $status, not 3: torture $*"
    jq -e --arg name "$name" \
       '.violated and .wrong_blocks[$name] > 0 and
        (.findings | any (.history | length > 0))' \
       "$tmp/report"
}
