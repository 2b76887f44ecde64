# SPDX-License-Identifier: Apache-2.0
"""Runs lines with two clients and says where they differ; `python compare.py KUBECONFIG` by hand against a cluster that runs."""
import concurrent.futures
import difflib
import os
import re
import shlex
import subprocess
import sys

REAL = os.environ.get("KUBECTL_REAL", "/usr/lib/google-cloud-sdk/bin/kubectl.1.33")
RULES = [(re.compile(a, re.M), b) for a, b in [
    (r" from \S+ namespace(?=( \(|$))", ""),                                        # kubectl 1.34 and later say where from
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "TIME"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UID"),
    (r"(resourceVersion\W+)\d+", r"\1N"), (r"(?<![\w.])(\d+d)?(\d+h)?(\d+m)?\d+s\b(?! )|<invalid>", "AGE"), (r"(?<=\s)\d+[smhd]\b(?=\s|$)", "AGE"),
    (r"\b10\.\d+\.\d+\.\d+\b|\b127\.0\.0\.1:\d{4,5}\b", "ADDR"), (r"\bcmp[ro]\b", "NS"), (r"-[ro]\b(?=[\s\"',]|$)", "-X"), (r"(sha256:|docker://|coracle://|containerd://)[0-9a-f]{64}|\b[0-9a-f]{64}\b", "ID"),
    (r"-[a-f0-9]{6,10}(-[a-z0-9]{5})?\b", "-HASH"), (r"(pod-template-hash\W+)\w+", r"\1HASH"), (r"\bkube-api-access-\w+", "kube-api-access-X"), (r"\b[0-9]{9,}\b", "NUM"),
    (r"(kubectl-edit-|cp-|/tmp/)(LIVE|MERGED)-\d+", r"\1\2-N"), (r"\(dry run\)", "(dry run)"), (r"(/tmp/\S*/)[ro]/", r"\1X/"),
    (r"kubectl\.1\.33", "kubectl"), (r"(?<=/TCP) \(\w+\)", ""), (r"^\s*creationTimestamp: null\n", ""), (r"(LIVE|MERGED)-[\w]+", r"\1-N"), (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.(\d+|NUM) \+0000", "TIME"), (r"\bE\d{4} .*\n", ""),                                                          # client-go's own log of discovery
]]


def normal(text):
    t = text
    for a, b in RULES:
        t = a.sub(b, t)
    t = "\n".join(line.rstrip() for line in t.split("\n"))
    return re.sub(r"(?<=\S) {2,}", "  ", t) if t != text else t


class Side:
    def __init__(self, letter, argv, kubeconfig, top, files):
        self.letter, self.argv, self.ns = letter, argv, "cmp" + letter
        self.d = os.path.join(top, letter)
        os.makedirs(self.d, exist_ok=True)
        for name, text in files.items():
            with open(os.path.join(self.d, name), "w") as f:
                f.write(text.replace("{n}", letter))
            if name.endswith(".sh"):
                os.chmod(os.path.join(self.d, name), 0o755)
        self.config = os.path.join(self.d, "config")
        self.first = open(kubeconfig).read()
        self.env = dict(os.environ, KUBECONFIG=self.config, HOME=self.d, TZ="UTC")

    def reset(self):
        with open(self.config, "w") as f:
            f.write(self.first)
        subprocess.run([REAL, "config", "set-context", "--current", "--namespace", self.ns], env=self.env, check=True, capture_output=True)

    def fill(self, text):
        return text.replace("{d}", self.d).replace("{ns}", self.ns).replace("{n}", self.letter)

    def run(self, line, how):
        args = shlex.split(self.fill(line))
        env = dict(self.env, **{k: self.fill(v) for k, v in how.get("env", {}).items()})
        try:
            r = subprocess.run([*self.argv, *args], input=how.get("stdin", ""), env=env, capture_output=True, text=True, timeout=60, cwd=self.d)
            return r.returncode, r.stdout, r.stderr
        except subprocess.TimeoutExpired:
            return "too long", "", ""


def differences(line, how, real, ours):
    """Text of what differs, empty when nothing does."""
    (c1, o1, e1), (c2, o2, e2) = real, ours
    if how.get("shape"):
        o1, o2, e1, e2 = (str(bool(x)) for x in (o1, o2, e1, e2))
    if how.get("stdout"):
        e1 = e2 = ""
    out = [] if c1 == c2 else [f"exit {c1} and {c2}"]
    for what, a, b in (("stdout", o1, o2), ("stderr", e1, e2)):
        a, b = normal(a), normal(b)
        if a != b:
            out += [f"--- {what}"] + list(difflib.unified_diff(a.split("\n"), b.split("\n"), "real", "ours", lineterm="", n=1))[2:]
    return "\n".join(out)


def run(lines, sides):
    """Yields (line, how, difference)."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for row in lines:
            line, how = row if isinstance(row, tuple) else (row, {})
            if line.startswith("config ") and not getattr(run, "in_config", None) or not line.startswith("config ") and getattr(run, "in_config", None):
                for s in sides:
                    s.reset()
            run.in_config = line.startswith("config ")
            got = list(pool.map(lambda s: s.run(line, how), sides))
            yield line, how, differences(line, how, *got)


def prepare(kubeconfig, top, ours, files):
    sides = [Side("r", [REAL], kubeconfig, top, files), Side("o", ours, kubeconfig, top, files)]
    for s in sides:
        s.reset()
        subprocess.run([REAL, "create", "namespace", s.ns], env=s.env, check=True, capture_output=True)
    return sides


def clean(sides):
    for s in sides:
        s.reset()
        subprocess.run([REAL, "delete", "namespace", s.ns, "--timeout=60s"], env=s.env, capture_output=True)
        subprocess.run([REAL, "delete", "--ignore-not-found", "-f", os.path.join(s.d, "global.yaml")], env=s.env, capture_output=True)
        for k, v in (("clusterrole", f"cr-{s.letter}"), ("clusterrole", f"cr2-{s.letter}"), ("clusterrolebinding", f"crb-{s.letter}"), ("pc", f"pc-{s.letter}"), ("ns", f"more-{s.letter}")):
            subprocess.run([REAL, "delete", "--ignore-not-found", k, v], env=s.env, capture_output=True)


if __name__ == "__main__":
    import tempfile
    from lines import FILES, LINES
    here = os.path.dirname(os.path.abspath(__file__))
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else ".")
    with tempfile.TemporaryDirectory() as tmp:
        both = prepare(sys.argv[1], tmp, [os.path.join(here, "../../build/bin/coracle"), "kubectl"], FILES)
        bad = total = 0
        for text, options, difference in run([x for x in LINES if pattern.search(x if isinstance(x, str) else x[0])], both):
            total += 1
            if difference:
                bad += not options.get("differs")
                print(f"##### {text}{'   (known: ' + options['differs'] + ')' if options.get('differs') else ''}\n{difference}", flush=True)
        clean(both)
        print(f"{bad} of {total} differ")
