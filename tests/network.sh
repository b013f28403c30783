# SPDX-License-Identifier: BSD-3-Clause
#
# A network that can be cut: a namespace with one link to us.  Sourced right
# after functions.sh, because where the machine's namespaces are not for us the
# test begins again in those of a user.
#
#   $near, $far          our address on the link, and that of the other end
#   run_far PROGRAM      whoever starts PROGRAM from now on starts it there
#   cut_link, mend_link  what we send is lost meanwhile, and nobody says so
requires ip -V
_net=qbd-$$

if test -n "$QBD_TEST_IN_NAMESPACE"; then
    mount -t tmpfs tmpfs /run
elif ! ip netns add "$_net"-try 2>/dev/null; then
    requires unshare -Urmn true
    rm -rf "$tmp"
    QBD_TEST_IN_NAMESPACE=1 exec unshare -Urmn bash "$0"
else
    ip netns del "$_net"-try
fi

near=198.18.$(($$ % 250)).1 far=198.18.$(($$ % 250)).2
ip netns add "$_net"
cleanup_fn ip netns del "$_net"
ip link add "$_net" type veth peer name far0 netns "$_net"
ip address add "$near/24" dev "$_net"
ip link set "$_net" up
ip -n "$_net" address add "$far/24" dev far0
ip -n "$_net" link set far0 up
ip -n "$_net" link set lo up

run_far ()
{
    local program
    program=$(type -P "$1")
    mkdir -p "$tmp/far"
    cat >"$tmp/far/$1" <<END
#!/bin/sh
PATH=\${PATH#$tmp/far:} exec ip netns exec $_net $program "\$@"
END
    chmod +x "$tmp/far/$1"
    PATH=$tmp/far:${PATH#"$tmp/far:"}
    hash -r
}

cut_link ()
{
    ip -n "$_net" link set far0 down
}

mend_link ()
{
    ip -n "$_net" link set far0 up
}
