#!/usr/bin/env bash
# symbols.sh BUILD: what the library and the program let the dynamic linker see.
set -euo pipefail
status=0
for so in "$1"/libcasemate.so "$1"/libcasemate-verify.so "$1"/libcasemate-enclave.so; do
    exported=$(nm -D --defined-only "$so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }')
    [ -n "$exported" ] || { echo "$so exports nothing"; status=1; }
    if grep -v '^cm_' <<<"$exported"; then
        echo "$so exports the names above beside cm_"
        status=1
    fi
done
module=$1/cmd/casemate-pkcs11/libcasemate-pkcs11.so
exported=$(nm -D --defined-only "$module" | awk '{ sub(/@.*/, "", $3); print $3 }')
grep -q '^C_GetInterface$' <<<"$exported" || { echo "$module exports no PKCS#11"; status=1; }
if grep -v '^C_' <<<"$exported"; then
    echo "$module exports the names above beside C_"
    status=1
fi
for program in "$1"/cmd/*/casemate*; do
    { [ -f "$program" ] && [ -x "$program" ]; } || continue
    if nm -D --defined-only "$program" |
        grep -E ' [TDBRVW] (OPENSSL|EVP|OSSL|CRYPTO|SSL|ERR|X509)_'; then
        echo "$program exports symbols of OpenSSL"
        status=1
    fi
done
exit $status
