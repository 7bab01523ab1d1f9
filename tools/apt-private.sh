#!/usr/bin/env bash
# apt-private.sh: packages of another Debian release through a private apt state, to be sourced.
# Mirrors, proxies and keys are the ones apt already uses here; apt's own signature check stays on
# and nothing outside the caller's folder changes. The caller sets
#   APT       folder for the private state
#   LOG       file for what apt says
#   SUITES    "sid", or "trixie trixie-updates"
#   SECURITY  suite of the security archive, or empty

# ---- the machine's apt, looked at

# Prints "uri<TAB>suite<TAB>signed-by" for every binary source of main, deb822 and one-line files
# alike. A key embedded in a stanza comes out on one line with \n for its line ends.
apt_sources() {
    local dir parts list f
    eval "$(apt-config shell dir Dir::Etc/d parts Dir::Etc::sourceparts/d list Dir::Etc::sourcelist/f)"
    : "${dir:=/etc/apt/}"
    for f in "${list:-${dir}sources.list}" "${parts:-${dir}sources.list.d}"/*.list; do
        [ -r "$f" ] && one_line_sources "$f"
    done
    for f in "${parts:-${dir}sources.list.d}"/*.sources; do
        [ -r "$f" ] && deb822_sources "$f"
    done
    return 0
}

one_line_sources() {
    awk '$1 == "deb" {
        line = $0; key = ""
        if (match(line, /\[[^]]*\]/)) {
            opts = substr(line, RSTART + 1, RLENGTH - 2)
            line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
            n = split(opts, o, /[ \t]+/)
            for (i = 1; i <= n; i++)
                if (o[i] ~ /^signed-by=/)
                    key = substr(o[i], 11)
        }
        sub(/#.*/, "", line)
        n = split(line, w, /[ \t]+/)
        if (w[4] == "main" || line ~ / main( |$)/)
            printf "%s\t%s\t%s\n", w[2], w[3], key
    }' "$1"
}

deb822_sources() {
    awk 'function flush(  i, j, n, m, u, s) {
        if (f["types"] ~ /(^| )deb( |$)/ && f["enabled"] !~ /^(no|false|0)/ &&
            f["components"] ~ /(^| )main( |$)/) {
            n = split(f["uris"], u, /[ \t]+/); m = split(f["suites"], s, /[ \t]+/)
            for (i = 1; i <= n; i++) for (j = 1; j <= m; j++)
                if (u[i] != "" && s[j] != "")
                    printf "%s\t%s\t%s\n", u[i], s[j], f["signed-by"]
        }
        split("", f); name = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    /^[ \t]/ {
        sub(/[ \t\r]+$/, "")
        if (name == "signed-by") f[name] = f[name] "\\n" $0
        else { sub(/^[ \t]+/, ""); f[name] = f[name] " " $0 }
        next
    }
    {
        i = index($0, ":"); name = tolower(substr($0, 1, i - 1))
        v = substr($0, i + 1); sub(/^[ \t]+/, "", v); sub(/[ \t\r]+$/, "", v); f[name] = v
    }
    END { flush() }' "$1"
}

# A stanza for the suites we want, from one line of apt_sources.
stanza() {
    printf 'Types: deb deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
    [ -z "$3" ] || printf 'Signed-By: %b\n' "$3"
    printf '\n'
}

write_sources() {
    local codename uri suite key main='' security=''
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-sid}")
    while IFS=$'\t' read -r uri suite key; do
        case $suite in
        "$codename" | stable | oldstable | testing | unstable | sid)
            [ -n "$main" ] || main=$(stanza "$uri" "$SUITES" "$key") ;;
        *-security | */updates)
            [ -z "$SECURITY" ] || [ -n "$security" ] || security=$(stanza "$uri" "$SECURITY" "$key") ;;
        esac
    done < <(apt_sources)
    [ -n "$main" ] || return 1
    printf '%s\n\n%s\n' "$main" "$security" >"$APT/debian.sources"
}

# The machine's apt configuration with its hooks left out and every writable path below APT.
write_conf() {
    apt-config dump --no-empty |
        grep -Ev '^(APT::Update|DPkg|Acquire::IndexTargets|Dir::(State|Cache|Log)|APT::Architectures)' \
            >"$APT/apt.conf"
    cat >>"$APT/apt.conf" <<END
APT::Architectures { "$ARCH"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::Retries "3";
Dir::State "$APT/state";
Dir::State::status "$APT/status";
Dir::Cache "$APT/cache";
Dir::Log "$APT/log";
Dir::Etc::sourcelist "$APT/debian.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
END
}

apt_ready() {
    [ ! -e "$APT/ready" ] || return 0
    command -v apt-get >/dev/null || return 1
    ARCH=$(dpkg --print-architecture)
    rm -rf "$APT"
    mkdir -p "$APT"/{state/lists/partial,cache/archives/partial,log,debs}
    : >"$APT/status"
    write_sources || return 1
    write_conf
    APT_CONFIG=$APT/apt.conf apt-get -qq update >>"$LOG" 2>&1 || return 1
    : >"$APT/ready"
}

# fetch_debs DIR PACKAGE...: unpack packages below DIR without installing anything.
fetch_debs() {
    local dir=$1 deb
    shift
    rm -rf "$APT/debs" && mkdir -p "$APT/debs" "$dir"
    (cd "$APT/debs" && APT_CONFIG=$APT/apt.conf apt-get -qq download "$@") >>"$LOG" 2>&1 || return 1
    for deb in "$APT/debs"/*.deb; do
        dpkg-deb -x "$deb" "$dir" >>"$LOG" 2>&1 || return 1
    done
}

deb_version() { dpkg-deb -f "$APT/debs/$1"_*.deb Version; }
