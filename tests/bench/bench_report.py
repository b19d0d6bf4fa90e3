"""Figures to tables: medians with their range, ratios, markdown."""
import os
import platform
import re
import statistics
import subprocess

COLUMNS = (
    ("cpu_us", "CPU us/record", 3),
    ("cpu_all_us", "with start-up", 3),
    ("rate", "records/s", 0),
    ("cores", "cores busy", 2),
    ("memory_mb", "peak memory MB", 1),
    ("rest_ms", "REST up ms", 0),
    ("elapsed_s", "exec to complete s", 2),
)


def summary(runs, key):
    """(median, lowest, highest) or None."""
    values = [r[key] for r in runs if key in r]
    if not values:
        return None
    return statistics.median(values), min(values), max(values)


def cell(found, digits):
    if found is None:
        return "-"
    middle, low, high = (f"{v:,.{digits}f}" for v in found)
    return middle if low == high else f"{middle} ({low}-{high})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |",
             "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def side_table(results):
    rows = []
    for side, runs in results.items():
        for run in runs:
            run["cores"] = run["cpu_us"] * run["rate"] / 1e6
        rows.append([side, str(len(runs))]
                    + [cell(summary(runs, key), digits)
                       for key, _, digits in COLUMNS])
    return table(["side", "runs"] + [name for _, name, _ in COLUMNS], rows)


def middle(results, side, key):
    found = summary(results.get(side, []), key)
    return found[0] if found else None


def ratios(results):
    """CPU and rate of each tidegate side against the others, one a line."""
    lines = []
    for side in results:
        if not side.startswith("tidegate"):
            continue
        for other in ("kcat", "connect"):
            ours, theirs = (middle(results, s, "cpu_us")
                            for s in (side, other))
            if not ours or not theirs:
                continue
            rates = [middle(results, s, "rate") for s in (side, other)]
            faster = f", rate x {rates[0] / rates[1]:.2f}" if rates[1] else ""
            lines.append(f"- {side} / {other}: CPU x {ours / theirs:.3f} "
                         f"(1/{theirs / ours:.1f}){faster}")
    return lines


def control(results):
    """tidegate against itself: its even runs against its odd ones."""
    runs = results.get("tidegate", [])
    if len(runs) < 2:
        return []
    a, b = (statistics.median(r["cpu_us"] for r in runs[i::2])
            for i in (0, 1))
    ra, rb = (statistics.median(r["rate"] for r in runs[i::2])
              for i in (0, 1))
    return [f"- tidegate / itself (control): CPU x {b / a:.3f}, rate x "
            f"{rb / ra:.2f}; a ratio above closer to 1 than this says "
            "nothing"]


def idle_table(idle):
    rows = []
    for side, f in idle.items():
        memory = "<br>".join(f"{name}: {mb:.1f}"
                             for name, mb in f["memory"])
        rows.append([side, memory, f"{f['cpu_percent']:.2f}",
                     f"{f['rest_ms']:.0f}",
                     f"{f['get_ms']:.2f} (worst {f['get_worst_ms']:.2f})"])
    return table(["side", "memory MB of each process", "CPU %", "REST up ms",
                  "GET status ms"], rows)


def output_of(*argv, pattern=r"(.*)"):
    try:
        done = subprocess.run(argv, capture_output=True, text=True,
                              timeout=30, check=False)
    except OSError:
        return "unknown"
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1).strip() if found else "unknown"


def field_of(path, name):
    with open(path, encoding="utf-8") as f:
        for row in f:
            if row.startswith(name):
                return row.partition(":")[2].strip()
    return "unknown"


def machine():
    memory = int(field_of("/proc/meminfo", "MemTotal").split()[0]) / 2 ** 20
    return (f"{field_of('/proc/cpuinfo', 'model name')}, {os.cpu_count()} "
            f"cores, {memory:.0f} GB, Linux {platform.release()}")


def commit(root):
    head = output_of("git", "-C", root, "rev-parse", "--short", "HEAD")
    changed = output_of("git", "-C", root, "status", "--porcelain",
                        "--untracked-files=no", "--", "core", "lua",
                        "connectors")
    return head + (" with uncommitted changes" if changed else "")


def versions(tidegate, kafka):
    return "; ".join((
        output_of(tidegate, "version"),
        "kcat " + output_of("kcat", "-V", pattern=r"Version (\S+)"),
        f"Kafka and Kafka Connect {kafka}",
        output_of("java", "-version", pattern=r"(.*version.*)")))


def markdown(lab, rows, results, idle, facts):
    parts = [
        f"- Machine: {machine()}",
        f"- Commit: {facts['commit']}",
        f"- Versions: {facts['versions']}",
        f"- {lab.data.count:,} records, {facts['rounds']} rounds, seed "
        f"{lab.data.seed}; medians (lowest-highest)",
    ]
    text = "\n".join(parts) + "\n"
    for row, (title, _) in rows.items():
        if row not in results:
            continue
        text += f"\n## {title}\n\n{side_table(results[row])}\n"
        notes = ratios(results[row]) + control(results[row])
        if notes:
            text += "\n" + "\n".join(notes) + "\n"
    if idle:
        text += ("\n## Idle: one source and one sink with nothing to do\n\n"
                 + idle_table(idle) + "\n")
    return text
