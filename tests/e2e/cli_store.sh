#!/usr/bin/env bash
# store: a backup written from the specification goes in and comes out; damage is found.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

python3 - <<'PY'
import hashlib, struct
def key(*parts):
    return b"".join(p.replace(b"\0", b"\0\xff") + b"\0\1" for p in parts)
rows = sorted((key(t, b"row", struct.pack(">Q", i)), 1 + i % 3, b"sealed" * i)
              for t in (b"", b"acme", b"boot") for i in range(500))
def backup(rows):
    b = b"casemate-backup1" + bytes(range(16)) + struct.pack(">Q", 77)
    for k, ver, v in rows:
        b += struct.pack(">HQI", len(k), ver, len(v)) + k + v
    b += struct.pack(">HQ", 0, len(rows))
    return b + hashlib.sha256(b).digest()
open("in.backup", "wb").write(backup(rows))
open("cut.backup", "wb").write(backup(rows)[:-40])
open("unordered.backup", "wb").write(backup(rows[::-1]))
open("twice.backup", "wb").write(backup(rows[:1] * 2))
PY

expect 2 'Give --store FILE' casemate store info
expect 2 'exclude each other' casemate store info --store a --postgres b
expect 4 'NO_FILE' casemate store info --store kms.db
absent kms.db kms.db.lock
for bad in cut unordered twice; do
    expect 5 'STORE_BACKUP' casemate store restore --store kms.db $bad.backup
done
expect 0 '1500 rows' casemate store restore --store kms.db in.backup
[ "$(stat -c %a kms.db)" = 600 ] || die 'the database is open to others'
expect 6 'STORE_NOT_EMPTY' casemate store restore --store kms.db in.backup
expect 0 'engine      sqlite' casemate store info --store kms.db
casemate store info --store kms.db --json >info
json info 'e[0]["schema"] == 2 and len(e[0]["id"]) == 32 and e[0]["id"] != bytes(range(16)).hex()'

expect 2 'Give --out FILE' casemate store backup --store kms.db
expect 0 '1500 rows' casemate store backup --store kms.db -o out.backup
[ "$(stat -c %a out.backup)" = 600 ] || die 'the backup is open to others'
expect 6 'FILE_EXISTS' casemate store backup --store kms.db -o out.backup
casemate store backup --store kms.db -o - >stdout.backup 2>said
same out.backup stdout.backup
# Head and hash apart, what came out is what went in.
cmp <(tail -c +41 out.backup | head -c -32) <(tail -c +41 in.backup | head -c -32) ||
    die 'rows changed on their way'
casemate store backup --store kms.db -o - | casemate store restore --store second.db - >said
casemate store backup --store second.db -o third.backup --json >said
json said 'e[-1]["rows"] == 1500'

# beside a process that holds it
exec 9>kms.db.lock
flock 9
expect 0 '1500 rows' casemate store backup --store kms.db -o busy.backup
expect 0 '0 faults' casemate store fsck --store kms.db
expect 6 'STORE_IN_USE' casemate store migrate --store kms.db
exec 9>&-

# damage
python3 - <<'PY'
import sqlite3
db = sqlite3.connect("second.db")
db.execute("INSERT INTO rows VALUES (x'6162', 1, x'')")
db.execute("UPDATE rows SET ver = 0 WHERE k = (SELECT max(k) FROM rows)")
db.commit()
old = sqlite3.connect("old.db")
old.executescript("""CREATE TABLE rows (k BLOB PRIMARY KEY NOT NULL, ver INTEGER NOT NULL,
    v BLOB NOT NULL) STRICT; PRAGMA application_id = 1131629940; PRAGMA user_version = 1""")
sqlite3.connect("theirs.db").execute("CREATE TABLE t (x)")
PY
expect 5 '6162: the key is no list of components' casemate store fsck --store second.db
expect 5 '2 faults' casemate store fsck --store second.db
casemate store fsck --store second.db --json >said 2>&1 || true
json said '[x["event"] for x in e][:3] == ["fault", "fault", "done"] and e[2]["faults"] == 2'
expect 6 'STORE_OLDER' casemate store info --store old.db
expect 0 'schema      2' casemate store migrate --store old.db
expect 0 'schema      2' casemate store migrate --store old.db
expect 5 'STORE_FOREIGN' casemate store migrate --store theirs.db

# PostgreSQL that is not there, and a connection that can't be
echo 'host=/nowhere dbname=kms user=kms' >pg.conf
echo 'host=/nowhere dbname=kms user=kms password=hunter2' >bad.conf
expect 1 'STORE_UNREACHABLE' casemate store info --postgres pg.conf
expect 2 'STORE_CONNINFO' casemate store info --postgres bad.conf
