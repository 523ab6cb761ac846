#!/bin/sh
# Reports a node's network, disk and kernel as seen from the host network, as KEY=VALUE.
# It needs no privilege.
#   NODE         the node's id, printed before each line
#   PORTS        "ADDRESS:PORT ..." to connect to; reported if closed
#   FINGERPRINT  a command whose output differs between images
#   TCP          the program tcp.pl
say() { printf '%s %s=%s\n' "$NODE" "$1" "$2"; }

for link in /sys/class/net/*; do
    say link "${link##*/} $(cat "$link/mtu" 2>/dev/null)"
done
ip -o -4 addr show | awk '{ print $2, $4 }' | while read -r address; do
    say address "$address"
done
ip -4 route show | awk '$1 ~ /\// { for (i = 2; i < NF; i++) if ($i == "dev") print $1, $(i + 1) }' |
    while read -r route; do
        say route "$route"
    done
say free "$(df -Pk / | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')"

# A loaded module proves support. A module that is not loaded may still be loaded on demand, and
# not every kernel exposes its configuration.
kernel() {
    case $(zcat /proc/config.gz 2>/dev/null | grep -E "^(# )?CONFIG_${1}[ =]") in
        *=y | *=m) say kernel "$1 yes" ;;
        "# "*) say kernel "$1 no" ;;
        *) if [ -d "/sys/module/$2" ]; then say kernel "$1 yes"; fi ;;
    esac
}
kernel VXLAN vxlan
kernel INET_ESP esp4
say image "$(timeout 60 sh -c "$FINGERPRINT")"

try() {
    answer=$(perl -e "$TCP" connect "${1%:*}" "${1##*:}")
    case $answer in
        open) ;;
        silent) say closed "$1 no answer" ;;
        refused*) say closed "$1 ${answer#refused }" ;;
        *) say untried "$1" ;;
    esac
}
for port in $PORTS; do
    try "$port" &
done
wait
say end yes
