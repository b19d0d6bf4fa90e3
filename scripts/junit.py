"""Reads what ctest --output-junit wrote.

junit.py FILE        one line a test: pass|fail|skip TAB name TAB seconds or why
junit.py FILE NAME   the output of one test (its last 80 lines)
"""
import re
import sys
import xml.etree.ElementTree as xml


def load(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        text = f.read()
    # Tests may print what XML cannot hold.
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "?", text)
    text = re.sub(r"&#(x[0-9A-Fa-f]+|[0-9]+);", "?", text)
    return xml.fromstring(text).iter("testcase")


def output(case):
    return (case.findtext("system-out") or "").rstrip().splitlines()


def result(case):
    lines = output(case)
    if case.find("skipped") is not None or case.get("status") in (
            "notrun", "disabled"):
        # A test that could not be started is not one that chose to skip.
        why = case.find("skipped")
        message = "" if why is None else why.get("message") or ""
        if "SKIP_RETURN_CODE" in message:
            return "skip", (lines or ["exit status 77"])[-1]
        return "fail", message
    if case.get("status") == "run":
        return "pass", "%.1f s" % float(case.get("time") or 0)
    return "fail", ""


def main():
    cases = load(sys.argv[1])
    if len(sys.argv) > 2:
        for case in cases:
            if case.get("name") == sys.argv[2]:
                why = case.find("failure")
                message = "" if why is None else why.get("message") or ""
                end = "(after %.1f s) %s" % (float(case.get("time") or 0),
                                             message)
                print("\n".join(output(case)[-80:] + [end.rstrip()]))
        return
    for case in sorted(cases, key=lambda c: c.get("name")):
        kind, rest = result(case)
        print("%s\t%s\t%s" % (kind, case.get("name"), rest.replace("\t", " ")))


main()
