#!/usr/bin/env bash
# casemate doctor and casemate proxy against OpenSSL's server.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

ssl=$CASEMATE_OPENSSL
"$ssl" version 2>/dev/null | has 'OpenSSL 3\.[5-9]' || {
    echo 'SKIP: no openssl of 3.5 or later'
    exit 77
}
started=()
trap 'kill "${started[@]}" 2>/dev/null || true' EXIT

# serve NAME OPTION...: a server that sends lines back turned around; its port in $port
serve() {
    local name=$1
    shift
    : >"$name.log"
    "$ssl" s_server -accept 127.0.0.1:0 -cert web.crt -key web.pem "$@" >"$name.log" 2>&1 </dev/null &
    started+=($!)
    for _ in $(seq 6000); do
        port=$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\).*/\1/p' "$name.log")
        [ -z "$port" ] || return 0
        sleep 0.05
    done
    die "no $name: $(cat "$name.log")"
}

# relay NAME OPTION...: a proxy; its port in $port, its process in $proxy
relay() {
    local name=$1
    shift
    : >"$name.out"
    casemate proxy --json "$@" >"$name.out" 2>"$name.err" </dev/null &
    proxy=$!
    started+=("$proxy")
    for _ in $(seq 6000); do
        port=$(sed -n 's/.*"listening","address":"[^"]*:\([0-9]*\)".*/\1/p' "$name.out")
        [ -z "$port" ] || return 0
        sleep 0.05
    done
    die "no proxy: $(cat "$name.out" "$name.err")"
}

for name in root web other; do
    ok casemate key new --type ml-dsa-65 --out "$name.pem" --no-passphrase
done
ok casemate cert root -k root.pem --name Root -o root.crt
ok casemate cert root -k other.pem --name Other -o other.crt
ok casemate cert server -k web.pub --ca root.crt --ca-key root.pem --name localhost \
    --dns localhost --ip 127.0.0.1 -o web.crt
serve hybrid -groups X25519MLKEM768:SecP256r1MLKEM768 -alpn h2,http/1.1 -rev
hybrid=$port
serve second -groups SecP256r1MLKEM768 -rev
second=$port
serve strict -groups MLKEM768:MLKEM1024 -rev
strict=$port
serve classical -groups X25519:P-256 -rev
classical=$port
serve old -tls1_2 -cipher 'ALL:@SECLEVEL=0' -rev
old=$port

# ---- doctor: what it finds, and the exit code of the first thing that is wrong
casemate doctor "https://localhost:$hybrid" --ca root.crt --timeout 10 --json >d.json 2>&1 || true
json d.json 'any(x.get("check") == "key exchange" and "X25519MLKEM768" in x["found"] for x in e)'
json d.json 'any(x.get("check") == "certificate" and "ML-DSA-65" in x["found"] for x in e)'
json d.json 'any(x.get("check") == "trust" and x["verdict"] == "ok" for x in e)'
json d.json '[x["found"] for x in e if x.get("check") == "protocol"] == ["h2", "http/1.1"]'
expect 3 'no root was named' casemate doctor "https://localhost:$hybrid"
expect 3 'no chain leads' casemate doctor "https://localhost:$hybrid" --ca other.crt
expect 3 'no post-quantum key exchange' casemate doctor "https://localhost:$classical" --ca root.crt
expect 3 'the server agrees to x25519 alone' casemate doctor "https://localhost:$classical" \
    --ca root.crt
expect 3 'does not speak TLS 1.3' casemate doctor "https://localhost:$old" --ca root.crt
expect 3 'agrees to MLKEM768' casemate doctor "https://localhost:$strict" --ca root.crt
expect 4 'has no address' casemate doctor https://nowhere.invalid
expect 2 'no URL of a server' casemate doctor localhost:1
expect 0 'grpcio' casemate doctor --clients
casemate doctor "https://localhost:$strict" --ca root.crt --policy strict --timeout 10 --json \
    >s.json 2>&1 || true
json s.json 'any(x.get("check") == "key exchange" and x["found"].startswith("MLKEM768") for x in e)'

# ---- proxy: refuses what is not meant
expect 2 'not a loopback address' casemate proxy --listen 0.0.0.0:0 \
    --to "https://localhost:$hybrid" --ca root.crt
expect 2 '--ca is missing' casemate proxy --listen 127.0.0.1:0 --to "https://localhost:$hybrid"
expect 2 'wants https' casemate proxy --listen 127.0.0.1:0 --to http://localhost:1 --ca root.crt

# ---- proxy: bytes, both protocols, half-closed connections, many at once, a clean end
cat >client.py <<'PY'
import socket, sys, threading
port, n, size = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
first = sys.argv[4].encode()
bad = []

def one(i):
    line = first + b" %d " % i + b"x" * (i * 37 % 500)
    try:
        s = socket.create_connection(("127.0.0.1", port), timeout=300)
        want, got = b"", b""
        for _ in range(size):
            s.sendall(line + b"\n")
            want += line[::-1] + b"\n"
            while len(got) < len(want):
                d = s.recv(65536)
                if not d:
                    break
                got += d
        s.shutdown(socket.SHUT_WR)
        while d := s.recv(65536):
            got += d
        if got != want:
            bad.append((i, len(got), len(want)))
    except OSError as e:
        bad.append((i, e))

threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
for t in threads:
    t.start()
for t in threads:
    t.join()
if bad:
    sys.exit(f"wrong: {bad[:5]}")
PY
relay p1 --listen 127.0.0.1:0 --to "https://localhost:$hybrid" --ca root.crt --connections 8
ok python3 client.py "$port" 1 50 'GET / HTTP/1.1'
ok python3 client.py "$port" 1 5 'PRI * HTTP/2.0'
ok python3 client.py "$port" 20 5 'POST /x'
kill -TERM "$proxy"
wait "$proxy" || die "the proxy left with $?"
json p1.out 'e[-1]["event"] == "stopped" and e[-1]["served"] == 22 and e[-1]["failed"] == 0'

# the server asks for another key share (HelloRetryRequest): still post-quantum
relay p2 --listen 127.0.0.1:0 --to "https://localhost:$second" --ca root.crt
ok python3 client.py "$port" 2 3 'GET /'
kill -TERM "$proxy"

# over a Unix socket
relay_unix=$WORK/p.sock
casemate proxy --listen "unix:$relay_unix" --to "https://localhost:$hybrid" --ca root.crt \
    >u.log 2>&1 </dev/null &
started+=($!)
until [ -S "$relay_unix" ]; do sleep 0.05; done
[ "$(stat -c %a "$relay_unix")" = 600 ] || die 'the socket is open to others'

# ---- proxy: a classical server, a wrong root, nobody there: told to both sides, nothing relayed
for case in "https://localhost:$classical root.crt no.post-quantum" \
    "https://localhost:$hybrid other.crt no.chain.leads" \
    'https://localhost:1 root.crt nobody.listens'; do
    read -r url ca text <<<"$case"
    relay bad --listen 127.0.0.1:0 --to "$url" --ca "$ca"
    python3 - "$port" "$text" <<'PY' || die "the client was not told: $case"
import re, socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=300)
s.sendall(b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n")
got = b""
while d := s.recv(4096):
    got += d
sys.exit(0 if got.startswith(b"HTTP/1.1 502 ") and re.search(sys.argv[2].encode(), got) else 1)
PY
    kill -TERM "$proxy"
    wait "$proxy" || die "the proxy left with $?"
done
! grep -qa secret ./*.log || die 'something was relayed to a server that is not to be trusted'
