"""layers.txt: who may include, call and do what."""
import os
import re

from tree import run

PRINT = """printf fprintf vprintf vfprintf dprintf vdprintf puts fputs putchar putc fputc fwrite perror
    stdout stderr syslog err errx warn warnx __printf_chk __fprintf_chk __vprintf_chk __vfprintf_chk
    __dprintf_chk __vdprintf_chk __syslog_chk ERR_print_errors_fp BIO_new_fp"""
LEAVE = "exit _exit _Exit quick_exit abort atexit __assert_fail longjmp __longjmp_chk"
ENVIRONMENT = "getenv secure_getenv setenv unsetenv putenv environ setlocale"
NETWORK = """socket socketpair connect bind listen accept accept4 send sendto sendmsg sendmmsg recv
    recvfrom recvmsg getaddrinfo gethostbyname"""
PROCESS = """fork vfork execl execle execlp execv execve execvp execvpe fexecve posix_spawn
    posix_spawnp system popen signal sigaction kill raise waitpid dlopen dlsym"""
SLEEP = "sleep usleep nanosleep clock_nanosleep alarm"
CHANCE = "rand srand random srandom rand_r drand48 lrand48 arc4random"
EFFECTS = {
    "printing": PRINT, "leaving": LEAVE, "environment": ENVIRONMENT, "network": NETWORK,
    "processes": PROCESS, "sleeping": SLEEP, "weak randomness": CHANCE,
    "files": """open open64 openat openat64 __open_2 __open64_2 __openat_2 __openat64_2 creat
        creat64 fopen fopen64 fdopen mkstemp mkstemp64 mkostemp mkostemp64 tmpfile mkdir mkdirat
        rename renameat renameat2 unlink unlinkat rmdir remove link linkat symlink symlinkat opendir
        fdopendir scandir nftw stat stat64 lstat lstat64 fstatat fstatat64 access truncate
        truncate64 BIO_new_file RAND_load_file RAND_write_file CONF_modules_load_file""",
    "clock": "time clock clock_gettime gettimeofday timespec_get times ftime",
    "alloc": """malloc calloc realloc reallocarray free aligned_alloc posix_memalign strdup strndup
        asprintf vasprintf __asprintf_chk __vasprintf_chk""",
    "system": "syscall mlock mlock2 munlock mlockall madvise mprotect memfd_create memfd_secret",
}
OWN = {symbol: kind for kind, names in EFFECTS.items() for symbol in names.split()}
STATE_SECTIONS = (".data", ".bss", ".tdata", ".tbss")
# Put there by the compiler, never by the source.
NOT_STATE = re.compile(r"^(__|\.L|completed\.|DW\.ref)")


class Layers:
    def __init__(self, tree):
        self.rank, self.uses, self.public, self.effect, self.state = {}, {}, {}, {}, {}
        self.problems = []
        for number, line in enumerate(tree.text("layers.txt").splitlines(), 1):
            line = line.split("#")[0].strip()
            if line:
                self.line(number, line)
        for module, uses in self.uses.items():
            for used in uses:
                if self.rank.get(used, 99) >= self.rank[module]:
                    self.problems.append(f"layers.txt: {module} may not use {used}: not below it")

    def line(self, number, line):
        head, _, rest = line.partition(":")
        words = head.split()
        if words[0].isdigit() and len(words) == 2:
            self.rank[words[1]] = int(words[0])
            self.uses[words[1]] = rest.split()
        elif words[0] in ("public", "effect", "state") and len(words) == 2:
            getattr(self, words[0]).setdefault(words[1], []).extend(rest.split())
        else:
            self.problems.append(f"layers.txt:{number}: not understood: {line}")

    def has(self, kind, name):
        """Whether a file, or the whole of its module, is declared to have an effect."""
        declared = self.effect.get(kind, [])
        return name in declared or name.split("/")[0] + "/*" in declared

    def may(self, module, used):
        return used == module or used in self.uses.get(module, [])


def owner(name):
    """The module a source file belongs to."""
    parts = name.split("/")
    return parts[1] if parts[0] == "src" else "cmd" if parts[0] == "cmd" else None


def include_problem(layers, module, target, public):
    if public:
        owners = layers.public.get(target, ["base"])
        if not layers.may(module, owners[0]):
            return f"<casemate/{target}> belongs to {owners[0]}, which {module} may not use"
        return None
    folder, _, base = target.rpartition("/")
    used = folder.split("/")[0]
    if not folder:
        return None if module == "cmd" or target == "cm_config.h" else f'"{target}" names no module'
    if used not in layers.rank:
        return f"{used} is no module of layers.txt"
    if not layers.may(module, used):
        return f"{module} may not use {used}"
    if base.endswith("_int.h") and used != module:
        return f"{target} is private to {used}"
    return None


def includes(tree):
    layers = Layers(tree)
    found = list(layers.problems)
    for name in tree.under("src", "cmd"):
        module = owner(name)
        if module not in layers.rank:
            found.append(f"{name}: module {module} has no line in layers.txt")
            continue
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<casemate/([^>]+)>)',
                                 tree.text(name), re.M):
            problem = include_problem(layers, module, match[1] or match[2], match[2] is not None)
            if problem:
                line = tree.text(name).count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {problem}")
    return found


def nm(path, *flags):
    """(type, symbol) of one object."""
    for line in run("nm", *flags, path).stdout.splitlines():
        words = line.split()
        if len(words) >= 2:
            yield words[-2], words[-1]


def symbols(tree):
    layers = Layers(tree)
    objects = tree.objects()
    home = {s: module for module, _, path in objects if module != "cmd"
            for _, s in nm(path, "-g", "--defined-only")}
    found = []
    for module, name, path in objects:
        for _, symbol in nm(path, "-u"):
            used = home.get(symbol)
            if used and not layers.may(module, used):
                found.append(f"{name} calls {symbol} of {used}, which {module} may not use")
    return found


def prefix(tree):
    return [f"{name}: {symbol} does not begin with cm_"
            for _, name, path in tree.objects()
            for kind, symbol in nm(path, "-g", "--defined-only")
            if not symbol.startswith("cm_")
            and not (name.startswith("cmd/") and symbol == "main")
            and not (name.startswith("cmd/") and re.match(r"C_[A-Z]", symbol))
            and kind not in "wWvV"]


def effects(tree):
    layers = Layers(tree)
    found = []
    for module, name, path in tree.objects():
        if module == "cmd":
            continue
        for _, symbol in nm(path, "-u"):
            kind = OWN.get(symbol)
            if kind and not layers.has(kind, name):
                found.append(f"{name}: {symbol} ({kind}) is not for {module}")
    for name in tree.under("src"):
        if layers.has("memcmp", name[len("src/"):]):
            continue
        for number, line in enumerate(tree.code(name).splitlines(), 1):
            if re.search(r"\bmemcmp\s*\(", line):
                found.append(f"{name}:{number}: memcmp: take cm_view_eq() or, for secrets, "
                             "cm_ct_equal()")
    return found


def variables(path):
    """Writable variables of one object."""
    for line in run("objdump", "-t", path).stdout.splitlines():
        match = re.match(r"[0-9a-f]+ .{7} (\.\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$", line)
        if not match or not match[1].startswith(STATE_SECTIONS):
            continue
        section, symbol = match.groups()
        if not section.startswith(".data.rel.ro") and symbol != section:
            if not NOT_STATE.match(symbol):
                yield re.sub(r"\.\d+$", "", symbol)


def state(tree):
    layers = Layers(tree)
    found, seen = [], {}
    for module, name, path in tree.objects():
        if module == "cmd":
            continue
        for variable in variables(path):
            seen.setdefault(name, set()).add(variable)
            if variable not in layers.state.get(name, []):
                found.append(f"{name}: {variable} is mutable state not declared in layers.txt")
    for name, declared in layers.state.items():
        found += [f"layers.txt: {name} has no variable {variable}: take it out"
                  for variable in declared if variable not in seen.get(name, set())]
    return found
