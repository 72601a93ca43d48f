# The keeper of a throw-away cluster: makes it, runs it, and removes it when its standard input ends, which happens when
# the process that holds the other end dies, in whatever way. All steps are taken here, one after the other, so there
# is no moment in which a death would leave anything behind.
#
# Arguments: the directory of PostgreSQL's programs, the settings (lines for postgresql.conf), and the directories to be
# made, of which the first that can be made is used. Requests are lines on standard input, answers are lines on standard
# output: "ok …", or "no" followed by the end of the log and a line with a dot.

trap '' HUP INT QUIT TERM PIPE
umask 077
bin=$1
settings=$2
shift 2

answer() {
    if [ "$1" -eq 0 ]; then
        echo "ok $home"
    else
        echo no
        tail -n 20 "$home/log" 2>/dev/null
        echo .
    fi
}

# Children get none of our streams: a server that held them would keep the pipes open.
quietly() {
    "$@" >>"$home/log" 2>&1 </dev/null
}

make() {
    set -- -D "$PGDATA" -U postgres -A trust -E UTF8 --no-sync
    quietly "$bin/initdb" "$@" --locale=C --lc-ctype=C.UTF-8 || quietly "$bin/initdb" "$@" --locale=C || return 1
    printf '%s\n' "$settings" "unix_socket_directories = '$home'" >>"$PGDATA/postgresql.conf"
}

start() {
    quietly "$bin/pg_ctl" --silent -w -t 60 start
}

stop() {
    quietly "$bin/pg_ctl" --silent -w -t 60 -m immediate stop
}

home=
for place in "$@"; do
    if mkdir "$place" 2>/dev/null && cd "$place" 2>/dev/null; then
        home=$place
        break
    fi
done
cd /
if [ -z "$home" ]; then
    echo no
    echo "none of these directories can be made: $*"
    echo .
    exit 1
fi
export PGDATA="$home/data"

make && start
answer $?
while read -r request; do
    case $request in
    crash) stop ;;
    resume) start ;;
    *) break ;;
    esac
    answer $?
done

if [ -e "$PGDATA/postmaster.pid" ]; then stop; fi
attempt=0
while [ -e "$home" ] && [ "$attempt" -lt 10 ]; do
    rm -rf "$home"
    attempt=$((attempt + 1))
    [ -e "$home" ] && sleep 1
done
