"""Prints the results of measure.py as tables of Markdown: medians over the rounds, and for peaks the range."""

import json
import statistics
import sys


def median(values, digits=1):
    return f"{statistics.median(values):,.{digits}f}" if values else "–"


def spread(values):
    return f"{median(values)} ({min(values):,.1f}–{max(values):,.1f})" if values else "–"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def main(path):
    with open(path) as file:
        records = [json.loads(line) for line in file]

    def pick(field, **wanted):
        found = [r for r in records if all(r.get(key) == value for key, value in wanted.items())]
        return [r["ms"][field[3:]] if field.startswith("ms.") else r[field] for r in found
                if not field.startswith("ms.") or r["ms"].get(field[3:]) is not None]

    engines = list(dict.fromkeys(r["engine"] for r in records))
    for model in dict.fromkeys(r["model"] for r in records):
        here = [e for e in engines if pick("point", model=model, engine=e)]
        for length in sorted({r["length"] for r in records if r["model"] == model and "length" in r}):
            at = {"model": model, "length": length}
            shares = [s for s in ("50%", "80%", "100%", "200%") if pick("point", point=s, **at)]
            print(f"{model}, {length} tokens; p50 / p99 in ms\n")
            table(["server", "peak requests/s (range)", "one client", *(f"{s} of peak" for s in shares)],
                  [[e, spread(pick("answered_per_second", point="peak", engine=e, **at)),
                    *(f"{median(pick('ms.p50', point=p, engine=e, **at))} / "
                      f"{median(pick('ms.p99', point=p, engine=e, **at))}" for p in ("unloaded", *shares))]
                   for e in here])
        table(["server", "ready after s", "RSS MiB", "highest MiB", "cosine"],
              [[e, *(median(pick(f, model=model, engine=e, point="process"), d) for f, d in (
                  ("start_seconds", 2), ("rss_mib", 0), ("peak_rss_mib", 0), ("cosine", 6)))] for e in here])


if __name__ == "__main__":
    main(sys.argv[1])
