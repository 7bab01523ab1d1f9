#!/usr/bin/env bash
# Help, man pages, completions and the reference, all made from one table.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

expect 0 'casemate help VERB explains a verb' casemate
expect 0 'First steps' casemate --help
expect 0 'casemate ' casemate --version
expect 0 'OpenSSL 3.' casemate version --deps
expect 2 'there is no command nothing' casemate help nothing
expect 0 'casemate key new' casemate help key
expect 0 'casemate key new' casemate key --help
expect 0 'casemate key new' casemate key

# every verb explains itself, with its examples and exit codes
verbs=$(python3 - "$CASEMATE_SOURCE/cmd/casemate" <<'PY'
import glob, re, sys
for path in sorted(glob.glob(sys.argv[1] + "/table*.c")):
    text = open(path).read()
    for m in re.finditer(r'(?:\.group = "(\w+)",\s*)?\.name = "(\w+)",\s*\.summary', text):
        print(" ".join(filter(None, m.groups())))
PY
)
[ "$(wc -l <<<"$verbs")" -ge 25 ] || die "found few verbs: $verbs"
while read -r verb; do
    # shellcheck disable=SC2086
    for way in "casemate help $verb" "casemate $verb --help" "casemate $verb -h"; do
        expect 0 'Examples:' $way
        expect 0 'Exit codes:' $way
        expect 0 "Usage: casemate $verb" $way
    done
done <<<"$verbs"

# an option in an example is one that the verb has: run each example's options through the parser
casemate help --man man --completions completions --markdown cli.md
python3 - cli.md <<'PY' || die 'an example uses an option that its verb lacks'
import re, sys
text = open(sys.argv[1]).read()
bad = 0
for part in text.split("\n## casemate ")[1:]:
    title = part.split("\n", 1)[0]
    known = set(re.findall(r"--[a-z0-9-]+", part.split("```\n#")[0]))
    known |= {"--json", "--quiet", "--fips", "--help"}
    for line in part.split("\n"):
        if line.startswith("casemate " + title) and "[options]" not in line:
            own = line.split(" -- ")[0].split("|")[0]
            for option in re.findall(r"(?<= )--[a-z0-9-]+", own):
                if option not in known:
                    print(title, option)
                    bad = 1
sys.exit(bad)
PY

# what is committed is what the program writes
for f in man/* completions/* cli.md; do
    cmp -s "$f" "$CASEMATE_SOURCE/docs/$f" || die "docs/$f is old: ./do docs"
done
for f in "$CASEMATE_SOURCE"/docs/man/* "$CASEMATE_SOURCE"/docs/completions/*; do
    [ -e "${f#"$CASEMATE_SOURCE"/docs/}" ] || die "$f is not written any more"
done

# man pages
if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning man/*.1 || die 'mandoc complains'
elif command -v groff >/dev/null; then
    for f in man/*.1; do
        said=$(groff -man -ww -Tutf8 "$f" 2>&1 >/dev/null)
        [ -z "$said" ] || die "$f: $said"
    done
else
    echo 'SKIP man pages: neither mandoc nor groff is here'
fi

# bash completion
complete_words() {
    bash -c '
        . completions/casemate.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
        _casemate
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort
}
completes() {
    local word=$1
    shift
    complete_words "$@" | grep -xF -- "$word" >/dev/null || die "no $word after: $*"
}
touch model.gguf
completes seal casemate ''
completes key casemate k
completes fingerprint casemate key ''
completes --keyless-verify casemate seal --key
completes 3 casemate seal --tier ''
completes model.gguf casemate seal mod
completes model.gguf casemate seal --to mod
completes X-Wing casemate key new --type X
completes --dns casemate cert server --d
completes --tensor casemate cat model.gguf --
[ "$(complete_words casemate seal --tier 9)" = '' ] || die 'completed what is not there'
for shell in zsh fish; do
    case $shell in
    zsh) file=completions/_casemate ;;
    fish) file=completions/casemate.fish ;;
    esac
    if command -v "$shell" >/dev/null; then
        "$shell" -n "$file" || die "$shell does not read $file"
    else
        echo "SKIP $file: no $shell here"
    fi
done
