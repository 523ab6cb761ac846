#!/bin/sh
# Reports the cluster's overlay as seen from a node, as KEY=VALUE. It is attached like a job.
#   NODE         the node's id, printed before each line
#   NAMES        the services to look up in DNS
#   PEERS        "NODE=ADDRESS ..." of a worker on each node to log in to
#   PORT         the port of their sshd
#   FINGERPRINT  a command whose output differs between images
#   TCP          the program tcp.pl
#   STORAGE      folders of the workers in which all of them should see the same files
say() { printf '%s %s=%s\n' "$NODE" "$1" "$2"; }

for name in $NAMES; do
    began=$(date +%s)
    found=$(timeout 30 getent ahostsv4 "tasks.$name" | awk '{ print $1 }' | sort -u)
    # a DNS that does not answer in time looks like one that knows no such name
    if [ -z "$found" ] && [ $(($(date +%s) - began)) -ge 5 ]; then
        continue
    fi
    say dns "$name"
    for address in $found; do
        say dns "$name $address"
    done
done

# first whether packets pass, which the kernels tell; then a login, with 64 KiB of input
try() {
    packets=$(perl -e "$TCP" sizes "$1" "$PORT")
    if [ "$packets" != full ]; then
        say peer "$1 ${packets:-slow program 0}"
        return
    fi
    began=$(date +%s)
    answer=$(head -c 65536 /dev/zero |
        timeout 60 ssh -o ConnectTimeout=60 "$1" "wc -c; $FINGERPRINT" 2>&1)
    case $?:$answer in
        0:65536*)
            say login "$1 $(($(date +%s) - began))"
            say peer "$1 yes $(printf '%s\n' "$answer" | sed -n 2p)"
            ;;
        124:* | *"timed out"*) say peer "$1 slow login 60" ;;
        *) say peer "$1 refused $(printf '%s\n' "$answer" | tail -n 1)" ;;
    esac
}
# each node begins with itself, or all of them would log in to the same few at once
first='' then='' mine=''
for peer in $PEERS; do
    case $peer in "$NODE="*) mine=yes ;; esac
    if [ -n "$mine" ]; then first="$first ${peer#*=}"; else then="$then ${peer#*=}"; fi
done
# one worker writes a file to a folder, and all of them read it: on the first peer's node alone
compare() {
    # a name that nobody has looked up: file servers' clients remember what is not there
    file=$1/.mpigen-doctor-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    writer=${PEERS%% *}
    writer=${writer#*=}
    if ! answer=$(timeout 60 ssh -n -o ConnectTimeout=60 "$writer" "echo $file > $file" 2>&1); then
        say storage "$1 $writer unwritten $(printf '%s\n' "$answer" | tail -n 1)"
        return
    fi
    for peer in $PEERS; do
        answer=$(timeout 60 ssh -n -o ConnectTimeout=60 "${peer#*=}" "cat $file" 2>/dev/null)
        case $?:$answer in
            "0:$file") say storage "$1 ${peer#*=} same" ;;
            0:* | 1:*) say storage "$1 ${peer#*=} other" ;;
        esac
    done
    timeout 60 ssh -n -o ConnectTimeout=60 "$writer" "rm -f $file" 2>/dev/null
}
case $PEERS in
    "$NODE="*) for folder in $STORAGE; do compare "$folder" & done ;;
esac
started=0
for peer in $first $then; do
    try "$peer" &
    started=$((started + 1))
    if [ $((started % 16)) -eq 0 ]; then
        wait
    fi
done
wait
say end yes
