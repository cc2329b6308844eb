#!/bin/sh
# A private PostgreSQL for the tests, beside whatever the machine runs.
#
#   postgres.sh template FOLDER
#       makes an empty cluster with a superuser "skms_test" (password "test"),
#       a certificate for localhost and 127.0.0.1, and its authority (ca.pem)
#   postgres.sh run TEMPLATE FOLDER PORT [SETTING=VALUE...]
#       runs a server in the foreground, on a copy of the template if FOLDER
#       is new; it stops on SIGINT and when the caller is gone
#
# PostgreSQL refuses to run as root; then the user "postgres" runs it.
set -eu
umask 077

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v postgres)")
PATH=$bin:$PATH

as="setpriv --pdeathsig INT"
own() { :; }
if [ "$(id -u)" = 0 ]; then
    as="setpriv --pdeathsig INT --reuid=postgres --regid=postgres --clear-groups"
    own() { chown -R postgres:postgres "$1"; }
fi

# authority NAME FILE: makes FILE.pem and FILE.key
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE \
        -keyout "$2.key" -out "$2.pem" 2>/dev/null
}

case "$1" in
template)
    folder=$2
    rm -rf "$folder.new"
    mkdir -p "$folder.new/data"
    chmod 755 "$folder.new"
    own "$folder.new/data"
    printf 'test\n' >"$folder.new/password"
    own "$folder.new/password"
    (cd "$folder.new" && $as initdb -D data -U skms_test --pwfile=password \
        --auth-local=trust --auth-host=scram-sha-256 -E UTF8 --locale=C --no-sync >initdb.log 2>&1) ||
        { cat "$folder.new/initdb.log" >&2; exit 1; }
    cd "$folder.new"
    authority "SKMS test authority" ca
    authority "Another authority" other-ca
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >extensions
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
        -keyout data/server.key -out server.csr 2>/dev/null
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 \
        -extfile extensions -out data/server.crt 2>/dev/null
    rm -f server.csr extensions password ca.srl
    chmod 644 ca.pem other-ca.pem
    own data
    cd /
    rm -rf "$folder"
    mv "$folder.new" "$folder"
    ;;
run)
    template=$2 folder=$3 port=$4
    shift 4
    if [ ! -d "$folder/data" ]; then
        mkdir -p "$folder"
        chmod 755 "$folder"
        cp -a "$template/data" "$folder/data"
    fi
    set -- $(for setting in "$@"; do printf -- '-c %s ' "$setting"; done)
    cd "$folder/data"
    exec $as postgres -D "$folder/data" -c port="$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$folder/data" -c ssl=on -c max_connections=200 \
        -c shared_buffers=32MB -c log_min_messages=warning "$@"
    ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
