#!/usr/bin/env python3
"""Regular expressions and date patterns beside Java's own classes: one JVM makes
random cases with their answers (JavaText.java), and a small program compares
core/text with them."""
# timeout: 600
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKER = os.path.join(os.environ["BUILD_DIR"], "tests", "tg_java_text")
DATES, TEXTS, REGEXES = 15000, 25000, 12000


def main():
    if not shutil.which("java"):
        print("skipped: there is no java")
        return 77
    seed = os.environ.get("SEED", "20240101")
    java = subprocess.Popen(
        ["java", "-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8",
         os.path.join(HERE, "JavaText.java"), seed, str(DATES), str(TEXTS), str(REGEXES)],
        stdout=subprocess.PIPE)
    check = subprocess.run([CHECKER], stdin=java.stdout, stdout=subprocess.PIPE, text=True,
                           errors="replace", check=False)
    java.stdout.close()
    print(check.stdout, end="")
    if java.wait() != 0:
        print("java ended with", java.returncode)
        return 1
    cases, refused, stale = (int(check.stdout.split()[i]) for i in (-9, -5, -2))
    if cases < 80000 or refused > REGEXES // 30 or stale > REGEXES // 500:
        print("too few cases were compared; seed", seed)
        return 1
    if check.returncode:
        print("seed", seed)
    return check.returncode


sys.exit(main())
