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

# The living processes of the machine, one in a line: number and parent. A zombie is dead.
living() {
    if [ -r /proc/self/stat ]; then
        for file in /proc/[0-9]*/stat; do
            # A name with spaces would shift the rest; PostgreSQL's has none.
            { read -r pid name state parent rest <"$file"; } 2>/dev/null && echo "$state $pid $parent"
        done
    else
        ps -A -o stat= -o pid= -o ppid=
    fi | while read -r state pid parent; do
        case $state in
        [XZ]*) ;;
        *) echo "$pid $parent" ;;
        esac
    done
}

# kill -9 of every process of the server. The postmaster is stopped first, so that it starts no other process while the rest
# are killed, and killed last; then nobody is left to write a byte.
crash() {
    { read -r server <"$PGDATA/postmaster.pid" && kill -STOP "$server"; } 2>/dev/null || return 1
    attempt=0
    while processes=$(living | grep -e " $server\$" -e "^$server "); do
        children=$(echo "$processes" | sed -n "s/ $server\$//p")
        kill -KILL ${children:-"$server"} 2>/dev/null
        attempt=$((attempt + 1))
        [ "$attempt" -lt 200 ] || sleep 1
        [ "$attempt" -lt 260 ] || return 1
    done
    # The next server would refuse to start while another process, or a zombie, has the number of this one.
    rm -f "$PGDATA/postmaster.pid" "$home"/.s.PGSQL.*.lock
    crashed=yes
}

resume() {
    start && crashed=
}

crashed=
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
    crash) crash ;;
    resume) resume ;;
    *) break ;;
    esac
    answer $?
done

# What a killed server leaves in shared memory, only its successor removes.
if [ -n "$crashed" ]; then start; fi
if [ -e "$PGDATA/postmaster.pid" ]; then stop; fi
attempt=0
while [ -e "$home" ] && [ "$attempt" -lt 10 ]; do
    rm -rf "$home"
    attempt=$((attempt + 1))
    [ -e "$home" ] && sleep 1
done
