"""The files a check looks at, and what it may learn from the build folder."""
import functools
import os
import re
import subprocess


class Skip(Exception):
    """A check that cannot run here, with the reason."""


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)


TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(match):
    """Same length and lines, without the text."""
    return re.sub(r"[^\n]", " ", match.group(0))


class Tree:
    def __init__(self, root, build):
        self.root = os.path.abspath(root)
        self.build = build if os.path.isabs(build) else os.path.join(self.root, build)

    @functools.lru_cache(maxsize=None)
    def files(self):
        """Every file of the project, committed or about to be."""
        git = run("git", "-c", "safe.directory=*", "-C", self.root, "ls-files", "-co",
                  "--exclude-standard")
        if git.returncode == 0 and git.stdout:
            names = sorted(set(git.stdout.splitlines()))
        else:
            names = sorted(self.walk())
        return [n for n in names if os.path.isfile(os.path.join(self.root, n))]

    def walk(self):
        for folder, inner, names in os.walk(self.root):
            inner[:] = [d for d in inner if not d.startswith(".") and d != "build"]
            for name in names:
                yield os.path.relpath(os.path.join(folder, name), self.root)

    def under(self, *tops, ext=(".c", ".h")):
        tops = tuple(t + "/" for t in tops)
        return [n for n in self.files() if n.startswith(tops) and n.endswith(ext)]

    @functools.lru_cache(maxsize=None)
    def text(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    @functools.lru_cache(maxsize=None)
    def code(self, name):
        """C without comments and literals, line for line."""
        return TOKEN.sub(blank, self.text(name))

    def objects(self):
        """Compiled files of the modules: (module, "module/file.c", path of the object)."""
        sources = {name.replace("/", "_") + ".o": name for name in self.under("src", ext=(".c",))}
        out = []
        for folder in sorted(os.listdir(self.build) if os.path.isdir(self.build) else []):
            if not re.match(r"lib(cm|kernel)_\w+\.a\.p$", folder):
                continue
            for name in sorted(os.listdir(os.path.join(self.build, folder))):
                source = sources.get(name)
                if source:
                    out.append((source.split("/")[1], source[len("src/"):],
                                os.path.join(self.build, folder, name)))
        out += self.program_objects()
        if not out:
            raise Skip("nothing is built")
        return out

    def program_objects(self):
        out, top = [], os.path.join(self.build, "cmd")
        for folder, _, names in os.walk(top):
            out += [("cmd", "cmd/" + name[:-2], os.path.join(folder, name))
                    for name in sorted(names) if name.endswith(".c.o")]
        return out
