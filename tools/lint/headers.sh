#!/usr/bin/env bash
# Every public header stands alone, in C99 and in C++11.
set -euo pipefail
cd "$(dirname "$0")/../.."
status=0
for h in include/casemate/*.h; do
    source="#include <casemate/$(basename "$h")>
extern int alone;"
    gcc -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c - <<<"$source" ||
        status=1
    g++ -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ - <<<"$source" ||
        status=1
done
exit $status
