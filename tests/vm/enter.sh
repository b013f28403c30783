# SPDX-License-Identifier: BSD-3-Clause
#
# The guest's init on the host's root file system: it runs the case (or a
# shell) that /run/vm/case names, tells the host its exit status through the
# second serial port, and turns the machine off.  A case that passed fails
# all the same when the kernel complained.
source /run/vm/case             # case, limit_s, and what the case is to see
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TMPDIR=/run/tmp QBD_VM_GUEST=1

mkdir -p /dev/pts /dev/shm /run/lock /run/tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug
modprobe configfs && mount -t configfs configfs /sys/kernel/config
ln -s /proc/self/fd /dev/fd
hostname guest
ip link set lo up

# What the kernel says when something in it is wrong.
complaint='^<[0-3]>.*(BUG|WARNING|Oops|blocked for more than|soft lockup)'
complaint+='|^<4>.*(BUG: |WARNING: |cut here)'

# End the case of session $1 when it takes too long; before, show where all
# tasks are.
limit_case ()
{
    sleep "$limit_s"
    echo "--- over time after $limit_s seconds; what runs, and what waits:"
    ps -ww --ppid 2 -p 2 -N -o pid,ppid,stat,wchan:24,args
    echo w >/proc/sysrq-trigger
    kill -s TERM -- "-$1"
    sleep 20
    kill -s KILL -- "-$1"
}

run_case ()
{
    local pid limit_pid status=0
    cd "$QBD_BUILDDIR" || return
    dmesg --clear
    setsid ./run bash "$case" </dev/null &
    pid=$!
    limit_case $pid &
    limit_pid=$!
    wait $pid || status=$?
    kill $limit_pid
    # A case that failed has shown the log, if it got so far.
    if dmesg --raw | grep -Eq "$complaint" || test $status -ge 128; then
        echo "--- the guest's kernel:"
        dmesg --color=never
    fi
    if dmesg --raw | grep -E "$complaint"; then
        echo "--- the guest's kernel complained"
        test $status -ne 0 || status=1
    fi
    return $status
}

if test -n "$case"; then
    run_case
else
    cd "$QBD_BUILDDIR" &&
        setsid busybox cttyhack ./run bash --rcfile "$shell_rc"
fi
echo $? >/dev/ttyS1
sync
echo o >/proc/sysrq-trigger
read -r _ </dev/ttyS1           # for ever; no file can be read any more
