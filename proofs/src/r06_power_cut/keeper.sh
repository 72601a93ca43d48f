# The keeper of a power cut trial: makes its directory, and when its standard input ends, which happens when the process
# that holds the other end dies, in whatever way, kills the servers that run in it, unmounts what is mounted in it, and
# removes it. Before that it does the same to what an earlier trial has left whose keeper was killed, too: a living keeper
# holds a lock on its directory.
#
# Arguments: what all such directories begin with, and the directory.

trap '' HUP INT QUIT TERM PIPE
umask 022
prefix=$1
dir=$2
cd /

clean() {
    attempt=0
    while [ -e "$1" ] && [ "$attempt" -lt 100 ]; do
        for process in /proc/[0-9]*; do
            case $(readlink "$process/cwd" 2>/dev/null) in
            # PostgreSQL's processes work in their data directory.
            "$1"/*) [ "$(cat "$process/comm" 2>/dev/null)" = postgres ] && kill -KILL "${process#/proc/}" 2>/dev/null ;;
            esac
        done
        for disk in "$1"/disk "$1"/copy; do
            if mountpoint -q "$disk"; then umount "$disk" 2>/dev/null; fi
        done
        mountpoint -q "$1/disk" || mountpoint -q "$1/copy" || rm -rf --one-file-system "$1"
        attempt=$((attempt + 1))
        [ -e "$1" ] && sleep 0.1
    done
}

# One keeper at a time looks for leftovers and locks its directory.
exec 7<"$(dirname "$prefix")"
flock 7
for other in "$prefix"-*; do
    [ -d "$other" ] && [ -O "$other" ] && [ ! -h "$other" ] || continue
    exec 8<"$other"
    if flock -n 8; then clean "$other"; fi
    exec 8<&-
done
mkdir "$dir" || exit 1
exec 9<"$dir"
mkdir "$dir/disk" "$dir/copy" && flock -n 9 && echo ok
exec 7<&-

read -r _
clean "$dir"
